"""Whatever two people, their lines, the database and the process do: no packet without both consents.

The hub, the call, the ledger and a real SQLite are there; sockets, packets and the recording process are not.
After every step each leg carries a packet; whoever is tapped gets it. What may be recorded is worked out
from the requests that were answered with ok, from who is where, and from nothing that the server says.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import enum
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.tokens import Tokens
from core.db import Database
from core.errors import TeduhError
from core.ids import SessionId
from media.codecs import Kind, Mode
from recordings.events import Failed, Failure
from recordings.states import Side
from recordings.tables import RecordingAgreementRow, RecordingRow
from signaling import directory
from signaling import events as ev
from signaling.directory import NewParticipant, Recording, Role
from signaling.hub import Hub
from signaling.joining import SignalingSettings
from signaling.live import Live
from signaling.participant import ConnectionId, Place
from signaling.protocol import Reason
from tests.signaling.conftest import MovableClock
from tests.signaling.relay import FakeRelay, answer_to
from tests.signaling.studio import FakeSink, FakeStudio


class Step(enum.Enum):
    """What may happen; most of it to one side."""

    AGREE = "agree"
    REFUSE = "refuse"
    PAUSE = "pause"
    RESUME = "resume"
    COME = "come"
    RELOAD = "reload"
    DROP = "drop"
    LEAVE = "leave"
    OTHER_DEVICE = "other_device"
    CHAT = "chat"
    VIDEO = "video"
    DISK_FULL = "disk_full"
    DATABASE_AWAY = "database_away"
    DATABASE_BACK = "database_back"
    NO_ELSEWHERE = "no_elsewhere"
    YES_ELSEWHERE = "yes_elsewhere"
    RISK = "risk"
    NO_RISK = "no_risk"
    WAIT = "wait"
    CRASH = "crash"


PER_STEP = 2
"""What is recorded at one look: a packet of each side."""
LIKELY = [Step.AGREE] * 6 + [Step.COME] * 3 + [Step.PAUSE, Step.RESUME] * 2
BOTH = [(Step.AGREE, side, True) for side in Side]
STORIES = st.builds(
    list.__add__,
    st.sampled_from([BOTH, BOTH, BOTH[:1], []]),
    st.lists(
        st.tuples(st.sampled_from(LIKELY + list(Step)), st.sampled_from(list(Side)), st.booleans()),
        min_size=4,
        max_size=30,
    ),
)


class Sessions:
    """The sessions of a database that can be away."""

    def __init__(self, database: Database) -> None:
        self.away = False
        self._sessions = database.sessions

    def __call__(self) -> AsyncSession:
        return self._sessions()

    @contextlib.asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        if self.away:
            raise ConnectionError("the database is away")
        async with self._sessions.begin() as db:
            yield db


class World:
    """One session, lived through step by step, over processes that may die."""

    def __init__(self, database: Database, session: SessionId) -> None:
        self.sessions = Sessions(database)
        self.database = database
        self.session = session
        self.clock = MovableClock()
        self.agreed: set[Side] = set()
        self.off: set[Side] = set()
        self.sockets = 0
        self.recorded = 0
        self.heard = True
        self.at_risk = False

    async def boot(self) -> None:
        """Start a process. Nobody consents to what it does before they say so."""
        self.agreed.clear()
        self.off.clear()
        self.relay, self.studio = FakeRelay(), FakeStudio(heard=self.heard, may_ask=not self.at_risk)
        self.hub = Hub(
            db=self.database.sessions,
            clock=self.clock,
            relay=self.relay,
            studio=self.studio,
            settings=SignalingSettings(),
            tokens=Tokens(b"0" * 32),
        )
        assert self.hub.recordings is not None
        self.recordings = self.hub.recordings
        hands = dataclasses.replace(self.recordings._hands, db=cast("Any", self.sessions))
        self.recordings._hands = hands
        self.relay.on_event = self.hub.on_media_event
        await self.recordings.start()
        self.live = await self.load()
        for place in self.live.call.places:
            self.come(place)

    async def load(self) -> Live:
        async with self.database.sessions() as db:
            record = await directory.find(db, session_id=self.session)
        assert record is not None
        live = self.hub._lives._load(record, {})
        await self.recordings.prepare(live)
        return live

    def place(self, side: Side) -> Place:
        return next(place for place in self.live.call.places if place.role == side.value)

    def come(self, place: Place, *, shown: str | None = None, own: bool = False) -> None:
        """Let a page sit down, by the key it shows or as a new holder."""
        self.sockets += 1
        join = ev.Join(
            participant=place.id,
            connection=ConnectionId(self.sockets),
            codecs=("audio/opus", "video/VP8"),
            device="",
            takeover_id=f"t{self.sockets}",
            fresh_key=f"{place.id}.{self.sockets}",
            fresh_hash=f"h{self.sockets}",
            key="k",
            shown=shown,
            own=own,
        )
        self.hub.apply(self.live, join)
        for leg, requests in self.relay.requests.items():
            if requests and leg in self.relay.open:
                with contextlib.suppress(TeduhError):
                    self.hub.apply(self.live, ev.Answered(leg, answer_to(requests[-1])))
                    self.hub.apply(self.live, ev.LegUp(leg))

    async def do(self, step: Step, side: Side) -> None:  # noqa: C901, PLR0912  # one case for each step
        place = self.place(side)
        match step:
            case Step.AGREE if place.is_here:
                await self.recordings.agree(self.live, place.id, terms="2", locale="id")
                self.agreed.add(side)
                assert not self.at_risk, "asked at risk"
            case Step.REFUSE if place.is_here:
                self.recordings.refuse(self.live, place.id)
                self.agreed.discard(side)
                self.off.clear()
            case Step.PAUSE if place.is_here:
                self.recordings.off_record(self.live, place.id, off=True)
                self.off.add(side)
            case Step.RESUME if place.is_here:
                self.recordings.off_record(self.live, place.id, off=False)
                self.off.discard(side)
            case Step.COME if not place.is_here:
                known = place.is_kept
                self.come(place, shown=place.seat_hash if known else None)
            case Step.RELOAD if place.is_here:
                self.come(place, shown=place.seat_hash)
            case Step.OTHER_DEVICE if place.is_kept:
                self.come(place, own=True)
                self.fall(side)
            case Step.DROP if place.is_here and place.connection is not None:
                self.hub.apply(self.live, ev.SocketLost(place.connection))
            case Step.LEAVE if place.is_kept:
                self.hub.apply(self.live, ev.Leaves(place.id))
                self.fall(side)
            case Step.CHAT | Step.VIDEO:
                mode = Mode.CHAT if step is Step.CHAT else Mode.VIDEO
                self.hub.apply(self.live, ev.WishesMode(place.id, mode, Reason.USER))
                if mode is Mode.CHAT:
                    self.fall(*Side)
            case Step.DISK_FULL if self.studio.recorders and "close" not in self.studio.recorders[-1].told:
                self.studio.recorders[-1].on_event(Failed(Failure.DISK_FULL))
            case Step.DATABASE_AWAY | Step.DATABASE_BACK:
                self.sessions.away = step is Step.DATABASE_AWAY
            case Step.NO_ELSEWHERE | Step.YES_ELSEWHERE:
                self.heard = self.studio.heard = step is Step.YES_ELSEWHERE
                await self.recordings.prepare(self.live)
                if not self.heard:
                    self.fall(Side.CLIENT)
            case Step.RISK | Step.NO_RISK:
                self.at_risk = step is Step.RISK
                self.studio.may_ask = not self.at_risk
                if side is Side.COUNSELOR:
                    await self.recordings.prepare(self.live)
                    if self.at_risk:
                        self.fall(*Side)
            case Step.WAIT:
                self.clock.advance(240)
                self.hub.tick()
            case Step.CRASH:
                await self.crash()
            case _:
                pass

    def fall(self, *sides: Side) -> None:
        """A consent ended without a word of its person's."""
        self.agreed -= set(sides)
        self.off.clear()

    async def crash(self) -> None:
        """Let the process die as it is: nothing is closed, nothing more is written."""
        for one in [*self.recordings._all.values(), *self.recordings._leaving]:
            if one.rows._task is not None:
                one.rows._task.cancel()
                await asyncio.gather(one.rows._task, return_exceptions=True)
        self.sessions.away = False
        await self.boot()

    def talk(self) -> None:
        """Let a packet pass on each leg; what is tapped must have been agreed to by both, and not be off."""
        for leg, sink in self.relay.taps.items():
            assert leg in self.relay.open
            cast("FakeSink", sink).rtp(memoryview(b"voice"), Kind.AUDIO, 0.0)
            self.recorded += 1
            assert self.agreed == set(Side), "recorded without the consent of both"
            assert not self.off, "recorded off the record"
            assert self.heard, "recorded after a no"
            assert self.live.call.mode.mode is not Mode.CHAT
            assert all(place.is_here for place in self.live.call.places), "recorded unseen"

    async def settle(self) -> None:
        """Let everything that waits be written, unless the database is away."""
        for one in [*self.recordings._all.values(), *self.recordings._leaving]:
            if self.sessions.away:
                await asyncio.sleep(0)
            else:
                await one.rows.settle()


