"""Few at once; each address has a line, and the lines are served in turn."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from accounts import turns as module
from accounts.turns import Turns
from core.errors import TooMany


async def test_no_more_than_two_are_inside() -> None:
    turns, inside, most = Turns(2), 0, 0

    async def come(asker: str) -> None:
        nonlocal inside, most
        async with turns.turn(asker):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(come(str(number % 3)) for number in range(30)))
    assert (most, turns.waiting) == (2, 0)


async def test_a_flood_from_one_address_waits_behind_itself() -> None:
    turns, story = Turns(1), list[str]()

    async def come(asker: str) -> None:
        async with turns.turn(asker):
            story.append(asker)
            await asyncio.sleep(0)

    flood = [asyncio.ensure_future(come("flood")) for _ in range(100)]
    await asyncio.sleep(0)
    await come("campus")
    assert story.index("campus") <= 3
    await asyncio.gather(*flood)


async def test_who_gives_up_leaves_the_line() -> None:
    turns = Turns(1)
    async with turns.turn("a"):
        waiting = asyncio.ensure_future(turns.turn("b").__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        assert turns.waiting == 0
    async with asyncio.timeout(1), turns.turn("c"):
        pass


async def test_who_gives_up_just_when_called_passes_the_turn_on() -> None:
    turns = Turns(1)
    first = turns.turn("a")
    await first.__aenter__()
    waiting = asyncio.ensure_future(turns.turn("b").__aenter__())
    await asyncio.sleep(0)
    await first.__aexit__(None, None, None)
    waiting.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(1), turns.turn("c"):
        pass


async def test_the_lines_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    turns = Turns(1)
    async with turns.turn("a"):
        waiting = [asyncio.ensure_future(turns.turn("a").__aenter__()) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(TooMany):
            await turns.turn("b").__aenter__()
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
