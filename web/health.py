"""Whether the server works: ``/healthz`` and ``/readyz``."""

from __future__ import annotations

import asyncio
import logging

import msgspec
from aiohttp import web as http

from accounts.roles import Permission
from web.api_schemas import Health
from web.gate import add
from web.metrics import may_look
from web.services import SERVICES, Services

logger = logging.getLogger(__name__)

CHECK_WITHIN_S = 2.0


def setup(app: http.Application) -> None:
    """Add both."""
    add(app, "GET", "/healthz", healthz, Permission.OPEN)
    add(app, "GET", "/readyz", readyz, Permission.OPEN)


async def healthz(_request: http.Request) -> http.Response:
    """Answer ``GET /healthz``: 200 when the process serves."""
    return _answer(Health("ok"), 200)


async def readyz(request: http.Request) -> http.Response:
    """Answer ``GET /readyz``: 200 only when database and media port work; details for a few."""
    services = request.app[SERVICES]
    checks = {"database": await _database_works(services), "media": services.media.ready}
    works = all(checks.values())
    health = Health("ready" if works else "not ready")
    if may_look(request):
        health = Health(health.status, checks)
    return _answer(health, 200 if works else 503)


async def _database_works(services: Services) -> bool:
    try:
        async with asyncio.timeout(CHECK_WITHIN_S):
            await services.database.check()
    except Exception as error:  # noqa: BLE001  # whatever it is, the database does not work
        logger.warning("readyz.database", extra={"error": type(error).__name__})
        return False
    return True


def _answer(health: Health, status: int) -> http.Response:
    body = msgspec.json.encode(health)
    return http.Response(body=body, status=status, content_type="application/json")
