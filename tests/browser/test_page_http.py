"""The pages as HTTP gives them: languages, files, errors, and that none of them says who or what."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web as http
from aiohttp.test_utils import TestClient, TestServer

from tests.fakes import FakeClock
from tests.web.conftest import FakeEngine, make_config
from web.app import make_app

HTML = {"Accept": "text/html"}
Client = TestClient[http.Request, http.Application]


@pytest_asyncio.fixture
async def client(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Client]:
    """The application, without a media port."""
    app = make_app(make_config(tmp_path), clock=clock, make_engine=FakeEngine)
    async with TestClient(TestServer(app)) as made:
        yield made


@pytest.mark.parametrize("path", ["/", "/join", "/room/p_0123456789abcdefghij"])
@pytest.mark.parametrize("language", ["id", "en"])
async def test_pages_speak_the_readers_language(client: Client, path: str, language: str) -> None:
    async with client.get(path, headers={"Accept-Language": language}) as answer:
        html = await answer.text()
        assert answer.status == 200
        assert f'<html lang="{language}">' in html
        assert answer.headers["Content-Language"] == language
        assert answer.headers["Cache-Control"] == "no-store"


async def test_the_room_is_the_same_for_everybody(client: Client) -> None:
    bodies = set()
    for participant in ("p_0123456789abcdefghij", "p_jihgfedcba9876543210"):
        async with client.get(f"/room/{participant}") as answer:
            bodies.add((await answer.text()).replace(participant, ""))
    assert len(bodies) == 1


async def test_the_title_tells_nobody_what_this_is(client: Client) -> None:
    async with client.get("/join", headers={"Accept-Language": "en"}) as answer:
        assert "<title>teduh</title>" in await answer.text()


async def test_no_page_has_inline_script_style_or_handler(client: Client) -> None:
    for path in ("/", "/join", "/nowhere"):
        async with client.get(path, headers=HTML) as answer:
            html = await answer.text()
        assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:", html), path
        for attributes in re.findall(r"<script([^>]*)>", html):
            assert "src=" in attributes or 'type="application/json"' in attributes, path
        assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", html), path


@pytest.mark.parametrize(
    ("wanted", "where"),
    [
        ("/", "/"),
        ("/join", "/join"),
        ("/room/p_0123456789abcdefghij", "/room/p_0123456789abcdefghij"),
        ("//evil.example", "/"),
        ("https://evil.example/join", "/"),
        ("/join//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/room/a\r\nSet-Cookie: a=b", "/"),
        ("/api/v1/sessions", "/"),
    ],
)
async def test_the_switch_goes_back_to_our_own_pages_only(client: Client, wanted: str, where: str) -> None:
    async with client.get("/lang/en", params={"to": wanted}, allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"] == where
        cookie = answer.cookies["teduh_lang"]
        assert cookie.value == "en"
        assert cookie["httponly"]
        assert cookie["samesite"] == "Lax"


async def test_the_choice_outweighs_the_browser(client: Client) -> None:
    async with client.get("/lang/en", params={"to": "/join"}, headers={"Accept-Language": "id"}) as answer:
        assert answer.url.path == "/join"
        assert answer.headers["Content-Language"] == "en"


async def test_there_is_no_third_language(client: Client) -> None:
    async with client.get("/lang/xx", headers=HTML, allow_redirects=False) as answer:
        assert answer.status == 404
        assert "teduh_lang" not in answer.cookies


async def test_a_person_who_is_lost_gets_words(client: Client) -> None:
    async with client.get("/nowhere", headers=HTML | {"Accept-Language": "en"}) as answer:
        assert answer.status == 404
        assert answer.content_type == "text/html"
        assert "This page does not exist" in await answer.text()


async def test_a_program_that_is_lost_gets_no_page(client: Client) -> None:
    async with client.get("/api/v1/nowhere", headers=HTML) as answer:
        assert answer.status == 404
        assert answer.content_type != "text/html"


async def test_files_are_kept_for_ever_and_packed(client: Client) -> None:
    async with client.get("/join") as page:
        main = re.findall(r'src="([^"]+/main\.js)"', await page.text())[0]
    async with client.get(main, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/javascript"
        assert answer.headers["Content-Encoding"] == "gzip"
        assert "immutable" in answer.headers["Cache-Control"]
    async with client.get(main, headers={"Accept-Encoding": "identity"}) as answer:
        assert "Content-Encoding" not in answer.headers


@pytest.mark.parametrize(
    "path",
    ["/static/000000000000/js/room/main.js", "/static/x/../../main.py", "/static/x/%2e%2e/%2e%2e/main.py"],
)
async def test_other_files_are_not_served(client: Client, path: str) -> None:
    async with client.get(path) as answer:
        assert answer.status == 404
