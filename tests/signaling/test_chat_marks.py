"""While it is recorded, that somebody wrote is marked for who reviews it; what they wrote is kept nowhere."""

from __future__ import annotations

import asyncio

from sqlalchemy import select

from signaling.tables import EventRow
from tests.signaling.test_recording import Room, record, room

__all__ = ["room"]


async def marks(room: Room) -> list[tuple[str | None, dict[str, object]]]:
    """Leave the journal time to write, and read what it wrote of the chat."""
    await asyncio.sleep(0.4)
    async with room[0].database.sessions() as db:
        found = await db.scalars(select(EventRow).where(EventRow.kind == "chat").order_by(EventRow.id))
        return [(row.participant_id, row.detail) for row in found]


async def write(room: Room, text: str) -> None:
    client, counselor = room[3], room[4]
    await client.send("chat", ref=f"c{len(text)}", text=text)
    await counselor.get("chat", text=text)


async def test_what_is_written_while_it_is_recorded_leaves_a_mark(room: Room) -> None:
    session = room[2]
    await write(room, "before")
    await record(room)
    await write(room, "my secret")
    (mark,) = await marks(room)
    client = next(one.id for one in session.participants if one.role == "client")
    assert mark == (client, {})


async def test_nothing_is_marked_off_the_record(room: Room) -> None:
    client, counselor = room[3], room[4]
    await record(room)
    await client.ask("recording", off_record=True)
    await counselor.get("recording", state="paused")
    await write(room, "off the record")
    assert await marks(room) == []
