"""Who a program is: ``Authorization: Bearer JWT``, signed with the secret of an API key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web as http

from accounts import apikeys
from accounts.apikeys import ApiKey, Scope
from accounts.tokens import claimed_issuer
from core.errors import Forbidden, Unauthenticated
from web.client import client_address
from web.services import SERVICES

ApiHandler = Callable[[http.Request, ApiKey], Awaitable[http.StreamResponse]]
Plain = Callable[[http.Request], Awaitable[http.StreamResponse]]


def with_key(scope: Scope) -> Callable[[ApiHandler], Plain]:
    """Let a handler be called with the key that asks, and only if the key may do ``scope``."""

    def wrap(handler: ApiHandler) -> Plain:
        async def checked(request: http.Request) -> http.StreamResponse:
            key = await authenticate(request)
            if scope not in key.scopes:
                raise Forbidden(f"This key may not {scope.value} sessions.")
            return await handler(request, key)

        return checked

    return wrap


async def authenticate(request: http.Request) -> ApiKey:
    """Say which key asks. Looked up each time, so that a revoked one is out at once.

    Raises ``Unauthenticated``, or ``TooMany`` for a key or an address that asks too often.
    """
    services = request.app[SERVICES]
    now_s = services.clock.monotonic()
    try:
        key = await _key_of(request)
    except Unauthenticated:
        services.attempts.spend(client_address(request, services.config), now_s)
        raise
    services.asked.spend(key.id, now_s)
    return key


async def _key_of(request: http.Request) -> ApiKey:
    services = request.app[SERVICES]
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated("Send Authorization: Bearer with a JWT.")
    issuer = claimed_issuer(token.strip())
    services.tokens.read_api(token.strip(), key=issuer, now=services.now())
    async with services.database.sessions() as db:
        key = await apikeys.find(db, key=issuer)
    if key is None or key.revoked_at is not None:
        raise Unauthenticated("The token does not hold.")
    return key
