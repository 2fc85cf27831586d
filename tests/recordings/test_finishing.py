"""From logs to files in the store, whatever happens in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update

from core.config import Config
from core.errors import InvalidState
from recordings import finishing
from recordings.finishing import Finisher
from recordings.moving import NOT_COMPLETE
from recordings.retrying import STUCK_AFTER
from recordings.sides import log_path
from recordings.states import Side, SideState, State
from recordings.store import StoreFailed, object_name
from recordings.store_local import LocalStore
from recordings.tables import RecordingRow
from recordings.working import Busy, alone, work
from recordings.workshop import Workshop
from tests.fakes import FakeClock
from tests.recordings.ended import (
    BOTH,
    end_one,
    opened,
    side_of,
    side_states,
    state_of,
    stored,
)
from tests.recordings.playing import play

STORED = [SideState.STORED, SideState.STORED]


def objects(recording: str) -> list[str]:
    return [object_name(recording, side) for side in BOTH]


async def test_both_sides_are_stored_and_the_logs_deleted(shop: Workshop) -> None:
    made = await end_one(shop)
    assert await work(shop) == {State.STORED: 1}
    assert await state_of(shop, made.id) is State.STORED
    assert await side_states(shop, made.id) == STORED
    assert await stored(shop) == objects(made.id)
    assert not (shop.spool / made.id).exists()
    for side in BOTH:
        row = await side_of(shop, made.id, side)
        assert row.object_name == object_name(made.id, side)
        assert row.final_bytes == await shop.store.size(row.object_name)
        assert row.duration_ms == pytest.approx(3_000, abs=50)
        assert play(await opened(shop, made.id, side)).voice_s == pytest.approx(3.0, abs=0.05)


@pytest.mark.parametrize("tail", [b"\0\0\1\0half a record", bytes(5_000)], ids=["half", "zeros"])
async def test_what_a_crash_ended_is_stored_as_far_as_it_came(shop: Workshop, tail: bytes) -> None:
    made = await end_one(shop, last=False)
    log = log_path(shop.spool, made.id, Side.CLIENT)
    with log.open("ab") as file:
        file.write(tail)
    await work(shop)
    assert await side_states(shop, made.id) == STORED
    assert [(await side_of(shop, made.id, side)).problem for side in BOTH] == [NOT_COMPLETE] * 2


async def test_a_side_without_a_frame_is_empty_and_the_other_stored(shop: Workshop) -> None:
    made = await end_one(shop, sides=(Side.COUNSELOR,))
    await work(shop)
    assert await state_of(shop, made.id) is State.STORED
    assert await side_states(shop, made.id) == [SideState.EMPTY, SideState.STORED]


async def test_a_recording_of_nothing_is_destroyed(shop: Workshop) -> None:
    made = await end_one(shop, sides=())
    assert await work(shop) == {State.DESTROYING: 1, State.DESTROYED: 1}
    assert await state_of(shop, made.id) is State.DESTROYED
    assert not await shop.vault.has(made.id)


async def test_a_log_that_was_changed_is_named_and_kept_and_the_other_side_stored(shop: Workshop) -> None:
    made = await end_one(shop)
    log = log_path(shop.spool, made.id, Side.CLIENT)
    content = bytearray(log.read_bytes())
    content[-10] ^= 1
    log.write_bytes(content)
    await work(shop)
    assert await state_of(shop, made.id) is State.BROKEN
    assert await side_states(shop, made.id) == [SideState.BROKEN, SideState.STORED]
    row = await side_of(shop, made.id, Side.CLIENT)
    assert row.problem is not None
    assert row.problem.startswith("changed at ")
    assert log.read_bytes() == content
    assert await work(shop) == {}, "it does not mend by itself"


async def test_a_tail_that_was_cut_off_is_told_from_a_short_session(shop: Workshop) -> None:
    made = await end_one(shop)
    short = await end_one(shop, seconds=1)
    log, other = (log_path(shop.spool, one.id, Side.CLIENT) for one in (made, short))
    log.write_bytes(log.read_bytes()[: other.stat().st_size - 300])
    await work(shop)
    assert await state_of(shop, short.id) is State.STORED
    row = await side_of(shop, made.id, Side.CLIENT)
    assert (row.state, str(row.problem)[:6]) == (SideState.BROKEN, "cut at")


async def test_the_log_of_another_recording_is_refused(shop: Workshop) -> None:
    one, two = await end_one(shop), await end_one(shop)
    log_path(shop.spool, one.id, Side.CLIENT).write_bytes(
        log_path(shop.spool, two.id, Side.CLIENT).read_bytes()
    )
    await work(shop)
    assert await state_of(shop, one.id) is State.BROKEN
    assert await state_of(shop, two.id) is State.STORED


async def test_a_log_that_is_gone_is_no_empty_side(shop: Workshop) -> None:
    made = await end_one(shop)
    log_path(shop.spool, made.id, Side.CLIENT).unlink()
    await work(shop)
    row = await side_of(shop, made.id, Side.CLIENT)
    assert (row.state, row.problem) == (SideState.BROKEN, "media_lost")


async def test_somebody_puts_a_broken_one_right_and_has_it_tried_again(shop: Workshop) -> None:
    made = await end_one(shop)
    log = log_path(shop.spool, made.id, Side.CLIENT)
    content = log.read_bytes()
    log.write_bytes(content[:-40])
    await work(shop)
    log.write_bytes(content)
    async with shop.database.sessions.begin() as db:
        await finishing.retry(db, shop.audit, recording=made.id)
    await work(shop)
    assert await side_states(shop, made.id) == STORED
    async with shop.database.sessions.begin() as db:
        with pytest.raises(InvalidState):
            await finishing.retry(db, shop.audit, recording=made.id)


class FailingStore(LocalStore):
    """A store that does not answer, or gives back something else."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.down = True
        self.lies = False

    async def put(self, name: str, path: Path) -> None:
        if self.down:
            raise StoreFailed("The store is down.")
        await super().put(name, path)

    async def read(self, name: str, offset: int, length: int) -> bytes:
        found = await super().read(name, offset, length)
        return found[:-1] + bytes([found[-1] ^ 1]) if self.lies else found


