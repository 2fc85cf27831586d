"""Errors that are meant for somebody: a stable ``code`` for programs, a text for people.

They become HTTP in ``web/errors.py`` and a wire ``error`` in ``signaling/endpoint.py``, nowhere
else. Anything that is not a ``TeduhError`` is unforeseen and reaches nobody as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class TeduhError(Exception):
    """The base of all foreseen errors. ``str(error)`` is one sentence that may be shown."""

    code: str = "error"


class InvalidState(TeduhError):
    """The thing is in a state that does not allow this; nothing was changed."""

    code = "invalid_state"


class NotFound(TeduhError):
    """There is no such thing, or it is not the asker's to see; the two look alike."""

    code = "not_found"


class Unauthenticated(TeduhError):
    """No token, or one that does not hold."""

    code = "unauthenticated"


class Forbidden(TeduhError):
    """The asker is known and may not do this."""

    code = "forbidden"


class Malformed(TeduhError):
    """What came in cannot be parsed at all."""

    code = "malformed"


@dataclass(frozen=True, slots=True)
class Misfit:
    """One value that does not fit: a JSON pointer (RFC 6901) and a sentence."""

    pointer: str
    detail: str


class InvalidInput(TeduhError):
    """What came in parses, and holds values that do not fit."""

    code = "invalid_input"

    def __init__(self, detail: str, misfits: Sequence[Misfit] = ()) -> None:
        super().__init__(detail)
        self.misfits = tuple(misfits)


class TooMany(TeduhError):
    """Asked too often; ``retry_after_s`` is when to ask again."""

    code = "too_many"

    def __init__(self, detail: str, *, retry_after_s: float) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class Unavailable(TeduhError):
    """Something that the server needs does not answer now. The text is for its operator alone."""

    code = "unavailable"


class ConfigError(TeduhError):
    """A setting that stops the start; the text names the setting and says what to do."""

    code = "config"
