"""An urgent call over time: who is called when, and when the client is told the truth. Pure.

    calling ──tell──▶ told        who is told is called for on
    calling, told ──answer──▶ answered
    calling, told ──leave──▶ gone

Every fitting counselor is called at once, without turns. Not answered in 60 s, the duty person is called;
after 180 s the deputy. After 300 s, or where nobody is on duty, the client is told so. Every 300 s all of
them are called again, as long as the client waits. Where no counselor can be called, the duty person is
called at once: waiting would help nobody. A step is named by what, whom and which turn, so that one that
was done is never done again, whatever stops and starts between; what a standstill has missed is not made
up for, but those who are due then are called.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from accounts.roles import Role
from core.errors import InvalidState
from core.ids import UserId

if TYPE_CHECKING:
    from counseling.roster import Duty

DUTY_AFTER: Final = timedelta(seconds=60)
DEPUTY_AFTER: Final = timedelta(seconds=180)
TELL_AFTER: Final = timedelta(seconds=300)
AGAIN_EVERY: Final = timedelta(seconds=300)


class State(enum.StrEnum):
    """Where an alarm stands."""

    CALLING = "calling"
    TOLD = "told"
    """The client knows that nobody has answered; calling goes on."""
    ANSWERED = "answered"
    GONE = "gone"
    """The client has left, or does not wait any more."""


class Event(enum.StrEnum):
    """What happens to an alarm."""

    TELL = "tell"
    ANSWER = "answer"
    LEAVE = "leave"


TABLE: Final[Mapping[tuple[State, Event], State]] = {
    (State.CALLING, Event.TELL): State.TOLD,
    (State.CALLING, Event.ANSWER): State.ANSWERED,
    (State.CALLING, Event.LEAVE): State.GONE,
    (State.TOLD, Event.ANSWER): State.ANSWERED,
    (State.TOLD, Event.LEAVE): State.GONE,
}
OPEN: Final = frozenset({State.CALLING, State.TOLD})


def after(state: State, event: Event) -> State:
    """Give the state that an event leads to. Raises ``InvalidState``."""
    try:
        return TABLE[state, event]
    except KeyError:
        raise InvalidState("Somebody has answered already, or the person waits no more.") from None


class Kind(enum.StrEnum):
    """What a step does."""

    COUNSELOR = "counselor"
    DUTY = "duty"
    DEPUTY = "deputy"
    TELL_NOBODY = "tell_nobody"
    """The client is told that nobody is on duty at this hour."""
    TELL_SILENCE = "tell_silence"
    """The client is told that nobody has answered yet."""


TELLS: Final = frozenset({Kind.TELL_NOBODY, Kind.TELL_SILENCE})


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to be done once. ``person`` is who is called, None where the client is told."""

    kind: Kind
    person: UserId | None
    turn: int


@dataclass(frozen=True, slots=True)
class Course:
    """How far an alarm has come."""

    raised_at: datetime
    state: State
    done: frozenset[Step] = frozenset()


@dataclass(frozen=True, slots=True)
class Around:
    """Who could answer at this moment.

    ``fitting`` are counselors who take people now, fit this client and are not in a talk; ``barred`` are
    those with whom the client will not talk. They are passed over in silence, on duty too.
    """

    fitting: tuple[UserId, ...] = ()
    duty: Duty | None = None
    barred: frozenset[UserId] = frozenset()

    @property
    def on_duty(self) -> tuple[UserId, ...]:
        """The duty person and the deputy; where the first is barred, the deputy moves up."""
        if self.duty is None:
            return ()
        both = (self.duty.person, self.duty.deputy)
        return tuple(one for one in both if one is not None and one not in self.barred)


def steps(course: Course, around: Around, now: datetime) -> tuple[Step, ...]:
    """Say what is due now and has not been done."""
    if course.state not in OPEN:
        return ()
    waited = max(now - course.raised_at, timedelta(0))
    turn = waited // AGAIN_EVERY
    fitting = [one for one in around.fitting if one not in around.barred]
    due = [Step(Kind.COUNSELOR, one, turn) for one in fitting]
    called = bool(fitting) or any(step.kind is Kind.COUNSELOR for step in course.done)
    after_s = (DUTY_AFTER if called else timedelta(0), DEPUTY_AFTER)
    for kind, person, wait in zip((Kind.DUTY, Kind.DEPUTY), around.on_duty, after_s, strict=False):
        if waited >= wait:
            due.append(Step(kind, person, turn))
    if course.state is State.CALLING:
        if not around.on_duty and (not called or waited >= DUTY_AFTER):
            due.append(Step(Kind.TELL_NOBODY, None, 0))
        elif waited >= TELL_AFTER:
            due.append(Step(Kind.TELL_SILENCE, None, 0))
    return tuple(step for step in due if step not in course.done)


def concerns(course: Course, around: Around, person: UserId, roles: Collection[Role]) -> bool:
    """Whether an alarm sounds on somebody's pages, and may be answered there.

    Supervisors see every alarm. Counselors see theirs: those who fit, are on duty or were called; and once
    the client had to be told that nobody answers, all of them. Whom the client will not talk to sees none.
    """
    if course.state not in OPEN or person in around.barred:
        return False
    if Role.SUPERVISOR in roles:
        return True
    if Role.COUNSELOR not in roles:
        return False
    asked = {step.person for step in course.done} | {*around.fitting, *around.on_duty}
    return course.state is State.TOLD or person in asked