@pytest.fixture
def failing(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> FailingStore:
    store = FailingStore(shop.spool / "stored")
    object.__setattr__(shop, "store", store)
    return store


async def test_a_store_that_is_down_is_asked_again_and_not_too_often(
    shop: Workshop, failing: FailingStore, clock: FakeClock
) -> None:
    made = await end_one(shop)
    tried = 0
    for _ in range(60):
        tried += sum((await work(shop)).values())
        clock.advance(60)
    assert tried == 7, "the pauses grow: 30 s, 1, 2, 4, 8, 16 minutes"
    assert await state_of(shop, made.id) is State.STUCK
    row = await side_of(shop, made.id, Side.CLIENT)
    assert (row.state, row.problem, row.tries) == (SideState.FINAL, "store_failed", tried)
    assert row.tries > STUCK_AFTER
    assert log_path(shop.spool, made.id, Side.CLIENT).exists()
    failing.down = False
    clock.advance(3_600)
    assert await work(shop) == {State.STORED: 1}
    row = await side_of(shop, made.id, Side.CLIENT)
    assert (row.problem, row.tries) == (None, 0)


async def test_what_has_no_end_is_called_so_when_the_store_is_back_and_after_a_retry(
    shop: Workshop, failing: FailingStore, clock: FakeClock
) -> None:
    made = await end_one(shop, last=False)
    await work(shop)
    assert (await side_of(shop, made.id, Side.CLIENT)).problem == "store_failed"
    log_path(shop.spool, made.id, Side.COUNSELOR).unlink()
    (shop.spool / made.id / "counselor.webm.age").unlink()
    failing.down = False
    clock.advance(3_600)
    await work(shop)
    assert await side_states(shop, made.id) == [SideState.STORED, SideState.BROKEN]
    async with shop.database.sessions.begin() as db:
        await finishing.retry(db, shop.audit, recording=made.id)
    row = await side_of(shop, made.id, Side.CLIENT)
    assert (row.problem, row.tries) == (NOT_COMPLETE, 0)


async def test_a_log_that_broke_after_it_was_finished_holds_nothing_up(
    shop: Workshop, failing: FailingStore, clock: FakeClock
) -> None:
    one, other = await end_one(shop), await end_one(shop)
    await work(shop)
    for made, spoil in ((one, lambda log: log.write_bytes(bytes(9))), (other, Path.unlink)):
        for side in BOTH:
            spoil(log_path(shop.spool, made.id, side))
    failing.down = False
    clock.advance(3_600)
    assert await work(shop) == {State.STORED: 2}
    assert (await side_of(shop, one.id, Side.CLIENT)).problem == NOT_COMPLETE
    assert (await side_of(shop, other.id, Side.CLIENT)).problem is None


async def test_a_broken_side_keeps_no_other_from_being_stored_when_the_store_is_back(
    shop: Workshop, failing: FailingStore, clock: FakeClock
) -> None:
    made = await end_one(shop)
    log = log_path(shop.spool, made.id, Side.CLIENT)
    data = bytearray(log.read_bytes())
    data[200] ^= 1
    log.write_bytes(data)
    await work(shop)
    assert await side_states(shop, made.id) == [SideState.BROKEN, SideState.FINAL]
    assert await state_of(shop, made.id) is State.FINALIZING
    failing.down = False
    clock.advance(3_600)
    await work(shop)
    assert await side_states(shop, made.id) == [SideState.BROKEN, SideState.STORED]
    assert await state_of(shop, made.id) is State.BROKEN
    assert (await side_of(shop, made.id, Side.CLIENT)).tries == 1, "nobody has put it right"


async def test_the_log_stays_until_the_store_gives_back_the_same(
    shop: Workshop, failing: FailingStore, clock: FakeClock
) -> None:
    failing.down, failing.lies = False, True
    made = await end_one(shop)
    await work(shop)
    assert await side_states(shop, made.id) == [SideState.FINAL, SideState.FINAL]
    assert log_path(shop.spool, made.id, Side.COUNSELOR).exists()
    failing.lies = False
    clock.advance(60)
    await work(shop)
    assert await side_states(shop, made.id) == STORED


async def test_a_mistake_of_ours_keeps_no_other_from_being_finished(
    shop: Workshop, failing: FailingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = await end_one(shop), await end_one(shop)
    failing.down = False

    async def put(name: str, path: Path) -> None:
        if name.startswith(first.id):
            raise KeyError(name)
        await LocalStore(shop.spool / "stored").put(name, path)

    monkeypatch.setattr(failing, "put", put)
    await work(shop)
    assert await state_of(shop, second.id) is State.STORED
    row = await side_of(shop, first.id, Side.CLIENT)
    assert (row.state, row.problem, row.tries) == (SideState.FINAL, "internal", 1)


async def test_whoever_withdraws_meanwhile_is_heard(
    shop: Workshop, failing: FailingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The upload goes on for an hour; in it the client withdraws. Nothing is stored in the end."""
    made = await end_one(shop)
    failing.down = False

    async def put(name: str, path: Path) -> None:
        await LocalStore(shop.spool / "stored").put(name, path)
        async with shop.database.sessions.begin() as db:
            await db.execute(update(RecordingRow).values(state=State.DESTROYING.value))

    monkeypatch.setattr(failing, "put", put)
    await work(shop)
    assert await state_of(shop, made.id) is State.DESTROYED
    assert await stored(shop) == []
    assert not (shop.spool / made.id).exists()


async def test_without_its_key_nothing_is_deleted(shop: Workshop, config: Config, clock: FakeClock) -> None:
    made = await end_one(shop)
    kept = config.keys_file.read_bytes()
    config.keys_file.write_bytes(b"")
    await work(shop)
    row = await side_of(shop, made.id, Side.CLIENT)
    assert row.state == SideState.LOG
    assert row.tries == 1
    assert log_path(shop.spool, made.id, Side.CLIENT).exists()
    config.keys_file.write_bytes(kept)
    clock.advance(60)
    await work(shop)
    assert await side_states(shop, made.id) == STORED


async def test_one_works_at_a_time(shop: Workshop) -> None:
    await end_one(shop)
    with alone(shop.spool), pytest.raises(Busy):
        await work(shop)
    assert await work(shop) == {State.STORED: 1}


async def test_what_a_crash_left_beside_a_stored_recording_is_tidied_up(shop: Workshop) -> None:
    made = await end_one(shop)
    folder = shop.spool / made.id
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    await work(shop)
    folder.mkdir()
    for name, content in kept.items():
        (folder / name).write_bytes(content)
    assert await Finisher(shop).tidy() == 1
    assert not folder.exists()
    assert await stored(shop) == objects(made.id)
