"""When one side of a session could not be reached, made out of its events, as they come or afterwards. Pure.

A gap begins when packets that were expected are missing, or in chat when the socket is lost. It ends when
they come again, when the session goes on in chat, or without a return: with who leaves, and with the session.
Until a side's voice was there, its socket is all there is. What the server itself missed is a gap of both.
A line that was broken when the server stopped is our doing from then on: that is a gap of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from core.ids import ParticipantId
from media.codecs import Mode
from media.diagnosis import Direction, Trouble

VOICE_LINE: Final = ("interrupted", "resumed")
CHAT_LINE: Final = ("socket_lost", "socket_resumed")
LEAVING: Final = frozenset({"left", "left_quickly", "grace_over"})
DIRECTIONS: Final = tuple(Direction)
KINDS: Final = tuple(Trouble)
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Blame:
    """A cause as the record tells it, which may be unknown: which way of a side's line, and what it had."""

    direction: str
    kind: str

    def __str__(self) -> str:
        """Write it as it is counted."""
        return f"{self.direction}_{self.kind}"


def blame_of(detail: Mapping[str, Any]) -> Blame:
    """Read the cause out of an event's detail; words that are not ours are unknown."""
    direction, kind = detail.get("direction"), detail.get("kind")
    return Blame(
        direction if direction in DIRECTIONS else UNKNOWN,
        kind if kind in KINDS else UNKNOWN,
    )


@dataclass(frozen=True, slots=True)
class Gap:
    """One time that a side could not be reached. ``returned``: it came back on the same way."""

    began_at: datetime
    gap_ms: int
    cause: Blame
    returned: bool

    @property
    def ended_at(self) -> datetime:
        """When it was over, with or without a return."""
        return self.began_at + timedelta(milliseconds=self.gap_ms)


class Happened(Protocol):
    """An event: one that is read, or one that is about to be written."""

    @property
    def participant_id(self) -> ParticipantId | None:
        """Whose it is, None for the session's."""
        ...

    @property
    def kind(self) -> str:
        """What happened."""
        ...

    @property
    def detail(self) -> Mapping[str, Any]:
        """Numbers and words of ours."""
        ...

    @property
    def at(self) -> datetime:
        """When it was told."""
        ...


def gaps_of(events: Iterable[Happened], participant: ParticipantId, *, until: datetime) -> tuple[Gap, ...]:
    """Make out the gaps of one side, in the order of time. ``until`` is when the session ended, or now."""
    side, found = Gaps(participant), list[Gap]()
    for event in events:
        found += side.take(event)
    return (*found, *side.close(until))


class Gaps:
    """Goes through the events of a session with one side in mind; a gap is given when it is over."""

    def __init__(self, participant: ParticipantId) -> None:
        self._participant = participant
        self._voice: bool | None = None
        self._open: Gap | None = None
        self._whose: ParticipantId | None = None
        # What began in chat ends with its socket, though the session has moved to voice meanwhile.
        self._mended = ""

    @property
    def is_open(self) -> bool:
        """Whether this side cannot be reached now."""
        return self._open is not None

    def take(self, event: Happened) -> list[Gap]:
        """Take the next event; give the gap that it ends, if it ends one."""
        if event.kind == "mode":
            return self._moved(event)
        if event.participant_id not in (self._participant, None):
            return []
        if self._voice is None and event.kind in ("path_changed", VOICE_LINE[0]):
            self._voice = True
        broke, mended = VOICE_LINE if self._voice else CHAT_LINE
        if event.kind == broke:
            return self._begin(event, mended)
        if event.kind == self._mended and event.participant_id == self._whose:
            return self._end(event)
        if event.kind in LEAVING:
            return self.close(event.at)
        return []

    def close(self, at: datetime) -> list[Gap]:
        """End what is open without a return."""
        gap, self._open = self._open, None
        return [] if gap is None else [replace(gap, gap_ms=_between(gap.began_at, at))]

    def _moved(self, event: Happened) -> list[Gap]:
        self._voice = event.detail.get("mode") != Mode.CHAT
        return [] if self._voice else self.close(event.at)

    def _begin(self, event: Happened, mended: str) -> list[Gap]:
        # What is told first is how long nothing has come already.
        began_at, cause = event.at - timedelta(milliseconds=_ms(event.detail)), blame_of(event.detail)
        # No process tells a break twice: the server was started anew, and the end of the first is not known.
        anew = cause.kind == Trouble.SERVER and event.participant_id == self._whose
        over = self.close(began_at) if anew else []
        if self._open is None:
            self._mended = mended
            self._open = Gap(began_at, 0, cause, returned=False)
            self._whose = event.participant_id
        return over

    def _end(self, event: Happened) -> list[Gap]:
        gap, self._open = self._open, None
        if gap is None:
            return []
        told, gap_ms = blame_of(event.detail), _ms(event.detail) or _between(gap.began_at, event.at)
        return [
            replace(
                gap,
                # How long it was in all is known better than since when.
                began_at=event.at - timedelta(milliseconds=gap_ms),
                gap_ms=gap_ms,
                cause=gap.cause if told.kind == UNKNOWN else told,
                returned=True,
            )
        ]


def _between(began_at: datetime, at: datetime) -> int:
    return max(0, math.ceil((at - began_at) / timedelta(milliseconds=1)))


def _ms(detail: Mapping[str, Any]) -> int:
    gap_ms = detail.get("gap_ms")
    return gap_ms if isinstance(gap_ms, int) and gap_ms >= 0 else 0
