from __future__ import annotations

from datetime import timedelta

import pytest

from accounts import notices, people
from accounts.audit import Audit, Filter
from core.db import Database
from core.errors import InvalidInput, InvalidState, NotFound
from core.ids import UserId
from counseling import incidents
from counseling.incidents import Incident
from tests.fakes import FakeClock

MASTER = bytes(range(32))
SINCE, UNTIL = ("1 Mar", "1 March"), ("2 Mar", "2 March")


async def clients(database: Database, clock: FakeClock, count: int) -> list[UserId]:
    async with database.sessions.begin() as db:
        return [
            (await people.create_client(db, name=f"Daun {n}", language="id", adult=True, now=clock.now())).id
            for n in range(count)
        ]


async def opened(database: Database, clock: FakeClock, users: list[UserId], **changed: object) -> Incident:
    now = clock.now()
    fields: dict[str, object] = {
        "title": "Cadangan hilang",
        "what_id": "Cadangan hilang.",
        "what_en": "A backup was lost.",
        "since": now - timedelta(hours=5),
        "until": now - timedelta(hours=4),
        "known_at": now - timedelta(hours=2),
    }
    async with database.sessions.begin() as db:
        return await incidents.open_incident(db, Audit(MASTER), users=users, now=now, **(fields | changed))  # type: ignore[arg-type]  # a test's changes


async def test_everybody_is_told_once_in_both_languages(database: Database, clock: FakeClock) -> None:
    audit = Audit(MASTER)
    users = await clients(database, clock, 3)
    made = await opened(database, clock, [*users, users[0]])
    assert (made.affected, made.told, made.deadline) == (3, 0, clock.now() + timedelta(hours=70))
    async with database.sessions.begin() as db:
        told = [
            await incidents.tell(db, audit, number=made.id, since=SINCE, until=UNTIL, now=clock.now())
            for _ in range(2)
        ]
        assert told == [3, 0]
        (notice,) = await notices.inbox(db, user=users[1])
        assert notice.said("id") == {"what": "Cadangan hilang.", "since": "1 Mar", "until": "2 Mar"}
        assert notice.said("en") == {"what": "A backup was lost.", "since": "1 March", "until": "2 March"}


async def test_the_clock_runs_until_all_are_told_and_it_is_reported(
    database: Database, clock: FakeClock
) -> None:
    audit = Audit(MASTER)
    made = await opened(database, clock, await clients(database, clock, 1))
    assert made.left(clock.now()) == timedelta(hours=70)
    clock.advance(71 * 3600)
    assert made.left(clock.now()) == timedelta(hours=-1)
    async with database.sessions.begin() as db:
        with pytest.raises(InvalidState, match="Not everybody"):
            await incidents.close(db, audit, number=made.id, author=None, now=clock.now())
        await incidents.tell(db, audit, number=made.id, since=SINCE, until=UNTIL, now=clock.now())
        with pytest.raises(InvalidState, match="agency"):
            await incidents.close(db, audit, number=made.id, author=None, now=clock.now())
        await incidents.report(db, audit, number=made.id, author=None, now=clock.now())
        assert (await incidents.get(db, number=made.id)).left(clock.now()) is None
        await incidents.note(db, audit, number=made.id, text=" Kunci diganti. ", author=None, now=clock.now())
        await incidents.close(db, audit, number=made.id, author=None, now=clock.now())
        with pytest.raises(InvalidState):
            await incidents.tell(db, audit, number=made.id, since=SINCE, until=UNTIL, now=clock.now())
        (found,) = await incidents.every(db)
        assert (found.closed_at, found.told) == (clock.now(), 1)
        log = await incidents.notes(db, numbers=[made.id])
        assert [one.text for one in log[made.id]] == ["Kunci diganti."]
        tags = [entry.tag for entry in await audit.matching(db, wanted=Filter())]
    assert tags == ["incident:close", "incident:note", "incident:report", "incident:tell", "incident:open"]


async def test_more_than_fit_into_one_statement_are_told(database: Database, clock: FakeClock) -> None:
    users = await clients(database, clock, 1001)
    made = await opened(database, clock, users)
    async with database.sessions.begin() as db:
        assert (
            await incidents.tell(db, Audit(MASTER), number=made.id, since=SINCE, until=UNTIL, now=clock.now())
            == 1001
        )
        assert await notices.unread(db, user=users[1000]) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"title": ""},
        {"title": "a\nb"},
        {"title": "x" * 201},
        {"what_id": ""},
        {"what_en": "x" * 4001},
        {"since": FakeClock().now() + timedelta(days=1)},
        {"until": FakeClock().now() + timedelta(seconds=1)},
        {"known_at": FakeClock().now() - timedelta(days=1)},
    ],
)
async def test_what_cannot_be_is_refused(
    database: Database, clock: FakeClock, changed: dict[str, object]
) -> None:
    with pytest.raises(InvalidInput):
        await opened(database, clock, [], **changed)


async def test_what_is_not_there_is_not_found(database: Database, clock: FakeClock) -> None:
    async with database.sessions.begin() as db:
        with pytest.raises(NotFound):
            await incidents.note(db, Audit(MASTER), number="i_x", text="x", author=None, now=clock.now())


async def test_erasing_somebody_forgets_that_they_were_affected(database: Database, clock: FakeClock) -> None:
    users = await clients(database, clock, 2)
    made = await opened(database, clock, users)
    async with database.sessions.begin() as db:
        await incidents.erase(db, user=users[0], now=clock.now())
        assert (await incidents.get(db, number=made.id)).affected == 1
