"""`/admin/audit`: what was done, by tag, person and time. Details open for a stated purpose only."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from accounts import grants
from accounts.audit import PAGE, Filter
from accounts.checkpoints import FILE
from accounts.grants import MAX_PURPOSE_CHARS, MIN_PURPOSE_CHARS, Grant
from accounts.roles import Permission
from accounts.verifying import last_verdict
from core.errors import InvalidInput, NotFound
from core.ids import UserId, is_id
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add, person_of
from web.pages.history import before_of
from web.pages.site import SITE, language_of
from web.services import SERVICES
from web.telling import everybody_in, say_tag, say_who

DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
FIELDS: Final = ("tag", "person", "since", "until")
STALE: Final = timedelta(days=7)


class PurposeForm(PageForm):
    """What the details are needed for."""

    purpose = StringField(
        "admin_audit.purpose",
        [
            InputRequired("form.missing"),
            Length(MIN_PURPOSE_CHARS, MAX_PURPOSE_CHARS, "admin_audit.purpose_length"),
        ],
    )


async def audit(request: http.Request) -> http.Response:
    """Answer `GET /admin/audit`."""
    services, site, language = request.app[SERVICES], request.app[SITE], language_of(request)
    typed = {name: request.query.get(name, "").strip()[:100] for name in FIELDS}
    wanted, wrong = read_filter(typed, ZoneInfo(services.config.time_zone))
    async with services.database.sessions() as db:
        entries = await services.audit.matching(db, wanted=wanted, before=before_of(request), limit=PAGE + 1)
        grant = await _grant(request, db, wanted.person) if wanted.person is not None else None
        shown = entries[:PAGE]
        if grant is not None:
            shown = await services.audit.opened(db, grant, entries=shown, now=services.now())
        persons = await everybody_in(db, shown)
        tags = await services.audit.tags(db)
        verdict = await last_verdict(db)

    def who(user: UserId | None) -> str:
        if user is None:
            return site.renderer.text(language, "who.service")
        return say_who(site.renderer, language, persons.get(user))

    kept = {name: text for name, text in typed.items() if text}
    return site.show(
        request,
        "audit/audit.html",
        status=422 if wrong else 200,
        rows=[(entry, say_tag(site.renderer, language, entry)) for entry in shown],
        who=who,
        typed=typed,
        wrong=wrong,
        tags=tags,
        grant=grant,
        verdict=verdict,
        stale=verdict is None or services.now() - verdict.at > STALE,
        checkpoints=services.checkpoints,
        older=None if len(entries) <= PAGE else urlencode({**kept, "before": shown[-1].seq}),
        only=lambda name, value: urlencode({**kept, name: value}),
    )


def read_filter(typed: dict[str, str], zone: ZoneInfo) -> tuple[Filter, dict[str, str]]:
    """Read what to list; days are the service's, ``until`` is the last one in it.

    Gives the key of a sentence for each field that does not fit; that one is left open then.
    """
    wrong: dict[str, str] = {}
    if typed["person"] and not is_id(typed["person"]):
        wrong["person"] = "admin_audit.wrong_person"
    days: dict[str, datetime | None] = {}
    for name, plus in (("since", 0), ("until", 1)):
        try:
            days[name] = _day(typed[name], zone, plus) if typed[name] else None
        except (ValueError, OverflowError):
            days[name], wrong[name] = None, "admin_audit.wrong_day"
    found = Filter(
        tag=typed["tag"] or None,
        person=UserId(typed["person"]) if typed["person"] and "person" not in wrong else None,
        since=days["since"],
        until=days["until"],
    )
    return found, wrong


def _day(text: str, zone: ZoneInfo, plus: int) -> datetime:
    """Give the beginning of a day, or of one after it. Raises ``ValueError`` or ``OverflowError``."""
    if DATE.fullmatch(text) is None:
        raise ValueError(text)
    return (datetime.fromisoformat(text) + timedelta(days=plus)).replace(tzinfo=zone).astimezone(UTC)


async def row(request: http.Request) -> http.Response:
    """Answer `GET /admin/audit/{seq}`: one row, with its details while a grant holds."""
    return await _show_row(request, blank(request, PurposeForm))


async def open_row(request: http.Request) -> http.Response:
    """Answer `POST /admin/audit/{seq}`: say the purpose, and have the details opened for a while."""
    form = await sent(request, PurposeForm)
    seq, person, services = _seq(request), person_of(request), request.app[SERVICES]

    async def act(db: AsyncSession) -> str:
        entry = await services.audit.find(db, seq=seq)
        try:
            await grants.give(
                db,
                services.audit,
                person=person,
                permission=Permission.SEE_AUDIT,
                subject=entry.subject,
                purpose=str(form.purpose.data),
                now=services.now(),
            )
        except InvalidInput:
            raise Wrong("purpose", "admin_audit.purpose_length") from None
        return f"/admin/audit/{seq}"

    if form.validate():
        try:
            return await do_once(request, form, act)
        except Wrong as error:
            form.say_wrong(error)
    return await _show_row(request, form, status=422)


async def checkpoint(request: http.Request) -> http.Response:
    """Answer `GET /admin/audit/checkpoint`: what the chain is now, signed, as a file to keep elsewhere."""
    services = request.app[SERVICES]
    async with services.database.sessions() as db:
        taken = await services.checkpoints.take(db, now=services.now())
    return http.Response(
        text=taken.line() + "\n",
        content_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="{taken.count}-{FILE}"'},
    )


async def _show_row(request: http.Request, form: PurposeForm, *, status: int = 200) -> http.Response:
    services, site, language = request.app[SERVICES], request.app[SITE], language_of(request)
    async with services.database.sessions() as db:
        entry = await services.audit.find(db, seq=_seq(request))
        grant = await _grant(request, db, entry.subject)
        if grant is not None:
            (entry,) = await services.audit.opened(db, grant, entries=[entry], now=services.now())
        persons = await everybody_in(db, [entry])
        keys = {} if entry.subject is None else await services.subjects.keys_of(db, subjects=[entry.subject])

    def who(user: UserId | None) -> str:
        if user is None:
            return site.renderer.text(language, "who.service")
        return say_who(site.renderer, language, persons.get(user))

    return site.show(
        request,
        "audit/row.html",
        status=status,
        entry=entry,
        words=say_tag(site.renderer, language, entry),
        who=who,
        form=form,
        grant=grant,
        closed=entry.subject is not None and keys.get(entry.subject) is None,
    )


async def _grant(request: http.Request, db: AsyncSession, subject: UserId | None) -> Grant | None:
    services = request.app[SERVICES]
    return await grants.current(
        db,
        services.audit,
        person=person_of(request),
        permission=Permission.SEE_AUDIT,
        subject=subject,
        now=services.now(),
    )


def _seq(request: http.Request) -> int:
    text = request.match_info["seq"]
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise NotFound("There is no such row.")
    return int(text)


def setup(app: http.Application) -> None:
    """Add the pages of the audit."""
    add(app, "GET", "/admin/audit", audit, Permission.SEE_AUDIT)
    add(app, "GET", "/admin/audit/checkpoint", checkpoint, Permission.SEE_AUDIT)
    add(app, "GET", "/admin/audit/{seq}", row, Permission.SEE_AUDIT)
    add(app, "POST", "/admin/audit/{seq}", open_row, Permission.SEE_AUDIT)
