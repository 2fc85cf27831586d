"""Escrow: an identity in two halves, for two named people who each hold one and never meet on a server.

Both halves are needed, and one alone says nothing at all: the first is random, the second the secret XOR the
first (a one-time pad; Shannon, 1949). That takes no library and leaves nothing to get wrong; two of three
would take both. The price: if one half is lost, the escrow is, so each holder keeps two copies on paper.

A half is Bech32 (``core/bech32.py``), so that a mistyped character is found: four bytes that name the
identity, the half's number, and 32 bytes.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from core import bech32
from core.agefile import Identity, Recipient
from core.errors import InvalidInput

PREFIX: Final = "teduh-escrow-half-"
NAME_BYTES: Final = 4
SECRET_BYTES: Final = 32


def split(identity: Identity) -> tuple[str, str]:
    """Give the two halves, in upper case as age writes secrets."""
    pad = secrets.token_bytes(SECRET_BYTES)
    name = _name(identity.recipient)
    halves = ((1, pad), (2, _xor(identity.secret, pad)))
    first, second = (bech32.write(PREFIX, name + bytes([number]) + half).upper() for number, half in halves)
    return first, second


def join(one: str, other: str) -> Identity:
    """Give the identity. Raises ``InvalidInput`` unless these are its two halves, in whichever order."""
    (name, number, half), (other_name, other_number, other_half) = _read(one), _read(other)
    if name != other_name:
        raise InvalidInput("These are halves of two different keys.")
    if number == other_number:
        raise InvalidInput("This is the same half twice.")
    identity = Identity(_xor(half, other_half))
    if _name(identity.recipient) != name:
        raise InvalidInput("These two do not make the key that they name.")
    return identity


def _read(text: str) -> tuple[bytes, int, bytes]:
    try:
        prefix, payload = bech32.read("".join(text.split()))
    except ValueError as error:
        raise InvalidInput(f"This is no half of an escrow key: {error}.") from None
    if prefix != PREFIX or len(payload) != NAME_BYTES + 1 + SECRET_BYTES:
        raise InvalidInput(f"This is no half of an escrow key: those begin with {PREFIX.upper()}1.")
    return payload[:NAME_BYTES], payload[NAME_BYTES], payload[NAME_BYTES + 1 :]


def _name(recipient: Recipient) -> bytes:
    return hashlib.sha256(recipient.public).digest()[:NAME_BYTES]


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
