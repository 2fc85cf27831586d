"""What is asked of the live calls by the rest of the program: who is there, whose line broke, how lines are.

Looks and changes nothing; what lets something happen stands in ``signaling/hub.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from core.clock import Clock
from core.ids import ParticipantId, SessionId
from signaling.carrying import Carrier
from signaling.hearing import Hearing
from signaling.journal import Journal
from signaling.lives import Lives
from signaling.media_events import MediaEvents
from signaling.presence import Dropped, Presence
from signaling.protocol import WireState
from signaling.quality_counts import Measured, QualityCounts
from signaling.quality_trouble import TroubledSession, in_trouble
from signaling.quality_watch import QualityWatch
from signaling.server_messages import LineQuality


@dataclass(frozen=True, slots=True)
class Survey:
    """All live sessions of this process, to be looked at. ``counts`` are the hub's own."""

    clock: Clock
    lives: Lives
    carrier: Carrier
    watch: QualityWatch
    journal: Journal
    quality: QualityCounts
    media_events: MediaEvents
    counts: Mapping[str, int]
    hearing: Hearing

    def logins(self) -> set[str]:
        """Name the logins that somebody sits here by."""
        open_ones = [wire for wire in self.carrier.wires.values() if wire.is_open]
        return {wire.comer.login for wire in open_ones if wire.comer.login is not None}

    def dropped(self) -> list[Dropped]:
        """List those whose line broke, of all sessions in memory."""
        return [
            Dropped(live.id, place.id, place.role, place.lost_at)
            for live in self.lives
            for place in live.call.places
            if live.call.presence(place.id) is Presence.GONE
        ]

    def in_trouble(self) -> list[TroubledSession]:
        """List the live sessions whose lines are in trouble, the worst first."""
        return in_trouble(self.lives, now_s=self.clock.monotonic())

    def presence(self, participant: ParticipantId) -> Presence | None:
        """Say how somebody stands to their session; None when it is not in memory."""
        live = self.lives.of(participant)
        return None if live is None else live.call.presence(participant)

    def states(self, session_id: SessionId) -> dict[ParticipantId, WireState] | None:
        """Say how the participants of a live session look now; None when it is not in memory."""
        live = self.lives.get(session_id)
        if live is None:
            return None
        return {participant: live.call.view(participant) for participant in live.participants()}

    def summary(self, session_id: SessionId) -> dict[ParticipantId, LineQuality] | None:
        """Say how the lines of a live session are now; None when it is not in memory."""
        live = self.lives.get(session_id)
        return None if live is None else self.watch.lines(live, now_s=self.clock.monotonic())

    def counters(self) -> dict[str, int | float]:
        """Count what is here now and what was since the start. No person, no session."""
        return {
            **self.counts,
            "messages_in": self.hearing.count,
            "internal_errors": self.counts["internal_errors"]
            + self.media_events.failed
            + self.carrier.failed,
            "sessions": len(self.lives),
            "broken": self.quality.broken(),
            "connections": len(self.carrier.wires),
            "journal_failed": self.journal.failed,
            "journal_dropped": self.journal.dropped,
            "events_left_out": self.journal.bounds.left_out,
        }

    def measured(self) -> Iterator[Measured]:
        """Tell the histograms and counts of quality since the start. No person, no session."""
        return self.quality.measured()
