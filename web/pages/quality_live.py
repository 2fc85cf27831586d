"""`/quality`: the sessions whose lines are in trouble now.

Admins and whoever is on duty see all of them, supervisors those of the counselors whom they supervise,
counselors their own. Nothing of it names a client, but to the client's own counselor.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.people import Person
from accounts.roles import Permission
from counseling import oversight, roster
from counseling.oversight import ALL, Oversight
from signaling.quality_trouble import SideNow, TroubledSession
from web.gate import add, person_of
from web.pages.site import SITE, language_of
from web.quality_words import Words
from web.register import REGISTER
from web.services import SERVICES

PAGE: Final = "/quality"
REFRESH_S: Final = 30


@dataclass(frozen=True, slots=True)
class Shown:
    """One side: whose line, its state (for its colour) and that in words, what it has, its last minutes."""

    whose: str
    state: str
    said: str
    why: str
    recent: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One session as the page shows it. ``report`` is empty for whom its report is closed to."""

    began_at: datetime | None
    counselor: str
    client: str
    mode: str
    stepped_down: bool
    sides: tuple[Shown, ...]
    report: str


async def show(request: http.Request) -> http.Response:
    """Answer `GET /quality`."""
    services, person = request.app[SERVICES], person_of(request)
    words = Words(request.app[SITE].renderer, language_of(request))
    async with services.database.sessions() as db:
        own = await oversight.of(db, person=person, day=request.app[REGISTER].today(services.now()))
        seen = ALL if await _on_duty(request, db, person) else own
    rows = [
        _row(words, one, person, own) for one in services.survey.in_trouble() if seen.covers(one.counselor)
    ]
    return request.app[SITE].show(
        request,
        "quality/live.html",
        rows=rows,
        everybody=seen.counselors is None,
        trends=person.may(Permission.SEE_TRENDS),
        refresh_s=REFRESH_S,
    )


async def _on_duty(request: http.Request, db: AsyncSession, person: Person) -> bool:
    services, ours = request.app[SERVICES], request.app[REGISTER]
    now = services.now()
    duty = (await roster.load(db, zone=ours.zone, now=now)).on_duty(now)
    return duty is not None and person.id in (duty.person, duty.deputy)


def _row(words: Words, one: TroubledSession, person: Person, own: Oversight) -> Row:
    by_role = {side.role.value: side for side in one.sides}
    mine = one.counselor == person.id
    return Row(
        began_at=one.began_at,
        counselor=by_role["counselor"].name if one.counselor is not None else "",
        client=by_role["client"].name if mine else "",
        mode=one.mode.value,
        stepped_down=one.stepped_down,
        sides=tuple(_said(words, by_role[role]) for role in ("client", "counselor")),
        report=f"/quality/sessions/{one.session}" if own.covers(one.counselor) else "",
    )


def _said(words: Words, side: SideNow) -> Shown:
    role = side.role.value
    state = "gone" if side.gone else side.grade.value if side.grade is not None else "unknown"
    figures = [
        words.text(f"quality.now_{name}", value=words.figure(value, unit))
        for name, value, unit in (
            ("rtt", side.rtt_ms, "ms"),
            ("loss", side.loss_pct, "pct"),
            ("mos", side.mos, "mos"),
        )
        if value is not None and not side.gone
    ]
    cause = [] if side.cause is None else [words.cause(side.cause, role)]
    return Shown(
        words.text(f"quality.side_{role}"),
        state,
        words.text(f"quality.state_{state}"),
        "; ".join(cause + figures),
        side.recent if any(side.recent) else (),
    )


def setup(app: http.Application) -> None:
    """Add the list."""
    add(app, "GET", PAGE, show, Permission.SEE_QUALITY)
