"""What does not hold is named, what has lost its half is found, and what is under way is let be."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import update

from accounts.audit import Filter
from core import keylog
from core.agefile import Identity, encrypt
from core.errors import InvalidState, NotFound
from core.ids import new_id
from recordings import ending, orphans
from recordings.figures import measure
from recordings.orphans import Known, Lack, Orphan, compare
from recordings.retention import Why
from recordings.sides import log_path
from recordings.states import Side, State
from recordings.store import object_name
from recordings.tables import RecordingRow
from recordings.verifying import verify
from recordings.working import work
from recordings.workshop import Workshop
from tests.fakes import FakeClock
from tests.recordings.ended import Ended, end_one


async def problems(shop: Workshop) -> list[str]:
    """What does not hold, of the clients' sides first."""
    return [f"{one.side}: {one.problem}" async for one in verify(shop) if one.problem is not None]


def file_of(shop: Workshop, made: Ended, side: Side = Side.CLIENT) -> Path:
    return shop.spool / "stored" / object_name(made.id, side)


async def destroy(shop: Workshop, made: Ended) -> None:
    async with shop.database.sessions.begin() as db:
        await ending.begin(db, shop.audit, recording=made.id, why=Why.EXPIRED, now=shop.clock.now())
    await work(shop)


async def test_all_holds_as_long_as_nobody_touches_it(shop: Workshop, kept: Ended) -> None:
    await end_one(shop)
    empty = await end_one(shop, sides=())
    assert await problems(shop) == []
    assert len([one async for one in verify(shop)]) == 6
    assert len([one async for one in verify(shop, recording=empty.id)]) == 2
    with pytest.raises(NotFound):
        _ = [one async for one in verify(shop, recording=new_id("r"))]


async def test_a_byte_of_a_stored_file_that_is_flipped(shop: Workshop, kept: Ended) -> None:
    content = bytearray(file_of(shop, kept).read_bytes())
    content[-20] ^= 1
    file_of(shop, kept).write_bytes(content)
    [said] = await problems(shop)
    assert said.startswith("client: it does not open")


async def test_a_stored_file_that_was_cut_off(shop: Workshop, kept: Ended) -> None:
    content = file_of(shop, kept).read_bytes()
    file_of(shop, kept).write_bytes(content[:-1])
    assert await problems(shop) == [f"client: the file has {len(content) - 1} bytes, and had {len(content)}"]


async def test_a_stored_file_that_is_gone(shop: Workshop, kept: Ended) -> None:
    file_of(shop, kept, Side.COUNSELOR).unlink()
    assert await problems(shop) == ["counselor: the file is gone"]


async def test_files_that_were_swapped_open_and_are_told(shop: Workshop, kept: Ended) -> None:
    """Both sides have one key: only size and hash tell them apart."""
    one, two = (file_of(shop, kept, side) for side in Side)
    content, other = one.read_bytes(), two.read_bytes()
    assert len(content) == len(other)
    one.write_bytes(other)
    two.write_bytes(content)
    assert await problems(shop) == ["client: the file was changed", "counselor: the file was changed"]


async def test_a_file_sealed_by_somebody_else(shop: Workshop, kept: Ended) -> None:
    size = file_of(shop, kept).stat().st_size
    recipients = [Identity.generate().recipient]
    overhead = len(encrypt(b"", recipients))
    file_of(shop, kept).write_bytes(encrypt(b"x" * (size - overhead), recipients))
    [said] = await problems(shop)
    assert said.startswith(("client: it does not open", "client: the file has"))


async def test_a_log_that_was_cut_spliced_or_taken_away(shop: Workshop) -> None:
    made, other = await end_one(shop), await end_one(shop)
    log = log_path(shop.spool, made.id, Side.CLIENT)
    content = log.read_bytes()
    for changed, said in (
        (content[:-1], "cut at record"),
        (content[:500] + bytes([content[500] ^ 1]) + content[501:], "mismatch at record"),
        (log_path(shop.spool, other.id, Side.CLIENT).read_bytes(), "mismatch at record"),
        (b"", "cut at record 0"),
    ):
        log.write_bytes(changed)
        [found] = await problems(shop)
        assert found.startswith(f"client: {said}")
    log.unlink()
    assert await problems(shop) == ["client: the log is gone, and 5 records were on disk"]


