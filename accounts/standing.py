"""Where somebody's consents stand: a pure function of the ledger's rows and of the texts' versions.

    rows of one kind, in order      texts                              stands
    none                            any                                OPEN
    the last one withdrew           any                                WITHDRAWN
    the last one gave version n     no material version after n        GIVEN
    the last one gave version n     a material version after n         REREAD
    any                             any, and the kind is off           OFF

``GIVEN`` alone is a consent to go by. ``REREAD`` was given to what the text said then: nothing new may be
done on it before it is given again. ``OFF`` is not asked of this person at all: recording and research of
people under 18 (Indonesia's PDP law 27/2022, article 25).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from accounts.texts import CONSENTS, Kind, Numbers
from core.ids import UserId

ADULTS_ONLY: Final = frozenset({Kind.RECORDING, Kind.RESEARCH})


class Standing(enum.StrEnum):
    """Where one consent stands."""

    OPEN = "open"
    GIVEN = "given"
    REREAD = "reread"
    WITHDRAWN = "withdrawn"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the ledger. ``number`` orders rows; ``id`` names the row's receipt."""

    number: int
    id: str
    user: UserId
    kind: Kind
    given: bool
    version: int
    locale: str
    sha256: str
    at: datetime
    page: str


@dataclass(frozen=True, slots=True)
class Consent:
    """One consent of one person. ``last`` is the row that it stands on; None when there is none."""

    kind: Kind
    standing: Standing
    last: Entry | None


@dataclass(frozen=True, slots=True)
class ConsentState:
    """All consents of one person."""

    consents: Mapping[Kind, Consent]

    def has(self, kind: Kind) -> bool:
        """Whether there is a consent to go by."""
        return self.consents[kind].standing is Standing.GIVEN


def state_of(
    entries: Sequence[Entry], numbers: Mapping[Kind, Numbers], *, off: Iterable[Kind] = ()
) -> ConsentState:
    """Work out where everything stands. ``entries`` are one person's, in any order."""
    switched_off = frozenset(off)
    last: dict[Kind, Entry] = {}
    for entry in entries:
        if entry.kind not in last or entry.number > last[entry.kind].number:
            last[entry.kind] = entry
    return ConsentState(
        {
            kind: Consent(
                kind,
                Standing.OFF if kind in switched_off else _standing(last.get(kind), numbers[kind]),
                last.get(kind),
            )
            for kind in CONSENTS
        }
    )


def off_for(*, adult: bool | None) -> frozenset[Kind]:
    """Say what is not asked of a person; ``adult`` as they said it, None for nobody known."""
    return frozenset() if adult else ADULTS_ONLY


def _standing(last: Entry | None, numbers: Numbers) -> Standing:
    if last is None:
        return Standing.OPEN
    if not last.given:
        return Standing.WITHDRAWN
    return Standing.REREAD if numbers.material > last.version else Standing.GIVEN
