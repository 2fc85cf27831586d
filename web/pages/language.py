"""`/lang/{language}?to=PATH`: the reader's choice of language, kept in a cookie for a year."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web as http

from accounts.roles import Permission
from web.gate import add
from web.pages.site import LANGUAGE_COOKIE
from web.render import LANGUAGES

PATHS: Final = re.compile(r"/(?:join|room/[A-Za-z0-9_-]{1,64})?")
"""The pages one may return to; anything else, another host above all, becomes `/`."""

YEAR_S: Final = 365 * 24 * 3600


async def choose(request: http.Request) -> http.StreamResponse:
    """Answer `GET /lang/{language}`: set the cookie and go back to the page."""
    language = request.match_info["language"]
    if language not in LANGUAGES:
        raise http.HTTPNotFound
    wanted = request.query.get("to", "/")
    response = http.Response(status=303, headers={"Location": wanted if PATHS.fullmatch(wanted) else "/"})
    response.set_cookie(
        LANGUAGE_COOKIE,
        language,
        max_age=YEAR_S,
        path="/",
        samesite="Lax",
        httponly=True,
        secure=request.secure,
    )
    return response


def setup(app: http.Application) -> None:
    """Add the switch."""
    add(app, "GET", "/lang/{language}", choose, Permission.OPEN)
