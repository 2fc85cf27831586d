"""Whether clients may be sent to a counselor now, and if not, why: all reasons, in a fixed order.

Pure: ``standing`` and the service's today in, reasons out. Nothing stores the answer, so an entry that
expires at midnight is closed at midnight.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import date

from counseling.credentials import Credentials
from counseling.entry import Entry
from counseling.verification import State


class Why(enum.StrEnum):
    """One reason why not."""

    CLOSED = "closed"
    """No counselor (any more): account closed, leaving, or without the role."""
    UNVERIFIED = "unverified"
    KIND_UNKNOWN = "kind_unknown"
    """The operator's file does not have this kind of credential (any more)."""
    EXPIRED = "expired"
    ETHICS_UNSIGNED = "ethics_unsigned"
    ETHICS_OLD = "ethics_old"
    """Signed, but a version before the last material one."""
    NO_SUPERVISOR = "no_supervisor"
    AWAY = "away"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Standing:
    """All that the answer depends on, as of one day.

    ``ethics_signed`` is the newest version that was signed, None for none; ``ethics_needed`` the latest
    material one. ``supervised`` says whether a supervisor is assigned today. ``caseload`` counts clients.
    """

    entry: Entry
    working: bool
    ethics_signed: int | None
    ethics_needed: int
    supervised: bool
    caseload: int = 0


def why_not(standing: Standing, credentials: Credentials, *, today: date) -> tuple[Why, ...]:
    """Say why nobody may be sent to this counselor; nothing means that somebody may.

    ``today`` is the day in the service's time zone; a licence holds through its last day.
    """
    entry = standing.entry
    kind = credentials.kind(entry.licence.kind)
    found: list[Why] = []
    if not standing.working:
        found.append(Why.CLOSED)
    if entry.state is not State.VERIFIED:
        found.append(Why.UNVERIFIED)
    if kind is None and entry.licence.kind:
        found.append(Why.KIND_UNKNOWN)
    if entry.expired(today):
        found.append(Why.EXPIRED)
    if standing.ethics_signed is None:
        found.append(Why.ETHICS_UNSIGNED)
    elif standing.ethics_signed < standing.ethics_needed:
        found.append(Why.ETHICS_OLD)
    if kind is not None and kind.supervisor and not standing.supervised:
        found.append(Why.NO_SUPERVISOR)
    if entry.away(today):
        found.append(Why.AWAY)
    if standing.caseload >= entry.practice.capacity:
        found.append(Why.FULL)
    return tuple(found)


def takes_minors(entry: Entry, credentials: Credentials) -> bool:
    """Whether people under 18 may be sent here: the counselor offers it and today's credential allows it."""
    kind = credentials.kind(entry.licence.kind)
    return entry.practice.minors and kind is not None and kind.minors


def has_card(reasons: tuple[Why, ...]) -> bool:
    """Whether clients may see the public card: also of somebody who is away or has no place just now."""
    return not set(reasons) - {Why.AWAY, Why.FULL}
