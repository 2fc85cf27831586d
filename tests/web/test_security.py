from __future__ import annotations

import io
from pathlib import Path

import pytest
from aiohttp import web as http
from pytest_aiohttp.plugin import AiohttpClient

from core.shapes import Tls
from tests.fakes import FakeClock
from tests.web.conftest import Client, FakeEngine, Program, make_config
from web.app import make_app
from web.security import security_headers

PATHS = ("/", "/join", "/room/p_x", "/nothing", "/healthz", "/api/v1/sessions", "/api/v1/openapi.json")


@pytest.mark.parametrize("path", PATHS)
async def test_every_answer_has_the_security_headers(client: Client, path: str) -> None:
    async with client.get(path) as answer:
        headers = answer.headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self'; connect-src 'self' ws://localhost:8080; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["Permissions-Policy"].startswith("camera=(self), microphone=(self)")
    assert headers["Cache-Control"] == "no-store"
    assert "Server" not in headers
    assert "Strict-Transport-Security" not in headers


async def test_strict_transport_security_goes_with_a_real_certificate_only(tmp_path: Path) -> None:
    public = make_config(tmp_path, public_url="https://teduh.example.org")
    assert "Strict-Transport-Security" in security_headers(public)
    assert "wss://teduh.example.org" in security_headers(public)["Content-Security-Policy"]
    own = make_config(tmp_path, public_url="https://192.168.1.4:8080", tls=Tls())
    assert "Strict-Transport-Security" not in security_headers(own)


async def test_the_cookie_is_secure_with_https(
    aiohttp_client: AiohttpClient, tmp_path: Path, clock: FakeClock
) -> None:
    from tests.web.conftest import new_program

    config = make_config(tmp_path, public_url="https://teduh.example.org")
    client = await aiohttp_client(make_app(config, clock=clock, make_engine=FakeEngine))
    program = await new_program(client, clock)
    made = await program.create()
    code = made["participants"][0]["join_url"].partition("#")[2]
    async with client.post("/api/v1/place", json={"code": code}) as answer:
        assert "Secure" in answer.headers["Set-Cookie"]


async def test_nothing_that_opens_a_place_or_names_a_person_is_logged(
    program: Program, client: Client, debug_log: io.StringIO
) -> None:
    made = await program.create()
    place = made["participants"][0]
    code = place["join_url"].partition("#")[2]
    async with client.post("/api/v1/place", json={"code": code}) as answer:
        ticket = (await answer.json())["ticket"]
    await program.ask("GET", f"/api/v1/sessions/{made['id']}?token={place['token']}")
    await program.ask("GET", f"/join/{code}")
    async with client.get("/api/v1/signal", headers={"Sec-WebSocket-Protocol": f"teduh.ticket.{ticket}"}):
        pass
    written = debug_log.getvalue()
    assert "http.request" in written
    secret = program.services.tokens.api_secret(program.key)
    for private in (code, place["token"], ticket, secret, "Sekar", "Bima", "127.0.0.1"):
        assert private not in written


async def test_what_nobody_foresaw_is_noted_and_not_told(
    client: Client, program: Program, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_named: object) -> None:
        raise RuntimeError("Sekar's session broke")

    monkeypatch.setattr("signaling.directory.create", fail)
    status, problem = await program.ask(
        "POST",
        "/api/v1/sessions",
        {
            "mode": "chat",
            "recording": "off",
            "participants": [{"role": "client", "name": "A"}, {"role": "counselor", "name": "B"}],
        },
    )
    assert (status, problem["type"]) == (500, "urn:teduh:error:internal")
    assert "broke" not in str(problem)
    (record,) = [record for record in caplog.records if record.getMessage() == "http.failed"]
    assert (vars(record)["route"], vars(record)["error"]) == ("/api/v1/sessions", "RuntimeError")


async def test_two_applications_share_nothing(
    aiohttp_client: AiohttpClient, tmp_path: Path, clock: FakeClock
) -> None:
    made: list[http.Application] = []
    for name in ("a", "b"):
        app = make_app(make_config(tmp_path / name), clock=clock, make_engine=FakeEngine)
        await aiohttp_client(app)
        made.append(app)
    assert len({id(value) for app in made for value in app.values()}) == sum(len(app) for app in made)
