"""ICE-lite (RFC 8445, 2.5), sans-IO: Binding requests in; responses and the chosen path out.

The server never gathers and never checks. It answers requests that carry credentials it gave out,
and decides which of the addresses they come from media goes to.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from media.events import Transport
from media.stun import nominates, write_success

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


def read_check(data: bytes, credentials: Credentials) -> Check | None:
    """Return a Binding request as a check if it is authentic by these credentials, otherwise None."""
    chosen = nominates(data, credentials.pwd.encode())
    return None if chosen is None else Check(data[8:20], credentials, chosen)


def write_response(check: Check, host: bytes, port: int) -> bytes:
    """Return the success response with the address the request was seen to come from."""
    return write_success(check.transaction_id, host=host, port=port, key=check.credentials.pwd.encode())


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
