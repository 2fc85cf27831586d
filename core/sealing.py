"""Sealing small things: a few kilobytes that only the holder of a key may read again.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce in front; a key should seal fewer than 2**32
things. ``about`` says where a thing belongs (``"user:u_…:email"``) and is bound to it: what was
sealed for one row or column does not open in another.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.errors import TeduhError

NONCE_BYTES = 12
TAG_BYTES = 16


class SealBroken(TeduhError):
    """The key is not the one it was sealed with, it belongs elsewhere, or it was changed."""

    code = "seal_broken"


def seal(key: bytes, plain: bytes, *, about: str) -> bytes:
    """Seal with a key of 32 bytes; 28 bytes longer than ``plain``."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, about.encode())


def unseal(key: bytes, sealed: bytes, *, about: str) -> bytes:
    """Open what ``seal`` made with the same key and ``about``. Raises ``SealBroken``."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], about.encode())
    except (InvalidTag, ValueError):
        raise SealBroken("This cannot be opened: its seal does not fit.") from None
