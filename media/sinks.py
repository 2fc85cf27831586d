"""Who else gets what comes in on a leg, while somebody has said so (``Relay.tap``)."""

from __future__ import annotations

from typing import Protocol

from media.codecs import Kind
from media.rtcp import SenderReport


class Sink(Protocol):
    """Takes the packets of one leg, in the packet path: it must not block, wait or raise.

    It gets what may be passed to the peer and nothing else: not before there is one, and no kind that is off.
    A sink that raises all the same is taken off, and counted as ``sinks_failed``.
    """

    def rtp(self, packet: memoryview, kind: Kind, now_s: float) -> None:
        """Take a whole RTP packet in the clear; copy it, its place is used again at once."""
        ...

    def sender_report(self, report: SenderReport, now_s: float) -> None:
        """Take what a sender report says of one of the leg's streams; ``now_s`` is monotonic."""
        ...
