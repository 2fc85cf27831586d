"""Which requests of a participant were handled, and how each was answered. Pure.

A client sends again what was not answered, so a request must be handled once and answered the
same way each time. What is still being handled is answered when it is done, and not begun again.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from signaling.server_messages import Error, Ok

MAX_REFS = 1_024


@dataclass(slots=True)
class Refs:
    """The latest requests and their answers."""

    _answers: OrderedDict[str, Ok | Error] = field(default_factory=OrderedDict)
    pending: set[str] = field(default_factory=set)
    """Requests that are being handled now."""

    def answered(self, ref: str) -> Ok | Error | None:
        """Return how a request was answered, None when it is new."""
        return self._answers.get(ref)

    def keep(self, ref: str, answer: Ok | Error) -> None:
        """Keep an answer; the oldest go."""
        self._answers[ref] = answer
        while len(self._answers) > MAX_REFS:
            self._answers.popitem(last=False)
