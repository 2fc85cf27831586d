"""Reading a form with a file, piece by piece, with limits of its own: the other forms stay at 64 KiB.

A file that is too long is read to its end, within reason, so that the browser gets to read the answer, and
nothing of it is kept.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import BodyPartReader, hdrs
from aiohttp import web as http
from multidict import MultiDict, MultiDictProxy

from core.errors import Malformed

MAX_PARTS: Final = 10
MAX_FIELD_BYTES: Final = 4_096
MAX_READ_BYTES: Final = 64 * 1024 * 1024
WITHIN_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Sent:
    """A form's fields, and the file; ``file`` is empty when none was chosen and None when it is too long."""

    fields: MultiDictProxy[Any]
    file: bytes | None


async def read_upload(request: http.Request, *, name: str, max_bytes: int) -> Sent:
    """Read a form whose field ``name`` is a file. What the browser calls the file is not looked at.

    Raises ``Malformed`` for anything else, and a 413 for what is longer than anybody may send at all.
    """
    if request.content_type != "multipart/form-data":
        raise Malformed("This form is sent as multipart/form-data.")
    if (request.content_length or 0) > MAX_READ_BYTES:
        raise http.HTTPRequestEntityTooLarge(MAX_READ_BYTES, request.content_length or 0)
    try:
        async with asyncio.timeout(WITHIN_S):
            return await _read(request, name, max_bytes)
    except TimeoutError:
        raise http.HTTPRequestTimeout from None
    except (ValueError, LookupError, AssertionError):
        # What aiohttp says of parts that do not hold together.
        raise Malformed("The form cannot be read.") from None


async def _read(request: http.Request, name: str, max_bytes: int) -> Sent:
    fields: MultiDict[Any] = MultiDict()
    file: bytes | None = b""
    total = 0
    reader = await request.multipart()
    for _ in range(MAX_PARTS):
        part = await reader.next()
        if part is None:
            return Sent(MultiDictProxy(fields), file)
        if not isinstance(part, BodyPartReader) or hdrs.CONTENT_ENCODING in part.headers:
            break
        limit = max_bytes if part.name == name else MAX_FIELD_BYTES
        kept = bytearray()
        while chunk := await part.read_chunk():
            total += len(chunk)
            if total > MAX_READ_BYTES:
                raise http.HTTPRequestEntityTooLarge(MAX_READ_BYTES, total)
            if len(kept) <= limit:
                kept += chunk
        if part.name == name:
            file = bytes(kept) if len(kept) <= limit else None
        elif part.name and len(kept) <= limit:
            fields.add(part.name, kept.decode("utf-8", "replace"))
    raise Malformed("The form has parts that it should not have.")
