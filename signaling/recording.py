"""Recording live sessions: who agreed, who left, on which legs the sinks are. Decides nothing by itself.

``prepare`` comes with a ``hello``, before the call hears of it, and before anybody is asked; ``look`` after
whatever happened to a call.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import InvalidState
from core.ids import ParticipantId, SessionId, UserId
from media.codecs import Mode
from recordings import consent_steps as steps
from recordings import records, withdrawals
from recordings.consent import Phase
from recordings.states import Ending, Side
from recordings.tables import RecordingAgreementRow, RecordingSideRow
from signaling.directory import SessionState
from signaling.live import Live
from signaling.participant import ConnectionId, Place
from signaling.recorded import Hands, Recorded
from signaling.recording_rows import WITHIN_S
from signaling.tables import SessionRow
from signaling.terms import Refused

logger = logging.getLogger(__name__)

CLOSE_WITHIN_S: Final = 2.0
AGREE_WITHIN_S: Final = 1.5
"""Less than a page waits before it holds its socket for lost: nothing else is read from it meanwhile."""


class Recordings:
    """The sessions of this process in which a recording may be asked for. ``close`` is idempotent."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._all: dict[SessionId, Recorded] = {}
        self._leaving: set[Recorded] = set()
        """Of sessions that are over, until everything is written."""
        self._holders: dict[ParticipantId, str | None] = {}
        """Who sits where, by the hash of the seat: somebody else's consent is not theirs."""
        self._told: dict[ParticipantId, ConnectionId | None] = {}

    async def start(self) -> None:
        """End what a process before this one was recording."""
        studio = self._hands.studio
        async with self._hands.db.begin() as db:
            ended = await records.end_crashed(
                db,
                studio.audit,
                going_on=await _going_on(db),
                withdrew=studio.marks.found,
                times=studio.times,
                now=self._hands.clock.now(),
            )
            for recording in ended:
                await self._withdraw_with(db, recording)
        for recording in ended:
            studio.marks.drop(recording)
            logger.warning("recording.crashed", extra={"recording": recording})

    async def _withdraw_with(self, db: AsyncSession, recording: str) -> None:
        """Take back to the whole of its session what was taken back while the database was away."""
        side = self._hands.studio.marks.found(recording)
        if side is None:
            return
        row = await db.get_one(RecordingSideRow, (recording, side.value))
        place, now = ParticipantId(row.participant_id), self._hands.clock.now()
        await withdrawals.withdraw(db, self._hands.studio.audit, participant=place, now=now)

    async def close(self) -> None:
        """Stop all recordings, and write down what is left."""
        await self._hands.growing.close()
        for one in [*self._all.values()]:
            one.apply(steps.Breaks(Ending.STOPPED))
            self._let_go(one)
        async with asyncio.TaskGroup() as closing:
            for one in self._leaving:
                closing.create_task(one.rows.close(within_s=CLOSE_WITHIN_S))
        self._leaving.clear()

    def is_on(self, live: Live) -> bool:
        """Whether this session is being recorded now, and not off the record."""
        one = self._all.get(live.id)
        return one is not None and one.machine.phase is Phase.ON

    # --- what happens to the call

    async def prepare(self, live: Live) -> bool:
        """Find out what may be asked in a session, and say whether that was possible. The call goes on.

        What somebody else read meanwhile, and began later, stands.
        """
        if live.call.terms.recording != "ask":
            return True
        number = live.readings.begin()
        try:
            async with asyncio.timeout(WITHIN_S), self._hands.db() as db:
                asking = await self._hands.studio.asking(db, live.id)
                asked = await records.was_asked(db, session=live.id)
                before = asking is not None and await records.has_agreed(db, session=live.id)
        except Exception:  # whatever a database does, the call goes on
            logger.warning("recording.unprepared", exc_info=True)
            known = self._all.get(live.id)
            if live.readings.take(number, known=False) and known is not None and known.live is live:
                known.doubt()
            return live.readings.is_known
        if not live.readings.take(number, known=True):
            return live.readings.is_known
        known = self._all.get(live.id)
        if known is not None and known.live is live:
            known.renew(asking)
        elif known is None and asking is not None and self._hands.is_held(live):
            # Nobody would let go what is made for a session that ended while this was read.
            made = Recorded(live, asking, self._hands, asked_before=asked, may_prepare=not before)
            self._all[live.id] = made
        return True

    def look(self, live: Live) -> None:
        """Take what became of a call: who is there, on which legs, in which mode, whether it has ended."""
        one = self._all.get(live.id)
        if one is None or one.live is not live:
            return
        if live.call.ended is not None:
            self.forget(live)
            return
        for place in live.call.places:
            self._seat(one, place)
        if live.call.mode.mode is Mode.CHAT:
            one.apply(steps.Chats())
        else:
            self._prepared(one)
        one.apply(steps.Lapses())
        one.tap_legs()
        for place in live.call.places:
            if place.is_here and self._told.get(place.id) != place.connection:
                self._told[place.id] = place.connection
                self._hands.send(live, place.id, one.state_for(Side(place.role)))

    def _seat(self, one: Recorded, place: Place) -> None:
        """Let a consent fall with whoever leaves or is somebody else now; see whose line is up."""
        holder = place.seat_hash if place.is_kept else None
        before = self._holders.get(place.id)
        self._holders[place.id] = holder
        if before is not None and holder != before:
            one.apply(steps.Leaves(Side(place.role)))
        side = Side(place.role)
        one.apply(steps.Sees(side) if place.is_here else steps.Loses(side))

    def _prepared(self, one: Recorded) -> None:
        """Take what the client agreed to beforehand, when they are there.

        While a question stands that was answered by a no, it waits: the counselor is to see no answer.
        """
        terms = one.asking.prepared if one.may_prepare and not one.machine.declined else None
        place = one.live.call.place(one.seats[Side.CLIENT].participant)
        if terms is not None and place is not None and place.is_here:
            one.may_prepare = False
            one.apply(steps.Agrees(Side.CLIENT, terms, prepared=True))

    def forget(self, live: Live) -> None:
        """Take the end of a session, or that nobody is in it."""
        one = self._all.get(live.id)
        if one is None or one.live is not live:
            return
        one.apply(steps.Ends())
        self._let_go(one)

    def _let_go(self, one: Recorded) -> None:
        del self._all[one.live.id]
        for seat in one.seats.values():
            self._holders.pop(seat.participant, None)
            self._told.pop(seat.participant, None)
        self._leaving = {other for other in self._leaving if not other.rows.is_idle} | {one}

    # --- what people say

    async def agree(self, live: Live, participant: ParticipantId, *, terms: str, locale: str) -> None:
        """Give a consent to the text of this version. Raises ``Refused``, ``InvalidState``.

        What may be asked is read anew: nobody is asked who was found at risk, or not alone, since they came.
        Who is not at the same page any more when that is read has said nothing, and a no meanwhile is the
        later word. A database that is only slow refuses this yes, and lets stand what was said before.
        """
        said_by, noes = _connection(live, participant), live.noes[participant]
        try:
            async with asyncio.timeout(AGREE_WITHIN_S):
                known = await self.prepare(live)
        except TimeoutError:
            known = False
        if not known or _connection(live, participant) != said_by:
            raise Refused("not_now", "nobody can say now whether this may be asked")
        if live.noes[participant] != noes:
            raise Refused("not_now", "a no came after this")
        one, side = self._of(live, participant)
        if terms != one.asking.version:
            raise Refused("terms_outdated", "the text has changed; show the new one and ask again")
        if live.call.mode.mode is Mode.CHAT:
            raise Refused("not_now", "nothing is recorded in writing")
        if side.other not in one.machine.granted and not live.call.other(participant).is_here:
            raise Refused("not_there", "nobody is there to be asked")
        one.apply(steps.Agrees(side, one.asking.text(locale)))

    def refuse(self, live: Live, participant: ParticipantId) -> None:
        """Say no, or take a consent back. Raises ``Refused`` where nothing is ever asked."""
        live.noes[participant] += 1
        one, side = self._of(live, participant)
        one.apply(steps.Refuses(side))

    def off_record(self, live: Live, participant: ParticipantId, *, off: bool) -> None:
        """Go off the record, or on again. Raises ``Refused``, ``InvalidState``."""
        one, side = self._of(live, participant)
        one.apply(steps.Pauses(side) if off else steps.Resumes(side))

    async def withdraw(self, live: Live, participant: ParticipantId) -> None:
        """Take a consent back for somebody who says so elsewhere, and wait until it is written down."""
        live.noes[participant] += 1
        one = self._all.get(live.id)
        place = live.call.place(participant)
        if one is None or one.live is not live or place is None:
            return
        one.apply(steps.Refuses(Side(place.role)))
        await one.rows.settle()

    def of_client(self, user: UserId) -> list[tuple[Live, ParticipantId]]:
        """List the sessions that are asked about in which somebody is the client, and their place in each."""
        seats = [(one.live, one.seats[Side.CLIENT]) for one in self._all.values()]
        return [(live, seat.participant) for live, seat in seats if seat.user == user]

    async def written(self, session: SessionId) -> None:
        """Wait until what was decided in a session is written down, or a few seconds are over."""
        one = self._all.get(session)
        if one is not None:
            await one.rows.settle()

    def _of(self, live: Live, participant: ParticipantId) -> tuple[Recorded, Side]:
        one = self._all.get(live.id)
        if one is None or one.live is not live or not one.is_askable:
            raise Refused("recording_off", "this session is not recorded")
        place = live.call.place(participant)
        if place is None:
            raise InvalidState("not a participant of this session")
        return one, Side(place.role)


def _connection(live: Live, participant: ParticipantId) -> ConnectionId | None:
    place = live.call.place(participant)
    return None if place is None else place.connection


async def _going_on(db: AsyncSession) -> list[SessionId]:
    """List the sessions that have not ended in which somebody ever agreed."""
    rows = await db.scalars(
        select(RecordingAgreementRow.session_id)
        .join(SessionRow, SessionRow.id == RecordingAgreementRow.session_id)
        .where(SessionRow.state != SessionState.ENDED.value)
        .distinct()
    )
    return [SessionId(one) for one in rows]
