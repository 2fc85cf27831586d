"""How many sockets without a seat one address may have open."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import cast

import aiohttp
import pytest

from signaling.connection import Connection
from signaling.unseated import Unseated
from signaling.wire import Wire
from tests.signaling.conftest import House, MakeHouse


@dataclass(eq=False)
class StandIn:
    """As much of a wire as is counted."""

    machine: Connection = field(default_factory=lambda: Connection(opened_s=0.0))


async def refused(house: House) -> bool:
    try:
        await house.socket()
    except aiohttp.WSServerHandshakeError as error:
        return error.status == 429
    return False


async def test_one_address_has_few_sockets_without_a_seat(
    make_house: MakeHouse, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "signaling")
    house = await make_house(unseated_per_address=3)
    waiting = [await house.socket() for _ in range(3)]
    assert await refused(house)
    await house.socket(**{"X-Address": "another"})
    assert caplog.text == ""
    await waiting[0].socket.close()
    for _ in range(100):
        if len(house.hub._carrier.wires) == 3:
            break
        await asyncio.sleep(0.01)
    assert not await refused(house)


async def test_who_has_a_seat_is_not_counted_and_who_is_held_is(make_house: MakeHouse) -> None:
    house = await make_house(unseated_per_address=1)
    sessions = [await house.session() for _ in range(2)]
    for session in sessions:
        for index in (0, 1):
            await house.join(session, index)
    held = await house.enter(sessions[0], 0)
    await held.get("peer")
    assert await refused(house)


def test_no_address_is_kept_without_its_socket() -> None:
    unseated = Unseated(2)
    wires = [cast("Wire", StandIn()) for _ in range(3)]
    assert [unseated.enter("a", wire) for wire in wires] == [True, True, False]
    assert unseated.enter("b", wires[2])
    assert len(unseated) == 2
    for address, wire in zip("aab", wires, strict=True):
        unseated.leave(address, wire)
        unseated.leave(address, wire)
    assert len(unseated) == 0
