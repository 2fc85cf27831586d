"""What happens to the consents of a session, and what is to be done then: the words of ``consent``."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from recordings.states import Ending, Side


class Why(enum.StrEnum):
    """How a row of the ledger came to be."""

    PREPARED = "prepared"
    """Agreed on the preparation page, alone, before the session."""
    ASKS = "asks"
    """Agreed first, in the room."""
    ANSWERS = "answers"
    """Agreed when asked."""
    WITHDREW = "withdrew"
    LEFT = "left"
    CHAT = "chat"
    UNANSWERED = "unanswered"
    """Agreed first, and it did not come to a recording."""
    FAILED = "failed"
    CRASH = "crash"
    """The server stopped; found at the next start."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The text that was shown: its version, the language, and the SHA-256 of its bytes."""

    version: int
    locale: str
    sha256: str


# --- events


@dataclass(frozen=True, slots=True)
class Agrees:
    """A side agrees; ``prepared`` before the session, by which nobody is asked in the room twice."""

    side: Side
    terms: Terms
    prepared: bool = False


@dataclass(frozen=True, slots=True)
class Refuses:
    """A side says no, or takes its consent back."""

    side: Side


@dataclass(frozen=True, slots=True)
class Pauses:
    """A side wants to say something off the record."""

    side: Side


@dataclass(frozen=True, slots=True)
class Resumes:
    """A side has said it."""

    side: Side


@dataclass(frozen=True, slots=True)
class Loses:
    """A side's page does not hear us: it cannot see the sign."""

    side: Side


@dataclass(frozen=True, slots=True)
class Sees:
    """A side's page hears us, again or for the first time."""

    side: Side


@dataclass(frozen=True, slots=True)
class Closes:
    """A side has said no where nobody in the room hears it: no question reaches them."""

    side: Side


@dataclass(frozen=True, slots=True)
class Opens:
    """A side may be asked: nothing is known against it, or not any more."""

    side: Side


@dataclass(frozen=True, slots=True)
class Kept:
    """The rows and the audit of an attempt are committed, and there is a key."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Leaves:
    """A side left, or its place became somebody else's."""

    side: Side


@dataclass(frozen=True, slots=True)
class Lapses:
    """Time has passed."""


@dataclass(frozen=True, slots=True)
class Chats:
    """The session goes on in writing."""


@dataclass(frozen=True, slots=True)
class Breaks:
    """Disk, database or program failed."""

    reason: Ending


@dataclass(frozen=True, slots=True)
class Ends:
    """The session has ended."""


Event = (
    Agrees
    | Refuses
    | Pauses
    | Resumes
    | Loses
    | Sees
    | Closes
    | Opens
    | Kept
    | Leaves
    | Lapses
    | Chats
    | Breaks
    | Ends
)


# --- effects, in the order in which they are to be done


@dataclass(frozen=True, slots=True)
class Detach:
    """Take the sinks off both sides now."""


@dataclass(frozen=True, slots=True)
class Attach:
    """Put the sinks on both sides."""


@dataclass(frozen=True, slots=True)
class Write:
    """Add a line to the ledger of agreements, and tell both of a consent given or taken back."""

    side: Side
    granted: bool
    terms: Terms
    why: Why
    only: Side | None = None
    """Who alone hears of it: themselves, where the other is not to be asked."""
    said: bool = False
    """Whether it was taken back here, by a word: then all that was recorded of the session goes."""


@dataclass(frozen=True, slots=True)
class Ask:
    """Keep that the other was asked; ``open`` false: they agreed, and it does not count."""

    open: bool


@dataclass(frozen=True, slots=True)
class Begin:
    """Make a recording and its key, commit all that is written so far, then say ``Kept``."""

    attempt: int


@dataclass(frozen=True, slots=True)
class Mark:
    """Keep the beginning or the end of a time off the record."""

    side: Side
    off: bool


@dataclass(frozen=True, slots=True)
class Finish:
    """Close the recording that was begun, attached or not."""

    reason: Ending


@dataclass(frozen=True, slots=True)
class Tell:
    """Tell both how it stands; ``reason`` is why it ended, None where it did not or nobody is to know."""

    reason: Ending | None = None
    only: Side | None = None
    """Whom alone it concerns: a no, whoever said it; a question that reaches nobody, whoever asked."""


Effect = Detach | Attach | Write | Ask | Begin | Mark | Finish | Tell
