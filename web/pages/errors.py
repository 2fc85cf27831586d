"""Errors for people: a page with plain words where a browser asked for a page.

Programs below `/api/` get problem documents from `web/errors.py`; these are left alone here.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web as http
from aiohttp.typedefs import Handler

from core.errors import TeduhError
from web.errors import log_failure, status_of
from web.pages.site import SITE

KNOWN: Final = {401: "forbidden", 403: "forbidden", 404: "missing", 405: "missing", 413: "large", 429: "busy"}
OWN: Final = ("/api/", "/healthz", "/readyz", "/metrics", "/static/")


@http.middleware
async def error_pages(request: http.Request, handler: Handler) -> http.StreamResponse:
    """Turn an error of a page into a page; redirects and other answers pass."""
    if request.path.startswith(OWN) or "text/html" not in request.headers.get("Accept", ""):
        return await handler(request)
    try:
        return await handler(request)
    except http.HTTPException as error:
        if error.status < 400:
            raise
        return _page(request, error.status, "")
    except TeduhError as error:
        if status_of(error) >= 500:
            log_failure(request, error)
        return _page(request, status_of(error), error.code)
    except Exception as error:  # noqa: BLE001  # it is logged, and reaches nobody as text
        log_failure(request, error)
        return _page(request, 500, "")


def _page(request: http.Request, status: int, code: str) -> http.Response:
    kind = "old_form" if code == "old_form" else KNOWN.get(status, "failed")
    return request.app[SITE].show(request, "error.html", status=status, kind=kind)
