"""Triage: how soon a client should be heard, whether online suits, and why.

Pure: what the client said and the cut-offs in, two outputs with their reasons out. It is a hint that the
counselor confirms in the first session, never a diagnosis, and clients do not see it. Two rules hold
whatever the cut-offs say: only the client's own plain word is urgent (a score is at most a reason to
watch), and nothing that is said besides takes a plain word back.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


class Risk(enum.StrEnum):
    """How soon: urgent is now."""

    NONE = "none"
    WATCH = "watch"
    URGENT = "urgent"


class Suitability(enum.StrEnum):
    """Whether online talks suit: alone, with somebody face to face as well, or rather face to face."""

    ONLINE = "online"
    BOTH = "both"
    IN_PERSON = "in_person"


class Safe(enum.StrEnum):
    """The answer to "are you safe now?"."""

    SAFE = "safe"
    NOT_SURE = "not_sure"
    NOT_SAFE = "not_safe"


class Reason(enum.StrEnum):
    """Why; the texts are `triage.<word>`. In the order in which they are told."""

    DANGER_SAID = "danger_said"
    NOT_SAFE = "not_safe"
    NOT_SURE = "not_sure"
    PHQ9_ITEM9 = "phq9_item9"
    SELF_HARM_ITEM = "self_harm_item"
    """The same of another instrument."""
    HURT_SELF_BEFORE = "hurt_self_before"
    VIOLENCE = "violence"
    NOT_REAL = "not_real"
    SUBSTANCES = "substances"
    PHQ9_SEVERE = "phq9_severe"
    PHQ9_RAISED = "phq9_raised"
    GAD7_SEVERE = "gad7_severe"
    SCORE_HIGH = "score_high"
    """The cut-off of another instrument was reached."""


@dataclass(frozen=True, slots=True)
class Score:
    """What one instrument's answers come to.

    ``points`` are those of the items that were answered, so that an item left out never makes a score
    higher. ``flagged`` says that the item that asks about harming oneself was answered with a point or more.
    """

    points: int
    answered: int
    items: int
    flagged: bool = False
    flag: Reason = Reason.SELF_HARM_ITEM

    @property
    def complete(self) -> bool:
        """Whether every item was answered: bands hold only then."""
        return self.answered == self.items


@dataclass(frozen=True, slots=True)
class Sign:
    """What a cut-off or a concern stands for. ``risk`` is never urgent."""

    reason: Reason
    risk: Risk = Risk.NONE
    suitability: Suitability = Suitability.ONLINE

    def __post_init__(self) -> None:
        """Refuse to make a number urgent."""
        if self.risk is Risk.URGENT:
            raise ValueError("only what the client says plainly is urgent")


@dataclass(frozen=True, slots=True)
class Cutoff:
    """From ``points`` of an instrument on, its sign stands."""

    instrument: str
    points: int
    sign: Sign


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """All that an operator may set."""

    scores: tuple[Cutoff, ...] = ()
    concerns: Mapping[str, Sign] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a client said so far; None and absence are what was not asked or left out.

    ``scores`` are by the instrument's id, ``concerns`` the words of those that were marked.
    """

    danger: bool | None = None
    safe_now: Safe | None = None
    scores: Mapping[str, Score] = field(default_factory=dict)
    concerns: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Triage:
    """Both outputs. ``reasons`` are words of ``Reason``, the gravest first."""

    risk: Risk = Risk.NONE
    suitability: Suitability = Suitability.ONLINE
    reasons: tuple[str, ...] = ()


RISKS: Final = tuple(Risk)
SUITABILITIES: Final = tuple(Suitability)
REASONS: Final = tuple(Reason)
NO_CUTOFFS: Final = Cutoffs()


def triage(answers: Answers, cutoffs: Cutoffs = NO_CUTOFFS) -> Triage:
    """Say how soon, where, and why. The walk-in's questions need no cut-offs."""
    signs = [cutoffs.concerns[one] for one in answers.concerns if one in cutoffs.concerns]
    signs += [
        cutoff.sign
        for cutoff in cutoffs.scores
        if cutoff.instrument in answers.scores and answers.scores[cutoff.instrument].points >= cutoff.points
    ]
    signs += [
        Sign(score.flag, Risk.WATCH, Suitability.BOTH) for score in answers.scores.values() if score.flagged
    ]
    told = {sign.reason for sign in signs}
    said = _said(answers)
    risk = max((sign.risk for sign in signs), key=RISKS.index, default=Risk.NONE)
    suits = max((sign.suitability for sign in signs), key=SUITABILITIES.index, default=Suitability.ONLINE)
    if said:
        risk = Risk.URGENT
        suits = max(suits, Suitability.BOTH, key=SUITABILITIES.index)
    return Triage(risk, suits, _ordered(said | told))


def raised(before: Triage, now: Triage) -> Triage:
    """Join two: the graver of each output, and all reasons. Nothing said earlier is taken back."""
    return Triage(
        max(before.risk, now.risk, key=RISKS.index),
        max(before.suitability, now.suitability, key=SUITABILITIES.index),
        _ordered({Reason(one) for one in (*before.reasons, *now.reasons)}),
    )


def _said(answers: Answers) -> set[Reason]:
    """Give what was said plainly, each of which is urgent by itself."""
    found = {Reason.DANGER_SAID} if answers.danger else set()
    if answers.safe_now is Safe.NOT_SAFE:
        found.add(Reason.NOT_SAFE)
    if answers.safe_now is Safe.NOT_SURE:
        found.add(Reason.NOT_SURE)
    return found


def _ordered(reasons: set[Reason]) -> tuple[str, ...]:
    return tuple(one.value for one in REASONS if one in reasons)
