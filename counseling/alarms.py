"""Alarms: an urgent walk-in calls for help until somebody answers. The doing to ``urgent``'s deciding.

Each step is a row that can be there once, written with its audit row, its notice and what is to be sent
outside, all in one transaction: whatever restarts between, nothing is done twice and nothing is lost. While
the client's place is held after a quick exit the alarm stands still (``web/escalation.py`` asks for nothing).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices
from accounts.audit import Audit
from accounts.chain import Detail
from core.db import insert_into
from core.errors import NotFound
from core.ids import UserId, new_id
from counseling import alarm_sendings, urgent
from counseling.alarm_sendings import Channel
from counseling.triage import Safe
from counseling.urgent import TELLS, Around, Course, Event, Kind, State, Step
from counseling.urgent_tables import AlarmRow, AlarmStepRow
from counseling.walkin_states import Walkin
from counseling.way_tables import TalkRow

NOTICE: Final = "urgent_call"
NOTICE_MISSED: Final = "urgent_missed"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm. ``told`` is what the client was told when nobody answered, None while somebody may."""

    id: str
    walkin: str
    client: UserId
    course: Course
    safe: Safe | None
    told: Kind | None
    answered_by: UserId | None
    ended_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether it still calls."""
        return self.course.state in urgent.OPEN

    @property
    def since(self) -> datetime:
        """When it was answered; while it calls, when it was raised."""
        return self.ended_at or self.course.raised_at


async def raise_(db: AsyncSession, audit: Audit, *, walkin: Walkin, now: datetime) -> Alarm:
    """Raise an alarm for a walk-in; the one that calls already is given back."""
    await audit.hold(db)
    before = await alarm_of(db, walkin=walkin.id)
    if before is not None and before.is_open:
        return before
    row = AlarmRow(
        id=new_id("a"),
        walkin_id=walkin.id,
        client_id=walkin.client,
        state=State.CALLING.value,
        raised_at=now,
        safe=None,
        told=None,
        told_at=None,
        answered_by=None,
        ended_at=None,
    )
    db.add(row)
    await db.flush()
    alarm = _alarm(row, frozenset())
    detail = {"reasons": " ".join(walkin.triage.reasons)}
    await _append(db, audit, alarm, "raise", actor=walkin.client, detail=detail, now=now)
    return alarm


async def alarm_of(db: AsyncSession, *, walkin: str) -> Alarm | None:
    """Give a walk-in's alarm, the newest where a place was held and called again; None without one."""
    found = await _read(db, AlarmRow.walkin_id == walkin)
    return found[-1] if found else None


async def get(db: AsyncSession, *, alarm: str) -> Alarm:
    """Look an alarm up. Raises ``NotFound``."""
    found = await _read(db, AlarmRow.id == alarm)
    if not found:
        raise NotFound("There is no such alarm.")
    return found[0]


async def open_alarms(db: AsyncSession) -> list[Alarm]:
    """List the alarms that call now, the oldest first."""
    return await _read(db, AlarmRow.ended_at.is_(None))


async def awaited(db: AsyncSession) -> list[Alarm]:
    """List the last alarm of each client who is in a talk now: their counselor is awaited in the room."""
    talking = select(TalkRow.walkin_id).where(TalkRow.ended_at.is_(None), TalkRow.walkin_id.is_not(None))
    found = await _read(db, AlarmRow.walkin_id.in_(talking))
    return list({alarm.walkin: alarm for alarm in found}.values())


async def advance(
    db: AsyncSession,
    audit: Audit,
    *,
    alarm: Alarm,
    around: Around,
    channels: Collection[Channel] = (),
    now: datetime,
) -> tuple[Step, ...]:
    """Do what is due, each step once; gives what was done here.

    Counselors at their desks are called by a notice and on their pages; who is on duty by ``channels`` too.
    """
    if not urgent.steps(alarm.course, around, now):
        return ()
    await audit.hold(db)
    alarm = await get(db, alarm=alarm.id)
    done = []
    for step in urgent.steps(alarm.course, around, now):
        if step.kind in TELLS:
            await _change(db, alarm, Event.TELL, told=step.kind.value, told_at=now)
        number = await _put_step(db, alarm, step, now)
        if number is None:
            continue
        done.append(step)
        detail: Detail = {"step": step.kind.value, "person": step.person or "", "turn": step.turn}
        verb = "tell" if step.kind in TELLS else "call"
        await _append(db, audit, alarm, verb, actor=None, detail=detail, now=now)
        if step.person is not None:
            await notices.post_all(db, users=[step.person], kind=NOTICE, once=True, letter=False, now=now)
        if step.kind in {Kind.DUTY, Kind.DEPUTY}:
            await alarm_sendings.add(db, step=number, channels=channels, now=now)
    return tuple(done)


