"""What is no text is refused plainly, whatever page it was meant for."""

from __future__ import annotations

import pytest
from aiohttp import FormData

from accounts.roles import Role
from tests.web.browsing import get, post
from tests.web.conftest import Client
from tests.web.people import log_in, make
from web.plain import is_plain


@pytest.mark.parametrize("text", ["", "Daun Jatuh", "\u202e", "\U0001f600", "\n\t"])
def test_text_is_plain(text: str) -> None:
    assert is_plain(text)


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "\ud800", "x\udfff"])
def test_nul_and_half_characters_are_not(text: str) -> None:
    assert not is_plain(text)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/admin/people?name=%00", 400),
        ("/admin/people?after=a%00&after_id=b", 400),
        ("/admin/audit?tag=%00", 400),
        ("/admin/audit?%00=tag", 400),
        ("/admin/minors?name=abc%00", 400),
        ("/admin/people/u_%00", 404),
        ("/admin/people/%00", 404),
        ("/admin/audit?since=0001-01-01", 422),
        ("/admin/audit?until=9999-12-31", 422),
        ("/admin/people?name=%ED%A0%80", 200),
        ("/admin/people?name=%FF", 200),
    ],
)
async def test_an_address_holds_text(client: Client, path: str, status: int) -> None:
    await log_in(client, await make(client, Role.ADMIN))
    async with client.get(path, headers={"Accept": "text/html"}) as answer:
        assert answer.status == status


@pytest.mark.parametrize("name", ["name", "age", "csrf", "once", "unknown"])
async def test_a_file_is_no_text(client: Client, name: str) -> None:
    fields = (await get(client, "/start")).form("/start") | {"age": "adult", "phone": "own"}
    data = FormData()
    for key, value in fields.items():
        if key != name:
            data.add_field(key, value)
    data.add_field(name, b"Embun", filename="name.txt", content_type="text/plain")
    async with client.post("/start", data=data, allow_redirects=False) as answer:
        assert answer.status == 400


@pytest.mark.parametrize("text", ["\x00" * 20, "Embun\x00", "\x00"])
async def test_nul_is_in_no_field(client: Client, text: str) -> None:
    for path, field in (("/start", "name"), ("/enter", "code"), ("/staff/login", "login")):
        fields = (await get(client, path)).form(path)
        assert (await post(client, path, fields | {field: text})).status == 400


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"name=\xff"),
        ("application/x-www-form-urlencoded; charset=utf-7", b"name=+2AA-"),
        ("application/x-www-form-urlencoded; charset=unicode_escape", b"name=\\ud800"),
        ("application/x-www-form-urlencoded; charset=hex", b"name=1"),
        ("multipart/form-data", b"name"),
        ("multipart/form-data; boundary=a", b"--b\r\n\r\nx"),
        (
            "multipart/form-data; boundary=a",
            b'--a\r\nContent-Disposition: form-data; name="n"\r\n\r\n\xff\r\n--a--',
        ),
    ],
)
async def test_a_body_that_cannot_be_read_is_said_to_be_so(client: Client, kind: str, body: bytes) -> None:
    async with client.post("/start", data=body, headers={"Content-Type": kind}) as answer:
        assert answer.status in {400, 403, 415}
