"""Who talks with whom: a rule that says its reasons. Pure: who waits, who is there and ``now`` in, pairs out.

Urgent first, then the longest waiting. Nobody is sent to a counselor who is kept from them, whose credential
does not allow the risk or the age, or who does not work in the language or the medium. The topic must fit
for ``TOPIC_FOR`` and is only better after that. Whom the client would rather talk to is waited for at most
``PREFERRED_FOR``, or as long as the client chose; a region of licence that is another one only warns. Of
those who fit alike it is the turn of whoever's last talk is longest ago.

To somebody in danger a full list, the topic, the age and a preference close no door.
"""

from __future__ import annotations

import enum
import itertools
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from core.ids import UserId
from counseling.triage import Risk

PREFERRED_FOR: Final = timedelta(minutes=10)
TOPIC_FOR: Final = timedelta(minutes=5)
AGAIN_AFTER: Final = timedelta(minutes=2)
"""Whose turn went by is asked again this long after the last offer, where there is nobody else."""
LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


class Reason(enum.StrEnum):
    """Why these two; the texts are `match.<word>`. In the order in which they are told."""

    URGENT = "urgent"
    PREFERRED = "preferred"
    """The same counselor as before, or the one the client asked for."""
    TOPIC = "topic"
    OTHER_TOPIC = "other_topic"
    """A warning: nobody came who works with the topic."""
    REGION = "region"
    OTHER_REGION = "other_region"
    """A warning: the licence is for another region."""
    AGAIN = "again"
    """Their turn went by once, and there is nobody else."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A walk-in as the rule sees it. ``groups`` are folded; ``last_offer`` is when an offer was last made.

    ``adult`` None, not asked, counts as under 18. ``keeps`` names counselors kept from this client.
    """

    walkin: str
    client: UserId
    language: str
    topic: str
    medium: str
    risk: Risk
    adult: bool | None
    region: str | None
    prefers: UserId | None
    waits_for_preferred: bool
    passed: Collection[UserId]
    asked_at: datetime
    last_offer: datetime | None = None
    keeps: Collection[UserId] = ()
    groups: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A counselor at an open desk as the rule sees them. ``recusals`` are folded.

    ``free``: neither in a talk nor shown somebody. ``full``: they take nobody new; ``clients`` are those
    whom they have already, as far as known.
    """

    counselor: UserId
    languages: Collection[str]
    topics: Collection[str]
    media: Collection[str]
    risks: Collection[Risk]
    minors: bool
    region: str = ""
    recusals: frozenset[str] = frozenset()
    free: bool = True
    full: bool = False
    clients: Collection[UserId] = ()
    last_talk: datetime | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A walk-in for a counselor, with the reasons; words of ``Reason``."""

    walkin: str
    counselor: UserId
    reasons: tuple[str, ...]


def in_order(waiting: Iterable[Waiting]) -> list[Waiting]:
    """Put who waits in order: urgent first, then by the time they asked."""
    return sorted(waiting, key=lambda one: (one.risk is not Risk.URGENT, one.asked_at, one.walkin))


def fits(one: Waiting, candidate: Candidate) -> bool:
    """Whether this client may be sent to this counselor at all; the topic is asked apart."""
    if (
        one.language not in candidate.languages
        or one.medium not in candidate.media
        or one.risk not in candidate.risks
        or candidate.counselor in one.keeps
        or not one.groups.isdisjoint(candidate.recusals)
    ):
        return False
    if one.risk is Risk.URGENT:
        return True
    return (one.adult is True or candidate.minors) and (not candidate.full or one.client in candidate.clients)


def rank(one: Waiting, candidates: Iterable[Candidate], *, now: datetime) -> Match | None:
    """Choose the counselor for one client; None: nobody just now, or somebody preferred is waited for."""
    there = {candidate.counselor: candidate for candidate in candidates}
    preferred = None if one.prefers is None else there.get(one.prefers)
    return _choose(one, [candidate for candidate in there.values() if candidate.free], preferred, now)


