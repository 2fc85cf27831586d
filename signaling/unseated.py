"""Sockets without a seat, counted by address: nobody takes them all with sockets that never say who they are.

Who has a seat does not count, so a whole campus behind one address may sit here. Addresses are held
only while such a socket is open, and told to nobody.
"""

from __future__ import annotations

from signaling.connection import State
from signaling.wire import Wire

_WITHOUT_SEAT = {State.OPENED, State.HELD}


class Unseated:
    """The open sockets of each address that are not seated yet, at most ``most`` for each."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._wires: dict[str, set[Wire]] = {}

    def enter(self, address: str, wire: Wire) -> bool:
        """Count a new socket; False when its address has too many, and then it is not counted."""
        wires = {one for one in self._wires.get(address, ()) if one.machine.state in _WITHOUT_SEAT}
        fits = len(wires) < self._most
        if fits:
            wires.add(wire)
        self._wires[address] = wires
        return fits

    def leave(self, address: str, wire: Wire) -> None:
        """Forget a socket that is gone, and its address with the last one."""
        wires = self._wires.get(address)
        if wires is not None:
            wires.discard(wire)
            if not wires:
                del self._wires[address]

    def __len__(self) -> int:
        """How many addresses are held."""
        return len(self._wires)
