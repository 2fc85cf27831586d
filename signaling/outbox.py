"""What one participant is sent: the numbering, and the buffer for what a lost socket missed.

Pure: it holds text and numbers, no socket. Messages are numbered from 1 for each participant, for
as long as this process holds the session. ``pong``, ``typing`` and ``quality`` are numbered but not
kept; ``welcome`` neither; an offer is kept while it is the open one and then dropped.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from signaling.server_messages import Offer, PeerTyping, Pong, Quality, ServerMessage, Welcome, encode

MAX_MESSAGES = 256
MAX_BYTES = 256 * 1024

_TRANSIENT = (Pong, PeerTyping, Quality, Welcome)


@dataclass(slots=True)
class Outbox:
    """Numbers and keeps messages. ``last`` is the last number given out."""

    last: int = 0
    _kept: OrderedDict[int, str] = field(default_factory=OrderedDict)
    _bytes: int = 0
    _lost_through: int = 0
    _offer: tuple[int, Offer] | None = None

    def post(self, message: ServerMessage) -> str:
        """Number a message, keep it if it may be replayed, and return its text."""
        self.last += 1
        text = encode(message, seq=self.last)
        if isinstance(message, _TRANSIENT):
            return text
        if isinstance(message, Offer):
            self.close_offer()
            self._offer = (self.last, message)
        self._keep(self.last, text)
        return text

    def close_offer(self) -> None:
        """Forget the open offer: it was answered, or its leg is gone. It is not replayed."""
        if self._offer is not None:
            number, _ = self._offer
            self._drop(number)
            self._offer = None

    def can_resume(self, seq: int) -> bool:
        """Tell whether everything after ``seq`` can still be replayed. 0 remembers nothing."""
        return 0 < seq <= self.last and seq >= self._lost_through

    def replay(self, seq: int) -> list[str]:
        """Return what came after ``seq``, in order, and last the open offer under a new number.

        The offer's leg, negotiation and SDP are unchanged, so answering it twice does no harm.
        """
        offer = self._offer[1] if self._offer is not None else None
        self.close_offer()
        texts = [text for number, text in self._kept.items() if number > seq]
        if offer is not None:
            texts.append(self.post(offer))
        return texts

    def clear(self) -> None:
        """Keep nothing of the past: another device has this place now."""
        self._kept.clear()
        self._bytes = 0
        self._offer = None
        self._lost_through = self.last

    def _keep(self, number: int, text: str) -> None:
        self._kept[number] = text
        self._bytes += len(text)
        while len(self._kept) > MAX_MESSAGES or self._bytes > MAX_BYTES:
            oldest = next(iter(self._kept))
            self._drop(oldest)
            self._lost_through = oldest

    def _drop(self, number: int) -> None:
        text = self._kept.pop(number, None)
        if text is not None:
            self._bytes -= len(text)
