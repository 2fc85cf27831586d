"""``teduh serve`` as a process: where it goes, what it says, and how it ends."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from accounts.tokens import issue_api_token
from core.clock import SystemClock
from core.config import Config
from core.ids import ApiKeyId
from recordings.vault import Vault
from tests.web.conftest import wanted
from tests.web.process import run, run_json, serving


async def test_it_says_where_to_go_and_makes_a_demo(tmp_path: Path) -> None:
    with serving(tmp_path, "--demo") as server:
        server.hear(11)
        links = [line.split()[1] for line in server.said[-2:]]
        assert [link.partition("/join#")[0] for link in links] == [server.url] * 2
        async with aiohttp.ClientSession() as http, http.get(f"{server.url}/join") as page:
            assert page.status == 200
            assert page.content_type == "text/html"
            assert page.headers["Cache-Control"] == "no-store"


def test_data_of_a_demo_lets_nobody_in_once_others_come(tmp_path: Path) -> None:
    there = {"PUBLIC_URL": "https://teduh.example.org", "MEDIA_ADDRESSES": "127.0.0.1"}

    def said(**settings: str) -> list[str]:
        found = json.loads(run(tmp_path, "doctor", "--json", "--offline", **settings).stdout)
        return [one["text"] for one in found if one["about"] == "demo"]

    with serving(tmp_path, "--demo") as server:
        server.hear(9)
    assert said() == []
    (text,) = said(**there)
    assert "Sekar, Bima, Ratih, Wayan, Dewi" in text
    with serving(tmp_path, **there):
        assert said(**there) == []


async def test_sigterm_tells_everybody_and_ends_within_five_seconds(tmp_path: Path) -> None:
    key = run_json(tmp_path, "api-key", "create", "test")
    token = issue_api_token(key=ApiKeyId(key["id"]), secret=key["secret"], now=datetime.now(UTC))
    with serving(tmp_path) as server:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as http:
            async with http.post(f"{server.url}/api/v1/sessions", json=wanted()) as answer:
                made = await answer.json()
            sockets = []
            for place in made["participants"]:
                one = await http.ws_connect(f"{server.url}/api/v1/signal", protocols=["teduh.v1"])
                hello = {"type": "hello", "token": place["token"], "codecs": ["audio/opus", "video/VP8"]}
                await one.send_json(hello)
                assert json.loads((await one.receive(5)).data)["type"] == "welcome"
                sockets.append(one)
            server.process.terminate()
            for one in sockets:
                while (await one.receive(5)).type is aiohttp.WSMsgType.TEXT:
                    pass
                assert one.close_code == 1012
        status, took_s = server.stop()
    assert status == 0
    assert took_s < 5
    assert "Traceback" not in (tmp_path / "serve.log").read_text()


def test_it_ends_in_time_even_when_something_holds_on(tmp_path: Path) -> None:
    program = """
import asyncio, sys
from web.engine import LiveEngine
from web.main import main

async def hold_on(self):
    await asyncio.sleep(600)

LiveEngine.tell_everybody = hold_on
sys.exit(main(["serve"]))
"""
    with serving(tmp_path, program=program) as server:
        status, took_s = server.stop()
    assert (status, took_s < 5) == (1, True)
    assert "serve.stopped_late" in (tmp_path / "serve.log").read_text()


async def test_a_key_revoked_by_the_command_is_out_within_a_second(tmp_path: Path) -> None:
    key = run_json(tmp_path, "api-key", "create", "test")
    token = issue_api_token(key=ApiKeyId(key["id"]), secret=key["secret"], now=datetime.now(UTC))
    with serving(tmp_path) as server:
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as http:
            for status in (201, 401):
                async with http.post(f"{server.url}/api/v1/sessions", json=wanted()) as answer:
                    assert answer.status == status
                run(tmp_path, "api-key", "revoke", key["id"])


async def test_https_with_a_certificate_of_our_own(tmp_path: Path) -> None:
    with serving(tmp_path, TLS="self-signed") as server:
        assert server.url.startswith("https://localhost:")
        trusted = ssl.create_default_context(cafile=str(tmp_path / "var" / "self-signed.pem"))
        async with aiohttp.ClientSession() as http, http.get(f"{server.url}/healthz", ssl=trusted) as answer:
            assert answer.status == 200
            assert "Strict-Transport-Security" not in answer.headers


def test_a_media_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        done = run(tmp_path, "serve", MEDIA_PORT=str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "set TEDUH_MEDIA_PORT to one that is free" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


async def test_a_missing_key_of_recordings_is_one_sentence_and_changes_nothing(tmp_path: Path) -> None:
    data = tmp_path / "var"
    data.mkdir(mode=0o700)
    vault = Vault.of(Config(data_dir=data), master=bytes(32), clock=SystemClock())
    await vault.create("r_1")
    (file,) = (data / "keys").glob("*.txt")
    file.rename(tmp_path / "elsewhere")
    refused = await asyncio.to_thread(run, tmp_path, "serve")
    assert (refused.returncode, refused.stdout) == (2, ""), refused.stderr
    assert refused.stderr.startswith(f"Recordings hang on the key {file.stem}.")
    assert refused.stderr.count("\n") == 1
    assert not list((data / "keys").glob("*.txt"))
    (tmp_path / "elsewhere").rename(file)
    await vault.check()
