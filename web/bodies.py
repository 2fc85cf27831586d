"""Reading a request's JSON body into a struct."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec
from aiohttp import web as http

from core.errors import InvalidInput, Malformed, Misfit

T = TypeVar("T")

MAX_BODY_BYTES = 64 * 1024
_PLACE = re.compile(r"^(?P<detail>.*?)(?: - at `(?P<path>\$.*)`)?$", re.DOTALL)
_STEP = re.compile(r"\.(?P<name>[A-Za-z_][A-Za-z0-9_]*)|\[(?P<index>\d+)\]")
_MISSING = re.compile(r"missing required field `(?P<name>[^`]+)`")


async def read_body(request: http.Request, kind: type[T]) -> T:
    """Read a body of at most 64 KiB; a longer one is a 413 by aiohttp.

    Raises ``Malformed`` when it is no JSON, ``InvalidInput`` with a pointer when it does not fit.
    """
    return decode(await request.read(), kind)


def decode(body: bytes, kind: type[T]) -> T:
    """Read bytes of JSON into ``kind``."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise InvalidInput("The body does not fit.", [misfit_of(str(error))]) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Malformed("The body is not JSON in UTF-8.") from None


def misfit_of(text: str) -> Misfit:
    """Turn msgspec's ``Expected `str` - at `$.participants[0].name``` into a JSON pointer (RFC 6901)."""
    match = _PLACE.match(text)
    detail, path = (match["detail"], match["path"] or "") if match else (text, "")
    steps = [step["name"] or step["index"] for step in _STEP.finditer(path)]
    missing = _MISSING.search(detail)
    if missing:
        steps.append(missing["name"])
    return Misfit("".join(f"/{step}" for step in steps), detail)
