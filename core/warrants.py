"""Warrants: leave to open the key of one recording, for one viewer and purpose, signed and short.

Who decides (the server, after login, role, grant and consent) signs; who holds the keys (``core/keyring.py``,
perhaps another user or host) checks, and needs the public half alone. The signature is Ed25519 (RFC 8032)
over the canonical JSON of the fields; its key is derived from the master key.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from core.clock import rfc3339
from core.derive import derive
from core.errors import Forbidden

LASTS: Final = timedelta(minutes=15)
LASTS_AT_MOST: Final = timedelta(hours=24)
SYSTEM: Final = "system"
"""The viewer where nobody looks: finishing and verifying."""
_DOMAIN: Final = b"teduh recording warrant v1\n"


class Purpose(enum.StrEnum):
    """What a recording is opened for."""

    FINALIZE = "finalize"
    REVIEW = "review"
    EXPORT = "export"
    VERIFY = "verify"
    DRILL = "drill"

    @property
    def is_work(self) -> bool:
        """Whether the server does it by itself, and nobody gets to see anything."""
        return self in {Purpose.FINALIZE, Purpose.VERIFY, Purpose.DRILL}


class WarrantRefused(Forbidden):
    """A warrant that opens nothing; ``why`` is one word for the log of the keys."""

    code = "warrant_refused"

    def __init__(self, why: str, detail: str) -> None:
        super().__init__(detail)
        self.why = why


@dataclass(frozen=True, slots=True)
class Warrant:
    """One warrant. ``viewer`` is a user's id or ``SYSTEM``; made by ``Warrants.issue``."""

    recording_id: str
    viewer: str
    purpose: Purpose
    expires_at: datetime
    signature: bytes


class Warrants:
    """Signs warrants."""

    def __init__(self, master: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(derive(master, "recording warrant"))
        self.public: bytes = self._private.public_key().public_bytes_raw()
        """What who holds the keys must know."""

    def issue(
        self, *, recording_id: str, viewer: str, purpose: Purpose, now: datetime, lasts: timedelta = LASTS
    ) -> Warrant:
        """Sign one. Whoever calls this has made sure that the viewer may."""
        if not timedelta(0) < lasts <= LASTS_AT_MOST:
            raise ValueError("a warrant lasts for minutes, not for days")
        expires_at = now + lasts
        signed = _signed(recording_id, viewer, purpose, expires_at)
        return Warrant(recording_id, viewer, purpose, expires_at, self._private.sign(signed))


class Checker:
    """Tells warrants that hold from those that do not."""

    def __init__(self, public: bytes) -> None:
        """Take the public key of who signs: 32 bytes."""
        self._public = Ed25519PublicKey.from_public_bytes(public)

    def check(self, warrant: Warrant, *, recording_id: str, now: datetime) -> None:
        """Raise ``WarrantRefused`` unless it is signed, for this recording, and in its time."""
        if warrant.expires_at.tzinfo is None:
            # Who signs writes UTC; without a zone it would be read in that of this host.
            raise WarrantRefused("no_zone", "This warrant does not say in which zone it ends.")
        signed = _signed(warrant.recording_id, warrant.viewer, warrant.purpose, warrant.expires_at)
        try:
            self._public.verify(warrant.signature, signed)
        except InvalidSignature:
            raise WarrantRefused("forged", "This warrant was not signed by this server.") from None
        if warrant.recording_id != recording_id:
            raise WarrantRefused("other_recording", "This warrant is for another recording.")
        if now >= warrant.expires_at:
            raise WarrantRefused("expired", "This warrant has ended.")
        if warrant.expires_at > now + LASTS_AT_MOST:
            raise WarrantRefused("too_long", "This warrant lasts longer than any may.")


def _signed(recording_id: str, viewer: str, purpose: Purpose, expires_at: datetime) -> bytes:
    fields = {
        "recording": recording_id,
        "viewer": viewer,
        "purpose": purpose.value,
        "expires_at": rfc3339(expires_at),
    }
    return _DOMAIN + msgspec.json.encode(fields)
