"""Whether a supervisor may open a recording: every reason against it, decided in one place. Pure.

All must hold, at each look and at each piece that is sent: the supervisor is assigned to this counselor; the
client consents to supervision; the counselor has released this recording; nobody withdrew; the time to think
it over has passed; and the media is there. Which of them fails is told to nobody who may not open it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime

from recordings.states import State


class Closed(enum.StrEnum):
    """Why a recording is closed to supervisors."""

    NOT_THERE = "not_there"
    """Still being recorded or finished, broken, or destroyed."""
    WITHDRAWN = "withdrawn"
    """The counselor took the consent to the recording back."""
    NO_CONSENT = "no_consent"
    """The client does not consent to supervision, or is leaving."""
    NOT_RELEASED = "not_released"
    """The counselor has not released it, or took that back."""
    TOO_EARLY = "too_early"
    NOT_THEIRS = "not_theirs"
    """The supervisor is not assigned to this counselor."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one recording now. ``open_from`` is None before its end."""

    state: State
    open_from: datetime | None
    closed: bool
    client_consents: bool
    released: bool


def why_closed(facts: Facts, *, assigned: bool, now: datetime) -> Closed | None:
    """Say why it is closed; None when it may be opened."""
    there = facts.state is State.STORED and facts.open_from is not None
    against = {
        Closed.NOT_THERE: not there,
        Closed.NOT_THEIRS: not assigned,
        Closed.WITHDRAWN: facts.closed,
        Closed.NO_CONSENT: not facts.client_consents,
        Closed.NOT_RELEASED: not facts.released,
        Closed.TOO_EARLY: facts.open_from is not None and now < facts.open_from,
    }
    return next((why for why, holds in against.items() if holds), None)
