"""Stepping down before the voice suffers, and up again: what each side is advised to send. Pure.

    session: video -> voice -> chat        at most one step in 8 s; a person's choice is left alone

The picture of each sender steps for itself (media/climb.py). A *way* leads from one side through both
legs to the other, and is in trouble when either leg is. Voice follows when the pictures are paused and
the way is poor all the same, chat when the voice is of no use. From chat nothing goes up by itself: a
voice must not begin to sound unasked, so the way back is only offered.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from media.climb import (
    KEEPS_KBPS,
    SINGLE_LOSS_PCT,
    STEP_EVERY_S,
    STEPS,
    Ease,
    Picture,
    Span,
    Wait,
    Way,
)
from media.codecs import Mode
from media.diagnosis import Cause, Direction, Trouble
from media.grading import Limits
from media.silence import QUIET_MS

__all__ = ["Advice", "Blame", "Ladder", "Picture", "Side"]

_MODES = tuple(Mode)

# While nothing at all comes from a side its line is cut: that is the coming back's, not a rate's.
SILENT_MS = 1_200
USELESS_LOSS_PCT = 30.0
USELESS_MOS = 2.0
BEST_MOS = 5.0
# How far a round trip may rise over what it was: the packets wait somewhere.
QUEUE_MS = 300.0
CLEAR_QUEUE_MS = 120.0
# Less than this more of one round trip, or not twice the other's, says nothing of whose line it is.
TELLING_QUEUE_MS = 80.0
# A base that rises so fast forgets a quicker path within minutes.
BASE_RISES_MS_PER_S = 1.0
REDUNDANCY_KBPS = 40.0


@dataclass(frozen=True, slots=True)
class Side:
    """What the last few seconds showed of one side; None is unknown.

    ``mos`` is that of the voice it hears, ``available_kbps`` what its browser believes it can send.
    ``silent_ms`` since anything came from it, None without a leg; ``speaks``: it sends voice, so that
    silence means something. ``held``: the picture that its person chose by hand. ``doubles``: its voice goes
    twice now.
    """

    loss_up_pct: float | None = None
    loss_down_pct: float | None = None
    rtt_ms: float | None = None
    available_kbps: float | None = None
    mos: float | None = None
    silent_ms: int | None = None
    speaks: bool = True
    sends_picture: bool = True
    held: Picture | None = None
    doubles: bool = False


@dataclass(frozen=True, slots=True)
class Blame:
    """Whose line made a picture smaller (0 or 1, as the sides stand), and what that line had."""

    side: int
    cause: Cause


@dataclass(frozen=True, slots=True)
class Advice:
    """What one side should do. ``mode``: where the session should go, None to stay.

    ``redundant``: its voice should be sent twice (RFC 2198). ``blame``: why its picture became smaller.
    """

    picture: Picture = Picture.FULL
    mode: Mode | None = None
    redundant: bool = False
    blame: Blame | None = None


@dataclass(slots=True)
class Ladder:
    """One session's ladder. ``look`` once a second with both sides, in the session's order."""

    limits: Limits = field(default_factory=Limits)
    ways: tuple[Way, Way] = field(default_factory=lambda: (Way(), Way()))
    _bases_ms: list[float | None] = field(default_factory=lambda: [None, None])
    _blames: list[Blame | None] = field(default_factory=lambda: [None, None])
    _looked_s: float | None = None
    _mode: Mode | None = None
    _moved_s: float = float("-inf")
    _blamed: int = 0
    _useless: Span = field(default_factory=Span)
    _clear: Span = field(default_factory=Span)
    _wait: Wait = field(default_factory=Wait)

    def look(
        self, sides: tuple[Side, Side], now_s: float, *, mode: Mode, by_line: bool, by_hand: bool
    ) -> tuple[Advice, Advice]:
        """Return what each side is advised now.

        ``by_line``: the line took the session to this mode; ``by_hand``: a person did. Neither: it
        began so, or a budget took it there.
        """
        self._note_mode(mode, now_s, by_line=by_line)
        queues_ms = self._queues(sides, now_s)
        for number, way in enumerate(self.ways):
            sender, receiver = sides[number], sides[1 - number]
            loss_pct = _added(sender.loss_up_pct, receiver.loss_down_pct)
            ease = self._ease(sender, receiver, loss_pct, max(queues_ms), way.step)
            before = way.step
            way.look(ease if mode is Mode.VIDEO else None, now_s, held=sender.held)
            way.ease = ease
            if sender.held is None and STEPS.index(way.step) > STEPS.index(before):
                self._blames[number] = _blame(number, sides, queues_ms) or self._blames[number]
            elif way.step is Picture.FULL:
                self._blames[number] = None
            room = max(queues_ms) <= CLEAR_QUEUE_MS and _carries(sender, way.step, REDUNDANCY_KBPS)
            way.protect(loss_pct, room=None if ease is None else room, now_s=now_s)
            way.paused.note(now_s, so=way.step is Picture.PAUSED or not sender.sends_picture)
        target = self._target(sides, queues_ms, now_s, mode=mode, by_line=by_line, by_hand=by_hand)
        both = mode is Mode.CHAT
        first, second = (
            Advice(
                way.step,
                target if both or number == self._blamed else None,
                way.redundant,
                self._blames[number],
            )
            for number, way in enumerate(self.ways)
        )
        return first, second

    # --- one way ---------------------------------------------------------------------------

    def _ease(
        self, sender: Side, receiver: Side, loss_pct: float | None, queue_ms: float, step: Picture
    ) -> Ease | None:
        """Say how the way from one side to the other is; None while a line is cut or nothing is known."""
        if not all(_is_there(side) for side in (sender, receiver)):
            return None
        if loss_pct is None and receiver.mos is None and sender.rtt_ms is None and receiver.rtt_ms is None:
            return None
        limits, loss = self.limits, loss_pct or 0.0
        # Where nothing is lost and nothing waits, a low score is the way's length: less does not mend it.
        mends = loss > SINGLE_LOSS_PCT or queue_ms > CLEAR_QUEUE_MS
        mos = receiver.mos if mends and receiver.mos is not None else BEST_MOS
        # What goes twice, a packet apart (RFC 2198), is missing where two in a row are lost.
        missed = loss * loss / 100 if sender.doubles else loss
        if missed > USELESS_LOSS_PCT or (mos < USELESS_MOS and not sender.doubles):
            return Ease.USELESS
        if loss > limits.poor.loss_pct or mos < limits.poor.mos or queue_ms > 2 * QUEUE_MS:
            return Ease.POOR
        if mos < limits.fair.mos or queue_ms > QUEUE_MS or not _carries(sender, step):
            return Ease.TROUBLE
        calm = loss <= limits.fair.loss_pct and queue_ms <= CLEAR_QUEUE_MS
        return Ease.CLEAR if calm else Ease.HOLD

    def _queues(self, sides: tuple[Side, Side], now_s: float) -> tuple[float, float]:
        """Say how many ms each side's round trip is over the least it was lately."""
        passed_s = 0.0 if self._looked_s is None else max(0.0, now_s - self._looked_s)
        self._looked_s = now_s
        queues_ms = [0.0, 0.0]
        for number, side in enumerate(sides):
            base_ms = self._bases_ms[number]
            if side.rtt_ms is None:
                continue
            risen_ms = side.rtt_ms if base_ms is None else base_ms + passed_s * BASE_RISES_MS_PER_S
            base_ms = self._bases_ms[number] = min(side.rtt_ms, risen_ms)
            queues_ms[number] = side.rtt_ms - base_ms
        return queues_ms[0], queues_ms[1]

    # --- the session -----------------------------------------------------------------------

    def _note_mode(self, mode: Mode, now_s: float, *, by_line: bool) -> None:
        """Begin anew when the session moved. Back in video the pictures begin small."""
        if mode is self._mode:
            return
        before, self._mode = self._mode, mode
        self._useless.since_s = self._clear.since_s = None
        for way in self.ways:
            way.paused.since_s = way.poor.since_s = None
        if before is None:
            return
        self._moved_s = now_s
        if mode is Mode.VIDEO:
            for way in self.ways:
                way.set(Picture.SMALL if by_line else Picture.FULL, now_s)
        if _MODES.index(mode) < _MODES.index(before):
            self._wait.rose(now_s)
        elif by_line:
            self._wait.fell(now_s)

    def _target(
        self,
        sides: tuple[Side, Side],
        queues_ms: tuple[float, float],
        now_s: float,
        *,
        mode: Mode,
        by_line: bool,
        by_hand: bool,
    ) -> Mode | None:
        """Say where the session should go; sets who is to ask for it."""
        eases = [way.ease for way in self.ways]
        self._wait.look(now_s)
        known = all(ease is not None for ease in eases)
        clear_s = self._clear.note(now_s, so=self._is_clear(sides, mode))
        useless_s = self._useless.note(now_s, so=known and Ease.USELESS in eases)
        poor_s = [
            way.poor.note(now_s, so=way.ease is not None and way.ease <= Ease.POOR) for way in self.ways
        ]
        if now_s - self._moved_s < STEP_EVERY_S:
            return None
        if mode is Mode.VIDEO and not by_hand:
            for number, way in enumerate(self.ways):
                paused_s = -1.0 if way.paused.since_s is None else now_s - way.paused.since_s
                if min(paused_s, poor_s[number]) >= STEP_EVERY_S:
                    self._blamed = _whose(number, sides, queues_ms)
                    return Mode.VOICE
        if mode is Mode.VOICE and useless_s >= STEP_EVERY_S:
            self._blamed = _whose(eases.index(Ease.USELESS), sides, queues_ms)
            return Mode.CHAT
        if by_line and clear_s >= self._wait.wait_s:
            return {Mode.VOICE: Mode.VIDEO, Mode.CHAT: Mode.VOICE}.get(mode)
        return None

    def _is_clear(self, sides: tuple[Side, Side], mode: Mode) -> bool:
        """Whether the next rung up would be carried. In chat no voice shows it: both lines live."""
        if mode is Mode.CHAT:
            return all(_is_there(side) for side in sides)
        return all(way.ease is Ease.CLEAR for way in self.ways)


