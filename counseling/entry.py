"""One counselor's entry in the register, and what in it does not fit. No table stands here."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Final

from core.ids import UserId
from counseling.credentials import Credentials, Kind, Verified
from counseling.hours import Week
from counseling.verification import State

MAX_LINE_CHARS: Final[Mapping[Verified, int]] = {
    Verified.LICENCE_NUMBER: 80,
    Verified.ISSUING_BODY: 120,
    Verified.LICENCE_REGION: 80,
    Verified.SHOWN_NAME: 80,
    Verified.TITLE: 80,
}
MAX_ABOUT_CHARS: Final = 1_200
MAX_CAPACITY: Final = 200
MAX_REPLY_HOURS: Final = 168
MAX_RECUSALS: Final = 20
MAX_RECUSAL_CHARS: Final = 80
EARLIEST: Final = date(1950, 1, 1)
LATEST: Final = date(2150, 1, 1)


class Medium(enum.StrEnum):
    """How a counselor works."""

    VIDEO = "video"
    VOICE = "voice"
    CHAT = "chat"
    IN_PERSON = "in_person"


@dataclass(frozen=True, slots=True)
class Licence:
    """What an admin verifies. Empty texts and None are what is not filled in.

    ``valid_until`` is the last day on which the licence holds; None where it has none.
    """

    kind: str = ""
    licence_number: str = ""
    issuing_body: str = ""
    licence_region: str = ""
    valid_until: date | None = None
    degree: str = ""
    background_checked_on: date | None = None
    shown_name: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Practice:
    """What the counselor changes at will. ``recusals`` are groups whose people are not sent here."""

    about: str = ""
    languages: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    media: tuple[str, ...] = ()
    minors: bool = False
    capacity: int = 5
    reply_hours: int = 24
    recusals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. ``away_from`` and ``away_until`` are days, both in it; an open end is until further notice.

    ``warned_days`` is the last warning before ``valid_until`` that was sent: 60, 30, 7, or 0 for the end.
    """

    user: UserId
    state: State
    submitted_at: datetime | None
    created_at: datetime
    changed_at: datetime
    warned_days: int | None
    licence: Licence
    practice: Practice
    hours: Week = ()
    away_from: date | None = None
    away_until: date | None = None

    def expired(self, today: date) -> bool:
        """Whether the licence has run out."""
        return self.licence.valid_until is not None and self.licence.valid_until < today

    def away(self, today: date) -> bool:
        """Whether the counselor is away on a day."""
        if self.away_from is None and self.away_until is None:
            return False
        return (self.away_from or EARLIEST) <= today <= (self.away_until or LATEST)


def blank(user: UserId, now: datetime) -> Entry:
    """Give the entry of somebody who has not begun."""
    return Entry(user, State.DRAFT, None, now, now, None, Licence(), Practice())


def wrong_in(licence: Licence, credentials: Credentials, *, today: date) -> dict[Verified, str]:
    """Say what does not fit, by field: ``missing``, ``long``, ``past``, ``future``, ``low``, ``choice``.

    What is missing depends on the kind of credential.
    """
    wrong: dict[Verified, str] = {}
    kind = credentials.kind(licence.kind)
    if kind is None:
        wrong[Verified.KIND] = "missing" if not licence.kind else "choice"
    needed = {Verified.SHOWN_NAME, Verified.DEGREE} | (kind.required if kind else set())
    for field in Verified:
        value = getattr(licence, field.value)
        if field in needed and not value:
            wrong[field] = "missing"
        elif isinstance(value, str) and len(value) > MAX_LINE_CHARS.get(field, 40):
            wrong[field] = "long"
    if licence.degree and licence.degree not in credentials.degrees:
        wrong[Verified.DEGREE] = "choice"
    elif licence.degree and kind and not credentials.degree_suffices(licence.degree, kind):
        wrong[Verified.DEGREE] = "low"
    if licence.valid_until is not None and not today <= licence.valid_until <= LATEST:
        wrong[Verified.VALID_UNTIL] = "past" if licence.valid_until < today else "choice"
    checked = licence.background_checked_on
    if checked is not None and not EARLIEST <= checked <= today:
        wrong[Verified.BACKGROUND_CHECKED_ON] = "future" if checked > today else "choice"
    return wrong


def missing_proofs(kind: Kind, proofs: Iterable[str]) -> tuple[str, ...]:
    """Name the kinds of proof that are still to be added."""
    there = set(proofs)
    return tuple(proof for proof in kind.proofs if proof not in there)


def practice_done(practice: Practice) -> bool:
    """Whether all is said without which nobody can be matched."""
    return bool(practice.about and practice.languages and practice.media and practice.topics)


def changed_fields(before: Licence, now: Licence) -> tuple[str, ...]:
    """Name the verified fields that differ."""
    return tuple(one.name for one in fields(Licence) if getattr(before, one.name) != getattr(now, one.name))


def fingerprint(licence: Licence, proofs: Sequence[str]) -> str:
    """Name exactly what an admin looked at, so that a decision about something else is refused."""
    parts = [str(getattr(licence, one.name)) for one in fields(Licence)] + sorted(proofs)
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
