"""Taking a recording out: asked for beside its review, decided by an admin who did not ask.

`/supervisor/recordings/{recording}/exports` asks, shows how far it is, and gives the sealed file;
`/admin/exports` decides. Only where the operator's policy allows it (`TEDUH_RECORDING_EXPORT`).
"""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from typing import BinaryIO, Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import StringField
from wtforms.validators import DataRequired, Length

from accounts import people
from accounts.grants import MAX_PURPOSE_CHARS, MIN_PURPOSE_CHARS
from accounts.roles import Permission
from core.errors import Forbidden, InvalidInput, InvalidState, NotFound, TeduhError
from core.ids import is_id
from recordings import exports, reviews
from recordings.exports import MAX_NAME_CHARS, Export, State
from recordings.ranges import Span, Unsatisfiable, wanted
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add, person_of, still_there
from web.pages.site import SITE
from web.review_media import LOOK_EVERY_S, cut
from web.reviews import REVIEW, REVIEWS, find_open, grant_of, may_be_open
from web.services import SERVICES

DECIDE: Final = Permission.DECIDE_EXPORT
PAGE: Final = "/admin/exports"
PIECE_BYTES: Final = 1 << 18
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
    path = request.app[REVIEWS].exporter.path(await _fetched(request, first=True))
    try:
        opened = path.open("rb")
    except FileNotFoundError:
        raise NotFound("There is no such file.") from None
    with opened:
        return await _answer(request, path.name, opened)


async def _answer(request: http.Request, name: str, opened: BinaryIO) -> http.StreamResponse:
    size, tag = os.fstat(opened.fileno()).st_size, f'"{name}"'
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Type": "application/octet-stream",
        "ETag": tag,
    }
    header = request.headers.get("Range") if request.headers.get("If-Range", tag) == tag else None
    try:
        span = wanted(header, size)
    except Unsatisfiable:
        return http.Response(status=416, headers=headers | {"Content-Range": f"bytes */{size}"})
    response = http.StreamResponse(status=206 if span.partial else 200, headers=headers)
    response.content_length = span.length
    if span.partial:
        response.headers["Content-Range"] = span.content_range(size)
    if request.method == "HEAD":
        return response
    with suppress(ConnectionError):
        await response.prepare(request)
        if await _send(request, response, opened, span):
            await response.write_eof()
        else:
            cut(request)
    return response


async def _send(request: http.Request, response: http.StreamResponse, opened: BinaryIO, span: Span) -> bool:
    """Send a file for as long as it may be fetched; says whether that was all of it."""
    clock, left = request.app[SERVICES].clock, span.length
    looked_s = clock.monotonic()
    opened.seek(span.first)
    while left:
        if clock.monotonic() - looked_s >= LOOK_EVERY_S:
            try:
                await _fetched(request, first=False)
            except TeduhError:
                return False
            looked_s = clock.monotonic()
        piece = await asyncio.to_thread(opened.read, min(left, PIECE_BYTES))
        if not piece:
            return False
        left -= len(piece)
        await response.write(piece)
    return True


async def _fetched(request: http.Request, *, first: bool) -> str:
    """Find the export that is asked for, if it may be fetched now; the ``first`` time it is written down.

    Raises ``NotFound`` or ``Forbidden``.
    """
    services = request.app[SERVICES]
    person = person_of(request) if first else await still_there(request)
    if person is None:
        raise Forbidden("This login has ended.")
    async with services.database.sessions.begin() as db:
        recording = await find_open(request, db, person)
        export = await exports.find(db, services.audit, export=_number(request), recording=recording)
        if first:
            await exports.fetched(
                db, services.audit, export=export, recording=recording, person=person, now=services.now()
            )
        else:
            exports.check_fetch(export, person)
    return export.id


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