def _is_there(side: Side) -> bool:
    """Whether packets come from a side as they should."""
    return side.silent_ms is not None and side.silent_ms < (SILENT_MS if side.speaks else QUIET_MS)


def _added(up_pct: float | None, down_pct: float | None) -> float | None:
    """Return the loss over both legs of a way, None when neither is known."""
    if up_pct is None and down_pct is None:
        return None
    passed = (1 - (up_pct or 0.0) / 100) * (1 - (down_pct or 0.0) / 100)
    return 100 * (1 - passed)


def _carries(sender: Side, step: Picture, more_kbps: float = 0.0) -> bool:
    """Whether the sender's browser believes that a step goes through; what it has not said, it does."""
    return sender.available_kbps is None or sender.available_kbps >= KEEPS_KBPS[step] + more_kbps


def _whose(number: int, sides: tuple[Side, Side], queues_ms: tuple[float, float]) -> int:
    """Say whose leg spoils the way of this sender: where more is lost, else where the packets wait."""
    up_pct = sides[number].loss_up_pct or 0.0
    down_pct = sides[1 - number].loss_down_pct or 0.0
    if max(up_pct, down_pct) > SINGLE_LOSS_PCT:
        return number if up_pct >= down_pct else 1 - number
    return number if queues_ms[number] >= queues_ms[1 - number] else 1 - number


def _blame(number: int, sides: tuple[Side, Side], queues_ms: tuple[float, float]) -> Blame | None:
    """Say whose line spoils the way of this sender, and by what; None where a browser's word is all there is.

    Where packets wait, too much is sent, and what is lost is what the queue did not take.
    """
    whose = _whose(number, sides, queues_ms)
    lost_pct = sides[whose].loss_up_pct if whose == number else sides[whose].loss_down_pct
    lossy = (lost_pct or 0.0) > SINGLE_LOSS_PCT
    if not lossy and max(queues_ms) < min(CLEAR_QUEUE_MS, max(TELLING_QUEUE_MS, 2 * min(queues_ms))):
        return None
    kind = Trouble.LOSS if lossy and queues_ms[whose] <= CLEAR_QUEUE_MS else Trouble.RATE
    return Blame(whose, Cause(kind, Direction.UP if whose == number else Direction.DOWN))
