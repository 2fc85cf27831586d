"""`/admin/incidents`: what happened, the time that is left, the log. `teduh incident open` opens one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import TextAreaField
from wtforms.validators import DataRequired, Length

from accounts import people
from accounts.roles import Permission
from core.errors import InvalidState
from counseling import incidents
from counseling.incidents import MAX_TEXT_CHARS
from web.forms import PageForm, blank, do_once, sent
from web.gate import add, person_of
from web.pages.site import SITE
from web.services import SERVICES

HOME: Final = "/admin/incidents"
HANDLE: Final = Permission.HANDLE_INCIDENTS


class NoteForm(PageForm):
    """A line for the log."""

    text = TextAreaField(
        "incidents.note", [DataRequired("form.missing"), Length(max=MAX_TEXT_CHARS, message="form.long")]
    )


async def listed(request: http.Request) -> http.Response:
    """Answer `GET /admin/incidents`."""
    services = request.app[SERVICES]
    now = services.now()
    async with services.database.sessions() as db:
        found = await incidents.every(db)
    return request.app[SITE].show(
        request, "incidents/list.html", incidents=[(one, _clock(one, now)) for one in found]
    )


async def one(request: http.Request) -> http.Response:
    """Answer `GET /admin/incidents/{incident}`."""
    return await _one(request)


async def _one(
    request: http.Request, form: NoteForm | None = None, *, refused: str = "", status: int = 200
) -> http.Response:
    services, number = request.app[SERVICES], request.match_info["incident"]
    async with services.database.sessions() as db:
        found = await incidents.get(db, number=number)
        log = (await incidents.notes(db, numbers=[number]))[number]
        authors = await people.find_all(db, users=sorted({one.author for one in log if one.author}))
    return request.app[SITE].show(
        request,
        "incidents/one.html",
        status=status,
        one=found,
        clock=_clock(found, services.now()),
        log=log,
        names={person.id: person.name for person in authors},
        form=form or blank(request, NoteForm),
        refused=refused,
    )


async def note(request: http.Request) -> http.Response:
    """Answer `POST /admin/incidents/{incident}/note`."""
    services, admin, number = request.app[SERVICES], person_of(request), request.match_info["incident"]
    form = await sent(request, NoteForm)
    if not form.validate():
        return await _one(request, form, status=422)

    async def act(db: AsyncSession) -> str:
        await incidents.note(
            db, services.audit, number=number, text=str(form.text.data), author=admin.id, now=services.now()
        )
        return f"{HOME}/{number}?done=saved"

    return await do_once(request, form, act)


async def report(request: http.Request) -> http.Response:
    """Answer `POST /admin/incidents/{incident}/report`: the agency was told."""
    services, admin, number = request.app[SERVICES], person_of(request), request.match_info["incident"]

    async def act(db: AsyncSession) -> None:
        await incidents.report(db, services.audit, number=number, author=admin.id, now=services.now())

    return await _button(request, act)


async def close(request: http.Request) -> http.Response:
    """Answer `POST /admin/incidents/{incident}/close`."""
    services, admin, number = request.app[SERVICES], person_of(request), request.match_info["incident"]

    async def act(db: AsyncSession) -> None:
        await incidents.close(db, services.audit, number=number, author=admin.id, now=services.now())

    try:
        return await _button(request, act)
    except InvalidState:
        return await _one(request, refused="incidents.not_yet", status=422)


async def _button(request: http.Request, act: Callable[[AsyncSession], Awaitable[None]]) -> http.Response:
    form, number = await sent(request, PageForm), request.match_info["incident"]

    async def once(db: AsyncSession) -> str:
        await act(db)
        return f"{HOME}/{number}?done=saved"

    return await do_once(request, form, once)


def _clock(one: incidents.Incident, now: datetime) -> tuple[str, int]:
    """Say how the clock stands: the key of its words, and whole hours."""
    if one.closed_at is not None:
        return "closed", 0
    left = one.left(now)
    if left is None:
        return "told", 0
    seconds = left.total_seconds()
    return ("late" if seconds < 0 else "left"), int(abs(seconds) // 3600)


def setup(app: http.Application) -> None:
    """Add the pages of incidents."""
    add(app, "GET", HOME, listed, HANDLE)
    add(app, "GET", HOME + "/{incident}", one, HANDLE)
    add(app, "POST", HOME + "/{incident}/note", note, HANDLE)
    add(app, "POST", HOME + "/{incident}/report", report, HANDLE)
    add(app, "POST", HOME + "/{incident}/close", close, HANDLE)
