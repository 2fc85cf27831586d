"""Few at once; each address has a line, and the lines are served in turn."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from accounts import turns as module
from accounts.turns import Asker, Turns
from core.errors import TooMany


async def test_no_more_than_two_are_inside() -> None:
    turns, inside, most = Turns(2), 0, 0

    async def come(asker: str) -> None:
        nonlocal inside, most
        async with turns.turn(Asker(asker)):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(come(str(number % 3)) for number in range(30)))
    assert (most, turns.waiting) == (2, 0)


async def test_a_flood_from_one_address_waits_behind_itself() -> None:
    turns, story = Turns(1), list[str]()

    async def come(asker: str) -> None:
        async with turns.turn(Asker(asker)):
            story.append(asker)
            await asyncio.sleep(0)

    flood = [asyncio.ensure_future(come("flood")) for _ in range(100)]
    await asyncio.sleep(0)
    await come("campus")
    assert story.index("campus") <= 3
    await asyncio.gather(*flood)


async def test_who_gives_up_leaves_the_line() -> None:
    turns = Turns(1)
    async with turns.turn(Asker("a")):
        waiting = asyncio.ensure_future(turns.turn(Asker("b")).__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        assert turns.waiting == 0
    async with asyncio.timeout(1), turns.turn(Asker("c")):
        pass


async def test_who_gives_up_just_when_called_passes_the_turn_on() -> None:
    turns = Turns(1)
    first = turns.turn(Asker("a"))
    await first.__aenter__()
    waiting = asyncio.ensure_future(turns.turn(Asker("b")).__aenter__())
    await asyncio.sleep(0)
    await first.__aexit__(None, None, None)
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(1), turns.turn(Asker("c")):
        pass


async def line_up(turns: Turns, *askers: Asker) -> list[asyncio.Task[None]]:
    async def come(asker: Asker) -> None:
        async with turns.turn(asker):
            pass

    tasks = [asyncio.create_task(come(asker)) for asker in askers]
    await asyncio.sleep(0)
    return tasks


async def test_when_the_lines_are_full_the_newest_of_the_longest_gives_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 4)
    turns = Turns(1)
    async with turns.turn(Asker("inside")):
        flood = await line_up(turns, *(Asker("flood") for _ in range(4)))
        (other,) = await line_up(turns, Asker("other"))
        assert turns.waiting == 4
        with pytest.raises(TooMany):
            await flood[3]
        (more,) = await line_up(turns, Asker("flood"))
        with pytest.raises(TooMany):
            await more
        assert not other.done()
    async with asyncio.timeout(1):
        await asyncio.gather(other, *flood[:3])
    assert turns.waiting == 0


async def test_of_lines_as_long_the_one_that_came_last_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    turns = Turns(1)
    async with turns.turn(Asker("inside")):
        first = await line_up(turns, Asker("a"), Asker("b"), Asker("c"))
        (last,) = await line_up(turns, Asker("d"))
        with pytest.raises(TooMany):
            await last
        assert not any(one.done() for one in first)
    async with asyncio.timeout(1):
        await asyncio.gather(*first)


async def test_who_has_gone_is_not_let_in_and_keeps_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    turns, there = Turns(1), True
    async with turns.turn(Asker("inside")):
        leaving = await line_up(turns, *(Asker("campus", lambda: not there) for _ in range(3)))
        there = False
        (stays,) = await line_up(turns, Asker("campus"))
        assert turns.waiting == 1
        for one in leaving:
            with pytest.raises(TooMany):
                await one
        there = True
        (late,) = await line_up(turns, Asker("late", lambda: not there))
        there = False
    async with asyncio.timeout(1):
        await stays
        with pytest.raises(TooMany):
            await late
    async with asyncio.timeout(1), turns.turn(Asker("next")):
        assert turns.waiting == 0


async def test_five_thousand_behind_one_address_are_all_served() -> None:
    turns, served = Turns(2), list[int]()

    async def come(number: int) -> None:
        async with turns.turn(Asker("campus")):
            await asyncio.sleep(0)
            served.append(number)

    await asyncio.gather(*(come(number) for number in range(5_000)))
    assert served == sorted(served)
    assert (len(served), turns.waiting) == (5_000, 0)
