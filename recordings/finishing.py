"""Finishing a recording that has ended: both sides into the store (``recordings/moving.py``), then no log.

Only when all sides are stored or empty is the recording STORED; then its logs and local files are deleted.
A side that is broken keeps no other from being stored, but keeps the logs. What fails is tried again, seldom
and for ever (``recordings/retrying.py``); after some tries it is STUCK, which people are told. One process
at a time works here (``recordings/working.py``).
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from core.agefile import Identity
from core.errors import InvalidState, NotFound, TeduhError
from core.warrants import SYSTEM, Purpose
from recordings import ending, states
from recordings.log import Chain, LogBroken
from recordings.moving import DONE, Half, MediaLost, move
from recordings.retention import Why
from recordings.retrying import INTERNAL, STUCK_AFTER, may_try
from recordings.states import Event, Side, SideState, State
from recordings.tables import NOT_DESTROYED, RecordingRow, RecordingSideRow
from recordings.workshop import Workshop

logger = logging.getLogger(__name__)

OVER: Final = DONE | {SideState.BROKEN}
"""Sides that are not tried again: a broken one waits for somebody (``retry``)."""
_WAITING: Final = (State.ENDED, State.FINALIZING, State.STUCK)


class Overtaken(InvalidState):
    """Somebody had the recording destroyed meanwhile: nothing more is done for it."""

    code = "overtaken"


async def waiting(db: AsyncSession, *, now: datetime) -> list[str]:
    """List what is to be finished and may be tried now, the longest waiting first."""
    there = select(RecordingRow.id).where(
        NOT_DESTROYED, RecordingRow.state.in_([one.value for one in _WAITING])
    )
    rows = (
        await db.execute(
            select(RecordingRow.id, RecordingSideRow.tries, RecordingSideRow.tried_at)
            .outerjoin(RecordingSideRow, RecordingSideRow.recording_id == RecordingRow.id)
            .where(RecordingRow.id.in_(there))
            .order_by(RecordingRow.ended_at, RecordingRow.id)
        )
    ).all()
    later = {one for one, tries, tried_at in rows if not may_try(tries or 0, tried_at, now=now)}
    return [one for one in dict.fromkeys(row[0] for row in rows) if one not in later]


async def retry(db: AsyncSession, audit: Audit, *, recording: str) -> None:
    """Have one tried anew that is stuck or broken, as soon as somebody works.

    Raises ``InvalidState``, and ``NotFound`` where there is none.
    """
    await audit.hold(db)
    row = await db.get(RecordingRow, recording, populate_existing=True)
    if row is None:
        raise NotFound("There is no such recording.")
    row.state = states.after(State(row.state), Event.BEGIN).value
    for side in await _sides(db, recording):
        side.tries, side.tried_at = 0, None
        if SideState(side.state) is not SideState.STORED:
            side.problem = None
        if SideState(side.state) is SideState.BROKEN:
            side.state = SideState.LOG.value
    await db.flush()


class Finisher:
    """Finishes recordings, one after another."""

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop

    async def finish(self, recording: str) -> State:
        """Go as far as it goes now; gives the state it is in then. A failure is kept, not raised."""
        try:
            halves = await self._begin(recording)
            for half in halves:
                if half.state not in OVER:
                    await self._try(half)
            return await self._conclude(recording)
        except InvalidState:
            # Overtaken: the state is somebody else's now.
            async with self._shop.database.sessions() as db:
                return State((await db.get_one(RecordingRow, recording)).state)

    async def tidy(self) -> int:
        """Delete what a crash left behind of recordings that are stored; gives of how many."""
        there = await asyncio.to_thread(_folders, self._shop.spool)
        async with self._shop.database.sessions() as db:
            wanted = select(RecordingRow.id).where(
                RecordingRow.id.in_(there), RecordingRow.state == State.STORED.value
            )
            stored = (await db.scalars(wanted)).all()
        for one in stored:
            await asyncio.to_thread(shutil.rmtree, self._shop.spool / one)
        return len(stored)

    async def _begin(self, recording: str) -> Sequence[Half]:
        async with self._shop.database.sessions.begin() as db:
            # Who takes a consent back holds too: SQLite lets nobody lock a row that is only read.
            await self._shop.audit.hold(db)
            row = await db.get_one(RecordingRow, recording)
            row.state = states.after(State(row.state), Event.BEGIN).value
            return [_half(side) for side in await _sides(db, recording)]

    async def _try(self, half: Half) -> None:
        """Take one side as far as it goes. Raises ``Overtaken`` and nothing else."""
        about = {"recording": half.recording, "side": half.side.value}
        try:
            identity = await self._open(half.recording)
            await move(half, identity, store=self._shop.store, spool=self._shop.spool, keep=self._keep)
        except Overtaken:
            raise
        except (LogBroken, MediaLost) as error:
            problem = f"{error.what} at {error.at_record}" if isinstance(error, LogBroken) else error.code
            logger.exception("recording.broken", extra={**about, "problem": problem})
            await self._keep(half, {**self._tried(problem), "state": SideState.BROKEN.value})
        except (TeduhError, OSError) as error:
            problem = error.code if isinstance(error, TeduhError) else type(error).__name__
            logger.warning("recording.not_finished", extra={**about, "problem": problem})
            await self._keep(half, self._tried(problem))
        except Exception:  # whatever it was, those behind it in the line are finished
            logger.exception("recording.not_finished", extra={**about, "problem": INTERNAL})
            await self._keep(half, self._tried(INTERNAL))

    def _tried(self, problem: str) -> dict[str, object]:
        return {
            "tries": RecordingSideRow.tries + 1,
            "tried_at": self._shop.clock.now(),
            "problem": problem,
        }

    async def _open(self, recording: str) -> Identity:
        warrant = self._shop.warrants.issue(
            recording_id=recording, viewer=SYSTEM, purpose=Purpose.FINALIZE, now=self._shop.clock.now()
        )
        return await self._shop.vault.open(warrant)

    async def _keep(self, half: Half, values: dict[str, object]) -> None:
        """Write down how far a side is. Raises ``Overtaken`` unless the recording is still being finished."""
        async with self._shop.database.sessions.begin() as db:
            # Takes the row, so that who wants it destroyed comes before this or after it.
            taken = await db.scalar(
                update(RecordingRow)
                .where(RecordingRow.id == half.recording, RecordingRow.state == State.FINALIZING.value)
                .values(state=State.FINALIZING.value)
                .returning(RecordingRow.id)
            )
            if taken is None:
                raise Overtaken("This recording is not being finished any more.")
            await db.execute(
                update(RecordingSideRow)
                .where(
                    RecordingSideRow.recording_id == half.recording,
                    RecordingSideRow.side == half.side.value,
                )
                .values(**values)
                .execution_options(synchronize_session=False)
            )

    async def _conclude(self, recording: str) -> State:
        """Say what has become of the whole. Raises ``InvalidState`` when it is somebody else's now."""
        shop, now = self._shop, self._shop.clock.now()
        async with shop.database.sessions.begin() as db:
            await shop.audit.hold(db)
            row = await db.get_one(RecordingRow, recording)
            sides = await _sides(db, recording)
            event = _event(sides)
            if event is None:
                return State(row.state)
            if event is Event.DESTROY:
                await ending.begin(db, shop.audit, recording=recording, why=Why.EMPTY, now=now)
                return State.DESTROYING
            state = states.after(State(row.state), event)
            row.state = state.value
            if event is Event.STORE:
                await shop.audit.append(
                    db, tag="recording:store", actor=None, subject=None, object_id=recording, now=now
                )
        if state is State.STORED:
            # That it is stored is committed; what a crash leaves here, tidy() finds.
            await asyncio.to_thread(_delete, shop.spool / recording)
            logger.info("recording.stored", extra={"recording": recording})
        return state


def _event(sides: Sequence[RecordingSideRow]) -> Event | None:
    """Say what happens to a recording when its sides are so; None: it is tried again later."""
    found = {SideState(one.state) for one in sides}
    if not found <= OVER:
        return Event.GIVE_UP if any(one.tries >= STUCK_AFTER for one in sides) else None
    if SideState.BROKEN in found:
        return Event.BREAK
    return Event.STORE if SideState.STORED in found else Event.DESTROY


async def _sides(db: AsyncSession, recording: str) -> Sequence[RecordingSideRow]:
    rows = await db.scalars(
        select(RecordingSideRow)
        .where(RecordingSideRow.recording_id == recording)
        .order_by(RecordingSideRow.side)
        .execution_options(populate_existing=True)
    )
    return rows.all()


def _half(row: RecordingSideRow) -> Half:
    chain = Chain(row.records, bytes.fromhex(row.head)) if row.records and row.head is not None else None
    return Half(row.recording_id, Side(row.side), SideState(row.state), chain, row.final_sha256)


def _folders(spool: Path) -> list[str]:
    return [one.name for one in spool.iterdir() if one.is_dir()] if spool.is_dir() else []


def _delete(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)
