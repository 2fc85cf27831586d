"""Recordings that have just ended: rows as the room leaves them, logs as the recorder does, real keys."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import people
from accounts.roles import Role as AccountRole
from core.agefile import Recipient, decrypt
from core.clock import Clock
from core.config import Config
from core.db import Database
from core.ids import SessionId, UserId, new_id
from core.warrants import SYSTEM, Purpose
from media.codecs import Mode
from recordings import leap, records
from recordings.container import OPUS_TRACK, Codec, Frame, cluster, live_head
from recordings.log import Chain, LogWriter
from recordings.records import Growth, Seat, Times
from recordings.sides import log_path
from recordings.states import Ending, Side, SideState, State
from recordings.store import object_name
from recordings.tables import RecordingRow, RecordingSideRow
from recordings.workshop import Workshop
from signaling import directory
from signaling.directory import NewParticipant, Recording, Role
from tests.fakes import FakeClock
from tests.recordings.coded import voice

MASTER = bytes(range(32))
TIMES = Times(hold=timedelta(hours=72), keep=timedelta(days=90), program_keep=timedelta(days=30))
BOTH = (Side.CLIENT, Side.COUNSELOR)
SECONDS = 3
DAY_S = 86_400


@dataclass(frozen=True)
class Ended:
    """One recording that has ended, and its people."""

    id: str
    session: SessionId
    users: Mapping[Side, UserId]


@asynccontextmanager
async def workshop(config: Config, database: Database, clock: Clock) -> AsyncIterator[Workshop]:
    shop = Workshop.of(config, database=database, master=MASTER, clock=clock)
    yield shop
    await shop.store.close()


async def end_one(
    shop: Workshop,
    *,
    sides: tuple[Side, ...] = BOTH,
    reason: Ending = Ending.SESSION_ENDED,
    last: bool = True,
    seconds: int = SECONDS,
    program: bool = False,
) -> Ended:
    """Record a few seconds of each of ``sides`` and end; without ``last`` as a crash ends it.

    ``program``: in the session of a program, where nobody has an account.
    """
    recording, now = new_id("r"), shop.clock.now()
    async with shop.database.sessions.begin() as db:
        session, users, seats = await _people(db, shop)
        if program:
            seats = {side: dataclasses.replace(seat, user=None) for side, seat in seats.items()}
        await records.begin(db, shop.audit, recording=recording, seats=seats, times=TIMES, now=now)
    recipient = await shop.vault.create(recording)
    for side in sides:
        chain, size = write_log(shop.spool, recording, side, recipient, last=last, seconds=seconds)
        async with shop.database.sessions.begin() as db:
            growth = Growth(recording, side, chain.records, chain.head.hex(), size, 1_000 * seconds)
            await records.grew(db, [growth])
    async with shop.database.sessions.begin() as db:
        await records.finish(db, shop.audit, recording=recording, reason=reason, times=TIMES, now=now)
    return Ended(recording, session, users)


def write_log(
    spool: Path, recording: str, side: Side, recipient: Recipient, *, last: bool, seconds: int
) -> tuple[Chain, int]:
    """Write the log of one side, a voice; gives its chain and size."""
    log = LogWriter(log_path(spool, recording, side), recording_id=recording, side=side, recipient=recipient)
    log.append(live_head([OPUS_TRACK]))
    sound = voice(50 * seconds)
    for second in range(seconds):
        packets = range(50 * second, 50 * second + 50)
        log.append(cluster([Frame(Codec.OPUS, 20 * at, key=True, data=sound[at]) for at in packets]))
    if last:
        log.append(b"", final=True)
    log.close()
    return log.chain, log.bytes


def pass_time(shop: Workshop, clock: FakeClock, seconds: float) -> None:
    """Let time go by while the server runs, which looks at the clock all the while."""
    while seconds > 0:
        clock.advance(min(seconds, DAY_S))
        leap.keep(shop.spool, leap.read(shop.spool), now=clock.now())
        seconds -= DAY_S


async def state_of(shop: Workshop, recording: str) -> State:
    async with shop.database.sessions() as db:
        return State((await db.get_one(RecordingRow, recording)).state)


async def side_of(shop: Workshop, recording: str, side: Side) -> RecordingSideRow:
    async with shop.database.sessions() as db:
        return await db.get_one(RecordingSideRow, (recording, side.value))


async def side_states(shop: Workshop, recording: str) -> list[SideState]:
    return [SideState((await side_of(shop, recording, side)).state) for side in BOTH]


async def stored(shop: Workshop) -> list[str]:
    return sorted([one.name async for one in shop.store.every()])


async def recipient_of(shop: Workshop, recording: str) -> Recipient:
    """Give the public half of a recording's key."""
    warrant = shop.warrants.issue(
        recording_id=recording, viewer=SYSTEM, purpose=Purpose.VERIFY, now=shop.clock.now()
    )
    return (await shop.vault.open(warrant)).recipient


async def opened(shop: Workshop, recording: str, side: Side) -> bytes:
    name = object_name(recording, side)
    warrant = shop.warrants.issue(
        recording_id=recording, viewer=SYSTEM, purpose=Purpose.VERIFY, now=shop.clock.now()
    )
    sealed = await shop.store.read(name, 0, await shop.store.size(name))
    return decrypt(sealed, [await shop.vault.open(warrant)])


async def _people(
    db: AsyncSession, shop: Workshop
) -> tuple[SessionId, Mapping[Side, UserId], Mapping[Side, Seat]]:
    now = shop.clock.now()
    client = await people.create_client(db, name="Embun", language="id", adult=True, now=now)
    counselor = await people.create_staff(
        db, name=new_id("c"), language="id", roles=[AccountRole.COUNSELOR], now=now
    )
    users = {Side.CLIENT: client.id, Side.COUNSELOR: counselor.id}
    made = await directory.create(
        db,
        mode=Mode.VIDEO,
        recording=Recording.ASK,
        participants=[
            NewParticipant(Role.CLIENT, "Embun", client.id),
            NewParticipant(Role.COUNSELOR, "Ratna", counselor.id),
        ],
        owner=None,
        starts_at=None,
        max_minutes=None,
        now=now,
    )
    session = made.session.id
    seats = {
        side: Seat(session, place.id, side, users[side])
        for side, place in zip(BOTH, made.session.participants, strict=True)
    }
    return session, users, seats
