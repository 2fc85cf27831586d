"""Two processes at one recording, at the same moment: what a person asked for is never written over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import people
from accounts.audit import Audit
from accounts.erasure import Erasure
from accounts.tombstones import Tombstones
from core.config import Config
from core.db import Database
from core.errors import InvalidState
from core.ids import UserId
from recordings import ending, finishing, records, withdrawals
from recordings.finishing import Finisher
from recordings.retention import Why
from recordings.states import Ending, Side, State
from recordings.tables import RecordingRow
from recordings.working import work
from recordings.workshop import Workshop
from tests.fakes import FakeClock
from tests.recordings.ended import MASTER, TIMES, Ended, end_one, state_of, stored, workshop

T = TypeVar("T")
OVERLAP_S = 0.2
"""Long enough that who does not wait has read before the other commits."""


@pytest.fixture
async def worker(config: Config, clock: FakeClock, database_url: str) -> AsyncIterator[Workshop]:
    """What the worker's process has: connections of its own."""
    other = Database(database_url)
    async with workshop(config, other, clock) as made:
        yield made
    await other.close()


async def withdraw_during(shop: Workshop, made: Ended, doing: Awaitable[T]) -> asyncio.Future[T]:
    """Begin to do something while the client's withdrawal is written and not committed."""
    async with shop.database.sessions.begin() as db:
        client = made.users[Side.CLIENT]
        await withdrawals.withdraw_one(db, shop.audit, recording=made.id, user=client, now=shop.clock.now())
        task = asyncio.ensure_future(doing)
        await asyncio.sleep(OVERLAP_S)
    return task


async def destroyed(worker: Workshop, made: Ended) -> None:
    await work(worker)
    assert await state_of(worker, made.id) is State.DESTROYED
    assert not await worker.vault.has(made.id)
    assert await stored(worker) == []


async def test_a_withdrawal_while_ending_taskbegins_is_not_lost(shop: Workshop, worker: Workshop) -> None:
    made = await end_one(shop)
    task = await withdraw_during(shop, made, Finisher(worker).finish(made.id))
    assert await task is State.DESTROYING
    await destroyed(worker, made)


async def test_a_withdrawal_while_ending_taskends_is_not_lost(
    shop: Workshop, worker: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await end_one(shop)
    conclude = Finisher._conclude

    async def late(self: Finisher, recording: str) -> State:
        return await (await withdraw_during(shop, made, conclude(self, recording)))

    monkeypatch.setattr(Finisher, "_conclude", late)
    assert await Finisher(worker).finish(made.id) is State.DESTROYING
    await destroyed(worker, made)


async def test_a_withdrawal_while_somebody_has_it_retried_is_not_lost(
    shop: Workshop, worker: Workshop
) -> None:
    made = await end_one(shop)
    async with shop.database.sessions.begin() as db:
        (await db.get_one(RecordingRow, made.id)).state = State.STUCK.value

    async def retry() -> None:
        async with worker.database.sessions.begin() as db:
            await finishing.retry(db, worker.audit, recording=made.id)

    task = await withdraw_during(shop, made, retry())
    with pytest.raises(InvalidState):
        await task
    await destroyed(worker, made)


async def test_a_hold_while_its_time_is_over_is_not_lost(
    shop: Workshop, worker: Workshop, clock: FakeClock
) -> None:
    made = await end_one(shop)
    await work(worker)
    async with shop.database.sessions.begin() as db:
        counselor = made.users[Side.COUNSELOR]
        await withdrawals.withdraw_one(db, shop.audit, recording=made.id, user=counselor, now=clock.now())
    later = clock.now() + timedelta(days=15)

    async def due() -> list[tuple[str, Why]]:
        async with worker.database.sessions.begin() as db:
            return await ending.begin_due(db, worker.audit, now=later)

    async with shop.database.sessions.begin() as db:
        client = made.users[Side.CLIENT]
        await withdrawals.hold(db, shop.audit, recording=made.id, user=client, now=later)
        task = asyncio.ensure_future(due())
        await asyncio.sleep(OVERLAP_S)
    assert await task == []
    assert await state_of(shop, made.id) is State.STORED


async def test_a_hold_while_the_counselor_is_erased_is_not_lost(
    shop: Workshop, worker: Workshop, clock: FakeClock
) -> None:
    made = await end_one(shop)
    await work(worker)
    users = made.users
    async with shop.database.sessions.begin() as db:
        await withdrawals.withdraw_one(
            db, shop.audit, recording=made.id, user=users[Side.COUNSELOR], now=clock.now()
        )

    async def erase() -> None:
        async with worker.database.sessions.begin() as db:
            await ending.erase(db, user=users[Side.COUNSELOR], now=clock.now())

    async with shop.database.sessions.begin() as db:
        await withdrawals.hold(db, shop.audit, recording=made.id, user=users[Side.CLIENT], now=clock.now())
        task = asyncio.ensure_future(erase())
        await asyncio.sleep(OVERLAP_S)
    await task
    assert await state_of(shop, made.id) is State.STORED


async def test_an_erasure_and_a_withdrawal_wait_for_each_other_in_no_circle(
    shop: Workshop, worker: Workshop, clock: FakeClock, tmp_path: Path
) -> None:
    """The erasure had the recording and wanted the audit, the withdrawal the other way round."""
    made = await end_one(shop)
    at_work, users = asyncio.Event(), made.users

    async def slowly(db: AsyncSession, *, user: UserId, now: datetime) -> None:
        at_work.set()
        await asyncio.sleep(OVERLAP_S)

    erasure = Erasure(worker.audit, Tombstones(tmp_path / "tombstones", MASTER), [ending.erase, slowly])
    async with shop.database.sessions.begin() as db:
        await people.leave(db, user=users[Side.COUNSELOR], at=clock.now())

    async def erase() -> bool:
        async with worker.database.sessions.begin() as db:
            return await erasure.carry_out(db, user=users[Side.COUNSELOR], now=clock.now())

    erasing = asyncio.ensure_future(erase())
    await at_work.wait()
    async with shop.database.sessions.begin() as db:
        client = users[Side.CLIENT]
        await withdrawals.withdraw_one(db, shop.audit, recording=made.id, user=client, now=clock.now())
    assert await erasing
    await destroyed(worker, made)


async def test_an_erasure_and_the_end_of_a_recording_wait_for_each_other_in_no_circle(
    shop: Workshop, worker: Workshop, clock: FakeClock, tmp_path: Path
) -> None:
    made = await end_one(shop)
    async with shop.database.sessions.begin() as db:
        (await db.get_one(RecordingRow, made.id)).state = State.RECORDING.value
        await people.leave(db, user=made.users[Side.CLIENT], at=clock.now())
    at_work = asyncio.Event()

    class Slow(Audit):
        async def append(self, db: AsyncSession, **row: Any) -> int:
            at_work.set()
            await asyncio.sleep(OVERLAP_S)
            return await super().append(db, **row)

    async def finish() -> None:
        async with shop.database.sessions.begin() as db:
            await records.finish(
                db,
                Slow(MASTER),
                recording=made.id,
                reason=Ending.SESSION_ENDED,
                times=TIMES,
                now=clock.now(),
            )

    ending_task = asyncio.ensure_future(finish())
    await at_work.wait()
    erasure = Erasure(worker.audit, Tombstones(tmp_path / "tombstones", MASTER), [ending.erase])
    async with worker.database.sessions.begin() as db:
        assert await erasure.carry_out(db, user=made.users[Side.CLIENT], now=clock.now())
    await ending_task
    await destroyed(worker, made)
