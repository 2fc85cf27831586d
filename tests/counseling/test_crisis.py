from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from accounts import notices, people
from accounts.audit import Audit, Filter
from accounts.people import Person
from accounts.roles import Role
from core.db import Database
from core.errors import InvalidState, NotFound
from counseling import crisis
from counseling.crisis import Line, is_open, is_stale, ordered, suggestions
from tests.fakes import FakeClock

JAKARTA = ZoneInfo("Asia/Jakarta")
MASTER = bytes(range(32))
LINE = Line("", "Satu", ("119,8",), "a", "b", "1111100", 8 * 60, 20 * 60, ("id",), "Rina", "web")


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment of the week that begins on Monday, 2 March 2026."""
    return datetime(2026, 3, 2 + day, hour, minute, tzinfo=JAKARTA).astimezone(UTC)


@pytest.mark.parametrize(
    ("days", "opens", "closes", "moment", "expected"),
    [
        ("1111100", 480, 1200, at(0, 8), True),
        ("1111100", 480, 1200, at(0, 7, 59), False),
        ("1111100", 480, 1200, at(4, 19, 59), True),
        ("1111100", 480, 1200, at(4, 20), False),
        ("1111100", 480, 1200, at(5, 12), False),
        ("1111111", 0, 0, at(6, 3), True),
        ("1000000", 600, 600, at(0, 3), True),
        ("1000000", 600, 600, at(1, 3), False),
        ("1000000", 22 * 60, 6 * 60, at(0, 23), True),
        ("1000000", 22 * 60, 6 * 60, at(1, 5, 59), True),
        ("1000000", 22 * 60, 6 * 60, at(1, 6), False),
        ("1000000", 22 * 60, 6 * 60, at(0, 5), False),
        ("0000001", 22 * 60, 6 * 60, at(0, 5), True),
    ],
)
def test_when_a_line_is_open(days: str, opens: int, closes: int, moment: datetime, expected: bool) -> None:
    line = replace(LINE, days=days, opens_minute=opens, closes_minute=closes)
    assert is_open(line, moment, JAKARTA) is expected


def test_open_lines_come_first_in_the_order_of_fallback() -> None:
    day, night = replace(LINE, name="day"), replace(LINE, name="night", opens_minute=1200, closes_minute=480)
    always = replace(LINE, name="always", days="1111111", opens_minute=0, closes_minute=0)
    found = ordered([day, night, always], at(0, 21), JAKARTA)
    assert [(line.name, is_it) for line, is_it in found] == [
        ("night", True),
        ("always", True),
        ("day", False),
    ]


def test_what_ships_is_whole_and_not_checked() -> None:
    lines = suggestions()
    assert [line.numbers for line in lines] == [("119,8",), ("112",), ("129",)]
    for line in lines:
        assert line.source
        assert line.about_id != line.about_en
        assert line.checked_at is None
        assert line.always
        crisis._check(line)


def test_thirty_days_make_it_stale() -> None:
    now = at(0, 12)
    assert is_stale(LINE, now)
    assert not is_stale(replace(LINE, checked_at=now - timedelta(days=30)), now)
    assert is_stale(replace(LINE, checked_at=now - timedelta(days=30, seconds=1)), now)


async def admin_of(database: Database, clock: FakeClock) -> Person:
    async with database.sessions.begin() as db:
        return await people.create_staff(db, name="Admin", language="id", roles={Role.ADMIN}, now=clock.now())


async def test_an_empty_list_shows_what_ships_and_can_take_it_over(
    database: Database, clock: FakeClock
) -> None:
    audit, admin = Audit(MASTER), await admin_of(database, clock)
    async with database.sessions.begin() as db:
        assert [line.id for line in await crisis.shown(db)] == ["", "", ""]
        for _ in range(2):
            await crisis.adopt(db, audit, actor=admin, now=clock.now())
        lines = await crisis.shown(db)
        assert [line.name for line in lines] == [line.name for line in suggestions()]
        assert all(line.id and line.owner == "Admin" and line.checked_at is None for line in lines)


async def test_a_line_is_checked_and_a_new_number_must_be_checked_anew(
    database: Database, clock: FakeClock
) -> None:
    audit, admin = Audit(MASTER), await admin_of(database, clock)
    async with database.sessions.begin() as db:
        line = await crisis.add(db, audit, line=LINE, actor=admin, now=clock.now())
        await crisis.checked(db, audit, number=line.id, actor=admin, now=clock.now())
        await crisis.change(db, audit, line=replace(line, owner="Budi"), actor=admin, now=clock.now())
        assert (await crisis.get(db, number=line.id)).checked_at == clock.now()
        await crisis.change(db, audit, line=replace(line, numbers=("112",)), actor=admin, now=clock.now())
        assert (await crisis.get(db, number=line.id)).checked_at is None
        other = await crisis.add(db, audit, line=replace(LINE, name="Dua"), actor=admin, now=clock.now())
        await crisis.raise_up(db, audit, number=other.id, actor=admin, now=clock.now())
        assert [one.name for one in await crisis.every(db)] == ["Dua", "Satu"]
        await crisis.raise_up(db, audit, number=other.id, actor=admin, now=clock.now())
        await crisis.remove(db, audit, number=line.id, actor=admin, now=clock.now())
        assert [one.name for one in await crisis.every(db)] == ["Dua"]
        with pytest.raises(NotFound):
            await crisis.checked(db, audit, number=line.id, actor=admin, now=clock.now())
        tags = [entry.tag for entry in await audit.matching(db, wanted=Filter(person=admin.id))]
    assert tags == [
        "crisis:remove",
        "crisis:order",
        "crisis:order",
        "crisis:add",
        "crisis:change",
        "crisis:change",
        "crisis:check",
        "crisis:add",
    ]


@pytest.mark.parametrize(
    "bad",
    [
        replace(LINE, numbers=()),
        replace(LINE, numbers=("tolong",)),
        replace(LINE, numbers=("1",)),
        replace(LINE, numbers=("119;8",)),
        replace(LINE, numbers=("112",) * 5),
        replace(LINE, days="0000000"),
        replace(LINE, days="1"),
        replace(LINE, opens_minute=1440),
    ],
)
async def test_what_cannot_be_called_is_refused(database: Database, clock: FakeClock, bad: Line) -> None:
    admin = await admin_of(database, clock)
    async with database.sessions.begin() as db:
        with pytest.raises(InvalidState):
            await crisis.add(db, Audit(MASTER), line=bad, actor=admin, now=clock.now())


async def test_admins_are_told_once_a_week_of_lines_that_nobody_checks(
    database: Database, clock: FakeClock
) -> None:
    audit, admin = Audit(MASTER), await admin_of(database, clock)

    async def told() -> list[str]:
        async with database.sessions.begin() as db:
            return await crisis.tell_stale(db, now=clock.now())

    async with database.sessions.begin() as db:
        line = await crisis.add(db, audit, line=LINE, actor=admin, now=clock.now())
        await crisis.checked(db, audit, number=line.id, actor=admin, now=clock.now())
    clock.advance(29 * 86_400)
    assert await told() == []
    clock.advance(2 * 86_400)
    assert await told() == ["Satu"]
    assert await told() == []
    clock.advance(8 * 86_400)
    assert await told() == ["Satu"]
    async with database.sessions.begin() as db:
        await crisis.checked(db, audit, number=line.id, actor=admin, now=clock.now())
    assert await told() == []
    async with database.sessions() as db:
        listed = await notices.inbox(db, user=admin.id)
    assert [(one.kind, one.places) for one in listed] == [("crisis_stale", {"names": "Satu"})] * 2


async def test_a_signoff_holds_for_these_words_alone(database: Database, clock: FakeClock) -> None:
    audit, admin = Audit(MASTER), await admin_of(database, clock)
    async with database.sessions.begin() as db:
        for clinician in ("dr. A", "dr. B"):
            await crisis.sign_off(
                db, audit, digest="a" * 64, clinician=clinician, actor=admin, now=clock.now()
            )
        found = await crisis.signoff(db, digest="a" * 64)
        assert found == crisis.Signoff("dr. B", clock.now())
        assert await crisis.signoff(db, digest="b" * 64) is None
