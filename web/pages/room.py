"""The room page: no person and no session stands in its HTML, only where one goes on to afterwards.

`/join#CODE` is what a link opens; the code stays in the fragment, which no server and no log sees.
The page's modules exchange it for a cookie and go on as `/room/{participant}` (web/place.py).
"""

from __future__ import annotations

from typing import Final

from aiohttp import web as http

from accounts.roles import Permission
from web.gate import add
from web.pages.site import SITE, language_of
from web.services import SERVICES

SCRIPT_TEXTS: Final = (
    "say",
    "refusal",
    "state",
    "pill",
    "chat",
    "mode",
    "gone",
    "control",
    "data",
    "card",
    "care",
    "rec",
)
"""Which texts of the catalogues the page's modules are given."""


async def room(request: http.Request) -> http.Response:
    """Answer `GET /join` and `GET /room/{participant}`."""
    site = request.app[SITE]
    texts = site.renderer.script_texts(language_of(request), SCRIPT_TEXTS)
    days = request.app[SERVICES].config.recording_days
    return site.show(request, "room.html", texts=texts, recording_days=days)


def setup(app: http.Application) -> None:
    """Add the room page."""
    add(app, "GET", "/join", room, Permission.OPEN)
    add(app, "GET", "/room/{participant}", room, Permission.OPEN)
