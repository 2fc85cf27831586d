"""The sessions of this process: loaded with the first ``hello``, and known for a while when they are over.

A session is read from the database once, however many enter it, so a restarted process loses none.
"""

from __future__ import annotations

import logging
import secrets
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from core.clock import Clock, Leaps
from core.errors import TeduhError
from core.ids import ParticipantId, SessionId
from media.codecs import Mode
from signaling import directory, quality_record
from signaling.directory import SessionRecord, SessionState
from signaling.joining import Claim, SignalingSettings, TurnedAway, admit, revive
from signaling.live import Live
from signaling.protocol import CloseCode
from signaling.quality_record import Carried
from signaling.server_messages import Ended

logger = logging.getLogger(__name__)

MOST_OVER = 1_000


class HasEnded(TeduhError):
    """The session that is asked for has ended."""

    code = "ended"

    def __init__(self, ended: Ended) -> None:
        super().__init__("the session has ended")
        self.ended = ended


class Lives:
    """The sessions in memory, and how those that ended lately did: the database may not know it yet."""

    def __init__(
        self, *, db: async_sessionmaker[AsyncSession], clock: Clock, settings: SignalingSettings
    ) -> None:
        self._db = db
        self._clock = clock
        self._leaps = Leaps(clock)
        self._settings = settings
        self._lives: dict[SessionId, Live] = {}
        self._session_of: dict[ParticipantId, SessionId] = {}
        self._over: OrderedDict[SessionId, Ended] = OrderedDict()

    def __iter__(self) -> Iterator[Live]:
        """Go through those that are in memory now; they may be forgotten meanwhile."""
        return iter([*self._lives.values()])

    def now(self) -> datetime:
        """Say the time; if the clock was set meanwhile, every session is told first."""
        if by := self._leaps.since():
            logger.warning("signal.clock_set", extra={"by_s": by.total_seconds()})
            for live in self:
                live.call.clock_set(by)
        return self._clock.now()

    def __len__(self) -> int:
        """How many are in memory."""
        return len(self._lives)

    def get(self, session: SessionId | None) -> Live | None:
        """Return a session that is in memory."""
        return None if session is None else self._lives.get(session)

    def of(self, participant: ParticipantId) -> Live | None:
        """Return the session of a place, if it is in memory."""
        return self.get(self._session_of.get(participant))

    async def enter(self, asked: Claim) -> Live:
        """Return the session of a claim, from memory or else from the database.

        Raises ``TurnedAway`` for a claim that does not fit, and ``HasEnded``.
        """
        live = self.of(asked.participant) if asked.session is None else self.get(asked.session)
        if live is None:
            record, carried = await self._find(asked)
            if record.id in self._over:
                raise HasEnded(self._over[record.id])
            if record.state is SessionState.ENDED:
                raise HasEnded(Ended(reason=record.ended_reason or "ended", by=None))
            # Another hello may have loaded it meanwhile.
            live = self._lives.get(record.id) or self._load(record, carried)
        if live.call.ended is not None:
            raise HasEnded(live.call.ended)
        admit(asked, live.call, live.id)
        return live

    async def _find(self, asked: Claim) -> tuple[SessionRecord, Mapping[ParticipantId, Carried]]:
        async with self._db() as db:
            if asked.session is not None:
                record = await directory.find(db, session_id=asked.session)
            else:
                record = await directory.place_of(db, participant_id=asked.participant)
            carried: Mapping[ParticipantId, Carried] = {}
            if record is not None and record.started_at is not None:
                places = [place.id for place in record.participants]
                carried = await quality_record.carried(db, participants=places)
        if record is None:
            raise TurnedAway(CloseCode.NO_SESSION)
        if record.participant(asked.participant) is None:
            raise TurnedAway(CloseCode.NOT_YOUR_PLACE)
        return record, carried

    def _load(self, record: SessionRecord, carried: Mapping[ParticipantId, Carried]) -> Live:
        live = revive(record, settings=self._settings, now=self.now(), new_tag=_new_tag)
        for participant, one in carried.items():
            # What somebody pays for counts from the beginning of the session, not of this process.
            live.meters[participant].past_up, live.meters[participant].past_down = one.up, one.down
        seen_at = max((one.at for one in carried.values()), default=record.started_at)
        if seen_at is not None and record.mode is not Mode.CHAT:
            self._missed(live, seen_at)
        self._lives[live.id] = live
        for participant in live.participants():
            self._session_of[participant] = live.id
        return live

    def _missed(self, live: Live, seen_at: datetime) -> None:
        """Call the lines of those who sat here broken by us, since the former process looked at them last."""
        now, now_s = self.now(), self._clock.monotonic()
        gap_ms = max(0, (now - seen_at) // timedelta(milliseconds=1))
        for place in live.call.places:
            if place.is_kept:
                breaks = live.meters[place.id].breaks
                breaks.stood(now_s)
                breaks.silent(gap_ms, now, now_s)

    def forget(self, live: Live) -> None:
        """Hold a session in memory no longer."""
        del self._lives[live.id]
        for participant in live.participants():
            self._session_of.pop(participant, None)

    def is_over(self, session: SessionId, ended: Ended) -> None:
        """Remember how a session ended."""
        self._over[session] = ended
        while len(self._over) > MOST_OVER:
            self._over.popitem(last=False)


def _new_tag() -> str:
    return secrets.token_hex(4) + "_"
