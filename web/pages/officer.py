"""`/officer`: complaints, for an officer outside the counseling line. Each is opened by a grant."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import RadioField, TextAreaField
from wtforms.validators import DataRequired, Length

from accounts import grants
from accounts.grants import FIXED, Grant
from accounts.people import Person
from accounts.roles import Permission
from core.errors import Forbidden, InvalidState, NotFound
from core.ids import is_id
from counseling import complaint_lists, complaints
from counseling.complaint_lists import Place
from counseling.complaints import MAX_TEXT_CHARS, Unanswered, outside_the_line
from web.duties import DUTIES
from web.fields import pick
from web.forms import PageForm, blank, do_once, sent
from web.gate import add, person_of
from web.pages.site import SITE
from web.services import SERVICES

HANDLE: Final = Permission.HANDLE_COMPLAINTS
SUFFIXES: Final = {"image/png": "png", "image/jpeg": "jpg", "application/pdf": "pdf"}


class OpenForm(PageForm):
    """What it is opened for: chosen, for admins read the audit and complaints are sealed from them."""

    purpose = RadioField(
        "officer.purpose",
        [DataRequired("form.choice")],
        choices=pick(*[(one, f"officer.purpose_{one}") for one in FIXED[HANDLE]]),
        default=FIXED[HANDLE][0],
    )


class AnswerForm(PageForm):
    """The answer."""

    text = TextAreaField(
        "officer.answer", [DataRequired("form.missing"), Length(max=MAX_TEXT_CHARS, message="form.long")]
    )


class DismissForm(PageForm):
    """Why it is closed without an answer."""

    reason = RadioField(
        "officer.dismiss_why",
        [DataRequired("form.choice")],
        choices=pick(*[(why.value, f"officer.dismiss_{why.value}") for why in Unanswered]),
    )


async def listed(request: http.Request) -> http.Response:
    """Answer `GET /officer`: what waits, and how the promise was kept; both lists page by page."""
    _officer(request)
    services = request.app[SERVICES]
    now = services.now()
    async with services.database.sessions() as db:
        waiting = await complaint_lists.waiting(db, after=_place(request, "after"))
        closed = await complaint_lists.closed(db, after=_place(request, "closed"))
        measured = await complaint_lists.measure(db, now=now)
    return request.app[SITE].show(
        request,
        "complaint/list.html",
        waiting=[(one, one.is_late(now)) for one in waiting.complaints],
        closed=closed.complaints,
        more=_more("after", waiting.after),
        more_closed=_more("closed", closed.after),
        measured=measured,
        promised=services.config.complaint_days,
    )


def _more(name: str, place: Place | None) -> str | None:
    """Write where the next page of a list begins, for an address."""
    if place is None:
        return None
    return urlencode({name: f"{place.answered:d}~{place.at.isoformat()}~{place.id}"})


def _place(request: http.Request, name: str) -> Place | None:
    """Read what ``_more`` wrote. Raises ``NotFound`` for anything else."""
    text = request.query.get(name)
    if text is None:
        return None
    answered, _, rest = text.partition("~")
    moment, _, number = rest.partition("~")
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        raise NotFound("There is nothing here.") from None
    if answered not in {"0", "1"} or at.tzinfo is None or not is_id(number):
        raise NotFound("There is nothing here.")
    return Place(answered == "1", at, number)


async def one(request: http.Request) -> http.Response:
    """Answer `GET /officer/{complaint}`: ask what it is opened for, or show it while the grant holds."""
    return await _one(request)


async def _one(
    request: http.Request,
    opening: OpenForm | None = None,
    form: AnswerForm | None = None,
    dismissing: DismissForm | None = None,
    *,
    status: int = 200,
) -> http.Response:
    officer, services, number = _officer(request), request.app[SERVICES], request.match_info["complaint"]
    site = request.app[SITE]
    async with services.database.sessions.begin() as db:
        grant = await _grant(request, db, officer)
        if grant is None:
            opening = opening or blank(request, OpenForm)
            return site.show(request, "complaint/opening.html", status=status, form=opening, number=number)
        found, inside = await request.app[DUTIES].complaints.open(
            db, grant, complaint=number, now=services.now()
        )
    form = form or blank(request, AnswerForm, text=inside.answer or "")
    return site.show(
        request,
        "complaint/officer.html",
        status=status,
        one=found,
        inside=inside,
        form=form,
        dismissing=dismissing or blank(request, DismissForm),
        late=found.is_late(services.now()),
        until=grant.expires_at,
    )


async def open_one(request: http.Request) -> http.Response:
    """Answer `POST /officer/{complaint}/open`."""
    officer, services, number = _officer(request), request.app[SERVICES], request.match_info["complaint"]
    form = await sent(request, OpenForm)
    if not form.validate():
        return await _one(request, opening=form, status=422)

    async def act(db: AsyncSession) -> str:
        await complaints.exists(db, complaint=number)
        await grants.give(
            db,
            services.audit,
            person=officer,
            permission=HANDLE,
            subject=None,
            object_id=number,
            purpose=str(form.purpose.data),
            now=services.now(),
            minutes=60,
        )
        return f"/officer/{number}"

    return await do_once(request, form, act)


async def answer(request: http.Request) -> http.Response:
    """Answer `POST /officer/{complaint}/answer`."""
    officer, services, number = _officer(request), request.app[SERVICES], request.match_info["complaint"]
    form = await sent(request, AnswerForm)
    if not form.validate():
        return await _one(request, form=form, status=422)

    async def act(db: AsyncSession) -> str:
        grant = await _needed(request, db, officer)
        await request.app[DUTIES].complaints.answer(
            db, grant, complaint=number, text=str(form.text.data), officer=officer, now=services.now()
        )
        return f"/officer/{number}?done=answered"

    return await do_once(request, form, act)


async def close(request: http.Request) -> http.Response:
    """Answer `POST /officer/{complaint}/close`."""
    officer, services, number = _officer(request), request.app[SERVICES], request.match_info["complaint"]
    form = await sent(request, PageForm)

    async def act(db: AsyncSession) -> str:
        await request.app[DUTIES].complaints.close(db, complaint=number, officer=officer, now=services.now())
        return "/officer?done=complaint_closed"

    try:
        return await do_once(request, form, act)
    except InvalidState:
        raise http.HTTPSeeOther(f"/officer/{number}") from None


async def dismiss(request: http.Request) -> http.Response:
    """Answer `POST /officer/{complaint}/dismiss`: close it without an answer, for a reason."""
    officer, services, number = _officer(request), request.app[SERVICES], request.match_info["complaint"]
    form = await sent(request, DismissForm)
    if not form.validate():
        return await _one(request, dismissing=form, status=422)

    async def act(db: AsyncSession) -> str:
        grant = await _needed(request, db, officer)
        await request.app[DUTIES].complaints.close_unanswered(
            db,
            grant,
            complaint=number,
            reason=Unanswered(form.reason.data),
            officer=officer,
            now=services.now(),
        )
        return "/officer?done=complaint_closed"

    try:
        return await do_once(request, form, act)
    except InvalidState:
        raise http.HTTPSeeOther(f"/officer/{number}") from None


async def evidence(request: http.Request) -> http.Response:
    """Answer `GET /officer/{complaint}/evidence/{file}`: as an attachment, in a sandbox."""
    officer, services = _officer(request), request.app[SERVICES]
    number, wanted = request.match_info["complaint"], request.match_info["file"]
    async with services.database.sessions.begin() as db:
        grant = await _needed(request, db, officer)
        file = await request.app[DUTIES].complaints.file_of(
            db, grant, complaint=number, evidence=wanted, now=services.now()
        )
    suffix = SUFFIXES.get(file.kind, "bin")
    return http.Response(
        body=file.content,
        content_type=file.kind,
        headers={
            "Content-Disposition": f'attachment; filename="{wanted}.{suffix}"',
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


def _officer(request: http.Request) -> Person:
    """Say who handles complaints here. Raises ``Forbidden`` for who is in the counseling line too."""
    person = person_of(request)
    if not outside_the_line(person):
        raise Forbidden("Complaints are for an officer outside the counseling line.")
    return person


async def _grant(request: http.Request, db: AsyncSession, officer: Person) -> Grant | None:
    services, number = request.app[SERVICES], request.match_info["complaint"]
    await complaints.exists(db, complaint=number)
    return await grants.current(
        db,
        services.audit,
        person=officer,
        permission=HANDLE,
        subject=None,
        object_id=number,
        now=services.now(),
    )


async def _needed(request: http.Request, db: AsyncSession, officer: Person) -> Grant:
    grant = await _grant(request, db, officer)
    if grant is None:
        raise Forbidden("Say first what you open it for.")
    return grant


def setup(app: http.Application) -> None:
    """Add the officer's pages."""
    add(app, "GET", "/officer", listed, HANDLE)
    add(app, "GET", "/officer/{complaint}", one, HANDLE)
    add(app, "POST", "/officer/{complaint}/open", open_one, HANDLE)
    add(app, "POST", "/officer/{complaint}/answer", answer, HANDLE)
    add(app, "POST", "/officer/{complaint}/close", close, HANDLE)
    add(app, "POST", "/officer/{complaint}/dismiss", dismiss, HANDLE)
    add(app, "GET", "/officer/{complaint}/evidence/{file}", evidence, HANDLE)
