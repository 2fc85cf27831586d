"""A line in chat that goes dark without a word: no FIN, no answer, and nobody reads what comes."""

from __future__ import annotations

import asyncio

import pytest

from media.codecs import Mode
from signaling.directory import SessionRecord
from signaling.presence import Presence
from tests.signaling.conftest import House, Person


def go_dark(person: Person) -> None:
    """Read nothing any more and answer nothing; the socket stays open."""
    connection = person.socket._conn
    assert connection is not None
    assert connection.transport is not None
    connection.transport.pause_reading()


async def pass_time(house: House, seconds: float) -> None:
    """Tick twice a second, with time between in which whoever answers does."""
    for _ in range(int(2 * seconds)):
        house.clock.advance(0.5)
        house.hub.tick()
        await asyncio.sleep(0.01)


def stands(house: House, session: SessionRecord, index: int) -> Presence | None:
    return house.hub.survey.presence(session.participants[index].id)


@pytest.mark.parametrize(("in_danger", "noticed_s"), [(False, 21), (True, 11)])
async def test_a_line_in_chat_that_goes_dark_is_noticed(
    house: House, *, in_danger: bool, noticed_s: int
) -> None:
    user = await house.account()
    session = await house.session(Mode.CHAT, user=user)
    client, counselor = await house.join(session, 0), await house.join(session, 1)
    reading = asyncio.create_task(counselor.get("peer", state="interrupted"))
    house.hub.watch_closely(frozenset({user} if in_danger else ()))
    await client.ask("chat", text="last words")
    go_dark(client)
    await pass_time(house, noticed_s - 4)
    assert stands(house, session, 0) is Presence.THERE
    await pass_time(house, 4.5)
    assert stands(house, session, 0) is Presence.GONE
    assert (await reading)["id"] == session.participants[0].id
    assert stands(house, session, 1) is Presence.THERE, "who answers stays"


async def test_a_line_in_chat_that_comes_back_in_time_is_no_drop(house: House) -> None:
    session = await house.session(Mode.CHAT)
    client = await house.join(session, 0)
    reading = asyncio.create_task(client.get("chat", text="still here"))
    go_dark(client)
    await pass_time(house, 19.5)
    assert client.socket._conn is not None
    assert client.socket._conn.transport is not None
    client.socket._conn.transport.resume_reading()
    await pass_time(house, 15)
    assert stands(house, session, 0) is Presence.THERE
    await client.send("chat", ref="1", text="still here")
    await reading
