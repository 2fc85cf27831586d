"""Reading a form with a file, piece by piece, with limits of its own: the other forms stay at 64 KiB.

The fields stand before the file, and what they say is checked before a byte of it is kept. Then it waits
for its turn: few files are in memory at once, whoever sends them. One that is too long is read to its end,
within reason, so that the browser gets to read the answer, and nothing of it is kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import BodyPartReader, hdrs
from aiohttp import web as http
from multidict import MultiDict, MultiDictProxy

from core.errors import Malformed
from counseling.uploads import MAX_BYTES, Cleaner

MAX_PARTS: Final = 10
MAX_FIELD_BYTES: Final = 4_096
MAX_READ_BYTES: Final = 64 * 1024 * 1024
WITHIN_S: Final = 300.0
FILE_WITHIN_S: Final = 180.0
AT_ONCE: Final = 12
LATE_BYTES: Final = 64 * 1024

Check = Callable[[MultiDictProxy[Any]], Awaitable[None]]
"""Looks at the fields before the file; raises where it is not to be read."""


@dataclass(slots=True)
class Uploads:
    """How files come in, for all pages of one application: one cleaner, and ``AT_ONCE`` files in memory."""

    cleaner: Cleaner = field(default_factory=Cleaner)
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    within_s: float = WITHIN_S
    file_within_s: float = FILE_WITHIN_S


UPLOADS: Final = http.AppKey("uploads", Uploads)


def setup(app: http.Application) -> None:
    """Make what all pages with files share."""
    app[UPLOADS] = Uploads()


@dataclass(frozen=True, slots=True)
class Sent:
    """A form's fields, and the file; ``file`` is empty when none was chosen and None when it is too long."""

    fields: MultiDictProxy[Any]
    file: bytes | None


@asynccontextmanager
async def upload(request: http.Request, *, name: str, check: Check) -> AsyncIterator[Sent]:
    """Read a form whose field ``name`` is a file; its turn lasts until the block ends.

    What the browser calls the file is not looked at. Raises what ``check`` raises, ``Malformed`` for
    anything that is no such form, a 413 for what is longer than anybody may send at all, and a 408 for
    what takes too long.
    """
    if request.content_type != "multipart/form-data":
        raise Malformed("This form is sent as multipart/form-data.")
    if (request.content_length or 0) > MAX_READ_BYTES:
        raise http.HTTPRequestEntityTooLarge(MAX_READ_BYTES, request.content_length or 0)
    async with AsyncExitStack() as turn:
        try:
            async with asyncio.timeout(request.app[UPLOADS].within_s):
                sent = await _read(request, name, check, turn)
        except TimeoutError:
            raise http.HTTPRequestTimeout from None
        except (ValueError, LookupError, AssertionError):
            # What aiohttp says of parts that do not hold together.
            raise Malformed("The form cannot be read.") from None
        yield sent


async def _read(request: http.Request, name: str, check: Check, turn: AsyncExitStack) -> Sent:
    uploads = request.app[UPLOADS]
    fields: MultiDict[Any] = MultiDict()
    proxy = MultiDictProxy(fields)
    file: bytes | None = None
    came = False
    reader = await request.multipart()
    for _ in range(MAX_PARTS):
        part = await reader.next()
        if part is None:
            if not came:
                await check(proxy)
            return Sent(proxy, file if came else b"")
        if not isinstance(part, BodyPartReader) or hdrs.CONTENT_ENCODING in part.headers:
            break
        if part.name == name:
            if came:
                break
            came = True
            await check(proxy)
            await turn.enter_async_context(uploads.turns)
            async with asyncio.timeout(uploads.file_within_s):
                file = await _keep(part, MAX_BYTES, MAX_READ_BYTES)
        else:
            value = await _keep(part, MAX_FIELD_BYTES, LATE_BYTES)
            if part.name and value is not None:
                fields.add(part.name, value.decode("utf-8", "replace"))
    raise Malformed("The form has parts that it should not have.")


async def _keep(part: BodyPartReader, limit: int, most: int) -> bytes | None:
    """Read a part to its end; None for one over ``limit``, of which nothing is kept. A 413 over ``most``."""
    kept = bytearray()
    total = 0
    while chunk := await part.read_chunk():
        total += len(chunk)
        if total > most:
            raise http.HTTPRequestEntityTooLarge(most, total)
        if total <= limit:
            kept += chunk
        else:
            kept.clear()
    return None if total > limit else bytes(kept)
