"""Plain text: what no keyboard sends and no database takes is refused before any page sees it."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web as http

from core.errors import Malformed, NotFound

UNFIT: Final = re.compile("[\x00\ud800-\udfff]")
"""NUL, which PostgreSQL keeps in no text, and halves of characters, which no UTF-8 has."""


def is_plain(text: str) -> bool:
    """Whether a text can be kept and sent back."""
    return UNFIT.search(text) is None


def check_address(request: http.Request) -> None:
    """Refuse an address that holds something else: it is none of ours.

    Raises ``NotFound`` for its path and ``Malformed`` for its query.
    """
    if not all(map(is_plain, request.match_info.values())):
        raise NotFound("There is nothing here.")
    if not all(is_plain(name) and is_plain(value) for name, value in request.query.items()):
        raise Malformed("The query holds signs that no text has.")
