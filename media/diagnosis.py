"""Whose line has what: a cause from what the seconds of a line showed. Pure.

A cause is what costs the voice most points of the E-model's rating. Packets that are lost while they wait
are no random loss: more is sent than passes, and the queue runs over.
"""

from __future__ import annotations

import enum
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from media.emodel import CODEC_DELAY_MS, delay_impairment, loss_impairment, voice_mos
from media.ring import Second

# So much later than at best, and packets stand in a queue; once may be chance, unless it is long.
QUEUE_MS = 80.0
LONG_QUEUE_MS = 150.0
QUEUED_SECONDS = 2
# How much of the loss must be near a queue.
QUEUED_SHARE = 0.5
BOTH_SHARE = 0.4
# What a queue must have dropped to be called one where jitter costs more. On the way down a packet that was
# overtaken counts as lost until it comes.
LEAST_LOSS_PCT = {"up": 1.0, "down": 2.0}
# What NetEq keeps beyond the widest spread it saw before it plays faster: a third more, and two packets.
BUFFER_MS = 40.0
BUFFER_SHARE = 4 / 3


class Direction(enum.StrEnum):
    """Which way of a participant's line: to the server, from it, or both."""

    UP = "up"
    DOWN = "down"
    BOTH = "both"


class Trouble(enum.StrEnum):
    """What a line has. ``rate``: more is sent than passes, so a queue grows."""

    LOSS = "loss"
    DELAY = "delay"
    JITTER = "jitter"
    RATE = "rate"
    CUT = "cut"
    PATH_CHANGED = "path_changed"
    UDP_BLOCKED = "udp_blocked"
    BROWSER_CLOSED = "browser_closed"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Cause:
    """What it is, and which way; whose line it is says who asked."""

    kind: Trouble
    direction: Direction = Direction.BOTH

    def detail(self) -> dict[str, object]:
        """Write it as the detail of an event."""
        return {"kind": self.kind.value, "direction": self.direction.value}


@dataclass(frozen=True, slots=True)
class Ways:
    """Both ways of one line over the last ten seconds; None is unknown.

    ``spread_*_ms`` is how far apart the quickest and the slowest packet came.
    """

    loss_up_pct: float | None = None
    loss_down_pct: float | None = None
    rtt_ms: float | None = None
    spread_up_ms: float = 0.0
    spread_down_ms: float = 0.0

    @property
    def loss_pct(self) -> float | None:
        """The worse way's loss."""
        known = [pct for pct in (self.loss_up_pct, self.loss_down_pct) if pct is not None]
        return max(known, default=None)

    @property
    def delay_ms(self) -> float:
        """One way over this line and through a jitter buffer that bears its spread."""
        return (self.rtt_ms or 0.0) / 2 + buffer_for(max(self.spread_up_ms, self.spread_down_ms))

    @property
    def mos(self) -> float | None:
        """Score a voice over this line alone, the worse way; None while nothing is known of it."""
        if self.rtt_ms is None and self.loss_pct is None:
            return None
        return voice_mos(delay_ms=self.delay_ms, loss_pct=self.loss_pct or 0.0)


@dataclass(frozen=True, slots=True)
class Usual:
    """What a line has at its best: more than this waited somewhere. In ms."""

    rtt_ms: float = 0.0


def buffer_for(spread_ms: float) -> float:
    """Return the delay of a jitter buffer that plays packets this far apart without a hole."""
    return BUFFER_MS + BUFFER_SHARE * spread_ms


def diagnose(seconds: Sequence[Second], ways: Ways, usual: Usual) -> Cause | None:
    """Name what costs this line most, None when nothing does. ``seconds``: those without a cut."""
    points = _points(ways)
    kind = max(points, key=points.__getitem__)
    if points[kind] <= 0:
        return None
    if kind is Trouble.LOSS:
        way = _way(ways.loss_up_pct or 0.0, ways.loss_down_pct or 0.0)
        return Cause(Trouble.RATE if _queued(seconds, way, usual) else Trouble.LOSS, way)
    for way, lost in ((Direction.UP, ways.loss_up_pct), (Direction.DOWN, ways.loss_down_pct)):
        if (lost or 0.0) >= LEAST_LOSS_PCT[way] and _queued(seconds, way, usual):
            return Cause(Trouble.RATE, way)
    if kind is Trouble.JITTER:
        return Cause(Trouble.JITTER, _way(ways.spread_up_ms, ways.spread_down_ms))
    return Cause(Trouble.DELAY, _delayed(seconds, usual))