async def live_through(migrated: Path, story: list[tuple[Step, Side, bool]]) -> int:
    """Live through a story and give how many packets were recorded."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(migrated, Path(folder) / "teduh.db")
        database = Database(f"sqlite:///{Path(folder) / 'teduh.db'}")
        world = World(database, await make_session(database))
        await world.boot()
        for step, side, settles in story:
            with contextlib.suppress(TeduhError):
                await world.do(step, side)
            world.talk()
            if settles:
                await world.settle()
                world.talk()
                if not world.sessions.away:
                    await ledger_agrees(world)
        world.sessions.away = False
        await world.recordings.close()
        async with database.sessions() as db:
            assert not [row for row in await db.scalars(select(RecordingRow)) if row.state == "recording"]
        await database.close()
        return world.recorded


async def make_session(database: Database) -> SessionId:
    async with database.sessions.begin() as db:
        made = await directory.create(
            db,
            mode=Mode.VIDEO,
            recording=Recording.ASK,
            participants=[NewParticipant(role, role.value) for role in Role],
            owner=None,
            starts_at=None,
            max_minutes=None,
            now=MovableClock().now(),
        )
    return made.session.id


async def ledger_agrees(world: World) -> None:
    """While something is tapped, the ledger's latest rows say that both consent."""
    if not world.relay.taps:
        return
    async with world.database.sessions() as db:
        rows = await db.scalars(select(RecordingAgreementRow).order_by(RecordingAgreementRow.number))
        latest = {row.side: row.granted for row in rows}
    assert latest == dict.fromkeys([side.value for side in Side], True)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STORIES)
@example([(Step.RISK, Side.CLIENT, True), *BOTH])
@example([*BOTH, (Step.NO_ELSEWHERE, Side.CLIENT, True), *BOTH])
def test_no_packet_is_recorded_without_both_consents(
    migrated_sqlite: Path, story: list[tuple[Step, Side, bool]]
) -> None:
    asyncio.run(live_through(migrated_sqlite, story))


def test_the_stories_do_record(migrated_sqlite: Path) -> None:
    assert asyncio.run(live_through(migrated_sqlite, BOTH)) == PER_STEP
    assert asyncio.run(live_through(migrated_sqlite, [*BOTH, (Step.CRASH, Side.CLIENT, True)])) == PER_STEP
