"""Which bytes a Range request wants, and which sealed chunks they lie in. Pure. Defined in RFC 9110, 14.

One range of bytes is served. Of more than one, and of what cannot be read, nothing is: players ask for one,
and whoever asks for many would have each chunk opened many times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from core.agefile import CHUNK_BYTES
from core.errors import InvalidInput

# 18 digits name more bytes than there are; more of them are no number that we would count with.
_ONE: Final = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*", re.ASCII | re.IGNORECASE)


MOST_CHUNKS: Final = 4
"""How much is fetched and opened at once: what is on its way when access ends arrives still."""


class Unsatisfiable(InvalidInput):
    """Nothing of what is asked for is there (RFC 9110, 15.5.17)."""

    code = "range"


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes ``first`` to ``last``, both included. ``partial``: they were asked for by a range."""

    first: int
    last: int
    partial: bool

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.last - self.first + 1

    def content_range(self, size: int) -> str:
        """Write the header ``Content-Range``."""
        return f"bytes {self.first}-{self.last}/{size}"


@dataclass(frozen=True, slots=True)
class Piece:
    """Sealed chunks ``first`` to ``last``; of what is in them ``begin`` to ``end`` is wanted."""

    first: int
    last: int
    begin: int
    end: int


def wanted(header: str | None, size: int) -> Span:
    """Read a ``Range`` header for something of so many bytes. Raises ``Unsatisfiable``."""
    if size <= 0:
        raise Unsatisfiable("There is nothing in it.")
    unit = (header or "").partition("=")[0].strip().lower()
    if header is None or unit != "bytes":
        # "A server MUST ignore a Range header field [...] with a range unit it does not understand" (14.2).
        return Span(0, size - 1, partial=False)
    found = _ONE.fullmatch(header.strip())
    if found is None or found[0].strip().endswith("=-"):
        raise Unsatisfiable("This is not one range of bytes.")
    if not found[1]:
        suffix = int(found[2])
        if suffix == 0:
            raise Unsatisfiable("The last no bytes are nothing.")
        return Span(max(0, size - suffix), size - 1, partial=True)
    first = int(found[1])
    last = min(int(found[2]), size - 1) if found[2] else size - 1
    if first > last:
        raise Unsatisfiable("The range lies outside of what there is.")
    return Span(first, last, partial=True)


def pieces(span: Span) -> Iterator[Piece]:
    """Say where the bytes of a span are: one chunk first, so that a seek is answered soon, then more."""
    end = span.last // CHUNK_BYTES
    first, count = span.first // CHUNK_BYTES, 1
    while first <= end:
        last = min(first + count - 1, end)
        at = first * CHUNK_BYTES
        yield Piece(
            first,
            last,
            max(span.first - at, 0),
            min(span.last - at + 1, (last - first + 1) * CHUNK_BYTES),
        )
        first, count = last + 1, min(2 * count, MOST_CHUNKS)
