"""`/`: says what this server is, and nothing more."""

from __future__ import annotations

from aiohttp import web as http

from accounts.roles import Permission
from web.gate import add
from web.pages.site import SITE


async def front(request: http.Request) -> http.Response:
    """Answer `GET /`."""
    return request.app[SITE].show(request, "front.html")


def setup(app: http.Application) -> None:
    """Add the front page."""
    add(app, "GET", "/", front, Permission.OPEN)
