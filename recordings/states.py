"""Where a recording and each side of it stand, from its first packet to the proof that it is gone. Pure.

    state      | END   | BEGIN      | STORE  | GIVE_UP | BREAK  | DESTROY    | CONFIRM
    -----------+-------+------------+--------+---------+--------+------------+----------
    RECORDING  | ENDED | -          | -      | -       | -      | -          | -
    ENDED      | -     | FINALIZING | -      | -       | BROKEN | DESTROYING | -
    FINALIZING | -     | FINALIZING | STORED | STUCK   | BROKEN | DESTROYING | -
    STUCK      | -     | FINALIZING | -      | -       | BROKEN | DESTROYING | -
    STORED     | -     | -          | -      | -       | BROKEN | DESTROYING | -
    BROKEN     | -     | FINALIZING | -      | -       | BROKEN | DESTROYING | -
    DESTROYING | -     | -          | -      | -       | -      | DESTROYING | DESTROYED
    DESTROYED  | -     | -          | -      | -       | -      | -          | -

``-`` raises ``InvalidState`` and changes nothing. BEGIN again after a crash, or by hand after STUCK or
BROKEN, resumes. What still records is ended before it is destroyed. BROKEN: a chain, a count or a tail does
not hold (``teduh recordings verify`` says what). DESTROYING is not undone.
"""

from __future__ import annotations

import enum
from typing import Final

from core.errors import InvalidState


class State(enum.StrEnum):
    """Where a recording stands."""

    RECORDING = "recording"
    ENDED = "ended"
    FINALIZING = "finalizing"
    STUCK = "stuck"
    STORED = "stored"
    BROKEN = "broken"
    DESTROYING = "destroying"
    DESTROYED = "destroyed"


class Event(enum.Enum):
    """What happens to a recording."""

    END = "end"
    BEGIN = "begin"
    STORE = "store"
    GIVE_UP = "give_up"
    BREAK = "break"
    DESTROY = "destroy"
    CONFIRM = "confirm"


TABLE: Final[dict[tuple[State, Event], State]] = {
    (State.RECORDING, Event.END): State.ENDED,
    (State.ENDED, Event.BEGIN): State.FINALIZING,
    (State.ENDED, Event.BREAK): State.BROKEN,
    (State.ENDED, Event.DESTROY): State.DESTROYING,
    (State.FINALIZING, Event.BEGIN): State.FINALIZING,
    (State.FINALIZING, Event.STORE): State.STORED,
    (State.FINALIZING, Event.GIVE_UP): State.STUCK,
    (State.FINALIZING, Event.BREAK): State.BROKEN,
    (State.FINALIZING, Event.DESTROY): State.DESTROYING,
    (State.STUCK, Event.BEGIN): State.FINALIZING,
    (State.STUCK, Event.BREAK): State.BROKEN,
    (State.STUCK, Event.DESTROY): State.DESTROYING,
    (State.STORED, Event.BREAK): State.BROKEN,
    (State.STORED, Event.DESTROY): State.DESTROYING,
    (State.BROKEN, Event.BEGIN): State.FINALIZING,
    (State.BROKEN, Event.BREAK): State.BROKEN,
    (State.BROKEN, Event.DESTROY): State.DESTROYING,
    (State.DESTROYING, Event.DESTROY): State.DESTROYING,
    (State.DESTROYING, Event.CONFIRM): State.DESTROYED,
}


class Side(enum.StrEnum):
    """Whose picture and voice; one file each."""

    CLIENT = "client"
    COUNSELOR = "counselor"

    @property
    def other(self) -> Side:
        """The one across."""
        return Side.COUNSELOR if self is Side.CLIENT else Side.CLIENT


class SideState(enum.StrEnum):
    """Where one side's media is: ``log`` still the live log, ``final`` finished and local, ``stored`` kept.

    ``empty``: nothing ever came of this side, and there is nothing to keep.
    """

    LOG = "log"
    FINAL = "final"
    STORED = "stored"
    EMPTY = "empty"
    BROKEN = "broken"
    DESTROYED = "destroyed"


class Ending(enum.StrEnum):
    """Why a recording ended: the column ``reason``, also what the audit and the page are told."""

    SESSION_ENDED = "session_ended"
    LEFT = "left"
    """Somebody left, or their place became somebody else's."""
    CHAT = "chat"
    """The session went on in writing."""
    WITHDRAWN_CLIENT = "withdrawn_client"
    """The client took the consent back; what was recorded is destroyed."""
    WITHDRAWN_COUNSELOR = "withdrawn_counselor"
    """The counselor did; nobody may open it, and it is destroyed after the time for an objection."""
    OVERTAKEN = "overtaken"
    """It may not be asked any more, or the text has changed since somebody agreed."""
    DISK = "disk"
    DATABASE = "database"
    INTERNAL = "internal"
    STOPPED = "stopped"
    """The server was stopped, or started anew."""
    CRASH = "crash"
    """The server stopped without a word; found at the next start."""


def after(state: State, event: Event) -> State:
    """Say what follows. Raises ``InvalidState`` for a pair that the table does not have."""
    found = TABLE.get((state, event))
    if found is None:
        raise InvalidState(f"{event.value} while {state.value}")
    return found