def pairs(
    waiting: Iterable[Waiting], candidates: Iterable[Candidate], *, now: datetime, most: int = 1_000_000
) -> list[Match]:
    """Pair who waits with who is free, in order, each counselor once; at most ``most`` pairs."""
    there = {candidate.counselor: candidate for candidate in candidates}
    # By language and medium, so that whoever nobody can talk with costs nothing.
    free: defaultdict[tuple[str, str], dict[UserId, Candidate]] = defaultdict(dict)
    for candidate in there.values():
        for at in _whereabouts(candidate) if candidate.free else ():
            free[at][candidate.counselor] = candidate
    found: list[Match] = []
    for one in in_order(waiting):
        preferred = None if one.prefers is None else there.get(one.prefers)
        match = _choose(one, list(free[one.language, one.medium].values()), preferred, now)
        if match is None:
            continue
        found.append(match)
        taken = there[match.counselor]
        there[taken.counselor] = replace(taken, free=False)
        for at in _whereabouts(taken):
            del free[at][taken.counselor]
        if len(found) == most:
            break
    return found


def _whereabouts(candidate: Candidate) -> Iterable[tuple[str, str]]:
    return itertools.product(set(candidate.languages), set(candidate.media))


def _choose(
    one: Waiting, free: Sequence[Candidate], preferred: Candidate | None, now: datetime
) -> Match | None:
    if _waits(one, preferred, now):
        return None
    able = [candidate for candidate in free if fits(one, candidate) and _may_ask(one, candidate, now)]
    if not able:
        return None
    best = min(able, key=lambda candidate: _order(one, candidate))
    return Match(one.walkin, best.counselor, reasons(one, best))


def _waits(one: Waiting, preferred: Candidate | None, now: datetime) -> bool:
    """Whether the client goes on waiting for whom they prefer, who is there and not free.

    Where the client chose to wait as long as it takes, also for somebody who is not there.
    """
    if one.prefers is None or one.risk is Risk.URGENT:
        return False
    if preferred is None or not fits(one, preferred):
        return one.waits_for_preferred
    if preferred.free:
        return False
    return one.waits_for_preferred or now - one.asked_at < PREFERRED_FOR


def _may_ask(one: Waiting, candidate: Candidate, now: datetime) -> bool:
    """Whether it is this counselor's turn, of those who fit at all."""
    if candidate.counselor in one.passed and one.last_offer and now - one.last_offer < AGAIN_AFTER:
        return False
    if one.risk is Risk.URGENT or candidate.counselor == one.prefers:
        return True
    if one.waits_for_preferred:
        return False
    return one.topic in candidate.topics or now - one.asked_at >= TOPIC_FOR


def _order(one: Waiting, candidate: Candidate) -> tuple[bool, bool, bool, bool, datetime, str]:
    return (
        candidate.counselor in one.passed,
        candidate.counselor != one.prefers,
        one.topic not in candidate.topics,
        _elsewhere(one, candidate),
        candidate.last_talk or LONG_AGO,
        candidate.counselor,
    )


def _elsewhere(one: Waiting, candidate: Candidate) -> bool:
    """Whether both regions are known and differ."""
    return bool(one.region and candidate.region) and _same(one.region) != _same(candidate.region)


def _same(region: str | None) -> str:
    return " ".join((region or "").split()).casefold()


def reasons(one: Waiting, best: Candidate) -> tuple[str, ...]:
    """Say why these two."""
    known = bool(one.region and best.region)
    told = {
        Reason.URGENT: one.risk is Risk.URGENT,
        Reason.PREFERRED: best.counselor == one.prefers,
        Reason.TOPIC: one.topic in best.topics,
        Reason.OTHER_TOPIC: one.topic not in best.topics,
        Reason.REGION: known and not _elsewhere(one, best),
        Reason.OTHER_REGION: _elsewhere(one, best),
        Reason.AGAIN: best.counselor in one.passed,
    }
    return tuple(reason.value for reason in Reason if told[reason])
