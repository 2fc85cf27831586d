"""What is written behind the call: in order, in few transactions, the newest of each thing."""

from __future__ import annotations

from core.db import Database
from signaling.journal import Job, Journal, newest


def job(name: str, done: list[str]) -> Job:
    async def work(db: object) -> None:
        done.append(f"{name} {id(db)}")

    return work


def test_of_the_same_thing_only_the_newest_is_done_in_its_place() -> None:
    done: list[str] = []
    a, b, c, d = (job(name, done) for name in "abcd")
    assert newest([("x", a), (None, b), ("x", c), ("y", d)]) == [b, c, d]


async def test_what_comes_together_is_one_transaction_and_a_flush_does_not_wait() -> None:
    done: list[str] = []
    database = Database("sqlite+aiosqlite://")
    journal = Journal(database.sessions)
    journal.start()
    try:
        for name in "abc":
            journal.put(job(name, done))
        await journal.flush(within_s=2.0)
        assert [entry[0] for entry in done] == ["a", "b", "c"]
        assert len({entry[2:] for entry in done}) == 1
    finally:
        await journal.close()
        await database.close()
    assert journal.failed == 0