def _points(ways: Ways) -> dict[Trouble, float]:
    """What each costs in points of R."""
    half_ms, spread_ms = (ways.rtt_ms or 0.0) / 2, max(ways.spread_up_ms, ways.spread_down_ms)
    late = delay_impairment(CODEC_DELAY_MS + half_ms + buffer_for(spread_ms))
    loss = loss_impairment(ways.loss_pct or 0.0) - loss_impairment(0.0)
    # What one of the two costs on top of the other, and half of what they cost only together.
    delay = late - delay_impairment(CODEC_DELAY_MS + buffer_for(spread_ms))
    jitter = late - delay_impairment(CODEC_DELAY_MS + half_ms + buffer_for(0.0))
    shared = late - delay - jitter
    return {Trouble.LOSS: loss, Trouble.DELAY: delay + shared / 2, Trouble.JITTER: jitter + shared / 2}


def _way(up: float, down: float) -> Direction:
    if min(up, down) >= BOTH_SHARE * max(up, down):
        return Direction.BOTH
    return Direction.UP if up > down else Direction.DOWN


def _queued(seconds: Sequence[Second], way: Direction, usual: Usual) -> bool:
    """Whether most of what was lost on a way was lost while packets waited on it."""
    if way is Direction.BOTH:
        return all(_queued(seconds, each, usual) for each in (Direction.UP, Direction.DOWN))
    up = way is Direction.UP
    waits_ms = [_wait_up_ms(one) if up else _wait_down_ms(one, usual) for one in seconds]
    stands = _stands_up(waits_ms) if up else _stands_down(waits_ms)
    lost = [one.lost_up if up else one.lost_down for one in seconds]
    queued = sum(count for count, here in zip(lost, stands, strict=True) if here)
    return sum(lost) > 0 and queued >= QUEUED_SHARE * sum(lost)


def _wait_up_ms(one: Second) -> float | None:
    return None if one.delay_up_ms is None else float(one.delay_up_ms)


def _wait_down_ms(one: Second, usual: Usual) -> float | None:
    return None if one.rtt_ms is None else one.rtt_ms - usual.rtt_ms - (one.delay_up_ms or 0)


def _stands_up(waits_ms: Sequence[float | None]) -> list[bool]:
    """Say at which seconds a queue stood on the way up, by the quickest packet of each and its neighbors."""
    known = [wait_ms or 0.0 for wait_ms in waits_ms]
    standing = [wait_ms >= QUEUE_MS for wait_ms in known]
    if sum(standing) < QUEUED_SECONDS and max(known, default=0.0) < LONG_QUEUE_MS:
        return [False] * len(known)
    return [any(standing[max(0, at - 1) : at + 2]) for at in range(len(known))]


def _stands_down(waits_ms: Sequence[float | None]) -> list[bool]:
    """Say the same of the way down, by a round trip in a second: one that is long may be chance.

    A full queue drops reports too; where none came around a second, those of the whole time speak for it.
    """
    found = []
    for at in range(len(waits_ms)):
        near = [wait_ms for wait_ms in waits_ms[max(0, at - 1) : at + 2] if wait_ms is not None]
        known = near or [wait_ms for wait_ms in waits_ms if wait_ms is not None]
        found.append(bool(known) and statistics.median_high(known) >= QUEUE_MS)
    return found


def _delayed(seconds: Sequence[Second], usual: Usual) -> Direction:
    """Which way became longer; both where it was always long."""
    late = [
        (float(one.delay_up_ms), one.rtt_ms - usual.rtt_ms - one.delay_up_ms)
        for one in seconds
        if one.rtt_ms is not None and one.delay_up_ms is not None
    ][-5:]
    if not late:
        return Direction.BOTH
    up, down = (sorted(values)[len(late) // 2] for values in zip(*late, strict=True))
    if max(up, down) < QUEUE_MS / 2:
        return Direction.BOTH
    return _way(max(0.0, up), max(0.0, down))
