"""Where the switch of languages leads back to: the page on which one is, if it can be had again."""

from __future__ import annotations

import re
from typing import Final

from aiohttp import web as http

from web.access import route_of
from web.gate import PERMISSIONS

PAGE: Final = re.compile(
    r"/(?:(?!(?:api|static|lang|exit|healthz|readyz|metrics)(?:/|$))[A-Za-z0-9_-]+(?:/[A-Za-z0-9_.-]+)*)?"
    r"(?:\?[A-Za-z0-9_.~%&=+:@-]*)?"
)
"""The pages one may return to: ours; anything else, another host above all, becomes `/`."""


def page_of(wanted: str) -> str:
    """Give the page to return to: the wanted one if it is ours, else the front page."""
    return wanted if PAGE.fullmatch(wanted) else "/"


def back_to(request: http.Request, *, status: int) -> str | None:
    """Name the page that the answer to this request is, or None when it cannot be had again.

    A form with something wrong in it is the page that the form stands on. What a form shows when it was
    right is shown this once, such as a recovery code: leaving that page for another language would lose it.
    """
    if request.method != "POST":
        return str(request.rel_url.without_query_params("done"))
    if status < http.HTTPBadRequest.status_code:
        return None
    route, path = route_of(request), request.path
    while route and ("GET", route) not in request.app[PERMISSIONS]:
        route, path = route.rpartition("/")[0], path.rpartition("/")[0]
    return path or "/"
