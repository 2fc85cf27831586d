"""Packets of one SSRC in the order they were sent, as far as they come in time. Pure.

What arrives is held until everything before it is there, and no longer than ``wait_s``: after that what is
missing counts as lost. The very first packets are held as long as that too, because nobody knows yet which
one is the first. Sequence numbers are 16 bits and wrap (RFC 3550, 5.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

MOST_HELD: Final = 2048
"""A second of the fastest sender; over it the oldest hole is given up."""
MOST_BEHIND: Final = 100
"""A packet that is later than this is of another order (MAX_MISORDER of RFC 3550, A.1)."""
_HALF: Final = 0x8000


class Packet(msgspec.Struct, gc=False):
    """One RTP packet without its header. ``after_loss``: what was right before it is missing for good.

    A struct, as a frame and a picture are, because it is made in a fifth of the time of a dataclass.
    """

    timestamp: int
    marker: bool
    payload_type: int
    payload: bytes
    came_s: float
    after_loss: bool = False


class Reorder:
    """Holds back what came too early."""

    __slots__ = ("_anew", "_held", "_next", "_since_s", "_started", "_wait_s")

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._held: dict[int, Packet] = {}
        self._next = 0
        self._started = False
        # The number behind the last one that was far from all others.
        self._anew: int | None = None
        # When the oldest of those that are held has come.
        self._since_s = 0.0

    @property
    def holds(self) -> bool:
        """Whether anything is held."""
        return bool(self._held)

    def is_behind(self, sequence: int) -> bool:
        """Whether a number is behind what is awaited: it was given out or up, or is from before the first."""
        return 0 < (self._next - sequence) & 0xFFFF < _HALF

    def push(self, sequence: int, packet: Packet) -> Sequence[Packet]:
        """Take one packet; returns what is in order with it, itself included.

        One that was given out or given up already, or is held, is left out. Two in a row that are far behind
        begin the order anew: after a long hole a sender's numbers have gone half around (RFC 3550, A.1).
        """
        held = self._held
        if self._started and sequence == self._next and not held:
            self._next = (sequence + 1) & 0xFFFF
            return (packet,)
        if not held:
            self._since_s = packet.came_s
        if not self._started:
            if not held or (self._next - sequence) & 0xFFFF < _HALF:
                self._next = sequence
        elif (sequence - self._next) & 0xFFFF >= _HALF:
            if sequence != self._anew:
                behind = (self._next - sequence) & 0xFFFF
                self._anew = (sequence + 1) & 0xFFFF if behind > MOST_BEHIND else None
                return ()
            return self._begin_anew(sequence, packet)
        held.setdefault(sequence, packet)
        return self.look(packet.came_s)

    def _begin_anew(self, sequence: int, packet: Packet) -> Sequence[Packet]:
        given = [*self.rest(), packet]
        packet.after_loss = True
        self._next, self._anew = (sequence + 1) & 0xFFFF, None
        return given

    def look(self, now_s: float) -> Sequence[Packet]:
        """Return what need not be held any longer, in order; to be asked also when nothing comes."""
        held = self._held
        if not held:
            return ()
        over = now_s - self._since_s >= self._wait_s
        if not self._started:
            if not over:
                return ()
            self._started = True
        given = self._run()
        while held and (len(held) > MOST_HELD or now_s - self._since_s >= self._wait_s):
            self._skip()
            given += self._run()
        return given

    def rest(self) -> Sequence[Packet]:
        """Return all that is held, in order: nothing more will come."""
        self._started = True
        given = self._run()
        while self._held:
            self._skip()
            given += self._run()
        return given

    def _run(self) -> list[Packet]:
        """Take those out that follow each other."""
        held, given = self._held, list[Packet]()
        while (packet := held.pop(self._next, None)) is not None:
            given.append(packet)
            self._next = (self._next + 1) & 0xFFFF
        if given and held:
            self._since_s = min(packet.came_s for packet in held.values())
        return given

    def _skip(self) -> None:
        """Give up what is missing before the first that is held."""
        first = min(self._held, key=lambda sequence: (sequence - self._next) & 0xFFFF)
        self._next = first
        self._held[first].after_loss = True
