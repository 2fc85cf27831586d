"""When a recording is destroyed, and why: by the wish of somebody, or because its time is over. Pure.

    recording ── session deleted, or a participant erased ──────────────────────────> destroy
        │   └── the counselor took the consent back: closed ── 14 days, no objection ─> destroy
        │                                                └─ held for a complaint ─ 365 days ─> destroy
        └── its time is over (TEDUH_RECORDING_DAYS) and not held ───────────────────> destroy

A client's own withdrawal does not come by here: it begins the destruction at once (``recordings/records``).
What still records is ended first. A hold keeps a recording from its time's end and from nothing else; it has
an end too, for nothing is kept because somebody forgot it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from recordings.states import State

HELD_AT_MOST: Final = timedelta(days=365)
_STAY: Final = frozenset({State.RECORDING, State.DESTROYING, State.DESTROYED})


class Why(enum.StrEnum):
    """Why a recording was destroyed: the column ``why`` of its proof."""

    WITHDRAWN = "withdrawn"
    """The client took the consent back."""
    COUNSELOR = "counselor"
    """The counselor did, and the client did not object in time."""
    EXPIRED = "expired"
    ERASED = "erased"
    """A participant's account was erased."""
    SESSION_DELETED = "session_deleted"
    RESTORED = "restored"
    """It was destroyed before, and a backup brought it back."""
    EMPTY = "empty"
    """Nothing ever came: no picture and no voice."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What decides on one recording. ``in_session``: its session is still there."""

    state: State
    in_session: bool
    expires_at: datetime
    closed_at: datetime | None
    held_at: datetime | None


def decide(kept: Kept, *, now: datetime) -> Why | None:
    """Say why a recording is to be destroyed now; None: it stays."""
    if kept.state in _STAY:
        return None
    if not kept.in_session:
        return Why.SESSION_DELETED
    if now < ends_at(kept):
        return None
    return Why.EXPIRED if kept.closed_at is None else Why.COUNSELOR


def ends_at(kept: Kept) -> datetime:
    """Say when its time is over as things stand."""
    if kept.held_at is None:
        return kept.expires_at
    return max(kept.expires_at, kept.held_at + HELD_AT_MOST)
