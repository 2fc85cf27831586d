"""EBML (RFC 8794): the elements that WebM is made of, written and read. Pure.

An element is an id (written as it stands in the registries, marker included), a length, and its content.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from core.errors import TeduhError

Octets = bytes | bytearray | memoryview

UNKNOWN_SIZE: Final = b"\x01" + b"\xff" * 7
"""RFC 8794, 6.2: all value bits set. Only a Segment may be of unknown size here."""
MAX_LENGTH: Final = 8


class EbmlBroken(TeduhError):
    """These bytes are not the elements that our own writer makes."""

    code = "ebml_broken"


def number(value: int, length: int | None = None) -> bytes:
    """Write a variable-size integer (RFC 8794, 4), as short as it can be or in ``length`` bytes."""
    if length is None:
        length = 1
        while value >= (1 << 7 * length) - 1:  # all ones are reserved
            length += 1
    return (value | 1 << 7 * length).to_bytes(length, "big")


def tag(identifier: int) -> bytes:
    """Write an element's id."""
    return identifier.to_bytes((identifier.bit_length() + 7) // 8, "big")


def element(identifier: int, content: Octets) -> bytes:
    """Write an element of known size."""
    return b"".join((tag(identifier), number(len(content)), content))


def unsigned(identifier: int, value: int, length: int | None = None) -> bytes:
    """Write an unsigned integer element, as short as it can be or in ``length`` bytes."""
    return element(identifier, value.to_bytes(length or max(1, (value.bit_length() + 7) // 8), "big"))


def double(identifier: int, value: float) -> bytes:
    """Write a float element of 8 bytes."""
    return element(identifier, struct.pack(">d", value))


def text(identifier: int, value: str) -> bytes:
    """Write a string element."""
    return element(identifier, value.encode())


@dataclass(frozen=True, slots=True)
class Element:
    """One element as it was found: where it begins, where its content does, and where it ends."""

    identifier: int
    begin: int
    content: int
    end: int


def read_number(data: Octets, at: int) -> tuple[int, int]:
    """Read a variable-size integer; returns it and where it ends. Raises ``EbmlBroken``."""
    length = 9 - data[at].bit_length() if at < len(data) else 9
    if length > MAX_LENGTH or at + length > len(data):
        raise EbmlBroken("A length is cut off.")
    value = int.from_bytes(data[at : at + length], "big") & (1 << 7 * length) - 1
    return value, at + length


def walk(data: Octets, begin: int = 0, end: int | None = None) -> Iterator[Element]:
    """Yield the elements side by side in ``data[begin:end]``. Raises ``EbmlBroken``.

    One of unknown size ends where its content begins: what is in it comes next, as if beside it.
    """
    at, end = begin, len(data) if end is None else end
    while at < end:
        length = 9 - data[at].bit_length()
        if length > 4:
            raise EbmlBroken("An element's id is none.")
        identifier = int.from_bytes(data[at : at + length], "big")
        size, content = read_number(data, at + length)
        after = content if data[content - 8 : content] == UNKNOWN_SIZE else content + size
        if after > end:
            raise EbmlBroken("An element is longer than what holds it.")
        yield Element(identifier, at, content, after)
        at = after
