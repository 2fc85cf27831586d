"""Errors on HTTP: RFC 9457 problem documents. An unforeseen error reaches nobody as text."""

from __future__ import annotations

import http as status
import json
import logging
import math
from collections.abc import Sequence
from typing import Any

from aiohttp import web as http
from aiohttp.typedefs import Handler

from core.errors import (
    ConfigError,
    Forbidden,
    InvalidInput,
    InvalidState,
    Malformed,
    Misfit,
    NotFound,
    TeduhError,
    TooMany,
    Unauthenticated,
    Unavailable,
)

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
TYPE_BASE = "urn:teduh:error:"
STATUS_OF: dict[type[TeduhError], int] = {
    Malformed: 400,
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    InvalidState: 409,
    InvalidInput: 422,
    TooMany: 429,
    Unavailable: 503,
    ConfigError: 503,
}


def problem(
    code: int,
    *,
    kind: str | None = None,
    detail: str | None = None,
    misfits: Sequence[Misfit] = (),
    headers: dict[str, str] | None = None,
) -> http.Response:
    """Make a problem document (RFC 9457, 3.1); ``kind`` is the stable word for programs."""
    title = status.HTTPStatus(code).phrase
    body: dict[str, Any] = {
        "type": "about:blank" if kind is None else TYPE_BASE + kind,
        "title": title,
        "status": code,
        "detail": detail or f"{title}.",
    }
    if misfits:
        body["errors"] = [{"pointer": one.pointer, "detail": one.detail} for one in misfits]
    return http.Response(status=code, text=json.dumps(body), content_type=CONTENT_TYPE, headers=headers)


def status_of(error: TeduhError) -> int:
    """Say the HTTP status of a foreseen error; one that has none of its own is a 400."""
    return next((STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF), 400)


def log_failure(request: http.Request, error: Exception) -> None:
    """Note an unforeseen error, with the route and never the path."""
    route = request.match_info.route.resource
    logger.error(
        "http.failed",
        extra={"route": None if route is None else route.canonical, "error": type(error).__name__},
        exc_info=error,
    )


def problem_of(error: TeduhError) -> http.Response:
    """Write a foreseen error. Of what only the operator can mend, nobody reads more than that it is so."""
    code = status_of(error)
    if code >= 500:
        return problem(code, kind="unavailable", detail="This is not possible just now.")
    headers: dict[str, str] = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="teduh"'
    if isinstance(error, TooMany):
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    misfits = error.misfits if isinstance(error, InvalidInput) else ()
    return problem(code, kind=error.code, detail=str(error), misfits=misfits, headers=headers)


@http.middleware
async def problems(request: http.Request, handler: Handler) -> http.StreamResponse:
    """Turn every error into a problem document; redirects and pages' own answers pass."""
    try:
        return await handler(request)
    except TeduhError as error:
        if status_of(error) >= 500:
            log_failure(request, error)
        return problem_of(error)
    except http.HTTPException as error:
        if error.status < 400:
            raise
        kept = {name: value for name, value in error.headers.items() if name in {"Allow", "Retry-After"}}
        return problem(error.status, headers=kept)
    except Exception as error:  # noqa: BLE001  # it is logged, and reaches nobody as text
        log_failure(request, error)
        return problem(500, kind="internal", detail="Something went wrong here; it has been noted.")
