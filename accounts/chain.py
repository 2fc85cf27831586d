"""The chain of the audit: how a row is hashed, and what its details are held to. Pure.

    commitment = SHA-256(nonce || details as canonical JSON)
    hash       = SHA-256(hash of the row before || fields || commitment)

``fields`` are seq, at, tag, actor, subject and object_id as a compact JSON array. The chain hashes
opaque ids and commitments only, so a person's key can go without a link of it breaking: the 32 random
bytes of the nonce, sealed with the details, keep a commitment from being guessed.

The sealed details are bound to their row *and* to the hash before it (``about``). Who can write to the
database and has no key can therefore not even rebuild the chain over rows whose keys are there: their
seals no longer fit.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import msgspec

from core.errors import InvalidInput

GENESIS: Final = bytes(32)
"""What stands before the first row."""

NONCE_BYTES: Final = 32
MAX_DETAIL_BYTES: Final = 8_000
MAX_TAG_CHARS: Final = 60

Detail = Mapping[str, str | int | bool]

_TAG: Final = re.compile(r"[a-z]+(?:-[a-z]+)*:[a-z]+(?:-[a-z]+)*")
_ORDERED: Final = msgspec.json.Encoder(order="sorted")
_PLAIN: Final = msgspec.json.Encoder()
_DETAIL: Final = msgspec.json.Decoder(dict[str, str | int | bool])


def check_tag(tag: str) -> None:
    """Raise ``ValueError`` unless a tag is ``noun:verb`` in lower case, hyphens inside allowed."""
    if len(tag) > MAX_TAG_CHARS or _TAG.fullmatch(tag) is None:
        raise ValueError(f"an audit tag is noun:verb, not {tag!r}")


def encode_detail(detail: Detail | None) -> bytes:
    """Write details as canonical JSON. Raises ``InvalidInput`` when they are too long."""
    text = _ORDERED.encode(dict(detail or {}))
    if len(text) > MAX_DETAIL_BYTES:
        raise InvalidInput("These details are too long for the audit.")
    return text


def decode_detail(text: bytes) -> dict[str, str | int | bool]:
    """Read details back. Raises ``msgspec.MsgspecError`` for what ``encode_detail`` did not write."""
    return _DETAIL.decode(text)


def encode_fields(
    seq: int, at: datetime, *, tag: str, actor: str | None, subject: str | None, object_id: str | None
) -> bytes:
    """Write what the chain hashes of a row besides its commitment; the time in UTC to the microsecond."""
    written = at.astimezone(UTC).isoformat(timespec="microseconds")
    return _PLAIN.encode((seq, written, tag, actor, subject, object_id))


def commit(nonce: bytes, detail: bytes) -> bytes:
    """Bind a row to its details without saying anything of them."""
    return hashlib.sha256(nonce + detail).digest()


def link(before: bytes, fields: bytes, commitment: bytes) -> bytes:
    """Give the hash of a row."""
    return hashlib.sha256(before + fields + commitment).digest()


def about(before: bytes, fields: bytes) -> str:
    """Say where sealed details belong: to this row, after that one."""
    return f"audit_rows:{before.hex()}:{fields.decode()}"
