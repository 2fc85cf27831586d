"""Turns: who is next is offered to one counselor for ``TURN``, or assigned where a service does so.

Passed on or let go by, the next counselor's turn comes. For somebody in danger there are no turns: a
counselor who fits is kept free for them, and whoever does may accept (``line.accept``).

What a turn plans is looked at again once it holds the line (``audit.hold``). The indexes of ``way_tables``
stand behind all this: never two counselors for one client, nor two clients for one counselor.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Select, and_, bindparam, exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from core.ids import UserId
from counseling import desks, exclusions, lineup, talks, walkin_states, walkins
from counseling.lineup import Mode, Rules
from counseling.matching import Match
from counseling.talks import Talk
from counseling.triage import Risk
from counseling.walkin_states import Ended, Event, State, Walkin
from counseling.way_tables import DeskRow, TalkRow, WalkinRow

TURN: Final = timedelta(seconds=60)


class Over(enum.StrEnum):
    """Why an offer is over."""

    LAPSED = "lapsed"
    """Nobody answered in ``TURN``; it counts as the counselor's turn."""
    CLIENT_AWAY = "client_away"
    COUNSELOR_AWAY = "counselor_away"
    """The desk was closed, or nobody sits at it."""
    URGENT = "urgent"
    """It has become urgent since: no turns."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A client is shown to a counselor."""

    walkin: str
    client: UserId
    counselor: UserId


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """An offer is over; the client waits again."""

    walkin: str
    client: UserId
    counselor: UserId | None
    why: Over


@dataclass(frozen=True, slots=True)
class Assigned:
    """A talk began by itself."""

    talk: Talk


@dataclass(frozen=True, slots=True)
class Gone:
    """A client did not come back in time; the walk-in has ended."""

    walkin: str
    client: UserId


Turned = Offered | Withdrawn | Assigned | Gone


async def turn(db: AsyncSession, audit: Audit, rules: Rules, *, now: datetime) -> list[Turned]:
    """Do what is due: end what nobody came back to, take back old offers, make new ones.

    At most ``lineup.IN_ONE_TURN`` new ones; the rest with the next turn. Nothing due writes nothing.
    """
    due = list(await db.scalars(_DUE, _due_at(now)))
    done: list[Turned] = []
    if due:
        await audit.hold(db)
        for walkin in due:
            done += await _tidied(db, audit, await walkins.row_of(db, walkin), now)
    matches = await lineup.paired(db, rules, now=now)
    if matches:
        await audit.hold(db)
        free = await desks.unoccupied(db, among=[match.counselor for match in matches], now=now)
        for match in matches:
            if match.counselor in free:
                done += await _given(db, audit, rules, match, now)
    return done


def _due_statement() -> Select[str]:
    """Ask for walk-ins that something is to be done about; ``_due_at`` gives its times."""
    sits = exists().where(
        DeskRow.counselor_id == WalkinRow.offered_to,
        DeskRow.open_since.is_not(None),
        DeskRow.seen_at >= bindparam("desks"),
    )
    talks_now = exists().where(TalkRow.counselor_id == WalkinRow.offered_to, TalkRow.ended_at.is_(None))
    offer_is_over = or_(
        WalkinRow.offered_to.is_(None),
        WalkinRow.offered_at <= bindparam("turn"),
        WalkinRow.seen_at < bindparam("present"),
        WalkinRow.risk == Risk.URGENT.value,
        ~sits,
        talks_now,
    )
    nobody_came = or_(
        and_(WalkinRow.seen_at < bindparam("survives"), WalkinRow.ended_why.is_(None)),
        WalkinRow.seen_at < bindparam("held"),
    )
    return (
        select(WalkinRow.id)
        .where(
            or_(
                and_(WalkinRow.state == State.OFFERED.value, offer_is_over),
                and_(WalkinRow.state.in_([State.WAITING.value, State.OFFERED.value]), nobody_came),
            )
        )
        .order_by(WalkinRow.id)
    )


