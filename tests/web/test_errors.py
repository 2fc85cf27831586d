"""Errors on HTTP: what only the operator can mend is told to the operator alone."""

from __future__ import annotations

import logging

import pytest
from aiohttp import web as http
from pytest_aiohttp.plugin import AiohttpClient

from core.errors import ConfigError, Forbidden, InvalidState, TeduhError, Unavailable
from core.keyd import Unreachable
from core.keyring import KeyMissing
from core.warrants import WarrantRefused
from recordings.keystore import KeysUnusable
from web.errors import problems

WHERE = "the key 2026-11.1.aa in /srv/keys"


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (KeyMissing(WHERE), 503, False),
        (KeysUnusable(WHERE), 503, False),
        (Unreachable(WHERE), 503, False),
        (ConfigError(WHERE), 503, False),
        (Unavailable(WHERE), 503, False),
        (WarrantRefused("expired", "This warrant has ended."), 403, True),
        (Forbidden("This is not open to you."), 403, True),
        (InvalidState("This is over."), 409, True),
    ],
)
async def test_a_foreseen_error_has_its_status_and_tells_what_it_may(
    aiohttp_client: AiohttpClient,
    caplog: pytest.LogCaptureFixture,
    error: TeduhError,
    status: int,
    *,
    told: bool,
) -> None:
    async def fail(_request: http.Request) -> http.Response:
        raise error

    app = http.Application(middlewares=[problems])
    app.router.add_get("/", fail)
    answer = await (await aiohttp_client(app)).get("/")
    body = await answer.text()
    assert (answer.status, answer.content_type) == (status, "application/problem+json")
    assert (str(error) in body) is told
    assert "/srv" not in body
    noted = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(noted) == (not told)
