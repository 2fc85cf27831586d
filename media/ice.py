"""ICE-lite (RFC 8445, 2.5), sans-IO: Binding requests in; responses and the chosen path out.

The server never gathers and never checks. It answers requests that carry credentials it gave out,
and decides which of the addresses they come from media goes to.
"""

from __future__ import annotations

import secrets
import struct
from dataclasses import dataclass

from aioice import stun

from media.events import Transport

HEADER_BYTES = 20
BINDING_REQUEST = b"\x00\x01"
COOKIE = b"\x21\x12\xa4\x42"
USERNAME = 0x0006

ALIVE_S = 1.0


@dataclass(frozen=True, slots=True)
class Credentials:
    """One generation of a leg's ufrag and password (RFC 8445, 5.3: at least 24 and 128 bits)."""

    ufrag: str
    pwd: str
    generation: int
    made_at: float


def make_credentials(generation: int, now: float) -> Credentials:
    """Return fresh random credentials."""
    return Credentials(secrets.token_hex(4), secrets.token_hex(16), generation, now)


@dataclass(frozen=True, slots=True)
class Check:
    """An authentic Binding request. ``nominates``: it carried USE-CANDIDATE."""

    transaction_id: bytes
    credentials: Credentials
    nominates: bool


def peek_ufrag(data: bytes) -> str | None:
    """Return the server's half of USERNAME without parsing the rest, None for anything but a request.

    Cheap, so that junk costs little: nothing is hashed before the ufrag is known to be ours.
    """
    if len(data) < HEADER_BYTES or data[:2] != BINDING_REQUEST or data[4:8] != COOKIE:
        return None
    if int.from_bytes(data[2:4], "big") != len(data) - HEADER_BYTES:
        return None
    at = HEADER_BYTES
    while at + 4 <= len(data):
        kind, length = int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")
        if kind == USERNAME:
            return data[at + 4 : at + 4 + length].partition(b":")[0].decode("ascii", "replace")
        at += 4 + length + (-length % 4)
    return None


def read_check(data: bytes, credentials: Credentials) -> Check | None:
    """Return the request if its MESSAGE-INTEGRITY fits these credentials, otherwise None."""
    try:
        message = stun.parse_message(data)
        if not message.check_message_integrity(credentials.pwd.encode()):
            return None
    except (ValueError, KeyError, IndexError, struct.error):
        # aioice raises all of these on attributes whose length does not fit their kind.
        return None
    return Check(message.transaction_id, credentials, "USE-CANDIDATE" in message.attributes)


def write_response(check: Check, address: tuple[str, int]) -> bytes:
    """Return the success response with the address the request was seen to come from."""
    response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, check.transaction_id)
    response.attributes["XOR-MAPPED-ADDRESS"] = address
    response.add_message_integrity(check.credentials.pwd.encode())
    return bytes(response)


class PathRecord:
    """One path of a leg; times are monotonic seconds, and the relay sets them as packets pass.

    ``heard_at`` is the last authentic packet of any kind; ``selected_at`` the last one that shows
    that the other side sends here by choice (media, or a check that nominates).
    """

    __slots__ = ("generation", "heard_at", "selected_at", "transport")

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.heard_at = self.selected_at = float("-inf")
        self.generation = 0


def takes_over(
    record: PathRecord, chosen: PathRecord | None, check: Check, *, current: int, now: float
) -> bool:
    """Decide whether this authentic check moves the leg's path to the one it came over.

    ``current`` is the generation of the newest credentials. The rules are relay.md's: a check that
    nominates moves it; so does one without, of the newest credentials, when the present path has
    been silent for a second (Firefox nominates once, and after a NAT rebind never again); UDP is
    preferred to TCP while the other side still chooses UDP; older credentials never move it back.
    """
    if chosen is record:
        return False
    if chosen is None:
        return True
    generation = check.credentials.generation
    if generation < chosen.generation:
        return False
    if generation > chosen.generation:
        return check.nominates or now - chosen.heard_at >= ALIVE_S
    if check.nominates:
        downgrade = chosen.transport is Transport.UDP and record.transport is Transport.TCP
        return not downgrade or now - chosen.selected_at >= ALIVE_S
    return generation == current and now - chosen.heard_at >= ALIVE_S
