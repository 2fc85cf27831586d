"""An urgent call over time: who is called when, and when the client is told the truth. Pure.

    calling ──tell──▶ told        who is told is called for on
    calling, told ──answer──▶ answered ──miss──▶ calling
    calling, told ──leave──▶ gone

Every fitting counselor is called at once, without turns. Not answered in 60 s, the duty person is called;
after 180 s the deputy. After 300 s, or where nobody is on duty, the client is told so. Every 300 s all of
them are called again, as long as the client waits. Where no counselor can be called, the duty person is
called at once: waiting would help nobody. A step is named by what, whom and which turn, so that one that
was done is never done again, whatever stops and starts between; what a standstill has missed is not made
up for, but those who are due then are called.

Who answers and does not come into the room within ``COMES_WITHIN`` has missed it: a new turn begins, in which
the others are called, the duty person at once, as the client has been kept waiting already. What a client
says of danger during a talk calls the counselor of that talk first, by the same steps.
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
COMES_WITHIN: Final = timedelta(seconds=45)
"""Opening the room, the browser's question and one press take under half of it; and a call that was answered
by somebody who does not come goes on sooner than one that nobody answered goes to the duty person."""


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
    MISS = "miss"
    """Who was to talk with the client did not come into the room."""


TABLE: Final[Mapping[tuple[State, Event], State]] = {
    (State.CALLING, Event.TELL): State.TOLD,
    (State.CALLING, Event.ANSWER): State.ANSWERED,
    (State.CALLING, Event.LEAVE): State.GONE,
    (State.TOLD, Event.ANSWER): State.ANSWERED,
    (State.TOLD, Event.LEAVE): State.GONE,
    (State.CALLING, Event.MISS): State.CALLING,
    (State.TOLD, Event.MISS): State.CALLING,
    (State.ANSWERED, Event.MISS): State.CALLING,
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
    MISSED = "missed"
    """Somebody answered and did not come: it is written down, and begins a turn."""


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

    @property
    def missed(self) -> tuple[UserId, ...]:
        """Name who answered and did not come, each time, in order."""
        found = sorted(
            (step.turn, step.person) for step in self.done if step.kind is Kind.MISSED and step.person
        )
        return tuple(person for _, person in found)

    @property
    def misses(self) -> int:
        """How often somebody answered and did not come."""
        return len(self.missed)

    def turn(self, now: datetime) -> int:
        """Number the turn of this moment: each ``AGAIN_EVERY`` begins one, and each miss."""
        return max(now - self.raised_at, timedelta(0)) // AGAIN_EVERY + self.misses


@dataclass(frozen=True, slots=True)
class Around:
    """Who could answer at this moment.

    ``fitting`` are counselors who take people now, fit this client and are not in a talk; ``barred`` are
    those with whom the client will not talk. They are passed over in silence, on duty too. ``in_talk``: the
    client is in a talk with the one who is ``fitting``, and needs not be told that nobody is there.
    """

    fitting: tuple[UserId, ...] = ()
    duty: Duty | None = None
    barred: frozenset[UserId] = frozenset()
    in_talk: bool = False

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
    turn = course.turn(now)
    missed = {step.person for step in course.done if step.kind is Kind.MISSED and step.turn == turn}
    fitting = [one for one in around.fitting if one not in around.barred and one not in missed]
    on_duty = [one for one in around.on_duty if one not in missed]
    due = [Step(Kind.COUNSELOR, one, turn) for one in fitting]
    called = bool(fitting) or any(step.kind is Kind.COUNSELOR for step in course.done)
    waits = (DUTY_AFTER if called and not course.misses else timedelta(0), DEPUTY_AFTER)
    for kind, person, wait in zip((Kind.DUTY, Kind.DEPUTY), on_duty, waits, strict=False):
        if waited >= wait:
            due.append(Step(kind, person, turn))
    if course.state is State.CALLING and not around.in_talk:
        if not on_duty and (not called or waited >= DUTY_AFTER):
            due.append(Step(Kind.TELL_NOBODY, None, course.misses))
        elif waited >= TELL_AFTER:
            due.append(Step(Kind.TELL_SILENCE, None, course.misses))
    return tuple(step for step in due if step not in course.done)


def concerns(course: Course, around: Around, person: UserId, roles: Collection[Role]) -> bool:
    """Whether an alarm sounds on somebody's pages, and may be answered there.

    Supervisors see every alarm. Counselors see theirs: those who fit, are on duty or were called; and once
    the client had to be told that nobody answers, all of them. Whom the client will not talk to sees none.
    What was said in a talk is for its counselor to read, and for who was called after them: nobody else
    takes it from their pages.
    """
    if course.state not in OPEN or person in around.barred:
        return False
    called = {step.person for step in course.done} | {*around.fitting}
    if around.in_talk:
        return person in called
    if Role.SUPERVISOR in roles:
        return True
    if Role.COUNSELOR not in roles:
        return False
    return course.state is State.TOLD or person in called | {*around.on_duty}
