"""The hub lets everything happen to the live sessions: connections and their messages, media, time.

The call decides, the carrier does, the journal remembers; a session nobody is in is forgotten.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from core.clock import Clock
from core.errors import InvalidState, NotFound
from core.ids import ParticipantId, SessionId, UserId
from media.description import Answer
from media.events import LegId, MediaEvent
from signaling import directory, records
from signaling import events as ev
from signaling.advising import protections
from signaling.beats import Pace
from signaling.breaks import GOING_AWAY
from signaling.carrying import Carrier, RelayLike
from signaling.client_messages import Hello
from signaling.directory import SessionState
from signaling.growing import Growing
from signaling.hearing import Hearing
from signaling.joining import PlaceTokens, SignalingSettings, TurnedAway, claim, join_event
from signaling.journal import Journal
from signaling.live import Live
from signaling.lives import HasEnded, Lives
from signaling.media_events import MediaEvents
from signaling.participant import ConnectionId
from signaling.protocol import CloseCode
from signaling.quality_counts import QualityCounts
from signaling.quality_watch import QualityWatch
from signaling.recorded import Hands
from signaling.recording import Recordings
from signaling.server_messages import Ended, Error, ServerMessage
from signaling.studio import Studio
from signaling.survey import Survey
from signaling.terms import Refused
from signaling.wire import Wire

logger = logging.getLogger(__name__)

__all__ = ["Hub", "SignalingSettings"]

TICK_S = 0.5
SWEEP_EVERY_S = 60.0
MOST_SWEPT = 500
CLOSE_WITHIN_S = 3.0
# Before that, the journal may still hold what happened last, and the database would tell an older story.
FORGET_AFTER_S = 5.0


class Hub:
    """All live sessions of this process. ``start`` before use; ``close`` is idempotent."""

    def __init__(
        self,
        *,
        db: async_sessionmaker[AsyncSession],
        clock: Clock,
        relay: RelayLike,
        settings: SignalingSettings,
        tokens: PlaceTokens,
        studio: Studio | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self._db = db
        self._relay = relay
        self._tokens = tokens
        self._quality = QualityCounts()
        self._journal = Journal(db, seen=self._quality.take)
        self._carrier = Carrier(relay=relay, journal=self._journal, clock=clock)
        self._watch = QualityWatch(
            relay=relay, journal=self._journal, send=self.send, seated=self._carrier.seated
        )
        self._lives = Lives(db=db, clock=clock, settings=settings)
        self._media_events = MediaEvents(
            lives=self._lives,
            carrier=self._carrier,
            watch=self._watch,
            counts=self._quality,
            clock=clock,
            apply=self.apply,
        )
        self.recordings = None if studio is None else Recordings(self._hands(studio))
        self._numbers = itertools.count(1)
        self._clockwork: list[asyncio.Task[None]] = []
        self._closing = False
        self._closely: frozenset[UserId] = frozenset()
        self._counts = {"joins": 0, "internal_errors": 0}
        self.hearing = Hearing(clock, self._lives, self, self._close, self._hello)
        self.survey = Survey(
            clock=clock,
            lives=self._lives,
            carrier=self._carrier,
            watch=self._watch,
            journal=self._journal,
            quality=self._quality,
            media_events=self._media_events,
            counts=self._counts,
            hearing=self.hearing,
        )

    def _hands(self, studio: Studio) -> Hands:
        return Hands(
            db=self._db,
            clock=self.clock,
            studio=studio,
            send=self.send,
            tap=self._relay.tap,
            want_key_frame=self._relay.request_key_frame,
            is_held=lambda live: self._lives.get(live.id) is live,
            growing=Growing(self._db),
        )

    def wrote(self, live: Live, participant: ParticipantId) -> None:
        """Note that somebody wrote, where it is recorded: a mark for who reviews it, without a word of it."""
        if self.recordings is not None and self.recordings.is_on(live):
            self._journal.put(records.EventRecord(live.id, participant, "chat", {}, self.clock.now()))

    def mistook(self) -> None:
        """Count a mistake of ours; whoever found it has logged it."""
        self._counts["internal_errors"] += 1

    @contextlib.contextmanager
    def _going_on(self, event: str) -> Iterator[None]:
        """Let a mistake of ours stop nothing else."""
        try:
            yield
        except Exception:
            logger.exception(event)
            self.mistook()

    # --- life of the hub

    async def start(self) -> None:
        """Start the clockwork."""
        self._journal.start()
        if self.recordings is not None:
            await self.recordings.start()
        loop = asyncio.get_running_loop()
        self._clockwork = [loop.create_task(self._tick_for_ever()), loop.create_task(self._sweep_for_ever())]

    async def close(self, reason: str = "") -> None:
        """Tell everybody that the server restarts (1012), and write down what is left."""
        for live in () if self._closing else self._lives:
            with self._going_on("signal.not_kept"):
                self._watch.stops(live, now=self.clock.now(), now_s=self.clock.monotonic())
        self._closing = True
        self._media_events.drop()
        for task in self._clockwork:
            task.cancel()
        await asyncio.gather(*self._clockwork, return_exceptions=True)
        if self.recordings is not None:
            await self.recordings.close()
        for wire in list(self._carrier.wires.values()):
            wire.close(CloseCode.RESTART, reason)
        deadline_s = self.clock.monotonic() + CLOSE_WITHIN_S
        while self._carrier.wires and self.clock.monotonic() < deadline_s:  # noqa: ASYNC110  # once in a life
            await asyncio.sleep(0.02)
        await self._journal.close()

    @property
    def is_closing(self) -> bool:
        """Whether no new connection is taken."""
        return self._closing

    async def _tick_for_ever(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            with self._going_on("signal.tick_failed"):
                self.tick()

    def tick(self) -> None:
        """Let time pass: heartbeats, deadlines, quality. Called twice a second."""
        now, now_s = self._lives.now(), self.clock.monotonic()
        for wire in list(self._carrier.wires.values()):
            with self._going_on("signal.beat_failed"):
                self._beat(wire, now_s)
        for live in self._lives:
            with self._going_on("signal.tick_failed"):
                self._tick_one(live, now, now_s)

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_EVERY_S)
            with self._going_on("signal.sweep_failed"):
                await self.sweep()

    async def sweep(self) -> None:
        """End sessions whose time ran out while nobody was in them; a live one ends by its own clock."""
        now = self.clock.now()
        async with self._db() as db:
            found = await directory.overdue(db, now=now, most=MOST_SWEPT)
        for session in found:
            if self._lives.get(session) is None:
                self._lives.is_over(session, Ended(reason="time_over", by=None))
                self._journal.put(records.ended(session, reason="time_over", now=now))

    def _tick_one(self, live: Live, now: datetime, now_s: float) -> None:
        deadline = live.call.next_deadline
        if deadline is not None and deadline <= now:
            self.apply(live, ev.Tick())
        if self._lives.get(live.id) is None:
            return
        self._watch.look(live, now=now, now_s=now_s)
        self._look_at_recording(live)
        for event in protections(live):
            self.apply(live, event)
        if not live.call.is_idle:
            live.idle_since_s = None
        elif live.idle_since_s is None:
            live.idle_since_s = now_s
        elif now_s - live.idle_since_s >= FORGET_AFTER_S:
            if self.recordings is not None:
                self.recordings.forget(live)
            self._lives.forget(live)

    def _beat(self, wire: Wire, now_s: float) -> None:
        if wire.machine.hello_is_late(now_s):
            wire.close(CloseCode.UNAUTHENTICATED)
            return
        live = self._lives.get(wire.session)
        beat_s = self.settings.heartbeat_s
        pace = Pace(beat_s, beat_s)
        if live is not None:
            pace = live.call.pace(wire.participant, closely=self._closely)
        if not wire.beat(now_s, pace):
            wire.close(CloseCode.HEARTBEAT_LOST)
            self._socket_lost(wire)

    # --- connections

    def next_connection(self) -> ConnectionId:
        """Number a new connection."""
        return ConnectionId(next(self._numbers))

    def opened(self, wire: Wire) -> None:
        """Take a new connection."""
        self._carrier.wires[wire.id] = wire

    def gone(self, wire: Wire) -> None:
        """Take the end of a connection, whoever ended it."""
        live = self._lives.get(wire.session)
        if live is not None and wire.is_open and not self._closing:
            self._watch.socket_closed(live, wire, now=self.clock.now(), now_s=self.clock.monotonic())
        wire.closed()
        self._socket_lost(wire)
        self._carrier.forget(wire)

    def _socket_lost(self, wire: Wire) -> None:
        live = self._lives.get(wire.session)
        if live is not None and not self._closing:
            self.apply(live, ev.SocketLost(wire.id, page_left=wire.closed_with == GOING_AWAY))

    def _close(self, wire: Wire, code: CloseCode) -> None:
        """Close a connection by our own decision, and tell its call at once."""
        wire.close(code)
        self._socket_lost(wire)

    # --- joining

    async def _hello(self, wire: Wire, hello: Hello) -> None:
        try:
            asked = claim(hello, wire, tokens=self._tokens, now=self.clock.now())
            live = await self._lives.enter(asked)
            before = None
            while self.recordings is not None and live is not before:
                await self.recordings.prepare(live)
                # Meanwhile it may be over; or forgotten, as nobody is in it, and be another one now.
                before, live = live, await self._lives.enter(asked)
        except TurnedAway as away:
            self._close(wire, away.close)
            return
        except HasEnded as over:
            wire.send_unnumbered(over.ended)
            self._close(wire, CloseCode.ENDED)
            return
        except Exception:
            self.mistook()
            logger.exception("signal.hello_failed")
            wire.send_unnumbered(Error(code="internal", message="something went wrong on the server"))
            self._close(wire, CloseCode.RESTART)
            return
        if not wire.is_open:
            return
        self._counts["joins"] += 1
        wire.session = live.id
        self.apply(live, join_event(asked, hello, live, wire))

    # --- what the call is told

    def apply(self, live: Live, event: ev.CallEvent) -> None:
        """Let an event happen to a call. Raises ``Refused`` or ``InvalidState`` as the call does."""
        self._carrier.carry_out(live, live.call.apply(event, self._lives.now()))
        self._look_at_recording(live)
        if live.call.ended is not None and self._lives.get(live.id) is not None:
            self._lives.is_over(live.id, live.call.ended)
            self._watch.ended(live, now=self.clock.now(), now_s=self.clock.monotonic())
            self._lives.forget(live)

    def _look_at_recording(self, live: Live) -> None:
        if self.recordings is None:
            return
        with self._going_on("recording.look_failed"):
            self.recordings.look(live)

    def send(self, live: Live, to: ParticipantId, message: ServerMessage) -> None:
        """Send a message to a participant, or keep it for them."""
        self._carrier.send(live, to, message)

    def read_answer(self, leg: LegId, sdp: str) -> Answer:
        """Have the relay read an answer."""
        return self._relay.answer(leg, sdp)

    def on_media_event(self, event: MediaEvent) -> None:
        """Take an event of the relay."""
        if not self._closing:
            self._media_events.put(event)

    # --- for the rest of the program

    def log_out(self, login: str) -> None:
        """Take out whoever sits here by a login that has ended: the connection closes with 4401."""
        for wire in list(self._carrier.wires.values()):
            if wire.comer.login != login or not wire.is_open:
                continue
            self._close(wire, CloseCode.UNAUTHENTICATED)
            live = self._lives.get(wire.session)
            place = None if live is None or wire.participant is None else live.call.place(wire.participant)
            if live is not None and place is not None and place.is_kept:
                self.apply(live, ev.Leaves(place.id))

    def watch_closely(self, clients: frozenset[UserId]) -> None:
        """Ask the lines of these clients, and of no others, more often in chat: they may be in danger."""
        self._closely = clients

    def by_phone(self, participant: ParticipantId) -> None:
        """Let somebody go on with the other by telephone; nothing happens while both are connected."""
        live = self._lives.of(participant)
        if live is not None:
            with contextlib.suppress(Refused):
                self.apply(live, ev.Phones(participant))

    def leave_quickly(self, participant: ParticipantId) -> None:
        """Take somebody out who left by the quick exit; nothing happens when they are not here."""
        live = self._lives.of(participant)
        place = live.call.place(participant) if live is not None else None
        if live is not None and place is not None and place.is_kept:
            self.apply(live, ev.Leaves(participant, quickly=True))

    async def stop_recording(self, participant: ParticipantId) -> None:
        """Take somebody's consent back who says so elsewhere; nothing happens when they are not here."""
        live = self._lives.of(participant)
        if live is not None and self.recordings is not None:
            await self.recordings.withdraw(live, participant)

    async def stop_recordings_of(self, client: UserId) -> None:
        """Take a client's consent back wherever they gave it, also where nothing records yet."""
        if self.recordings is not None:
            for live, participant in self.recordings.of_client(client):
                await self.recordings.withdraw(live, participant)

    async def recheck_recordings_of(self, client: UserId) -> None:
        """Look again whether a client may be asked, and what has been agreed to still holds."""
        if self.recordings is not None:
            for live, _ in self.recordings.of_client(client):
                await self.recordings.prepare(live)
                self._look_at_recording(live)

    async def end(self, session_id: SessionId, *, reason: str, by: str | None = None) -> None:
        """End a session, live or not; ``by`` is a word such as ``api``.

        Raises ``NotFound``, or ``InvalidState`` when it has ended.
        """
        live = self._lives.get(session_id)
        if live is not None:
            self.apply(live, ev.Ends(reason, by))
            await self._journal.flush(within_s=2.0)
            return
        async with self._db.begin() as db:
            record = await directory.find(db, session_id=session_id)
            if record is None:
                raise NotFound("There is no such session.")
            if record.state is SessionState.ENDED:
                raise InvalidState("The session has ended already.")
            await records.write(db, [records.ended(session_id, reason=reason, now=self.clock.now())])
        self._lives.is_over(session_id, Ended(reason=reason, by=by))
        live = self._lives.get(session_id)
        if live is not None:
            # Somebody entered meanwhile.
            self.apply(live, ev.Ends(reason, by))
