"""A fake of HashiCorp Vault's Transit engine: as much of its HTTP API as ``core.transit`` speaks.

After developer.hashicorp.com/vault/api-docs/secret/transit: paths, statuses and shapes of answers. As there,
encrypting with a name that is not there makes a key.
"""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web as http
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TOKEN = "hvs.a-token-of-a-policy"


@dataclass
class _Key:
    made: int
    secret: bytes = field(default_factory=lambda: os.urandom(32))
    deletion_allowed: bool = False


@dataclass
class FakeTransit:
    """What is in it; ``asked`` are the requests, ``now`` its clock in whole seconds."""

    keys: dict[str, _Key] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    now: int = 1_793_700_000
    sealed: bool = False

    def app(self) -> http.Application:
        app = http.Application(middlewares=[self._guard])
        app.router.add_route("GET", "/v1/transit/keys", self._list)
        app.router.add_route("GET", "/v1/transit/keys/{name}", self._read)
        app.router.add_route("POST", "/v1/transit/keys/{name}", self._make)
        app.router.add_route("POST", "/v1/transit/keys/{name}/config", self._configure)
        app.router.add_route("DELETE", "/v1/transit/keys/{name}", self._delete)
        app.router.add_route("POST", "/v1/transit/encrypt/{name}", self._encrypt)
        app.router.add_route("POST", "/v1/transit/decrypt/{name}", self._decrypt)
        return app

    @http.middleware
    async def _guard(self, request: http.Request, handler: Handler) -> http.StreamResponse:
        self.asked.append((request.method, request.path))
        if self.sealed:
            return _errors(503, "Vault is sealed")
        if request.headers.get("X-Vault-Token") != TOKEN or "X-Vault-Request" not in request.headers:
            return _errors(403, "permission denied")
        return await handler(request)

    async def _list(self, request: http.Request) -> http.Response:
        assert request.query["list"] == "true"  # the same as the method LIST
        return _data(keys=sorted(self.keys)) if self.keys else _errors(404)

    async def _read(self, request: http.Request) -> http.Response:
        key = self.keys.get(request.match_info["name"])
        return _errors(404) if key is None else _data(type="aes256-gcm96", keys={"1": key.made})

    async def _make(self, request: http.Request) -> http.Response:
        fields = await request.json()
        assert (fields["type"], fields["exportable"]) == ("aes256-gcm96", False)
        self.keys.setdefault(request.match_info["name"], _Key(self.now))
        return http.Response(status=204)

    async def _configure(self, request: http.Request) -> http.Response:
        key = self.keys.get(request.match_info["name"])
        if key is None:
            return _errors(400, "no existing key named that could be found")
        key.deletion_allowed = bool((await request.json())["deletion_allowed"])
        return _data(name=request.match_info["name"])

    async def _delete(self, request: http.Request) -> http.Response:
        key = self.keys.get(request.match_info["name"])
        if key is None or not key.deletion_allowed:
            return _errors(400, "could not delete key; deletion is not allowed for this key")
        del self.keys[request.match_info["name"]]
        return http.Response(status=204)

    async def _encrypt(self, request: http.Request) -> http.Response:
        key = self.keys.setdefault(request.match_info["name"], _Key(self.now))
        nonce = os.urandom(12)
        plain = base64.b64decode((await request.json())["plaintext"])
        sealed = base64.b64encode(nonce + AESGCM(key.secret).encrypt(nonce, plain, None)).decode()
        return _data(ciphertext=f"vault:v1:{sealed}", key_version=1)

    async def _decrypt(self, request: http.Request) -> http.Response:
        key = self.keys.get(request.match_info["name"])
        if key is None:
            return _errors(400, "encryption key not found")
        try:
            _, _, text = str((await request.json())["ciphertext"]).split(":")
            sealed = base64.b64decode(text, validate=True)
            plain = AESGCM(key.secret).decrypt(sealed[:12], sealed[12:], None)
        except (ValueError, InvalidTag):
            return _errors(400, "cipher: message authentication failed")
        return _data(plaintext=base64.b64encode(plain).decode())


def _data(**fields: object) -> http.Response:
    return http.json_response({"request_id": "r", "lease_id": "", "data": fields})


def _errors(status: int, *errors: str) -> http.Response:
    return http.json_response({"errors": list(errors)}, status=status)


@asynccontextmanager
async def running_transit() -> AsyncIterator[tuple[FakeTransit, str]]:
    """Run one on loopback; gives it and the URL of its mount."""
    fake = FakeTransit()
    async with TestServer(fake.app()) as server:
        yield fake, str(server.make_url("/transit"))
