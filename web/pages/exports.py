"""Taking a recording out: asked for beside its review, decided by an admin who did not ask.

`/supervisor/recordings/{recording}/exports` asks, shows how far it is, and gives the sealed file;
`/admin/exports` decides. Only where the operator's policy allows it (`TEDUH_RECORDING_EXPORT`).
"""

from __future__ import annotations

from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import StringField
from wtforms.validators import DataRequired, Length

from accounts import people
from accounts.grants import MAX_PURPOSE_CHARS, MIN_PURPOSE_CHARS
from accounts.roles import Permission
from core.errors import Forbidden, InvalidInput, InvalidState, NotFound
from core.ids import is_id
from recordings import exports, reviews
from recordings.exports import MAX_NAME_CHARS, Export, State
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add, person_of
from web.pages.site import SITE
from web.reviews import REVIEW, REVIEWS, find_open, grant_of, may_be_open
from web.services import SERVICES

DECIDE: Final = Permission.DECIDE_EXPORT
PAGE: Final = "/admin/exports"
ASKING: Final = "/supervisor/recordings/{recording}/exports"


class AskForm(PageForm):
    """Whose key it is sealed to, who that is, and what for."""

    recipient = StringField(
        "export.recipient", [DataRequired("form.missing"), Length(max=100, message="export.recipient_wrong")]
    )
    whom = StringField(
        "export.whom", [DataRequired("form.missing"), Length(max=MAX_NAME_CHARS, message="form.long")]
    )
    purpose = StringField(
        "export.purpose",
        [
            DataRequired("form.missing"),
            Length(MIN_PURPOSE_CHARS, MAX_PURPOSE_CHARS, "admin_audit.purpose_length"),
        ],
    )


async def show(request: http.Request) -> http.Response:
    """Answer `GET /supervisor/recordings/{recording}/exports`."""
    return await _show(request)


async def _show(request: http.Request, form: AskForm | None = None, *, status: int = 200) -> http.Response:
    _check_policy(request)
    services, person = request.app[SERVICES], person_of(request)
    async with services.database.sessions() as db:
        recording = await find_open(request, db, person)
        grant = await grant_of(request, db, person, recording)
        found = await exports.of_recording(db, services.audit, recording=recording)
    return request.app[SITE].show(
        request,
        "reviews/exports.html",
        status=status,
        recording=recording,
        form=form or blank(request, AskForm),
        may_ask=grant is not None,
        exports=[one for one in found if one.asker == person.id],
        progress=request.app[REVIEWS].progress,
    )


async def ask(request: http.Request) -> http.Response:
    """Answer `POST /supervisor/recordings/{recording}/exports`."""
    _check_policy(request)
    services, person, form = request.app[SERVICES], person_of(request), await sent(request, AskForm)
    if not form.validate():
        return await _show(request, form, status=422)

    async def act(db: AsyncSession) -> str:
        recording = await find_open(request, db, person)
        grant = await grant_of(request, db, person, recording)
        if grant is None:
            raise Forbidden("Say first what you open it for.")
        await exports.ask(
            db,
            services.audit,
            grant,
            recording=recording,
            recipient=str(form.recipient.data),
            whom=str(form.whom.data),
            purpose=str(form.purpose.data),
            now=services.now(),
        )
        return f"{ASKING.format(recording=recording.id)}?done=export_asked"

    try:
        return await do_once(request, form, act)
    except InvalidInput as error:
        for misfit in error.misfits:
            field = misfit.pointer.removeprefix("/")
            form.say_wrong(Wrong(field, "export.recipient_wrong" if field == "recipient" else "form.missing"))
        return await _show(request, form, status=422)


async def file(request: http.Request) -> http.StreamResponse:
    """Answer `GET /supervisor/recordings/{recording}/exports/{export}`: the sealed file, for who asked."""
    _check_policy(request)
    services, person = request.app[SERVICES], person_of(request)
    async with services.database.sessions.begin() as db:
        recording = await find_open(request, db, person)
        export = await exports.find(db, services.audit, export=_number(request), recording=recording)
        await exports.fetched(
            db, services.audit, export=export, recording=recording, person=person, now=services.now()
        )
    path = request.app[REVIEWS].exporter.path(export.id)
    return http.FileResponse(
        path,
        headers={
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f'attachment; filename="{path.name}"',
            "Cache-Control": "no-store",
        },
    )


async def listed(request: http.Request) -> http.Response:
    """Answer `GET /admin/exports`: what waits for a decision, and what was decided."""
    services, person = request.app[SERVICES], person_of(request)
    waiting, decided = list[Export](), list[Export]()
    async with services.database.sessions() as db:
        for number, of, state, _ in await exports.in_states(db, states=list(State)):
            recording = await reviews.find(db, recording=of)
            one = await exports.find(db, services.audit, export=number, recording=recording)
            if state is not State.ASKED:
                decided.append(one)
            elif await may_be_open(db, recording, now=services.now()):
                waiting.append(one)
        users = {user for one in (*waiting, *decided) for user in (one.asker, one.decider)}
        named = await people.find_all(db, users=sorted(user for user in users if user is not None))
    return request.app[SITE].show(
        request,
        "reviews/export_list.html",
        waiting=waiting,
        decided=decided[::-1],
        named={one.id: one.name for one in named},
        me=person.id,
        allowed=services.config.recording_export,
    )


async def decide(request: http.Request) -> http.Response:
    """Answer `POST /admin/exports/{export}`: approve or refuse."""
    _check_policy(request)
    services, person, form = request.app[SERVICES], person_of(request), await sent(request, PageForm)
    number, approves = _number(request), "approve" in await request.post()

    async def act(db: AsyncSession) -> str:
        recording = await reviews.find(db, recording=await exports.whose(db, export=number))
        if not await may_be_open(db, recording, now=services.now()):
            raise NotFound("There is no such export.")
        export = await exports.find(db, services.audit, export=number, recording=recording)
        await exports.decide(
            db,
            services.audit,
            export=export,
            recording=recording,
            person=person,
            approves=approves,
            now=services.now(),
        )
        return f"{PAGE}?done={'export_approved' if approves else 'export_refused'}"

    try:
        return await do_once(request, form, act)
    except InvalidState:
        raise http.HTTPSeeOther(PAGE) from None


def _check_policy(request: http.Request) -> None:
    if not request.app[SERVICES].config.recording_export:
        raise NotFound("Recordings are not taken out here.")


def _number(request: http.Request) -> str:
    asked = request.match_info["export"]
    if not is_id(asked):
        raise NotFound("There is no such export.")
    return asked


def setup(app: http.Application) -> None:
    """Add the pages."""
    add(app, "GET", ASKING, show, REVIEW)
    add(app, "POST", ASKING, ask, REVIEW)
    add(app, "GET", f"{ASKING}/{{export}}", file, REVIEW)
    add(app, "GET", PAGE, listed, DECIDE)
    add(app, "POST", f"{PAGE}/{{export}}", decide, DECIDE)
