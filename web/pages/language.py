"""`/lang/{language}?to=PATH`: the reader's choice of language, kept in a cookie for a year."""

from __future__ import annotations

from typing import Final

from aiohttp import web as http

from accounts import people
from accounts.roles import Permission
from web.gate import add, visitor_of
from web.pages.back import page_of
from web.pages.site import LANGUAGE_COOKIE
from web.render import LANGUAGES
from web.services import SERVICES

YEAR_S: Final = 365 * 24 * 3600


async def choose(request: http.Request) -> http.StreamResponse:
    """Answer `GET /lang/{language}`: set the cookie and go back to the page."""
    language = request.match_info["language"]
    if language not in LANGUAGES:
        raise http.HTTPNotFound
    person = visitor_of(request).person
    # A link of another site may change what this browser shows, not what is kept of the person.
    ours = request.method == "GET" and request.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"
    if ours and person is not None and person.language != language:
        services = request.app[SERVICES]
        async with services.database.sessions.begin() as db:
            await people.speak(db, user=person.id, language=language)
    response = http.Response(status=303, headers={"Location": page_of(request.query.get("to", "/"))})
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
