"""One log line for each request: what was asked for, not by whom, nor with which path or query."""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import Final

from aiohttp import web as http
from aiohttp.typedefs import Handler

logger = logging.getLogger(__name__)

REQUESTS: Final = http.AppKey("requests", Counter[tuple[str, int]])
"""How many answers of each status each route gave, for /metrics."""


def route_of(request: http.Request) -> str:
    """Name the route, such as ``/api/v1/sessions/{id}``; never the path, which may hold anything."""
    resource = request.match_info.route.resource
    return "none" if resource is None else resource.canonical


@http.middleware
async def access(request: http.Request, handler: Handler) -> http.StreamResponse:
    """Log and count each request."""
    began_s = time.perf_counter()
    code = 500
    try:
        response = await handler(request)
    except http.HTTPException as error:
        code = error.status
        raise
    else:
        code = response.status
        return response
    finally:
        route = route_of(request)
        request.app[REQUESTS][route, code] += 1
        took_ms = round((time.perf_counter() - began_s) * 1000, 1)
        extra = {"method": _method(request), "route": route, "status": code, "ms": took_ms}
        logger.info("http.request", extra=extra)


def _method(request: http.Request) -> str:
    known = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
    return request.method if request.method in known else "other"
