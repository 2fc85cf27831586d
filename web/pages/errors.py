"""Errors for people: a page with plain words where a browser asked for a page.

Programs below `/api/` get problem documents from `web/errors.py`; these are left alone here.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web as http
from aiohttp.typedefs import Handler

from web.pages.site import SITE

KNOWN: Final = {403: "forbidden", 404: "missing", 405: "missing", 429: "busy"}
OWN: Final = ("/api/", "/healthz", "/readyz", "/metrics", "/static/")


@http.middleware
async def error_pages(request: http.Request, handler: Handler) -> http.StreamResponse:
    """Turn an HTTP error of a page into a page; redirects and other answers pass."""
    try:
        return await handler(request)
    except http.HTTPException as error:
        wants_page = "text/html" in request.headers.get("Accept", "")
        if error.status < 400 or request.path.startswith(OWN) or not wants_page:
            raise
        kind = KNOWN.get(error.status, "failed")
        return request.app[SITE].show(request, "error.html", status=error.status, kind=kind)


def setup(app: http.Application) -> None:
    """Add the error pages."""
    app.middlewares.append(error_pages)
