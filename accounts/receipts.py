"""Receipts: what somebody holds in hand to show what they gave or withdrew.

A receipt is a compact JWS (RFC 7515) signed with Ed25519 (EdDSA, RFC 8037). Its claims are the fields of
Kantara's Consent Receipt Specification 1.1 as far as they fit: ``piiPrincipalId`` is the opaque id, there
is no name of anybody, and the controller is known by its address. That specification knows no withdrawal
and no hash of the text; these stand in ``event`` and ``text``, named after ISO/IEC TS 27560:2023
(``event_type``, ``event_state``, ``event_time``). A receipt follows from its row of the ledger, so it is
stored nowhere and may be made again: Ed25519 gives the same bytes each time (RFC 8032, 5.1.6).

The key is derived from the master key; ``kid`` is its thumbprint (RFC 7638).
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from jwt import InvalidTokenError, PyJWS

from accounts.standing import Entry
from accounts.texts import Kind
from core.clock import rfc3339
from core.derive import derive
from core.errors import TeduhError
from core.ids import is_id

ALGORITHM: Final = "EdDSA"
TYPE: Final = "consent-receipt+jwt"
SPECIFICATION: Final = "KI-CR-v1.1.0"
MAX_CHARS: Final = 8_000

PublicKey = Ed25519PublicKey


class BadReceipt(TeduhError):
    """This is no receipt, or it was not signed with this key, or it was changed."""

    code = "bad_receipt"


class _Event(msgspec.Struct, frozen=True):
    event_type: str
    event_state: str
    event_time: datetime


class _Text(msgspec.Struct, frozen=True):
    kind: Kind
    version: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
    sha256: str


class _Claims(msgspec.Struct, frozen=True, rename="camel"):
    """What is read of a receipt; the other fields follow from these."""

    consent_receipt_id: str = msgspec.field(name="consentReceiptID")
    pii_principal_id: str
    language: str
    event: _Event
    text: _Text


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receipt says, once its signature holds."""

    id: str
    user: str
    kind: Kind
    given: bool
    version: int
    locale: str
    sha256: str
    at: datetime

    def tells_of(self, entry: Entry) -> bool:
        """Whether it says the same as a row of the ledger."""
        return (self.id, self.user, self.kind, self.given, self.version, self.locale, self.sha256) == (
            entry.id,
            entry.user,
            entry.kind,
            entry.given,
            entry.version,
            entry.locale,
            entry.sha256,
        ) and rfc3339(self.at) == rfc3339(entry.at)


class Receipts:
    """Makes and reads the receipts of one service, which is reached at ``origin``."""

    def __init__(self, master: bytes, *, origin: str) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(derive(master, "consent receipt"))
        self._origin = origin
        self.key_id = key_id_of(self._key.public_key())

    @property
    def public_key(self) -> PublicKey:
        """What everybody may have to check receipts with."""
        return self._key.public_key()

    def public_pem(self) -> str:
        """Write the public key as PEM."""
        return self.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def make(self, entry: Entry) -> str:
        """Make the receipt of a row; always the same text for the same row and address."""
        claims = json.dumps(self.claims(entry), ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"typ": TYPE, "kid": self.key_id}
        return PyJWS().encode(claims, self._key, algorithm=ALGORITHM, headers=headers)

    def claims(self, entry: Entry) -> dict[str, Any]:
        """Say what a receipt of this row claims."""
        return {
            "version": SPECIFICATION,
            "jurisdiction": "ID",
            "consentTimestamp": int(entry.at.astimezone(UTC).timestamp()),
            "collectionMethod": f"web page {entry.page}",
            "consentReceiptID": entry.id,
            "publicKey": self.key_id,
            "language": entry.locale,
            "piiPrincipalId": entry.user,
            "piiControllers": [{"piiController": self._origin}],
            "policyUrl": f"{self._origin}/texts/{entry.kind.value}/{entry.version}",
            "services": [
                {
                    "service": "online counseling",
                    "purposes": [
                        {
                            "purpose": entry.kind.value,
                            "consentType": "EXPLICIT",
                            "primaryPurpose": entry.kind is Kind.SERVICE,
                            "termination": "when withdrawn",
                            "thirdPartyDisclosure": False,
                        }
                    ],
                }
            ],
            "sensitive": True,
            "spiCat": ["health"],
            "event": {
                "event_type": "explicit consent",
                "event_state": "given" if entry.given else "withdrawn",
                "event_time": rfc3339(entry.at),
            },
            "text": {"kind": entry.kind.value, "version": entry.version, "sha256": entry.sha256},
        }

    def read(self, receipt: str, *, key: PublicKey | None = None) -> Receipt:
        """Read a receipt whose signature holds under our key, or another. Raises ``BadReceipt``."""
        token = "".join(receipt.split())
        if not 0 < len(token) <= MAX_CHARS:
            raise BadReceipt("This is no receipt: it is empty or too long.")
        try:
            payload = PyJWS().decode(token, key or self.public_key, algorithms=[ALGORITHM])
        except (InvalidTokenError, ValueError):
            raise BadReceipt(
                "The signature does not fit: it is no receipt, another key's, or changed."
            ) from None
        try:
            claims = msgspec.json.decode(payload, type=_Claims)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise BadReceipt("The signature fits, but what is signed is no receipt.") from None
        state = claims.event.event_state
        if (
            state not in {"given", "withdrawn"}
            or claims.event.event_time.tzinfo is None
            or not is_id(claims.consent_receipt_id)
        ):
            raise BadReceipt("The signature fits, but what is signed is no receipt.")
        return Receipt(
            claims.consent_receipt_id,
            claims.pii_principal_id,
            claims.text.kind,
            state == "given",
            claims.text.version,
            claims.language,
            claims.text.sha256,
            claims.event.event_time,
        )


def key_id_of(key: PublicKey) -> str:
    """Give a key's thumbprint (RFC 7638, members in the order of RFC 8037, appendix A.3)."""
    jwk = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(key.public_bytes_raw())}
    return _base64url(hashlib.sha256(json.dumps(jwk, separators=(",", ":")).encode()).digest())


def read_public_pem(pem: bytes) -> PublicKey:
    """Read a public key. Raises ``BadReceipt`` when it is none of Ed25519."""
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise BadReceipt("The public key does not fit: an Ed25519 key in PEM is expected.")
    return key


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
