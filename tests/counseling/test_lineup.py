"""Reading the line piece by piece gives what the rule says of all at once."""

from __future__ import annotations

import random

import pytest

from core.db import Database
from core.ids import UserId
from counseling import desks, exclusions, lineup, walkins
from counseling.entry import Medium
from counseling.matching import TOPIC_FOR, Match
from counseling.triage import Risk, Triage
from tests.counseling.lines import URGENT, Line
from tests.fakes import FakeClock

TOPICS = ("study", "grief", "family")
MEDIA = ("video", "voice", "chat")


async def a_crowd(line: Line, chance: random.Random, clock: FakeClock) -> list[UserId]:
    """Have eight counselors and fourteen clients of all kinds; gives the counselors."""
    counselors: list[UserId] = []
    for number in range(8):
        person = await line.counselor(
            f"K{number}",
            languages=tuple(chance.sample(("id", "en", "jv"), 2)),
            topics=tuple(chance.sample(TOPICS, chance.randint(1, 2))),
            media=tuple(chance.sample(MEDIA, 2)),
            licence_region=chance.choice(("Bali", "Jawa Tengah")),
        )
        counselors.append(person.id)
    for number in range(14):
        client = await line.client(f"E{number}")
        if chance.random() < 0.3:
            async with line.database.sessions.begin() as db:
                await exclusions.not_with(
                    db,
                    line.audit,
                    client=client.id,
                    counselor=chance.choice(counselors),
                    now=clock.now(),
                )
        await line.ask(
            client,
            language=chance.choice(("id", "en", "jv")),
            topic=chance.choice(TOPICS),
            medium=Medium(chance.choice(MEDIA)),
            region=chance.choice((None, "Bali")),
            prefers=chance.choice((None, None, chance.choice(counselors))),
            triage=chance.choice((Triage(), Triage(Risk.WATCH), URGENT)),
        )
        clock.advance(1)
    return counselors


async def paired(line: Line) -> list[Match]:
    """Ask the rule."""
    async with line.database.sessions() as db:
        return await lineup.paired(db, line.rules, now=line.clock.now())


@pytest.mark.parametrize("seed", range(2))
async def test_pieces_change_nothing(
    database: Database, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    line, chance = Line(database, clock), random.Random(seed)
    there = await a_crowd(line, chance, clock)
    for late_s in (0.0, TOPIC_FOR.total_seconds()):
        clock.advance(late_s)
        async with line.database.sessions.begin() as db:
            here = [one.client for one in await walkins.in_line(db)]
            await walkins.seen_all(db, clients=here, now=clock.now())
            await desks.seen_all(db, counselors=there, now=clock.now())
        whole = await paired(line)
        assert len(whole) >= 3
        for few, first, more in ((1, 1, 1), (2, 3, 2), (5, 4, 100)):
            with monkeypatch.context() as small:
                small.setattr(lineup, "FEW", few)
                small.setattr(lineup, "FIRST", first)
                small.setattr(lineup, "MORE", more)
                assert await paired(line) == whole
