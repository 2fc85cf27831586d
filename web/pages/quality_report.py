"""`/quality/sessions/{session}`: what both lines of one session did, and whose line it was.

Its counselor, whoever supervises them, and admins may read it. Opening it stands in the audit, which the
client reads too; their pseudonym is shown to their own counselor only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import people
from accounts.people import Person
from accounts.roles import Permission
from core.errors import NotFound
from core.ids import ParticipantId, SessionId, is_id
from counseling import oversight
from signaling import directory, quality_report
from signaling.directory import ParticipantRecord, Role, SessionRecord
from signaling.quality_report import Report, user_in
from signaling.quality_summary import SideQuality, Spread
from web import api_quality
from web.gate import add, person_of
from web.pages.site import SITE, language_of
from web.quality_words import Words
from web.register import REGISTER
from web.render import say_clock, say_seconds
from web.services import SERVICES
from web.timeline import draw


@dataclass(frozen=True, slots=True)
class Side:
    """One side as the page shows it; figures are written out."""

    id: ParticipantId
    role: str
    name: str
    said: str
    steps_said: str
    spreads: tuple[tuple[str, str, str, str], ...]
    data: str
    data_up: str
    data_down: str
    network: str
    steps_down: int
    freezes: int


@dataclass(frozen=True, slots=True)
class GapShown:
    """One time that a side could not be reached."""

    at: datetime
    who: str
    long: str
    cause: str
    returned: bool


@dataclass(frozen=True, slots=True)
class Line:
    """One event."""

    at: datetime
    who: str
    what: str


async def show(request: http.Request) -> http.Response:
    """Answer `GET /quality/sessions/{session}`."""
    services, site, person = request.app[SERVICES], request.app[SITE], person_of(request)
    words = Words(site.renderer, language_of(request))
    async with services.database.sessions.begin() as db:
        report = await _opened(request, db, person)
    client = next(place for place in report.session.participants if place.role is Role.CLIENT)
    own = user_in(report.session, Role.COUNSELOR) == person.id
    roles = {place.id: place.role.value for place in report.session.participants}
    zone = ZoneInfo(services.config.time_zone)
    return site.show(
        request,
        "quality/report.html",
        report=report,
        counselor=_counselor(report.session),
        client=client.name if own else "",
        known=client.user is not None,
        why=None if report.why is None else report.why.value,
        sides=[_side(words, place, report.sides[place.id]) for place in _in_order(report)],
        timeline=draw(report),
        breaks=[
            GapShown(
                gap.began_at,
                words.who(roles[place]),
                words.long(gap.gap_ms),
                words.cause(gap.cause, roles[place]),
                gap.returned,
            )
            for place, gap in report.drops
        ],
        events=[
            Line(event.at, words.who(role), words.event(event.kind, event.detail, role))
            for event in report.record.events
            for role in [None if event.participant_id is None else roles.get(event.participant_id)]
        ],
        long=words.long,
        figure=words.figure,
        clock=lambda at: say_clock(at, language=words.language, zone=zone),
        seconds=lambda at: say_seconds(at, language=words.language, zone=zone),
    )


async def as_json(request: http.Request) -> http.Response:
    """Answer `GET /quality/sessions/{session}.json`: the same as the API gives to programs, to keep."""
    report = await _asked_for(request)
    return _file(report, "json", msgspec.json.encode(api_quality.whole(report)))


async def as_csv(request: http.Request) -> http.Response:
    """Answer `GET /quality/sessions/{session}.csv`: the samples."""
    report = await _asked_for(request)
    return _file(report, "csv", api_quality.as_csv(report.record).encode())


async def _asked_for(request: http.Request) -> Report:
    async with request.app[SERVICES].database.sessions.begin() as db:
        return await _opened(request, db, person_of(request))


def _file(report: Report, kind: str, body: bytes) -> http.Response:
    headers = {"Content-Disposition": f'attachment; filename="{report.session.id}.{kind}"'}
    content = {"json": "application/json", "csv": "text/csv"}[kind]
    return http.Response(body=body, content_type=content, charset="utf-8", headers=headers)


async def _opened(request: http.Request, db: AsyncSession, person: Person) -> Report:
    """Open the report that is asked for; that it was opened is written down. Raises ``NotFound``."""
    services, asked = request.app[SERVICES], request.match_info["session"]
    now = services.now()
    session = await directory.find(db, session_id=SessionId(asked)) if is_id(asked) else None
    if session is None:
        raise NotFound("There is no such session.")
    seen = await oversight.of(db, person=person, day=request.app[REGISTER].today(now))
    user = user_in(session, Role.CLIENT)
    client = None if user is None else await people.find(db, user=user)
    grant = await quality_report.ask_for(
        db,
        services.audit,
        person=person,
        oversight=seen,
        session=session,
        purpose=request.app[SITE].renderer.text((client or person).language, "quality.purpose"),
        now=now,
    )
    return await quality_report.read(db, grant, session=session, now=now)


def _counselor(session: SessionRecord) -> str:
    """Name the counselor as the session does; empty where no login opens their place."""
    place = next(one for one in session.participants if one.role is Role.COUNSELOR)
    return "" if place.user is None else place.name


def _in_order(report: Report) -> list[ParticipantRecord]:
    return sorted(report.session.participants, key=lambda place: place.role)


def _side(words: Words, place: ParticipantRecord, side: SideQuality) -> Side:
    role = place.role.value
    spreads: list[tuple[str, Spread | None, str]] = [
        ("rtt", side.rtt_ms, "ms"),
        ("loss_up", side.loss_up_pct, "pct"),
        ("loss_down", side.loss_down_pct, "pct"),
        ("jitter", side.jitter_ms, "ms"),
    ]
    rows = [
        (name, words.figure(one.p5, unit), words.figure(one.p50, unit), words.figure(one.p95, unit))
        for name, one, unit in spreads
        if one is not None
    ]
    if (mos := side.mos) is not None:
        # The only value of which more is better.
        best, half, worst = (words.figure(one, "mos") for one in (mos.p95, mos.p50, mos.p5))
        rows.insert(0, ("mos", best, half, worst))
    return Side(
        id=place.id,
        role=role,
        name=words.who(role),
        said=_said(words, side),
        steps_said=words.text("quality.steps_said", count=side.steps_down),
        spreads=tuple(rows),
        data=words.megabytes(side.bytes_up + side.bytes_down),
        data_up=words.megabytes(side.bytes_up),
        data_down=words.megabytes(side.bytes_down),
        network=words.network(side.network),
        steps_down=side.steps_down,
        freezes=side.freezes,
    )


def _said(words: Words, side: SideQuality) -> str:
    """Say in a sentence or two how this side's line was."""
    graded = sum(side.grades.values())
    bad = side.grades.get("poor", 0) + side.grades.get("lost", 0)
    if not graded:
        how = words.text("quality.said_nothing")
    elif bad == 0 and side.grades.get("fair", 0) == 0:
        how = words.text("quality.said_held" if side.gaps else "quality.said_good")
    else:
        shares = [round(100 * side.grades.get(one, 0) / graded) for one in ("good", "fair")]
        bad_pct = max(0, 100 - sum(shares))
        how = words.text("quality.said_shares", good=shares[0], fair=shares[1], poor=bad_pct)
    if not side.gaps:
        return how
    broke = words.text(
        "quality.said_gaps",
        count=len(side.gaps),
        total=words.long(side.gaps_ms),
        longest=words.long(side.longest_gap_ms),
    )
    return f"{how} {broke}"


def setup(app: http.Application) -> None:
    """Add the page, and its record as files."""
    add(app, "GET", "/quality/sessions/{session}.json", as_json, Permission.SEE_QUALITY)
    add(app, "GET", "/quality/sessions/{session}.csv", as_csv, Permission.SEE_QUALITY)
    add(app, "GET", "/quality/sessions/{session}", show, Permission.SEE_QUALITY)
