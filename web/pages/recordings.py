"""`/me/recordings`: what exists of one's own sessions, until when, who opened it, and taking it back.

For both who are in one. A client's withdrawal destroys it; a counselor's closes it to everybody.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import people
from accounts.people import Person
from accounts.roles import Permission
from accounts.standing import Entry
from core.errors import InvalidState, NotFound
from core.ids import UserId, is_id
from counseling import register
from recordings import exports, receipts, reviews, withdrawals
from recordings.records import OBJECTION
from recordings.withdrawals import Own
from web import withdrawing
from web.forms import PageForm, do_once, sent
from web.gate import add, person_of
from web.pages import receipts as receipt_pages
from web.pages.own_reviews import seen
from web.pages.site import SITE
from web.services import SERVICES

PAGE: Final = "/me/recordings"
OWN: Final = Permission.OWN_RECORDINGS


async def listed(request: http.Request) -> http.Response:
    """Answer `GET /me/recordings`."""
    services, person = request.app[SERVICES], person_of(request)
    async with services.database.sessions() as db:
        rows = await withdrawals.of_person(db, user=person.id)
        named = await _names(db, [one.other for one in rows])
        entries = await receipts.without_recording(db, user=person.id)
    return request.app[SITE].show(
        request,
        "recordings/list.html",
        rows=rows,
        named=named,
        entries=entries,
        hold_hours=services.config.recording_hold,
    )


async def one(request: http.Request) -> http.Response:
    """Answer `GET /me/recordings/{recording}`."""
    services, person = request.app[SERVICES], person_of(request)
    async with services.database.sessions() as db:
        found = await _own(db, request, person)
        whole = await reviews.find(db, recording=found.id)
        opened = await reviews.openings(db, services.audit, recording=whole, participant=person.id)
        taken = await exports.of_recording(db, services.audit, recording=whole)
        rows: list[Entry] = []
        if found.session is not None:
            rows = await receipts.of_person(db, user=person.id, session=found.session)
        named = await _names(
            db, [found.other, *(each.viewer for each in opened), *(each.asker for each in taken)]
        )
    return request.app[SITE].show(
        request,
        "recordings/one.html",
        one=found,
        named=named,
        seen=[seen(each, named, whole) for each in opened],
        taken=taken,
        entries=rows,
        objection_days=OBJECTION.days,
    )


async def withdraw(request: http.Request) -> http.Response:
    """Answer `POST /me/recordings/{recording}/withdraw`."""
    services, person, form = request.app[SERVICES], person_of(request), await sent(request, PageForm)
    async with services.database.sessions() as db:
        found = await _own(db, request, person)

    async def act(_db: AsyncSession) -> str:
        return f"{PAGE}/{found.id}?done=recording_withdrawn_{found.side.value}"

    await withdrawing.of_recording(services, recording=found.id, user=person.id)
    return await do_once(request, form, act)


async def hold(request: http.Request) -> http.Response:
    """Answer `POST /me/recordings/{recording}/hold`."""
    services, person, form = request.app[SERVICES], person_of(request), await sent(request, PageForm)

    async def act(db: AsyncSession) -> str:
        found = await _own(db, request, person)
        await withdrawals.hold(db, services.audit, recording=found.id, user=person.id, now=services.now())
        return f"{PAGE}/{found.id}?done=recording_held"

    try:
        return await do_once(request, form, act)
    except InvalidState:
        raise http.HTTPSeeOther(PAGE) from None


async def _own(db: AsyncSession, request: http.Request, person: Person) -> Own:
    asked = request.match_info["recording"]
    if not is_id(asked):
        raise NotFound("There is no such recording.")
    return await withdrawals.own(db, recording=asked, user=person.id)


async def _names(db: AsyncSession, users: list[UserId | None]) -> dict[UserId, str]:
    """Name people as they are known here: a counselor as on the card."""
    named = {}
    for each in await people.find_all(db, users=sorted({user for user in users if user is not None})):
        entry = await register.find(db, user=each.id) if each.is_staff else None
        named[each.id] = (entry.licence.shown_name if entry is not None else "") or each.name
    return named


def setup(app: http.Application) -> None:
    """Add the pages."""
    add(app, "GET", PAGE, listed, OWN)
    receipt_pages.serve(app, PAGE, OWN, ledger=receipts.entry)
    add(app, "GET", f"{PAGE}/{{recording}}", one, OWN)
    add(app, "POST", f"{PAGE}/{{recording}}/withdraw", withdraw, OWN)
    add(app, "POST", f"{PAGE}/{{recording}}/hold", hold, OWN)