async def acknowledge(db: AsyncSession, audit: Audit, *, alarm: str, person: UserId, now: datetime) -> Alarm:
    """Write down who answers; the first does, and the calling ends.

    Raises ``NotFound``, ``InvalidState`` when somebody has answered already or the client waits no more.
    """
    await audit.hold(db)
    before = await get(db, alarm=alarm)
    changed = await _change(db, before, Event.ANSWER, answered_by=person, ended_at=now)
    await _append(db, audit, changed, "answer", actor=person, now=now)
    return changed


async def miss(db: AsyncSession, audit: Audit, *, alarm: str, person: UserId, now: datetime) -> Alarm:
    """Write down that somebody answered and did not come, and call for the others.

    Raises ``NotFound``, ``InvalidState`` when the client waits no more.
    """
    await audit.hold(db)
    before = await get(db, alarm=alarm)
    await _put_step(db, before, Step(Kind.MISSED, person, before.course.turn(now) + 1), now)
    changed = await _change(db, before, Event.MISS, answered_by=None, ended_at=None, told=None, told_at=None)
    await _append(db, audit, changed, "miss", actor=None, detail={"person": person}, now=now)
    await notices.post(db, user=person, kind=NOTICE_MISSED, now=now)
    return changed


async def leave(db: AsyncSession, audit: Audit, *, alarm: str, now: datetime) -> Alarm:
    """End an alarm whose client waits no more. Raises ``NotFound``, ``InvalidState``."""
    await audit.hold(db)
    changed = await _change(db, await get(db, alarm=alarm), Event.LEAVE, ended_at=now)
    await _append(db, audit, changed, "end", actor=None, now=now)
    return changed


async def say_safe(db: AsyncSession, audit: Audit, *, alarm: str, safe: Safe, now: datetime) -> Alarm:
    """Keep what the client answers to "are you safe now?". No answer ends an alarm."""
    await audit.hold(db)
    row = await _row(db, alarm)
    row.safe = safe.value
    await db.flush()
    changed = await get(db, alarm=alarm)
    await _append(db, audit, changed, "safe", actor=changed.client, detail={"safe": safe.value}, now=now)
    return changed


async def _put_step(db: AsyncSession, alarm: Alarm, step: Step, now: datetime) -> str | None:
    """Write a step down and give its number; None when it stands there already."""
    values = {
        "id": new_id("e"),
        "alarm_id": alarm.id,
        "kind": step.kind.value,
        "person_id": step.person,
        "turn": step.turn,
        "at": now,
    }
    asked = insert_into(db, AlarmStepRow).values(values).on_conflict_do_nothing().returning(AlarmStepRow.id)
    return (await db.execute(asked)).scalar_one_or_none()


async def _change(db: AsyncSession, alarm: Alarm, event: Event, **values: object) -> Alarm:
    row = await _row(db, alarm.id)
    row.state = urgent.after(State(row.state), event).value
    for name, value in values.items():
        setattr(row, name, value)
    await db.flush()
    return await get(db, alarm=alarm.id)


async def _row(db: AsyncSession, alarm: str) -> AlarmRow:
    row = await db.get(AlarmRow, alarm, populate_existing=True)
    if row is None:
        raise NotFound("There is no such alarm.")
    return row


async def _read(db: AsyncSession, *where: object) -> list[Alarm]:
    rows = (
        await db.scalars(
            select(AlarmRow)
            .where(*where)  # type: ignore[arg-type]  # conditions on this table
            .order_by(AlarmRow.raised_at, AlarmRow.id)
            .execution_options(populate_existing=True)
        )
    ).all()
    steps: dict[str, set[Step]] = {row.id: set() for row in rows}
    if rows:
        asked = select(AlarmStepRow).where(AlarmStepRow.alarm_id.in_(steps))
        for step in await db.scalars(asked):
            person = None if step.person_id is None else UserId(step.person_id)
            steps[step.alarm_id].add(Step(Kind(step.kind), person, step.turn))
    return [_alarm(row, frozenset(steps[row.id])) for row in rows]


def _alarm(row: AlarmRow, done: frozenset[Step]) -> Alarm:
    return Alarm(
        row.id,
        row.walkin_id,
        UserId(row.client_id),
        Course(row.raised_at, State(row.state), done),
        None if row.safe is None else Safe(row.safe),
        None if row.told is None else Kind(row.told),
        None if row.answered_by is None else UserId(row.answered_by),
        row.ended_at,
    )


async def _append(
    db: AsyncSession,
    audit: Audit,
    alarm: Alarm,
    verb: str,
    *,
    actor: UserId | None,
    detail: Detail | None = None,
    now: datetime,
) -> None:
    await audit.append(
        db,
        tag=f"alarm:{verb}",
        actor=actor,
        subject=alarm.client,
        object_id=alarm.id,
        detail=detail,
        now=now,
    )
