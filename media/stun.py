"""STUN (RFC 8489), as much as ICE-lite needs: Binding requests read, success responses written. Sans-IO.

Each join has some of these and each leg one every few seconds, so they are not made into objects.
"""

from __future__ import annotations

import binascii
import hmac
import struct
from collections.abc import Iterator

HEADER_BYTES = 20
BINDING_REQUEST = b"\x00\x01"
BINDING_SUCCESS = b"\x01\x01"
COOKIE = b"\x21\x12\xa4\x42"
USERNAME = 0x0006
MESSAGE_INTEGRITY = 0x0008
XOR_MAPPED_ADDRESS = 0x0020
USE_CANDIDATE = 0x0025
FINGERPRINT = 0x8028
INTEGRITY_BYTES, FINGERPRINT_BYTES = 24, 8
FINGERPRINT_XOR = 0x5354554E

_ATTRIBUTE = struct.Struct("!HH")


def _attributes(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Go through a Binding request: kind, place and value of each attribute; of anything else, nothing."""
    if len(data) < HEADER_BYTES or data[:2] != BINDING_REQUEST or data[4:8] != COOKIE:
        return
    if int.from_bytes(data[2:4], "big") != len(data) - HEADER_BYTES:
        return
    at = HEADER_BYTES
    while at + 4 <= len(data):
        kind, length = _ATTRIBUTE.unpack_from(data, at)
        yield kind, at, data[at + 4 : at + 4 + length]
        at += 4 + length + (-length % 4)


def peek_ufrag(data: bytes) -> str | None:
    """Return the server's half of USERNAME without reading the rest, None for anything but a request.

    Cheap, so that junk costs little: nothing is hashed before the ufrag is known to be ours.
    """
    for kind, _, value in _attributes(data):
        if kind == USERNAME:
            return value.partition(b":")[0].decode("ascii", "replace")
    return None


def nominates(data: bytes, key: bytes) -> bool | None:
    """Tell whether a Binding request carries USE-CANDIDATE; None when it is not authentic.

    Authentic: MESSAGE-INTEGRITY fits the key (14.5), and so does FINGERPRINT where there is one (14.7).
    Whatever else stands behind MESSAGE-INTEGRITY is ignored.
    """
    found = authentic = False
    for kind, at, value in _attributes(data):
        if kind == FINGERPRINT:
            authentic = authentic and value == _fingerprint(data[:at])
        elif kind == MESSAGE_INTEGRITY and not authentic:
            if not hmac.compare_digest(value, _integrity(data[:at], key)):
                return None
            authentic = True
        elif kind == USE_CANDIDATE and not authentic:
            found = True
    return found if authentic else None


def write_success(transaction_id: bytes, *, host: bytes, port: int, key: bytes) -> bytes:
    """Write the success response with the address that the request came from; ``host`` is 4 or 16 bytes."""
    mask = COOKIE + transaction_id
    masked = int.from_bytes(host, "big") ^ int.from_bytes(mask[: len(host)], "big")
    mapped = struct.pack("!xBH", 1 if len(host) == 4 else 2, port ^ 0x2112) + masked.to_bytes(
        len(host), "big"
    )
    message = BINDING_SUCCESS + b"\0\0" + mask + _ATTRIBUTE.pack(XOR_MAPPED_ADDRESS, len(mapped)) + mapped
    message += _ATTRIBUTE.pack(MESSAGE_INTEGRITY, 20) + _integrity(message, key)
    message += _ATTRIBUTE.pack(FINGERPRINT, 4) + _fingerprint(message)
    return _with_length(message, 0)


def _integrity(before: bytes, key: bytes) -> bytes:
    """HMAC-SHA1 over what stands before the attribute, with the length as if it were the last."""
    return hmac.digest(key, _with_length(before, INTEGRITY_BYTES), "sha1")


def _fingerprint(before: bytes) -> bytes:
    """CRC-32 over what stands before the attribute, with the length as if it were the last."""
    return (binascii.crc32(_with_length(before, FINGERPRINT_BYTES)) ^ FINGERPRINT_XOR).to_bytes(4, "big")


def _with_length(message: bytes, more: int) -> bytes:
    return message[:2] + (len(message) - HEADER_BYTES + more).to_bytes(2, "big") + message[4:]
