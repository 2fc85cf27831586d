"""The chat of one session: its lines, kept in memory only, for whoever enters anew. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from core.clock import rfc3339
from core.errors import TeduhError
from signaling.protocol import MAX_CHAT_CHARS
from signaling.server_messages import ChatLine

MAX_LINES = 500
# As they stand on the wire: a control character is six bytes of JSON there, and whoever enters is sent
# all lines at once (``signaling.wire.MAX_QUEUED_BYTES``).
MAX_BYTES = 256 * 1024


class ChatRefused(TeduhError):
    """The text is empty or too long."""

    code = "invalid_text"


@dataclass(slots=True)
class Transcript:
    """The lines of one session, oldest first; the oldest go when it grows too large."""

    lines: deque[ChatLine] = field(default_factory=deque)
    _bytes: int = 0
    _said: int = 0

    def say(self, *, sender: str, ref: str, text: str, tag: str, now: datetime) -> ChatLine:
        """Take a line. Raises ``ChatRefused`` unless it has 1 to 4,000 characters."""
        if not 1 <= len(text) <= MAX_CHAT_CHARS or not text.strip():
            raise ChatRefused(f"a line of chat has 1 to {MAX_CHAT_CHARS} characters")
        self._said += 1
        line = ChatLine(id=f"c_{tag}{self._said}", ref=ref, sender=sender, text=text, at=rfc3339(now) or "")
        self.lines.append(line)
        self._bytes += _size(text)
        while len(self.lines) > MAX_LINES or self._bytes > MAX_BYTES:
            self._bytes -= _size(self.lines.popleft().text)
        return line


def _size(text: str) -> int:
    return len(msgspec.json.encode(text))
