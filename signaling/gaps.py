"""When one side of a session could not be reached, made out of its events. Pure.

A gap begins when packets that were expected are missing, or in chat when the socket is lost. It ends when
they come again, when another leg's first packets do, when the session goes on in chat, or without a return:
with who leaves, and with the session. Where the first mode is not known, the voice is what counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from core.ids import ParticipantId
from media.codecs import Mode
from signaling.quality_record import SessionEvent

VOICE_LINE: Final = ("interrupted", "resumed")
CHAT_LINE: Final = ("socket_lost", "socket_resumed")
LEAVING: Final = frozenset({"left", "left_quickly", "grace_over"})
DIRECTIONS: Final = ("up", "down", "both")
KINDS: Final = (
    "loss",
    "delay",
    "jitter",
    "rate",
    "cut",
    "path_changed",
    "udp_blocked",
    "browser_closed",
    "server",
)
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class Cause:
    """Which way of a side's line was in trouble, and what kind of trouble it was; both in few words."""

    direction: str
    kind: str

    def __str__(self) -> str:
        """Write it as it is counted."""
        return f"{self.direction}_{self.kind}"


def cause_of(detail: Mapping[str, Any]) -> Cause:
    """Read the cause out of an event's detail; words that are not ours are unknown."""
    direction, kind = detail.get("direction"), detail.get("kind")
    return Cause(
        direction if direction in DIRECTIONS else UNKNOWN,
        kind if kind in KINDS else UNKNOWN,
    )


@dataclass(frozen=True, slots=True)
class Gap:
    """One time that a side could not be reached. ``returned``: it came back on the same way."""

    began_at: datetime
    gap_ms: int
    cause: Cause
    returned: bool

    @property
    def ended_at(self) -> datetime:
        """When it was over, with or without a return."""
        return self.began_at + timedelta(milliseconds=self.gap_ms)


def gaps_of(
    events: Iterable[SessionEvent], participant: ParticipantId, *, mode: Mode, until: datetime
) -> tuple[Gap, ...]:
    """Make out the gaps of one side, in the order of time.

    ``mode`` is the session's own, which held all the time unless an event tells otherwise; ``until`` is when
    it ended, or now.
    """
    events = list(events)
    changed = any(event.kind == "mode" for event in events)
    looking = _Looking(in_chat=mode is Mode.CHAT and not changed)
    for event in events:
        if event.kind == "mode":
            looking.moved(event)
        elif event.participant_id == participant:
            looking.take(event)
    looking.end(until, returned=False)
    return tuple(looking.found)


class _Looking:
    """Goes through the events of one side; ``open`` is the gap that has begun."""

    def __init__(self, *, in_chat: bool) -> None:
        self.in_chat = in_chat
        self.open: Gap | None = None
        self.found: list[Gap] = []

    def moved(self, event: SessionEvent) -> None:
        self.in_chat = event.detail.get("mode") == Mode.CHAT
        if self.in_chat:
            self.end(event.at, returned=False)

    def take(self, event: SessionEvent) -> None:
        broke, mended = CHAT_LINE if self.in_chat else VOICE_LINE
        if event.kind == broke:
            self.begin(event)
        elif event.kind == mended:
            self.end(event.at, returned=True, event=event)
        elif event.kind == "path_changed" and event.detail.get("first") and not self.in_chat:
            self.end(event.at, returned=True)
        elif event.kind in LEAVING:
            self.end(event.at, returned=False)

    def begin(self, event: SessionEvent) -> None:
        if self.open is None:
            # What is told first is how long nothing has come already.
            began_at = event.at - timedelta(milliseconds=_ms(event.detail))
            self.open = Gap(began_at, 0, cause_of(event.detail), returned=False)

    def end(self, at: datetime, *, returned: bool, event: SessionEvent | None = None) -> None:
        gap = self.open
        if gap is None:
            return
        self.open = None
        gap_ms = max(0, math.ceil((at - gap.began_at) / timedelta(milliseconds=1)))
        if event is not None:
            gap_ms = _ms(event.detail) or gap_ms
            told = cause_of(event.detail)
            gap = replace(gap, cause=gap.cause if told.kind == UNKNOWN else told)
        self.found.append(replace(gap, gap_ms=gap_ms, returned=returned))


def _ms(detail: Mapping[str, Any]) -> int:
    gap_ms = detail.get("gap_ms")
    return gap_ms if isinstance(gap_ms, int) and gap_ms >= 0 else 0
