"""A Chromium whose network lets nothing through to the media port: the call goes over a real coturn."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
from playwright.async_api import Playwright

from tests.browser.conftest import ONE_LOOP
from tests.browser.driver import CHROMIUM, chromium, person_in
from tests.browser.media import BLUE, RED
from tests.e2e.server import Server, free_port
from tests.netem.namespaces import Roaming

pytestmark = ONE_LOOP
SECRET = "test-secret"
START_S = 10.0


@contextlib.contextmanager
def coturn(folder: Path, host: str, port: int) -> Iterator[None]:
    """A coturn set up as docs/operations.md says, without TLS: Chromium would not trust it."""
    settings = f"""
        listening-ip={host}
        relay-ip={host}
        listening-port={port}
        no-udp
        no-tls
        no-dtls
        realm=turn.example.org
        fingerprint
        use-auth-secret
        static-auth-secret={SECRET}
        no-cli
        no-multicast-peers
        allowed-peer-ip={host}
        denied-peer-ip=0.0.0.0-255.255.255.255
        denied-peer-ip=::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
        pidfile={folder}/turn.pid
        userdb={folder}/turn.db
        log-file=stdout
    """
    file = folder / "turnserver.conf"
    file.write_text("\n".join(line.strip() for line in settings.splitlines()), encoding="utf-8")
    with (folder / "turn.log").open("wb") as log:
        process = subprocess.Popen(["turnserver", "-c", str(file)], stdout=log, stderr=log, cwd=folder)
    try:
        until = time.monotonic() + START_S
        while True:
            try:
                socket.create_connection((host, port), timeout=1).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "turn.log").read_text()
                assert time.monotonic() < until, "coturn does not listen"
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


def ice_servers(host: str, port: int) -> str:
    """The setting, with a credential of coturn's REST kind."""
    user = f"{int(time.time()) + 600}:teduh"
    credential = base64.b64encode(hmac.digest(SECRET.encode(), user.encode(), hashlib.sha1)).decode()
    url = f"turn:{host}:{port}?transport=tcp"
    return json.dumps([{"urls": [url], "username": user, "credential": credential}])


async def test_a_call_goes_over_turn_where_nothing_else_is_let_through(
    playwright: Playwright, tmp_path: Path
) -> None:
    with Roaming() as roaming, coturn(tmp_path, roaming.server, port := free_port(roaming.server)):
        server = Server(tmp_path / "data", media_addresses=(roaming.server,))
        server.extra["TEDUH_HTTP_HOST"] = f"127.0.0.1,{roaming.server}"
        server.extra["TEDUH_PUBLIC_URL"] = f"http://{roaming.server}:{server.http_port}"
        server.extra["TEDUH_ICE_SERVERS"] = ice_servers(roaming.server, port)
        await asyncio.to_thread(server.start)
        roaming.forbid(server.media_port)
        inside = str(roaming.command(tmp_path, CHROMIUM))
        origin = server.public_url
        red_browser = await chromium(playwright, RED, tmp_path, program=inside, origin=origin)
        blue_browser = await chromium(playwright, BLUE, tmp_path, origin=origin)
        try:
            async with aiohttp.ClientSession() as http:
                session = await server.create_session(http)
            async with person_in(red_browser, RED) as red, person_in(blue_browser, BLUE) as blue:
                await red.open(session.client.join_url)
                await blue.open(session.counselor.join_url)
                for person in (red, blue):
                    await person.join()
                for person, other in ((red, BLUE), (blue, RED)):
                    await person.reaches("connected")
                    await person.sees(other)
                    await person.hears(other)
                assert {pair["kind"] for pair in (await red.stats())["pairs"]} == {"relay"}
                assert "relay" not in {pair["kind"] for pair in (await blue.stats())["pairs"]}
                assert red.errors == blue.errors == []
        finally:
            await red_browser.close()
            await blue_browser.close()
            await asyncio.to_thread(server.stop)
