"""One participant's line, second by second: what its counters became, how it is, and what it has. Pure.

Loss, round trip and jitter are the relay's own, from what passed; a browser's word on its jitter buffer is
believed only where the relay sees the jitter too.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from media.diagnosis import BUFFER_MS, BUFFER_SHARE, Cause, Trouble, Usual, Ways, buffer_for, diagnose
from media.emodel import voice_mos
from media.events import LegSample, Seen
from media.grading import LOST_AFTER_MS, Grade, Limits, Steady, grade
from media.ring import Ring, Second
from media.silence import QUIET_MS

WINDOW_S = 10
BASE_S = 60
LEAST_S = 120
# Fewer lost packets than this are chance: in a pause of DTX ten seconds have 25 packets.
LEAST_LOST = 3
LEAST_OVERTAKEN = 10
# So many are a line that comes after an absence.
FIRST_SECONDS = 4
# Two seconds of ten may be odd: a page or this machine that was busy.
ODD_SECONDS = 2
CUT_AFTER_MS = 1_000
# What a line lost just before its first packets came again is still told a while behind them.
AFTER_CUT_S = 2.0
# How much of the spread of bimodal delays RFC 3550's mean of steps shows.
SPREAD_OF_JITTER = 2.0
SEEN_WAIT_MS = 40.0
SEEN_JITTER_MS = 15
JUMP_MS = 10_000.0
LEAST_TURNS = 3
# A browser keeps more than the spread asks for a while after a burst, but not without end.
BUFFER_SLACK_MS = 200.0


@dataclass(frozen=True, slots=True)
class Said:
    """What the browser said, clamped; None is unknown or too old."""

    rtt_ms: float | None = None
    buffer_ms: float | None = None
    concealed_pct: float | None = None
    available_kbps: float | None = None


NOTHING_SAID = Said()


@dataclass(slots=True)
class Line:
    """Ten minutes of one line. ``take`` and ``look`` at it each second.

    ``cause`` is what it had when it was last not good; ``ways`` are both ways over the last ten seconds.
    """

    limits: Limits = field(default_factory=Limits)
    ring: Ring = field(default_factory=Ring)
    steady: Steady = field(default_factory=Steady)
    cause: Cause | None = None
    ways: Ways = field(default_factory=Ways)
    _before: Seen | None = None
    _bytes: tuple[int, int] = (0, 0)
    _leg: str = ""
    _voice: int | None = None
    _recent: deque[Second] = field(default_factory=lambda: deque(maxlen=WINDOW_S))
    _lows: deque[float] = field(default_factory=lambda: deque(maxlen=BASE_S))
    _cut_until_s: float = float("-inf")
    _anew: bool = False
    _muted_s: int = -1

    # --- a second --------------------------------------------------------------------------

    def take(
        self, sample: LegSample, *, said: Said = NOTHING_SAID, ws_rtt_ms: float | None, now_s: float
    ) -> Second | None:
        """Make a second of what the relay saw since the last one; None before there are two looks."""
        seen = sample.seen
        if seen is None:
            return None
        if sample.leg != self._leg:
            self._leg, self._before = sample.leg, None
            if self._recent and now_s - self._recent[-1].at_s > WINDOW_S:
                self._recent.clear()
                self._lows.clear()
                self._anew = True
        before, self._before = self._before, seen
        bytes_before, self._bytes = self._bytes, (sample.bytes_up, sample.bytes_down)
        low_ms, spread_ms = self._transits(seen)
        if before is None:
            return None
        if seen.unsaid_ms is None and before.unsaid_ms is not None:
            self._muted_s = int(now_s)
        speaks = seen.unsaid_ms is not None and not seen.hears
        sends = speaks or any(one.expected_up for one in self._recent if one.at_s > self._muted_s)
        silent_after_ms = CUT_AFTER_MS if sends else QUIET_MS
        if (sample.silent_ms or 0) >= silent_after_ms or (seen.stalled_ms or 0) >= CUT_AFTER_MS:
            self._cut_until_s = now_s + AFTER_CUT_S
        second = Second(
            at_s=int(now_s),
            packets_up=_grown(before.packets_up, seen.packets_up),
            packets_down=_grown(before.packets_down, seen.packets_down),
            bytes_up=_grown(bytes_before[0], sample.bytes_up),
            bytes_down=_grown(bytes_before[1], sample.bytes_down),
            expected_up=_grown(before.expected_up, seen.expected_up),
            lost_up=seen.lost_up - before.lost_up if seen.expected_up >= before.expected_up else 0,
            expected_down=_grown(before.expected_down, seen.expected_down),
            lost_down=seen.lost_down - before.lost_down if seen.expected_down > before.expected_down else 0,
            jitter_up_ms=_whole(sample.jitter_ms),
            jitter_down_ms=_whole(seen.jitter_down_ms),
            rtt_ms=_whole(max(seen.rtts_ms, default=None)),
            ws_rtt_ms=_whole(ws_rtt_ms),
            delay_up_ms=_whole(low_ms),
            spread_up_ms=_whole(spread_ms),
            silent_ms=sample.silent_ms,
            buffer_ms=_whole(said.buffer_ms),
            concealed_pct=_whole(said.concealed_pct),
            available_kbps=_whole(said.available_kbps),
            cut=now_s < self._cut_until_s,
        )
        self.ring.add(second)
        self._recent.append(second)
        return second

    def excuse(self, now_s: float) -> None:
        """Take what comes for a while as that of a cut: the server stood still, or the way is another."""
        self._cut_until_s = max(self._cut_until_s, now_s + AFTER_CUT_S)

    def _transits(self, seen: Seen) -> tuple[float | None, float | None]:
        """Say how much later voice came than it can, and how far apart its packets were."""
        if seen.transits_ms is None or seen.voice is None:
            return None, None
        low_ms, high_ms = seen.transits_ms
        jumped = bool(self._lows) and abs(low_ms - self._lows[-1]) > JUMP_MS
        if seen.voice != self._voice or jumped:
            self._voice = seen.voice
            self._lows.clear()
        self._lows.append(low_ms)
        late_ms = low_ms - min(self._lows)
        if seen.rtts_ms and late_ms > max(seen.rtts_ms):
            # A way cannot be longer than the way and back: the sender's clock jumped.
            self._lows.clear()
            self._lows.append(low_ms)
            late_ms = 0.0
        return late_ms, high_ms - low_ms

    # --- how it is -------------------------------------------------------------------------

    def look(self, *, silent_ms: int | None, expected: bool, peer_spread_ms: float, now_s: float) -> bool:
        """Grade the line; True when its steady grade changed. ``expected``: packets ought to come."""
        seconds = [one for one in self._recent if not one.cut]
        usual = Usual(self._least("rtt_ms"))
        self.ways = self._weigh(seconds, peer_spread_ms, usual)
        gone_ms = max(silent_ms or 0, (self._before.stalled_ms or 0) if self._before is not None else 0)
        if expected and gone_ms >= LOST_AFTER_MS:
            moment = Grade.LOST
        else:
            moment = grade(
                loss_pct=self.ways.loss_pct, rtt_ms=self.ways.rtt_ms, mos=self.ways.mos, limits=self.limits
            )
        if moment not in (Grade.GOOD, Grade.LOST):
            found = diagnose(seconds, self.ways, usual)
            if found is not None and not self._is_queue_still(found):
                self.cause = found
        if self._anew and (len(seconds) >= FIRST_SECONDS or self.steady.grade is Grade.LOST):
            self._anew = False
            return self.steady.begin(moment, now_s)
        return self.steady.hear(moment, now_s)

    def _is_queue_still(self, found: Cause) -> bool:
        """Whether this is the queue of before, which fills and empties: by itself that looks like jitter."""
        before = self.cause if self.steady.grade is not Grade.GOOD else None
        return found.kind is Trouble.JITTER and before == Cause(Trouble.RATE, found.direction)

    def _weigh(self, seconds: Sequence[Second], peer_spread_ms: float, usual: Usual) -> Ways:
        rtts_ms = [one.rtt_ms for one in seconds if one.rtt_ms is not None]
        spread_up = _usual([one.spread_up_ms for one in seconds if one.spread_up_ms is not None])
        rtt_spread = wander(rtts_ms)
        # A step of the delay looks like jitter in one report, not in two.
        jitters = [one.jitter_down_ms for one in seconds if one.jitter_down_ms is not None]
        jitter_down = min(jitters[-2:]) if len(jitters) > 1 else 0
        spread_down = max(0.0, rtt_spread - spread_up, SPREAD_OF_JITTER * jitter_down)
        late_ms = max(rtts_ms, default=0) - usual.rtt_ms - spread_up
        if late_ms >= SEEN_WAIT_MS or max(jitters, default=0) >= SEEN_JITTER_MS:
            # Reports come every 2 s: the last two, and what the other side's way has done left out.
            buffer_ms = min((one.buffer_ms or 0 for one in seconds[-3:]), default=0)
            spread_down = max(spread_down, buffer_ms - BUFFER_MS - BUFFER_SHARE * peer_spread_ms)
        # Reports take back what they counted as lost: packets were overtaken, by as much as the way varies.
        overtaken = -sum(min(0, one.lost_down) for one in seconds)
        if overtaken >= max(LEAST_OVERTAKEN, sum(one.expected_down for one in seconds) / 100):
            spread_down = max(spread_down, late_ms)
        ws_rtts = [one.ws_rtt_ms for one in seconds if one.ws_rtt_ms is not None]
        known = rtts_ms[-6:] or ws_rtts[-3:]
        return Ways(
            loss_up_pct=loss_of(seconds, "lost_up", "expected_up"),
            loss_down_pct=loss_of(seconds, "lost_down", "expected_down"),
            rtt_ms=statistics.median(known) if known else None,
            spread_up_ms=spread_up,
            spread_down_ms=spread_down,
        )

    def _least(self, name: str) -> float:
        """The least of a column of late: what is more than this waited somewhere."""
        return float(min(self.ring.column(name, LEAST_S), default=0))


def heard_mos(own: Ways, other: Ways, *, buffer_ms: float | None) -> float | None:
    """Score the voice as one side hears it: over both legs, through its jitter buffer.

    ``buffer_ms`` is what its browser says, None when it has not said it; believed as far as what the relay
    saw explains it. None without a round trip.
    """
    if own.rtt_ms is None:
        return None
    seen_ms = buffer_for(own.spread_down_ms + other.spread_up_ms)
    kept_ms = seen_ms if buffer_ms is None else min(buffer_ms, seen_ms + BUFFER_SLACK_MS)
    passed = (1 - (own.loss_down_pct or 0) / 100) * (1 - (other.loss_up_pct or 0) / 100)
    delay_ms = own.rtt_ms / 2 + (other.rtt_ms or 0) / 2 + kept_ms
    return voice_mos(delay_ms=delay_ms, loss_pct=100 * (1 - passed))


def wander(values: Sequence[float]) -> float:
    """Say how far values go up and down, without the two oddest; a single step or slope is none."""
    if len(values) < 5:
        return 0.0
    ordered = sorted(values)
    odd = 1 if len(values) < 8 else ODD_SECONDS
    low, high = ordered[odd], ordered[-1 - odd]
    turns, side = 0, 0
    for value in values:
        now = (value > low + (high - low) * 2 / 3) - (value < low + (high - low) / 3)
        turns += now != 0 and side not in (0, now)
        side = now or side
    # A round trip from an old sender report may be half of a step.
    return float(high - low) if turns >= LEAST_TURNS + odd - 1 else 0.0


def _usual(values: Sequence[float]) -> float:
    """The greatest but for the odd ones; nothing without enough of them."""
    return float(sorted(values)[-1 - ODD_SECONDS]) if len(values) > ODD_SECONDS else 0.0


def loss_of(seconds: Sequence[Second], lost: str, expected: str) -> float | None:
    """Say how much of a hundred got lost on one way, by the names of its columns; None where nothing came."""
    missing = sum(getattr(one, lost) for one in seconds)
    sent = sum(getattr(one, expected) for one in seconds)
    if sent <= 0:
        return None
    return min(100.0, 100 * missing / sent) if missing >= LEAST_LOST else 0.0


def _grown(before: int, now: int) -> int:
    """What a counter gained; one that wraps or goes back begins anew."""
    return max(0, now - before)


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)
