"""When one side's line broke, why, and when it carried again. Pure.

    state    | silent, unheard, closed, stood | back, heard, up | left
    ---------+--------------------------------+-----------------+-----
    WHOLE    | BROKEN                         | WHOLE           | WHOLE
    BROKEN   | BROKEN                         | MENDING         | WHOLE
    MENDING  | BROKEN                         | MENDING         | WHOLE

A break is told at once, with what is known by then; its end is told when it is known which way it was,
which the first report behind it says, at most ``TELL_WITHIN_S`` later.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from media.diagnosis import Cause, Direction, Trouble
from media.events import PathChanged, Seen, Transport

TELL_WITHIN_S = 2.5
UNHEARD_MS = 2_000
# The page stops sending when it hears nothing: its checks still come, its voice does not.
UNSAID_MS = 2_500
LIVELY_MS = 1_000
# A tick of the clockwork that comes so late means that this server stood still.
STOOD_S = 2.0
AFTER_STANDING_S = 6.0
# A page that is back sends again when it has noticed, and its reports lag behind.
SETTLES_S = 5.0
# A socket that the network resets goes within moments of the media.
TOGETHER_S = 1.5
SOCKET_ALIVE_S = 0.4
GOING_AWAY = 1001
MOST_LOST = 0.5


class State(enum.Enum):
    """Whether the line carries."""

    WHOLE = "whole"
    BROKEN = "broken"
    MENDING = "mending"


@dataclass(frozen=True, slots=True)
class Noted:
    """Something to be written down of this side, with the time it happened."""

    kind: str
    at: datetime
    detail: Mapping[str, object]


@dataclass(slots=True)
class Break:
    """One break: when the last packet came, when the next did, and what is known of it.

    ``way`` is how it was noticed: nothing comes from this side, or nothing reaches it.
    """

    way: Direction
    since_s: float
    cause: Cause
    transport: Transport | None
    path: PathChanged | None = None
    socket_reset: bool = False
    socket_alive: bool = False
    back_at: datetime | None = None
    back_s: float = 0.0
    gap_ms: int = 0


@dataclass(slots=True)
class Breaks:
    """The breaks of one side. Times are monotonic seconds and aware UTC, of the same moment."""

    state: State = State.WHOLE
    transport: Transport | None = None
    _break: Break | None = None
    _reset_s: float = float("-inf")
    _socket_s: float = float("-inf")
    _stood_until_s: float = float("-inf")
    _settled_s: float = float("-inf")
    _waiting: list[Noted] = field(default_factory=list)

    def silent(self, gap_ms: int, now: datetime, now_s: float) -> None:
        """Nothing has come from this side for ``gap_ms``, though it ought to."""
        self._begin(gap_ms, Direction.BOTH, now, now_s)

    def unheard(self, gap_ms: int, now: datetime, now_s: float) -> None:
        """This side hears nothing, though it is sent something."""
        self._begin(gap_ms, Direction.DOWN, now, now_s)

    def _begin(self, gap_ms: int, direction: Direction, now: datetime, now_s: float) -> None:
        if self.state is State.BROKEN:
            return
        self._tell_end(None)
        since_s = now_s - gap_ms / 1000
        broken = Break(direction, since_s, Cause(Trouble.CUT), self.transport)
        broken.socket_reset = self._reset_s >= since_s - TOGETHER_S
        self._break, self.state = broken, State.BROKEN
        self._note_socket(broken)
        broken.cause = self._first_cause(broken, direction, now_s)
        self._note("interrupted", now, gap_ms, broken.cause)

    def _first_cause(self, broken: Break, direction: Direction, now_s: float) -> Cause:
        if now_s < self._stood_until_s:
            return Cause(Trouble.SERVER)
        if broken.socket_alive and direction is Direction.BOTH and broken.transport is Transport.UDP:
            return Cause(Trouble.UDP_BLOCKED)
        return Cause(Trouble.CUT, direction)

    def closed(self, code: int | None, now: datetime, now_s: float) -> None:
        """The other end closed this side's socket; 1001: the page went away (RFC 6455, 7.4.1)."""
        if code != GOING_AWAY:
            self._reset_s = now_s
            if self._break is not None and now_s - self._break.since_s <= TOGETHER_S:
                self._break.socket_reset = True
        elif self.transport is not None and self.state is not State.BROKEN:
            self._tell_end(None)
            cause = Cause(Trouble.BROWSER_CLOSED)
            self._break = Break(Direction.BOTH, now_s, cause, self.transport)
            self.state = State.BROKEN
            self._note("interrupted", now, 0, cause)

    def path_changed(self, event: PathChanged) -> None:
        """This side's media comes another way."""
        self.transport = event.transport
        if self._break is not None:
            self._break.path = event

    def socket_heard(self, heard_s: float) -> None:
        """When something last came over this side's socket."""
        self._socket_s = max(self._socket_s, heard_s)

    def stood(self, now_s: float) -> None:
        """The server itself stood still until now: what breaks by that is not this side's line."""
        self._stood_until_s = now_s + AFTER_STANDING_S

    def back(self, now: datetime, now_s: float, *, gap_ms: int | None = None) -> None:
        """This side's packets come again, or arrive there again; ``gap_ms`` where it was measured."""
        broken = self._break
        if broken is not None and self.state is State.BROKEN:
            broken.back_at, broken.back_s = now, now_s
            broken.gap_ms = round((now_s - broken.since_s) * 1000) if gap_ms is None else gap_ms
            self.state = State.MENDING
            self._settled_s = now_s + SETTLES_S

    @property
    def cause(self) -> Cause | None:
        """What the present break has, as far as it is known; None while the line is whole."""
        return None if self._break is None else self._break.cause

    def left(self) -> None:
        """This side went, or the session is over: nothing is expected of its line any more."""
        self._tell_end(None)
        self._break, self.transport, self.state = None, None, State.WHOLE

    def look(self, seen: Seen | None, silent_ms: int | None, now: datetime, now_s: float) -> list[Noted]:
        """Look at what the last second showed; returns what is to be written down, each once."""
        broken = self._break
        if seen is not None:
            self._hearing(seen, silent_ms, now, now_s)
        if broken is not None and self.state is State.BROKEN:
            self._note_socket(broken)
        if broken is not None and self.state is State.MENDING:
            lost = seen.gap_lost if seen is not None else None
            if lost is not None or now_s - broken.back_s >= TELL_WITHIN_S:
                self._tell_end(lost)
        noted, self._waiting = self._waiting, []
        return noted

    def _hearing(self, seen: Seen, silent_ms: int | None, now: datetime, now_s: float) -> None:
        """Notice a way down that is cut: reports tell nothing new, or a page that hears nothing is still.

        One that hears and is still has a microphone that gives nothing.
        """
        lively = silent_ms is not None and silent_ms < LIVELY_MS
        settled = lively and now_s >= self._settled_s
        still = settled and not seen.hears and (seen.unsaid_ms or 0) >= UNSAID_MS
        unsaid_ms = seen.unsaid_ms if still else None
        gap_ms = max(seen.stalled_ms or 0, unsaid_ms or 0)
        if gap_ms >= UNHEARD_MS:
            self.unheard(gap_ms, now, now_s)
        elif lively and self._break is not None and self._break.way is Direction.DOWN:
            # A report that is too old tells nothing any more: what comes from this side must say it.
            self.back(now, now_s)

    def _note_socket(self, broken: Break) -> None:
        broken.socket_alive = broken.socket_alive or self._socket_s >= broken.since_s + SOCKET_ALIVE_S

    def _tell_end(self, lost: float | None) -> None:
        broken = self._break
        if broken is None or self.state is not State.MENDING or broken.back_at is None:
            return
        self._break, self.state = None, State.WHOLE
        self._note("resumed", broken.back_at, broken.gap_ms, _last_cause(broken, lost))

    def _note(self, kind: str, at: datetime, gap_ms: int, cause: Cause) -> None:
        self._waiting.append(Noted(kind, at, {"gap_ms": gap_ms, **cause.detail()}))


def _last_cause(broken: Break, lost: float | None) -> Cause:
    """What it was, known by how it ended."""
    first, path = broken.cause, broken.path
    if first.kind in (Trouble.SERVER, Trouble.BROWSER_CLOSED) or broken.way is Direction.DOWN:
        return first
    if path is not None:
        if broken.transport is Transport.UDP and path.transport is Transport.TCP:
            return Cause(Trouble.UDP_BLOCKED)
        if path.moved or not path.renewed or broken.socket_reset:
            return Cause(Trouble.PATH_CHANGED)
    # What comes back on the same way over UDP was not blocked, whatever it looked like.
    if lost is None:
        return Cause(Trouble.CUT)
    return Cause(Trouble.CUT, Direction.BOTH if lost >= MOST_LOST else Direction.UP)