_DUE: Final = _due_statement()
"""Made once: a turn has milliseconds, and the making takes one."""


def _due_at(now: datetime) -> dict[str, datetime]:
    return {
        "desks": now - desks.PRESENT,
        "turn": now - TURN,
        "present": now - walkin_states.PRESENT,
        "survives": now - walkin_states.SURVIVES,
        "held": now - walkin_states.HELD,
    }


async def _tidied(db: AsyncSession, audit: Audit, row: WalkinRow, now: datetime) -> list[Turned]:
    """End a walk-in that nobody came back to, or take its offer back; nothing if neither is so any more."""
    asked = walkins.walkin_of(row)
    if asked.state not in {State.WAITING, State.OFFERED}:
        return []
    if asked.is_over(now):
        why = Ended.QUICK_EXIT if asked.is_held else Ended.ABSENT
        await walkins.end_row(db, row, why, now)
        await append(db, audit, "walkin:leave", row, actor=None, now=now, why=why.value)
        return [Gone(asked.id, asked.client)]
    over = None if asked.state is State.WAITING else await _over(db, asked, now)
    if over is None:
        return []
    if over is Over.LAPSED:
        put_by(row)
    else:
        walkins.release(row)
    await db.flush()
    await append(db, audit, "walkin:lapse", row, actor=None, now=now, why=over.value)
    return [Withdrawn(asked.id, asked.client, asked.offered_to, over)]


async def _over(db: AsyncSession, asked: Walkin, now: datetime) -> Over | None:
    """Say why an offer is over; None while it stands."""
    if asked.triage.risk is Risk.URGENT:
        return Over.URGENT
    if not asked.is_present(now):
        return Over.CLIENT_AWAY
    if asked.offered_to is None or asked.offered_at is None:
        return Over.COUNSELOR_AWAY
    if now - asked.offered_at >= TURN:
        return Over.LAPSED
    desk = await desks.find(db, counselor=asked.offered_to)
    talk = await talks.open_of_counselor(db, counselor=asked.offered_to)
    return Over.COUNSELOR_AWAY if desk is None or not desk.takes(now) or talk else None


async def _given(db: AsyncSession, audit: Audit, rules: Rules, match: Match, now: datetime) -> list[Turned]:
    """Offer or assign, if the client still waits. For one in danger the counselor is only kept free."""
    row = await walkins.row_of(db, match.walkin)
    asked = walkins.walkin_of(row)
    if asked.state is not State.WAITING or not asked.is_present(now) or asked.triage.risk is Risk.URGENT:
        return []
    if await exclusions.excludes(db, client=asked.client, counselor=match.counselor):
        return []
    if rules.mode is Mode.ASSIGNED:
        talk = await talks.begin(
            db,
            audit,
            client=asked.client,
            counselor=match.counselor,
            medium=asked.medium,
            walkin=asked.id,
            reasons=match.reasons,
            now=now,
        )
        return [Assigned(talk)]
    row.state = walkin_states.after(asked.state, Event.OFFER).value
    row.offered_to, row.offered_at = match.counselor, now
    await db.flush()
    await append(db, audit, "walkin:offer", row, actor=None, now=now, counselor=match.counselor)
    return [Offered(asked.id, asked.client, match.counselor)]


def put_by(row: WalkinRow) -> None:
    """Note that this counselor's turn went by."""
    if row.offered_to is not None:
        row.passed = [*(one for one in row.passed if one != row.offered_to), row.offered_to]
    walkins.release(row)


async def append(
    db: AsyncSession,
    audit: Audit,
    tag: str,
    row: WalkinRow,
    *,
    actor: UserId | None,
    now: datetime,
    **detail: str,
) -> None:
    """Write down what happened in the line to a walk-in."""
    await audit.append(
        db,
        tag=tag,
        actor=actor,
        subject=UserId(row.client_id),
        object_id=row.id,
        detail=detail,
        now=now,
    )