async def test_a_key_that_is_gone(shop: Workshop, kept: Ended) -> None:
    waits = await end_one(shop)
    for one in (kept, waits):
        await shop.vault.destroy(one.id, now=shop.clock.now())
    assert await problems(shop) == [f"{side}: it has no key" for _ in range(2) for side in Side]


async def test_a_wrapping_key_that_is_gone_stops_no_look_at_the_others(
    shop: Workshop, kept: Ended, clock: FakeClock, tmp_path: Path
) -> None:
    [wrapping] = (tmp_path / "data" / "keys").glob("*.txt")
    clock.advance(31 * 86_400)
    later = await end_one(shop)
    await work(shop)
    wrapping.unlink()
    file_of(shop, later).unlink()
    first, second, third = await problems(shop)
    assert wrapping.stem in first
    assert (first.split(": ")[:2], second.split(": ")[:2]) == (
        ["client", "it does not open"],
        ["counselor", "it does not open"],
    )
    assert third == "client: the file is gone"


async def many(shop: Workshop, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> list[Ended]:
    """Five recordings are stored, and only two keys are opened in an hour."""
    made = []
    for _ in range(5):
        made.append(await end_one(shop))
        await work(shop)
        clock.advance(60)
    monkeypatch.setattr(keylog, "HOURLY_WORK", 2)
    return made


def opened_to_verify(tmp_path: Path) -> list[datetime]:
    log = (tmp_path / "data" / "keys" / keylog.NAME).read_bytes().splitlines()
    lines = [msgspec.json.decode(line) for line in log]
    return [datetime.fromisoformat(line["at"]) for line in lines if line["purpose"] == "verify"]


async def test_what_there_is_no_key_for_in_this_hour_is_compared_nonetheless(
    shop: Workshop, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await many(shop, clock, monkeypatch)
    found = [one async for one in verify(shop)]
    assert [(one.what, one.problem) for one in found] == [("file", None)] * 4 + [("bytes", None)] * 6
    assert len(opened_to_verify(tmp_path)) == 2, "one opening is for both sides"
    content = bytearray(file_of(shop, made[4]).read_bytes())
    content[-20] ^= 1
    file_of(shop, made[4]).write_bytes(content)
    assert await problems(shop) == ["client: the file was changed"]
    refused = (tmp_path / "data" / "keys" / keylog.REFUSED).read_text().splitlines()
    assert len(refused) == 2, "who was told that there is none does not ask for each"


async def test_whoever_waits_has_all_opened_and_never_more_in_an_hour_than_the_keyring_gives(
    shop: Workshop, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await many(shop, clock, monkeypatch)
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        waited.append(seconds)
        clock.advance(seconds)
        if len(waited) == 1:
            await destroy(shop, made[2])

    told = [one async for one in verify(shop, wait=wait)]
    last = {(one.recording, one.side): (one.what, one.problem) for one in told}
    assert [last[one.id, Side.CLIENT] for one in made] == [
        ("file", None),
        ("file", None),
        ("destroyed", None),
        ("file", None),
        ("file", None),
    ]
    assert len(told) == 16, "six of ten sides are told again"
    times = opened_to_verify(tmp_path)
    assert len(times) == 4
    assert all(later - first >= timedelta(hours=1) for first, later in zip(times, times[2:], strict=False))
    assert sum(waited) < 3_700


async def test_what_was_destroyed_and_came_back(shop: Workshop, kept: Ended) -> None:
    content = file_of(shop, kept).read_bytes()
    await destroy(shop, kept)
    assert await problems(shop) == []
    file_of(shop, kept).parent.mkdir()
    file_of(shop, kept).write_bytes(content)
    assert await problems(shop) == ["client: it was destroyed, and its file is there"]
    assert await orphans.look(shop) == [Orphan(Lack.ROW, object_name(kept.id, Side.CLIENT))]
    await shop.vault.create(kept.id)
    assert await problems(shop) == [f"{side}: it was destroyed, and its key is there" for side in Side]
    assert Orphan(Lack.KEY_ROW, kept.id) in await orphans.look(shop)


async def test_orphans_on_either_side(shop: Workshop, kept: Ended) -> None:
    await end_one(shop)
    assert await orphans.look(shop) == []
    stranger = new_id("r")
    file_of(shop, kept).rename(shop.spool / "moved")
    await shop.store.put(object_name(stranger, Side.CLIENT), shop.spool / "moved")
    (shop.spool / stranger).mkdir()
    await shop.vault.create(stranger)
    assert await orphans.look(shop) == sorted(
        [
            Orphan(Lack.MEDIA, object_name(kept.id, Side.CLIENT)),
            Orphan(Lack.ROW, object_name(stranger, Side.CLIENT)),
            Orphan(Lack.ROW, f"{stranger}/"),
            Orphan(Lack.KEY_ROW, stranger),
        ]
    )


async def test_a_key_without_a_row_can_be_ended(shop: Workshop, kept: Ended, clock: FakeClock) -> None:
    stranger = new_id("r")
    await shop.vault.create(stranger)
    with pytest.raises(InvalidState, match="within the hour"):
        await orphans.drop_key(shop, recording=stranger)
    clock.advance(3_600)
    with pytest.raises(InvalidState, match="knows this recording"):
        await orphans.drop_key(shop, recording=kept.id)
    assert await orphans.look(shop) == [Orphan(Lack.KEY_ROW, stranger)]
    await orphans.drop_key(shop, recording=stranger)
    assert await orphans.look(shop) == []
    with pytest.raises(NotFound):
        await orphans.drop_key(shop, recording=stranger)
    async with shop.database.sessions() as db:
        [entry] = await shop.audit.matching(db, wanted=Filter(tag=orphans.DROP_KEY))
    assert entry.object_id == stranger


A, B = "r_" + "a" * 20, "r_" + "b" * 20
FILE = object_name(A, Side.CLIENT)


@pytest.mark.parametrize(
    ("state", "has_file", "has_key", "found"),
    [
        (State.STORED, True, True, []),
        (State.STORED, False, True, [Lack.MEDIA]),
        (State.STORED, True, False, [Lack.KEY]),
        (State.FINALIZING, True, True, []),
        (State.DESTROYING, True, True, []),
        (State.DESTROYING, False, False, []),
        (State.DESTROYED, False, False, []),
        (State.DESTROYED, True, False, [Lack.ROW]),
        (State.DESTROYED, False, True, [Lack.KEY_ROW]),
        (None, True, True, [Lack.KEY_ROW, Lack.ROW]),
    ],
)
def test_what_is_an_orphan(state: State | None, has_file: bool, has_key: bool, found: list[Lack]) -> None:
    known = Known(
        states={} if state is None else {A: state}, sizes={FILE: 7} if state is State.STORED else {}
    )
    told = compare(known, objects={FILE: 7} if has_file else {}, spool=[], keys=[A] if has_key else [])
    assert [one.lack for one in told] == found


async def test_the_figures_tell_what_needs_people(shop: Workshop, kept: Ended, clock: FakeClock) -> None:
    waits, broken = await end_one(shop), await end_one(shop)
    async with shop.database.sessions.begin() as db:
        await db.execute(
            update(RecordingRow).where(RecordingRow.id == broken.id).values(state=State.BROKEN.value)
        )
        now = clock.now()
        found = await measure(db, now=now)
        assert (found.states[State.STORED], found.states[State.ENDED], found.states[State.BROKEN]) == (
            1,
            1,
            1,
        )
        assert found.stored_bytes == sum(file_of(shop, kept, side).stat().st_size for side in Side)
        assert found.need_people == 1
        late = await measure(db, now=now + timedelta(hours=1))
        assert (late.unstored, late.need_people) == (1, 2)
        await ending.begin(db, shop.audit, recording=waits.id, why=Why.EXPIRED, now=now)
        late = await measure(db, now=now + timedelta(hours=1))
        assert (late.unstored, late.undestroyed, late.need_people) == (0, 1, 2)
