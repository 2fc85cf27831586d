"""Keys from the master key: HKDF-SHA256 (RFC 5869), a purpose of its own for each.

A key for one purpose says nothing about another's, and no derived key is ever stored.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32


def derive(master: bytes, purpose: str) -> bytes:
    """Give the 32 bytes that belong to a purpose, such as ``place token``; always the same ones."""
    hkdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=b"teduh v1 " + purpose.encode())
    return hkdf.derive(master)
