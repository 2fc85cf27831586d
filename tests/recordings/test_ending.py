"""Destroyed: key, media, proof; by whom and what it may be begun, and what never stops it."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from accounts.audit import Filter
from core.errors import InvalidState, NotFound
from recordings import ending, keybackup, restored
from recordings.ending import Destroyer, Proof
from recordings.keystore import KeyStore
from recordings.retention import HELD_AT_MOST, Why
from recordings.states import Ending, Side, SideState, State
from recordings.store import Store, StoreFailed, object_name
from recordings.store_local import LocalStore
from recordings.tables import RecordingProofRow, RecordingRow
from recordings.vault import BACKUPS_KEPT
from recordings.working import work
from recordings.workshop import Workshop
from signaling.tables import SessionRow
from tests.fakes import FakeClock
from tests.recordings.ended import Ended, end_one, opened, pass_time, side_states, state_of, stored


async def change(shop: Workshop, recording: str, **values: object) -> None:
    async with shop.database.sessions.begin() as db:
        await db.execute(update(RecordingRow).where(RecordingRow.id == recording).values(**values))


async def begin(shop: Workshop, recording: str, why: Why = Why.WITHDRAWN) -> None:
    async with shop.database.sessions.begin() as db:
        await ending.begin(db, shop.audit, recording=recording, why=why, now=shop.clock.now())


async def proof(shop: Workshop, recording: str) -> Proof:
    async with shop.database.sessions() as db:
        found = await ending.proof_of(db, recording=recording)
    assert found is not None
    return found


async def gone(shop: Workshop, recording: str) -> None:
    """Make sure that nothing is left but the proof."""
    assert await state_of(shop, recording) is State.DESTROYED
    assert not await shop.vault.has(recording)
    assert [name for name in await stored(shop) if name.startswith(recording)] == []
    assert not (shop.spool / recording).exists()
    assert set(await side_states(shop, recording)) == {SideState.DESTROYED}


async def test_key_then_media_then_proof(shop: Workshop, kept: Ended, clock: FakeClock) -> None:
    asked = clock.now()
    copy = shop.spool / "copy"
    copy.write_bytes(await shop.store.read(object_name(kept.id, Side.CLIENT), 0, 1 << 20))
    await begin(shop, kept.id)
    clock.advance(1)
    assert await work(shop) == {State.DESTROYED: 1}
    await gone(shop, kept.id)
    found = await proof(shop, kept.id)
    assert found == Proof(
        recording_id=kept.id,
        why=Why.WITHDRAWN,
        asked_at=asked,
        key_at=clock.now(),
        backups_until=clock.now() + BACKUPS_KEPT,
        media_at=clock.now(),
        files=2,
        tries=0,
        problem=None,
    )
    await shop.store.put(object_name(kept.id, Side.CLIENT), copy)
    with pytest.raises(NotFound):
        await opened(shop, kept.id, Side.CLIENT)


async def test_the_audit_says_that_it_was_begun_and_done(shop: Workshop, kept: Ended) -> None:
    await begin(shop, kept.id, Why.EXPIRED)
    await work(shop)
    async with shop.database.sessions() as db:
        for tag in ("recording:destroy", "recording:destroyed"):
            [entry] = await shop.audit.matching(db, wanted=Filter(tag=tag))
            assert (entry.object_id, entry.subject, entry.actor) == (kept.id, None, None)


async def test_what_still_records_is_ended_first(shop: Workshop, kept: Ended) -> None:
    await change(shop, kept.id, state=State.RECORDING.value)
    with pytest.raises(InvalidState):
        await begin(shop, kept.id)


async def test_asked_again_the_first_reason_stands(shop: Workshop, kept: Ended) -> None:
    await begin(shop, kept.id, Why.WITHDRAWN)
    await begin(shop, kept.id, Why.EXPIRED)
    await work(shop)
    await begin(shop, kept.id, Why.ERASED)
    assert (await proof(shop, kept.id)).why is Why.WITHDRAWN
    assert await state_of(shop, kept.id) is State.DESTROYED


async def test_a_client_who_withdraws_in_the_room_needs_no_more_than_that(shop: Workshop) -> None:
    made = await end_one(shop, reason=Ending.WITHDRAWN_CLIENT)
    await work(shop)
    await gone(shop, made.id)
    found = await proof(shop, made.id)
    assert (found.why, found.files) == (Why.WITHDRAWN, 2)


async def test_a_counselors_withdrawal_waits_fourteen_days(shop: Workshop, clock: FakeClock) -> None:
    made = await end_one(shop, reason=Ending.WITHDRAWN_COUNSELOR)
    await work(shop)
    pass_time(shop, clock, 14 * 86_400 - 60)
    await work(shop)
    assert await state_of(shop, made.id) is State.STORED
    clock.advance(60)
    await work(shop)
    await gone(shop, made.id)
    assert (await proof(shop, made.id)).why is Why.COUNSELOR


async def test_a_hold_keeps_it_and_has_an_end_too(shop: Workshop, clock: FakeClock) -> None:
    made = await end_one(shop, reason=Ending.WITHDRAWN_COUNSELOR)
    await work(shop)
    await change(shop, made.id, held_at=clock.now())
    pass_time(shop, clock, HELD_AT_MOST.total_seconds() - 60)
    await work(shop)
    assert await state_of(shop, made.id) is State.STORED
    clock.advance(60)
    await work(shop)
    await gone(shop, made.id)


async def test_those_that_are_held_keep_no_others(
    shop: Workshop, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recordings.ending.AT_ONCE", 1)
    held, other = await end_one(shop), await end_one(shop)
    await change(shop, held.id, held_at=clock.now())
    pass_time(shop, clock, 91 * 86_400)
    await work(shop)
    await gone(shop, other.id)


async def test_one_of_a_program_is_kept_for_less_long(shop: Workshop, clock: FakeClock) -> None:
    program, other = await end_one(shop, program=True), await end_one(shop)
    await work(shop)
    pass_time(shop, clock, 30 * 86_400)
    await work(shop)
    await gone(shop, program.id)
    assert await state_of(shop, other.id) is State.STORED


async def test_its_time_is_over_whatever_state_it_is_in(shop: Workshop, clock: FakeClock) -> None:
    made = await end_one(shop)
    (shop.spool / made.id / "client.log").write_bytes(b"\0\0\0\1x")
    await work(shop)
    assert await state_of(shop, made.id) is State.BROKEN
    pass_time(shop, clock, 90 * 86_400)
    await work(shop)
    await gone(shop, made.id)
    assert (await proof(shop, made.id)).why is Why.EXPIRED


async def test_it_goes_with_its_session(shop: Workshop, kept: Ended) -> None:
    async with shop.database.sessions.begin() as db:
        await db.execute(delete(SessionRow).where(SessionRow.id == kept.session))
    await work(shop)
    await gone(shop, kept.id)
    assert (await proof(shop, kept.id)).why is Why.SESSION_DELETED


@pytest.mark.parametrize("side", list(Side))
async def test_it_goes_with_a_person_who_is_erased(shop: Workshop, kept: Ended, side: Side) -> None:
    async with shop.database.sessions.begin() as db:
        await ending.erase(db, user=kept.users[side], now=shop.clock.now())
        await ending.erase(db, user=kept.users[side], now=shop.clock.now())
    await work(shop)
    await gone(shop, kept.id)
    assert (await proof(shop, kept.id)).why is Why.ERASED


async def test_a_counselor_who_is_erased_takes_no_complaint_along(
    shop: Workshop, kept: Ended, clock: FakeClock
) -> None:
    await change(shop, kept.id, held_at=clock.now())
    async with shop.database.sessions.begin() as db:
        await ending.erase(db, user=kept.users[Side.COUNSELOR], now=clock.now())
    await work(shop)
    assert await state_of(shop, kept.id) is State.STORED
    async with shop.database.sessions() as db:
        assert (await db.get_one(RecordingRow, kept.id)).closed_at == clock.now()
    async with shop.database.sessions.begin() as db:
        await ending.erase(db, user=kept.users[Side.CLIENT], now=clock.now())
    await work(shop)
    await gone(shop, kept.id)


async def test_who_is_erased_while_it_records_is_so_when_it_ends(shop: Workshop, kept: Ended) -> None:
    await change(shop, kept.id, state=State.RECORDING.value)
    async with shop.database.sessions.begin() as db:
        await ending.erase(db, user=kept.users[Side.CLIENT], now=shop.clock.now())
    await work(shop)
    assert await state_of(shop, kept.id) is State.RECORDING
    await change(shop, kept.id, state=State.ENDED.value)
    await work(shop)
    await gone(shop, kept.id)


class DownStore(LocalStore):
    """A store that does not answer when it is to delete."""

    async def delete(self, name: str) -> int:
        raise StoreFailed(f"The store is down ({name}).")


async def test_the_key_goes_though_the_store_is_down(shop: Workshop, kept: Ended, clock: FakeClock) -> None:
    real: Store = shop.store
    object.__setattr__(shop, "store", DownStore(shop.spool / "stored"))
    await begin(shop, kept.id)
    await work(shop)
    assert await state_of(shop, kept.id) is State.DESTROYING
    assert not await shop.vault.has(kept.id)
    found = await proof(shop, kept.id)
    assert (found.key_at, found.media_at) == (clock.now(), None)
    assert (found.tries, found.problem) == (1, "store_failed")
    key_at = found.key_at
    object.__setattr__(shop, "store", real)
    async with shop.database.sessions() as db:
        assert await ending.overdue(db, now=clock.now()) == 0
        assert await ending.overdue(db, now=clock.now() + timedelta(hours=1)) == 1
    clock.advance(30)
    await work(shop)
    await gone(shop, kept.id)
    found = await proof(shop, kept.id)
    assert (found.key_at, found.media_at, found.problem) == (key_at, clock.now(), None)
    async with shop.database.sessions() as db:
        assert await ending.overdue(db, now=clock.now() + timedelta(days=1)) == 0


async def test_media_that_is_not_in_the_store_gets_no_proof(
    shop: Workshop, kept: Ended, clock: FakeClock, tmp_path: Path
) -> None:
    real = shop.store
    object.__setattr__(shop, "store", LocalStore(tmp_path / "another"))
    await begin(shop, kept.id)
    await work(shop)
    found = await proof(shop, kept.id)
    assert (found.problem, found.media_at) == ("not_found_in_store", None)
    assert not await shop.vault.has(kept.id)
    object.__setattr__(shop, "store", real)
    clock.advance(30)
    await work(shop)
    await gone(shop, kept.id)
    assert (await proof(shop, kept.id)).files == 2


async def test_a_directory_that_is_not_mounted_gets_no_proof(
    shop: Workshop, kept: Ended, clock: FakeClock, tmp_path: Path
) -> None:
    place = shop.spool / "stored"
    object.__setattr__(shop, "store", LocalStore(place, mounted=True))
    await begin(shop, kept.id)
    place.rename(tmp_path / "away")
    await work(shop)
    found = await proof(shop, kept.id)
    assert (found.problem, found.media_at) == ("store_failed", None)
    (tmp_path / "away").rename(place)
    clock.advance(30)
    await work(shop)
    await gone(shop, kept.id)


async def test_media_that_an_operator_gives_up_gets_its_proof(
    shop: Workshop, kept: Ended, clock: FakeClock
) -> None:
    async with shop.database.sessions.begin() as db:
        with pytest.raises(InvalidState):
            await ending.give_up_media(db, shop.audit, recording=kept.id, now=clock.now())
    await shop.store.delete(object_name(kept.id, Side.CLIENT))
    await begin(shop, kept.id)
    await work(shop)
    assert (await proof(shop, kept.id)).problem == "not_found_in_store"
    async with shop.database.sessions.begin() as db:
        await ending.give_up_media(db, shop.audit, recording=kept.id, now=clock.now())
    await work(shop)
    await gone(shop, kept.id)
    assert (await proof(shop, kept.id)).files == 1


async def test_a_destroyed_key_that_a_backup_brings_back_is_destroyed_again(
    shop: Workshop, kept: Ended, clock: FakeClock, tmp_path: Path
) -> None:
    other = await end_one(shop)
    backup = keybackup.back_up(KeyStore(shop.vault.path), tmp_path / "backups", now=clock.now())
    await begin(shop, kept.id)
    await work(shop)
    shutil.copy(backup.path, shop.vault.path)
    assert await shop.vault.has(kept.id)
    assert await restored.destroy_keys_again(shop) == [kept.id]
    assert not await shop.vault.has(kept.id)
    assert await shop.vault.has(other.id)
    assert await restored.destroy_keys_again(shop) == []


async def test_the_proof_outlives_the_recording(shop: Workshop, kept: Ended) -> None:
    await begin(shop, kept.id)
    await work(shop)
    async with shop.database.sessions.begin() as db:
        await db.execute(delete(RecordingRow).where(RecordingRow.id == kept.id))
    assert (await proof(shop, kept.id)).files == 2
    async with shop.database.sessions() as db:
        [one] = await ending.proofs(db, limit=10)
    assert one.recording_id == kept.id


async def test_the_key_alone_is_destroyed_at_once(shop: Workshop, kept: Ended) -> None:
    await Destroyer(shop).destroy_key(kept.id, now=shop.clock.now())
    assert await shop.vault.has(kept.id), "nobody asked for it"
    await begin(shop, kept.id)
    await Destroyer(shop).destroy_key(kept.id, now=shop.clock.now())
    assert not await shop.vault.has(kept.id)
    with pytest.raises(NotFound):
        await opened(shop, kept.id, Side.CLIENT)


def test_a_proof_names_no_person_and_no_content() -> None:
    columns = {column.name for column in RecordingProofRow.__table__.columns}
    assert columns == {
        *("recording_id", "why", "asked_at", "key_at", "backups_until", "media_at"),
        *("files", "tries", "tried_at", "problem"),
    }
