"""Whether a session may be recorded just now: a pure machine over the consents of its two sides.

    phase    | Agrees          | Refuses | Pauses | Resumes  | Kept       | Leaves    | Lapses | Chats, Breaks
    ---------+-----------------+---------+--------+----------+------------+-----------+--------+--------------
    OFF      | ASKED, STARTING | OFF     | -      | -        | same       | OFF       | same   | OFF
    ASKED    | same, STARTING  | s., OFF | -      | -        | same       | same, OFF | OFF    | OFF
    STARTING | same            | OFF     | -      | -        | ON, PAUSED | OFF       | same   | OFF
    ON       | same            | OFF     | PAUSED | same     | same       | OFF       | same   | OFF
    PAUSED   | same            | OFF     | same   | same, ON | same       | OFF       | same   | OFF

    In ASKED, ``Refuses`` of whoever asked leads to OFF; whoever was asked has said no, and it shows when the
    time is over. ``Ends`` leads to OFF. ``Loses`` leads from ON to PAUSED, ``Sees`` from PAUSED to ON where
    nothing else keeps it off the record; both leave any other phase as it is. ``Closes`` of a side that has
    agreed is its ``Refuses``, and changes no phase otherwise; nor does ``Opens``.

``-`` raises ``InvalidState`` and changes nothing. Packets reach the recorder in ON alone, and ON and PAUSED
are reached by ``Kept`` alone: rows and audit of both consents are committed first. Whatever leads out of ON
has ``Detach`` as its first effect; the doer carries it out before anything is awaited.

Who agrees first asks the other by it: a no, or no answer in ``ANSWER_WITHIN``, ends the question for good,
looks the same to whoever asked, at the same time too, and takes nothing else away. Who has said yes may be
asked again, where that yes has fallen.
Who has said no beforehand is not asked at all, and who asks is not to know: the question is asked of nobody,
and ends as one that was not answered (``Closes``).
A consent falls by withdrawing it, by leaving, when the session goes on in writing, and by any failure; it
is then given anew or not at all. ``Pauses`` is "off the record": whoever said so takes it back, nobody
else. Whose line is lost cannot see the sign nor use its buttons, and is as off the record until it is back.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from core.errors import InvalidState
from recordings.consent_steps import (
    Agrees,
    Ask,
    Attach,
    Begin,
    Breaks,
    Chats,
    Closes,
    Detach,
    Effect,
    Ends,
    Event,
    Finish,
    Kept,
    Lapses,
    Leaves,
    Loses,
    Mark,
    Opens,
    Pauses,
    Refuses,
    Resumes,
    Sees,
    Tell,
    Terms,
    Why,
    Write,
)
from recordings.states import Ending, Side

ANSWER_WITHIN: Final = timedelta(minutes=3)


class AskedAlready(InvalidState):
    """The other side was asked in this session, and it did not come to a recording."""

    code = "asked_already"


class Phase(enum.Enum):
    """Where it stands."""

    OFF = "off"
    ASKED = "asked"
    STARTING = "starting"
    ON = "on"
    PAUSED = "paused"


BEGUN: Final = (Phase.STARTING, Phase.ON, Phase.PAUSED)
WITHDRAWN: Final = {Side.CLIENT: Ending.WITHDRAWN_CLIENT, Side.COUNSELOR: Ending.WITHDRAWN_COUNSELOR}


@dataclass(slots=True)
class Consent:
    """The consents of one session. ``asked_before``: somebody was asked in the room, and did not agree."""

    asked_before: bool = False
    phase: Phase = Phase.OFF
    granted: dict[Side, Terms] = field(default_factory=dict)
    asked: Side | None = None
    """Whose answer is awaited, while ``ASKED``."""
    deadline: datetime | None = None
    """When no answer is a no; None where the question has all the time there is."""
    declined: bool = False
    """Whoever was asked said no; whoever asked hears of it as of no answer."""
    off_record: set[Side] = field(default_factory=set)
    unseen: set[Side] = field(default_factory=set)
    """Whose page does not show the sign. A fact about the line, which no end of a recording changes."""
    closed: set[Side] = field(default_factory=set)
    """Whom no question reaches. A fact about the person, which no end of a recording changes."""
    attempt: int = 0

    def may_agree(self, side: Side) -> bool:
        """Whether this side's agreeing would do something of its own accord: ask the other, or begin."""
        possible = side.other in self.granted or not self.asked_before
        return self.phase is Phase.OFF and side not in self.granted and side not in self.closed and possible

    def apply(self, event: Event, now: datetime) -> list[Effect]:  # noqa: C901, PLR0911, PLR0912  # one line for each event
        """Take an event and return what is to be done, in order.

        Raises ``InvalidState`` for what the table does not have, and ``AskedAlready``; both change nothing.
        """
        match event:
            case Agrees():
                return self._agrees(event, now)
            case Refuses():
                # What was answered elsewhere meanwhile (``Closes``) is no word on what was recorded before.
                done = self._refuses(event.side)
                return [replace(one, said=True) if isinstance(one, Write) else one for one in done]
            case Pauses():
                return self._pauses(event.side)
            case Resumes():
                return self._resumes(event.side)
            case Loses():
                return self._loses(event.side)
            case Sees():
                return self._sees(event.side)
            case Closes():
                return self._closes(event.side)
            case Opens():
                return self._opens(event.side)
            case Kept():
                return self._kept(event.attempt)
            case Leaves():
                return self._leaves(event.side)
            case Lapses():
                return self._lapses(now)
            case Chats():
                return self._stops(Ending.CHAT, Why.CHAT)
            case Breaks():
                return self._stops(event.reason, Why.FAILED)
            case Ends():
                return self._ends()

    # --- agreeing

    def _agrees(self, event: Agrees, now: datetime) -> list[Effect]:
        side = event.side
        if side in self.granted:
            return []
        if self.declined or side in self.closed:
            raise AskedAlready("The answer was no.")
        if side.other in self.granted:
            return self._starts(side, event.terms)
        if event.prepared:
            why = Why.PREPARED
        elif self.asked_before:
            raise AskedAlready("The other side was asked before.")
        else:
            why, self.asked_before, self.deadline = Why.ASKS, True, now + ANSWER_WITHIN
        self.granted[side] = event.terms
        self.phase, self.asked = Phase.ASKED, side.other
        self.declined = side.other in self.closed
        only = self._only(side)
        asked: list[Effect] = [] if event.prepared else [Ask(open=True)]
        return [Write(side, granted=True, terms=event.terms, why=why, only=only), *asked, Tell(only=only)]

    def _starts(self, side: Side, terms: Terms) -> list[Effect]:
        effects: list[Effect] = [Write(side, granted=True, terms=terms, why=Why.ANSWERS)]
        if self.asked_before:
            effects.append(Ask(open=False))
        self._quiet()
        self.granted[side] = terms
        self.phase, self.asked_before = Phase.STARTING, False
        self.attempt += 1
        return [*effects, Begin(self.attempt), Tell()]

    def _kept(self, attempt: int) -> list[Effect]:
        if self.phase is not Phase.STARTING or attempt != self.attempt:
            return []
        if self.unseen:
            self.phase = Phase.PAUSED
            return [Tell()]
        self.phase = Phase.ON
        return [Attach(), Tell()]

    # --- off the record

    def _pauses(self, side: Side) -> list[Effect]:
        if self.phase not in (Phase.ON, Phase.PAUSED):
            raise InvalidState("Nothing is being recorded.")
        if side in self.off_record:
            return []
        self.off_record.add(side)
        effects: list[Effect] = [Detach()] if self.phase is Phase.ON else []
        self.phase = Phase.PAUSED
        return [*effects, Mark(side, off=True), Tell()]

    def _resumes(self, side: Side) -> list[Effect]:
        if self.phase not in (Phase.ON, Phase.PAUSED):
            raise InvalidState("Nothing is being recorded.")
        if side not in self.off_record:
            return []
        self.off_record.discard(side)
        if self.off_record or self.unseen:
            return [Mark(side, off=False), Tell()]
        self.phase = Phase.ON
        return [Mark(side, off=False), Attach(), Tell()]

    # --- the line

    def _loses(self, side: Side) -> list[Effect]:
        self.unseen.add(side)
        if self.phase is not Phase.ON:
            return []
        self.phase = Phase.PAUSED
        return [Detach(), Tell()]

    def _sees(self, side: Side) -> list[Effect]:
        if side not in self.unseen:
            return []
        self.unseen.discard(side)
        if self.phase is not Phase.PAUSED or self.off_record or self.unseen:
            return []
        self.phase = Phase.ON
        return [Attach(), Tell()]

    # --- who is not asked

    def _closes(self, side: Side) -> list[Effect]:
        if side in self.closed:
            return []
        self.closed.add(side)
        if side in self.granted:
            return self._refuses(side)
        if self.phase is Phase.ASKED:
            return self._declines(side)
        return [Tell(only=side)]

    def _opens(self, side: Side) -> list[Effect]:
        if side not in self.closed:
            return []
        self.closed.discard(side)
        return [Tell(only=side)]

    def _only(self, side: Side) -> Side | None:
        """Say who alone hears what this side asks or takes back, None where both do."""
        return side if side.other in self.closed else None

    # --- the end of a consent

    def _refuses(self, side: Side) -> list[Effect]:
        if self.phase is Phase.ASKED:
            return self._unanswered(Why.WITHDREW) if side in self.granted else self._declines(side)
        return self._stops(WITHDRAWN[side], Why.WITHDREW, side)

    def _leaves(self, side: Side) -> list[Effect]:
        if self.phase is Phase.ASKED:
            if side in self.granted:
                return self._unanswered(Why.LEFT)
            return [] if self.deadline is None else self._unanswered(Why.UNANSWERED)
        return self._stops(Ending.LEFT, Why.LEFT, side)

    def _lapses(self, now: datetime) -> list[Effect]:
        if self.phase is not Phase.ASKED or self.deadline is None or now < self.deadline:
            return []
        return self._unanswered(Why.UNANSWERED)

    def _declines(self, side: Side) -> list[Effect]:
        """Keep a no to oneself until the time for an answer is over: nobody is to tell it from silence."""
        if self.declined:
            return []
        counted = [] if self.asked_before else [Ask(open=True)]
        self.declined = self.asked_before = True
        return [*counted, Tell(only=side)]

    def _unanswered(self, why: Why) -> list[Effect]:
        """End the question for good: whoever asked is told the same, however it came."""
        only = self._only(next(iter(self.granted)))
        rows = self._fall(why)
        counted = [] if self.asked_before else [Ask(open=True)]
        self.asked_before = True
        self._quiet()
        return [*rows, *counted, Tell(only=only)]

    def _stops(self, reason: Ending, why: Why, *sides: Side) -> list[Effect]:
        """Let consents fall, of both where no side is named. Without any there is nothing to stop."""
        begun = self.phase in BEGUN
        only = None if begun else self._only(next(iter(self.granted), Side.CLIENT))
        rows = self._fall(why, *sides)
        if not rows:
            return []
        detach: list[Effect] = [Detach()] if self.phase is Phase.ON else []
        self._quiet()
        finish: list[Effect] = [Finish(reason)] if begun else []
        return [*detach, *rows, *finish, Tell(reason if begun else None, only)]

    def _ends(self) -> list[Effect]:
        """End with the session: what was agreed was agreed for it, and stands in the ledger as it is."""
        self.granted.clear()
        detach: list[Effect] = [Detach()] if self.phase is Phase.ON else []
        finish: list[Effect] = [Finish(Ending.SESSION_ENDED)] if self.phase in BEGUN else []
        self._quiet()
        return [*detach, *finish]

    def _fall(self, why: Why, *sides: Side) -> list[Write]:
        falling = [side for side in self.granted if not sides or side in sides]
        return [
            Write(side, granted=False, terms=self.granted.pop(side), why=why, only=self._only(side))
            for side in falling
        ]

    def _quiet(self) -> None:
        self.phase = Phase.OFF
        self.asked, self.deadline, self.declined = None, None, False
        self.off_record.clear()
