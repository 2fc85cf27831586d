"""A clock that leaps ahead ends no recording; one that goes on as clocks do ends them in their time."""

from __future__ import annotations

import errno
import logging
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete

from recordings import leap
from recordings.leap import NAME, Seen, after
from recordings.states import State
from recordings.working import work
from recordings.workshop import Workshop
from signaling.tables import SessionRow
from tests.fakes import FakeClock
from tests.recordings.ended import end_one, pass_time, state_of

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
DAY_S = 86_400
OLD = NOW - 400 * DAY


@pytest.mark.parametrize(
    ("seen", "then"),
    [
        (None, Seen(NOW)),
        (Seen(NOW - HOUR), Seen(NOW)),
        (Seen(NOW - 2 * DAY), Seen(NOW)),
        (Seen(NOW - 2 * DAY - HOUR), Seen(NOW, NOW, NOW - 2 * DAY - HOUR)),
        (Seen(NOW - 3_650 * DAY), Seen(NOW, NOW, NOW - 3_650 * DAY)),
        (Seen(NOW - HOUR, NOW - 2 * HOUR, OLD), Seen(NOW, NOW - 2 * HOUR, OLD)),
        (Seen(NOW - HOUR, NOW - DAY, OLD), Seen(NOW)),
        (Seen(NOW + timedelta(seconds=1), NOW - HOUR, OLD), Seen(NOW, NOW - HOUR, OLD)),
        (Seen(NOW + 3_650 * DAY), Seen(NOW)),
        # It was set: right, or to another wrong time.
        (Seen(NOW + 3_650 * DAY, NOW + 3_650 * DAY), Seen(NOW)),
        (Seen(NOW + 3 * DAY, NOW + 3 * DAY, NOW - HOUR), Seen(NOW)),
        (Seen(NOW + DAY, NOW + DAY, NOW - 2 * DAY), Seen(NOW)),
        (Seen(NOW + 3_650 * DAY, NOW + 3_650 * DAY, OLD), Seen(NOW, NOW, OLD)),
    ],
)
def test_what_is_seen_of_a_clock(seen: Seen | None, then: Seen) -> None:
    assert after(seen, now=NOW) == then


async def test_a_disk_that_takes_no_more_stops_no_destruction(
    shop: Workshop, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await end_one(shop)
    await work(shop)
    pass_time(shop, clock, 91 * DAY_S)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(leap, "_write", full)
    clock.advance(120)
    await work(shop)
    assert await state_of(shop, made.id) is State.DESTROYED


async def test_a_start_ten_years_ahead_destroys_nothing(
    shop: Workshop, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    made = await end_one(shop)
    await work(shop)
    clock.advance(3_650 * DAY_S)
    with caplog.at_level(logging.ERROR, "recordings.leap"):
        for _ in range(3):
            await work(shop)
    assert await state_of(shop, made.id) is State.STORED
    assert [record.message for record in caplog.records] == ["recording.clock_leapt"]
    clock.put_back(3_650 * DAY_S)
    pass_time(shop, clock, 89 * DAY_S)
    await work(shop)
    assert await state_of(shop, made.id) is State.STORED
    pass_time(shop, clock, DAY_S)
    await work(shop)
    assert await state_of(shop, made.id) is State.DESTROYED


async def test_a_server_that_was_off_ends_what_is_over_a_day_later(shop: Workshop, clock: FakeClock) -> None:
    made = await end_one(shop)
    await work(shop)
    clock.advance(100 * DAY_S)
    await work(shop)
    clock.advance(DAY_S - 1)
    await work(shop)
    assert await state_of(shop, made.id) is State.STORED
    clock.advance(1)
    await work(shop)
    assert await state_of(shop, made.id) is State.DESTROYED


async def test_who_knows_that_the_clock_is_right_need_not_wait(shop: Workshop, clock: FakeClock) -> None:
    made = await end_one(shop)
    await work(shop)
    clock.advance(100 * DAY_S)
    await work(shop)
    assert await state_of(shop, made.id) is State.STORED
    leap.believe(shop.spool, now=clock.now())
    await work(shop)
    assert await state_of(shop, made.id) is State.DESTROYED


@pytest.mark.parametrize("torn", [None, b"", b"{"])
async def test_where_nothing_was_written_down_the_audit_says_when_time_was_known(
    shop: Workshop, clock: FakeClock, torn: bytes | None
) -> None:
    """A new disk, a restored backup, a file torn by a power cut: and the machine starts with a wrong year."""
    made = await end_one(shop)
    await work(shop)
    known = clock.now()
    (shop.spool / NAME).unlink()
    if torn is not None:
        (shop.spool / NAME).write_bytes(torn)
    clock.advance(3_650 * DAY_S)
    for _ in range(2):
        await work(shop)
        assert await state_of(shop, made.id) is State.STORED
    assert leap.read(shop.spool) == Seen(clock.now(), clock.now(), known)


async def test_a_house_in_which_nothing_ever_happened_holds_nothing_up(
    shop: Workshop, clock: FakeClock
) -> None:
    assert await leap.look(shop, now=clock.now()) == Seen(clock.now()) == leap.read(shop.spool)


async def test_what_goes_with_its_session_waits_for_no_clock(shop: Workshop, clock: FakeClock) -> None:
    made = await end_one(shop)
    await work(shop)
    clock.advance(3_650 * DAY_S)
    async with shop.database.sessions.begin() as db:
        await db.execute(delete(SessionRow).where(SessionRow.id == made.session))
    await work(shop)
    assert await state_of(shop, made.id) is State.DESTROYED


def test_a_file_that_may_not_be_read_is_as_none(shop: Workshop) -> None:
    """Such as root's own, after a command that root has run."""
    (shop.spool / NAME).mkdir(parents=True)
    assert leap.read(shop.spool) is None


@pytest.mark.parametrize("torn", [b"", b"{", b"[1]"])
async def test_a_torn_file_stops_nothing(shop: Workshop, torn: bytes) -> None:
    made = await end_one(shop)
    (shop.spool / NAME).write_bytes(torn)
    await work(shop)
    assert await state_of(shop, made.id) is State.STORED
