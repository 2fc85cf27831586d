"""One way's steps, down and up: from one side's camera and microphone to the other side. Pure.

    FULL -> LESS -> SMALL -> PAUSED        at most one step in 8 s

Trouble of 3 s is one step down, 20 s without any are one step up. A step up that does not hold for two
minutes doubles the wait for the next one, so a line that stays bad is tried ever less often.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

STEP_EVERY_S = 8.0
TROUBLE_FOR_S = 3.0
CLEAR_FOR_S = 20.0
LONGEST_WAIT_S = 160.0
# A step up that has held so long is proved, and the next wait is half as long.
PROVED_AFTER_S = 120.0
REDUNDANT_LOSS_PCT = 5.0
SINGLE_LOSS_PCT = 2.0


class Picture(enum.StrEnum):
    """How much of a picture a side sends. PAUSED: none, while the mode stays video."""

    FULL = "full"
    LESS = "less"
    SMALL = "small"
    PAUSED = "paused"


STEPS = tuple(Picture)

# What a browser must believe it can send for a step to stay, the voice included. Caps are higher (300 and
# 100 kbit/s for LESS and SMALL), and below its cap a browser adapts by itself; Chromium begins at 300.
KEEPS_KBPS = {Picture.FULL: 280.0, Picture.LESS: 180.0, Picture.SMALL: 100.0, Picture.PAUSED: 0.0}


class Ease(enum.IntEnum):
    """How a way is. HOLD is neither good enough to climb nor bad enough to fall."""

    USELESS = 0
    POOR = 1
    TROUBLE = 2
    HOLD = 3
    CLEAR = 4


@dataclass(slots=True)
class Wait:
    """How long a way must be clear before the next step up."""

    wait_s: float = CLEAR_FOR_S
    raised_s: float | None = None

    def fell(self, now_s: float) -> None:
        """A step down: if it undoes a step up, the next one waits longer."""
        if self.raised_s is not None and now_s - self.raised_s < PROVED_AFTER_S:
            self.wait_s = min(LONGEST_WAIT_S, 2 * self.wait_s)
        self.raised_s = None

    def rose(self, now_s: float) -> None:
        """A step up."""
        self.raised_s = now_s

    def look(self, now_s: float) -> None:
        """Wait less again once a step up has held."""
        if self.raised_s is not None and now_s - self.raised_s >= PROVED_AFTER_S:
            self.wait_s, self.raised_s = max(CLEAR_FOR_S, self.wait_s / 2), None


@dataclass(slots=True)
class Span:
    """Since when something has been so without a break."""

    since_s: float | None = None

    def note(self, now_s: float, *, so: bool) -> float:
        """Take one look; return for how many seconds it has been so, -1 when it is not."""
        if not so:
            self.since_s = None
            return -1.0
        if self.since_s is None:
            self.since_s = now_s
        return now_s - self.since_s


@dataclass(slots=True)
class Way:
    """From one side to the other: the step of its picture, and whether its voice goes twice."""

    step: Picture = Picture.FULL
    redundant: bool = False
    ease: Ease | None = None
    paused: Span = field(default_factory=Span)
    poor: Span = field(default_factory=Span)
    _stepped_s: float = float("-inf")
    # The step that a hand took it from, and where it goes on when the hand lets go.
    _left: Picture | None = None
    _trouble: Span = field(default_factory=Span)
    _clear: Span = field(default_factory=Span)
    _lossy: Span = field(default_factory=Span)
    _whole: Span = field(default_factory=Span)
    _wait: Wait = field(default_factory=Wait)
    _twice: Wait = field(default_factory=Wait)
    _once_s: float = float("-inf")

    def set(self, step: Picture, now_s: float) -> None:
        """Go to a step; the time until the next one begins."""
        self.step, self._stepped_s = step, now_s
        self._trouble.since_s = self._clear.since_s = None

    def look(self, ease: Ease | None, now_s: float, *, held: Picture | None) -> None:
        """Step down or up if it is time. None: nothing can be said now."""
        self.ease = ease
        trouble_s = self._trouble.note(now_s, so=ease is not None and ease <= Ease.TROUBLE)
        clear_s = self._clear.note(now_s, so=ease is Ease.CLEAR)
        if held is not None:
            self._left = self.step if self._left is None else self._left
            if held is not self.step:
                self.set(held, now_s)
            return
        if self._left is not None:
            self.set(self._left, now_s)
            self._left = None
        self._wait.look(now_s)
        if now_s - self._stepped_s < STEP_EVERY_S:
            return
        place = STEPS.index(self.step)
        if trouble_s >= TROUBLE_FOR_S and self.step is not Picture.PAUSED:
            self._wait.fell(now_s)
            self.set(STEPS[place + 1], now_s)
        elif clear_s >= self._wait.wait_s and self.step is not Picture.FULL:
            self._wait.rose(now_s)
            self.set(STEPS[place - 1], now_s)

    def protect(self, loss_pct: float | None, *, room: bool | None, now_s: float) -> None:
        """Send the voice twice while much of it is lost, and only where it makes no queue longer.

        ``room`` None: nothing can be said now, and nothing changes. Each time that it has to be taken back
        for want of room it is tried again later, as a step up is: every change is a new offer.
        """
        lossy = room is True and loss_pct is not None and loss_pct > REDUNDANT_LOSS_PCT
        lossy_s = self._lossy.note(now_s, so=lossy)
        whole_s = self._whole.note(now_s, so=loss_pct is not None and loss_pct < SINGLE_LOSS_PCT)
        self._twice.look(now_s)
        if self.redundant:
            if room is False:
                self._twice.fell(now_s)
            if room is False or whole_s >= CLEAR_FOR_S:
                self.redundant, self._once_s = False, now_s
        elif lossy_s >= TROUBLE_FOR_S and now_s - self._once_s >= self._twice.wait_s:
            self._twice.rose(now_s)
            self.redundant = True
