"""The recording of one live session: what the consents decide is done here, and nothing is decided.

Effects are carried out in their order without awaiting anything, so the sinks are off when ``apply``
returns. What is to be written down goes to ``Rows``; a recording is attached when its own rows are in.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from msgspec import UNSET
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from core.clock import Clock, rfc3339
from core.errors import InvalidState, NotFound
from core.ids import ParticipantId, new_id
from media.events import LegId
from media.sinks import Sink
from recordings import consent_steps as steps
from recordings import records, withdrawals
from recordings.consent import WITHDRAWN, Consent, Phase
from recordings.consent_steps import Why
from recordings.events import Failed, Failure, Grew, KeyFrameWanted, RecorderEvent
from recordings.records import Growth, Seat
from recordings.states import Ending, Side
from signaling.growing import Growing
from signaling.live import Live
from signaling.recording_rows import Rows
from signaling.server_messages import (
    ConsentChanged,
    RecordingChanged,
    RecordingInfo,
    RecordingState,
    ServerMessage,
)
from signaling.studio import Asking, RecorderLike, Studio

logger = logging.getLogger(__name__)

CLOSE_WITHIN_S = 15.0
MARK_WITHIN_S = 1.0
STATES: dict[Phase, RecordingState] = {
    Phase.OFF: "off",
    Phase.ASKED: "asked",
    Phase.STARTING: "asked",
    Phase.ON: "on",
    Phase.PAUSED: "paused",
}
SPOKEN = {Ending.WITHDRAWN_CLIENT: "withdrawn", Ending.WITHDRAWN_COUNSELOR: "withdrawn"}
"""What the page is told of an ending where it is not its own word."""
FAILURES = {
    Failure.DISK_FULL: Ending.DISK,
    Failure.DISK_FAILED: Ending.DISK,
    Failure.INTERNAL: Ending.INTERNAL,
}


@dataclass(slots=True)
class Made:
    """A recording that was begun; ``recorder`` is None until its rows are committed."""

    id: str
    recorder: RecorderLike | None = None
    began_s: float = 0.0
    since: datetime | None = None
    is_paused: bool = False
    growth: dict[Side, Growth] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hands:
    """What a recorded session is done with: how to tell people, and how to reach packets."""

    db: async_sessionmaker[AsyncSession]
    clock: Clock
    studio: Studio
    send: Callable[[Live, ParticipantId, ServerMessage], None]
    tap: Callable[[LegId, Sink | None], None]
    want_key_frame: Callable[[LegId], None]
    is_held: Callable[[Live], bool]
    """Whether a session is still in memory, and not over."""
    growing: Growing


class Recorded:
    """One live session's consents, and its recording while there is one."""

    def __init__(
        self, live: Live, asking: Asking, hands: Hands, *, asked_before: bool, may_prepare: bool
    ) -> None:
        self.live = live
        self.asking = asking
        self.is_askable = True
        self.may_prepare = may_prepare
        """Whether what the client agreed to beforehand still counts: once, and only as the first word."""
        self.machine = Consent(asked_before=asked_before)
        self.rows = Rows(lambda: self.apply(steps.Breaks(Ending.DATABASE)))
        self._hands = hands
        self._made: Made | None = None
        self._taps: dict[LegId, Side] = {}
        self.seats = {
            Side(place.role): Seat(live.id, place.id, Side(place.role), place.user)
            for place in live.call.places
        }
        self._hear()
        self._note()

    def renew(self, asking: Asking | None) -> None:
        """Take what may be asked as it was just read. Where nothing may be, what was agreed to falls."""
        told = self.asking.version if self.is_askable else None
        self.is_askable = asking is not None
        if asking is not None:
            self.asking = asking
            self._hear()
            if asking.version != told:
                self._tell(None)
            return
        self._forget_prepared()
        if self.machine.granted:
            self.apply(steps.Breaks(Ending.OVERTAKEN))
        else:
            self._tell(None)

    def doubt(self) -> None:
        """Take that nobody can say what may be asked now: nothing that was agreed to before counts."""
        self._forget_prepared()
        self.apply(steps.Breaks(Ending.DATABASE))

    def _hear(self) -> None:
        """Let questions reach the client, or none: a no of theirs is not to be seen by a missing button."""
        self.apply(steps.Opens(Side.CLIENT) if self.asking.heard else steps.Closes(Side.CLIENT))

    def _forget_prepared(self) -> None:
        self.asking = replace(self.asking, prepared=None)

    def apply(self, event: steps.Event) -> None:
        """Let an event happen. Raises ``InvalidState`` as the machine does, and then changed nothing."""
        now = self._hands.clock.now()
        for effect in self.machine.apply(event, now):
            self._do(effect, now)

    # --- effects

    def _do(self, effect: steps.Effect, now: datetime) -> None:
        match effect:
            case steps.Detach():
                self._detach()
            case steps.Attach():
                self._attach()
            case steps.Write():
                self._write(effect, now)
            case steps.Ask():
                self._put(lambda db: records.ask(db, session=self.live.id, open_=effect.open, now=now))
            case steps.Begin():
                self._begin(effect.attempt)
            case steps.Mark():
                self._mark(effect, now)
            case steps.Finish():
                self._finish(effect.reason, now)
            case steps.Tell():
                self._tell(effect.reason, effect.only)

    def _detach(self) -> None:
        for leg in self._taps:
            self._hands.tap(leg, None)
        self._taps.clear()
        made = self._made
        if made is not None and made.recorder is not None:
            made.recorder.pause(self._hands.clock.monotonic())
            made.is_paused = True

    def _attach(self) -> None:
        made = self._made
        if made is None or made.recorder is None:
            raise InvalidState("there is no recorder")
        if made.is_paused:
            made.recorder.resume(self._hands.clock.monotonic())
            made.is_paused = False
        self.tap_legs()

    def tap_legs(self) -> None:
        """Put the sinks on the legs that there are now, while it records."""
        made = self._made
        if self.machine.phase is not Phase.ON or made is None or made.recorder is None:
            return
        legs = {leg.id: Side(place.role) for place in self.live.call.places for leg in place.legs}
        for leg in [leg for leg in self._taps if leg not in legs]:
            del self._taps[leg]
            self._hands.tap(leg, None)
        for leg, side in legs.items():
            if leg in self._taps:
                continue
            try:
                self._hands.tap(leg, made.recorder.sink(side))
            except NotFound:
                continue  # the relay has closed it already; its event is on the way
            self._taps[leg] = side
            self._key_frame(leg)

    def _key_frame(self, leg: LegId) -> None:
        try:
            self._hands.want_key_frame(leg)
        except NotFound:
            logger.info("recording.leg_gone", extra={"leg": leg})

    def _write(self, effect: steps.Write, now: datetime) -> None:
        seat, audit = self.seats[effect.side], self._hands.studio.audit

        async def write(db: AsyncSession) -> None:
            await records.agree(
                db, audit, seat=seat, granted=effect.granted, terms=effect.terms, why=effect.why, now=now
            )
            if effect.said:
                # All of this session goes, as by HTTP. What records now goes with its own end (``_finish``).
                await withdrawals.withdraw_ended(db, audit, participant=seat.participant, now=now)

        self._put(write)
        if effect.granted or effect.why is Why.WITHDREW:
            message = ConsentChanged(
                subject="recording", sender=seat.participant, granted=effect.granted, at=rfc3339(now) or ""
            )
            self._to_all(lambda _side: message, effect.only)

    def _begin(self, attempt: int) -> None:
        made = self._made = Made(new_id("r"))
        self.rows.put(lambda: self._make(made, attempt), again=False)

    async def _make(self, made: Made, attempt: int) -> None:
        """Make the key, commit the rows, and say that they are in; unless it was taken back meanwhile.

        Whoever agreed has agreed to the text that holds now, and still may be asked: read with the rows.
        """
        if self._made is not made:
            return
        hands = self._hands
        recipient = await hands.studio.key(made.id)
        now = hands.clock.now()
        async with hands.db.begin() as db:
            await hands.studio.audit.hold(db)
            number = self.live.readings.begin()
            asking = await hands.studio.asking(db, self.live.id)
            holds = asking is not None and asking.heard and self._all_agreed_to(asking)
            if holds:
                await records.begin(
                    db,
                    hands.studio.audit,
                    recording=made.id,
                    seats=self.seats,
                    times=hands.studio.times,
                    now=now,
                )
        if not holds:
            if self._made is made and self.live.readings.take(number, known=True):
                self.renew(asking)
            if self._made is made:
                self.apply(steps.Breaks(Ending.OVERTAKEN))
            await hands.studio.destroy_key(made.id, now=now)
            return
        if self._made is not made:
            return
        made.began_s, made.since = hands.clock.monotonic(), now
        made.recorder = hands.studio.recorder(
            made.id, recipient, on_event=lambda event: self._heard(made, event), now_s=made.began_s
        )
        self.apply(steps.Kept(attempt))

    def _all_agreed_to(self, asking: Asking) -> bool:
        return all(str(terms.version) == asking.version for terms in self.machine.granted.values())

    def _mark(self, effect: steps.Mark, now: datetime) -> None:
        made, audit = self._made, self._hands.studio.audit
        if made is None:
            raise InvalidState("there is no recording")
        at_ms = round((self._hands.clock.monotonic() - made.began_s) * 1000)
        seat = self.seats[effect.side]
        self._put(
            lambda db: records.off_record(
                db, audit, recording=made.id, seat=seat, off=effect.off, at_ms=at_ms, now=now
            )
        )

    def _finish(self, reason: Ending, now: datetime) -> None:
        made, self._made = self._made, None
        if made is None:
            raise InvalidState("there is no recording")
        studio = self._hands.studio
        self._hands.growing.drop(made.id)
        marked = None if made.recorder is None else self._mark_withdrawn(made, reason)

        async def close() -> None:
            if made.recorder is not None:
                await made.recorder.close()

        async def finish() -> None:
            async with self._hands.db.begin() as db:
                await studio.audit.hold(db)  # before any row of a recording, as everybody does
                await records.grew(db, made.growth.values())
                await records.finish(
                    db, studio.audit, recording=made.id, reason=reason, times=studio.times, now=now
                )
            if marked is not None:
                await asyncio.wait({marked}, timeout=MARK_WITHIN_S)
                await asyncio.to_thread(studio.marks.drop, made.id)

        self.rows.put(close, again=False, within_s=CLOSE_WITHIN_S)
        self.rows.put(finish)

    def _mark_withdrawn(self, made: Made, reason: Ending) -> asyncio.Task[None] | None:
        """Put a withdrawal on the disk at once: its rows may wait longer than this server lives."""
        side = next((side for side, ending in WITHDRAWN.items() if ending is reason), None)
        if side is None:
            return None
        mark = asyncio.to_thread(self._hands.studio.marks.put, made.id, side)
        return asyncio.get_running_loop().create_task(mark, name="recording.mark")

    def _put(self, work: Callable[[AsyncSession], Awaitable[object]]) -> None:
        async def step() -> None:
            async with self._hands.db.begin() as db:
                await self._hands.studio.audit.hold(db)
                await work(db)

        self.rows.put(step)

    # --- what the recorder says

    def _heard(self, made: Made, event: RecorderEvent) -> None:
        match event:
            case Grew():
                self._grew(made, event)
            case KeyFrameWanted():
                for leg, side in self._taps.items():
                    if side is event.side and self._made is made:
                        self._key_frame(leg)
            case Failed():
                if self._made is made:
                    self.apply(steps.Breaks(FAILURES[event.reason]))

    def _grew(self, made: Made, event: Grew) -> None:
        growth = made.growth[event.side] = Growth(
            made.id, event.side, event.records, event.head.hex(), event.bytes, event.until_ms
        )
        if self._made is made:
            self._hands.growing.put(growth, lambda: self._unwritten(made))

    def _unwritten(self, made: Made) -> None:
        if self._made is made:
            self.apply(steps.Breaks(Ending.DATABASE))

    # --- telling

    def _tell(self, reason: Ending | None, only: Side | None = None) -> None:
        self._note()
        self._to_all(lambda side: self.state_for(side, reason), only)

    def _note(self) -> None:
        """Keep what a welcome says of it to each."""
        self.live.call.recorded = {
            seat.participant: RecordingInfo("ask", self.state_for(side).state, self.asking.version)
            for side, seat in self.seats.items()
        }

    def state_for(self, side: Side, reason: Ending | None = None) -> RecordingChanged:
        """Say how it stands, as one side sees it."""
        machine, made = self.machine, self._made
        is_over = machine.declined and machine.asked is side
        asked = None if is_over else machine.asked
        return RecordingChanged(
            state="off" if is_over else STATES[machine.phase],
            since=UNSET if made is None else rfc3339(made.since) or UNSET,
            reason=UNSET if reason is None else SPOKEN.get(reason, reason.value),
            granted=side in machine.granted,
            question=UNSET if asked is None else ("yours" if asked is side else "theirs"),
            may_agree=self.is_askable and machine.may_agree(side),
            off_record=[self.seats[one].participant for one in Side if one in machine.off_record],
            terms=self.asking.version,
        )

    def _to_all(self, message: Callable[[Side], ServerMessage], only: Side | None = None) -> None:
        for side, seat in self.seats.items():
            if only not in (None, side):
                continue
            place = self.live.call.place(seat.participant)
            if place is not None and place.is_kept:
                self._hands.send(self.live, seat.participant, message(side))
