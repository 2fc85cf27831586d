"""Proof files of counselors in the pages: what is taken, who opens them, and when they go."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from aiohttp import ClientConnectionError, FormData

from accounts import people
from accounts.roles import Role
from counseling import register
from tests.fakes import FakeClock
from tests.web.conftest import Client
from tests.web.people import log_in, make, send
from tests.web.test_register import (
    as_person,
    fill,
    open_proofs,
    prepared,
    text_of,
)
from web.pages.site import SITE
from web.register import REGISTER
from web.services import SERVICES


@pytest.mark.parametrize(
    ("file", "word"),
    [
        (b"", "refused_empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "refused_type"),
        (b"<!doctype html><script>alert(1)</script>", "refused_type"),
        (b"%PDF-1.7 nothing", "refused_broken"),
    ],
)
async def test_a_file_that_is_not_taken_says_why_and_keeps_the_rest(
    client: Client, file: bytes, word: str
) -> None:
    ratna, _ = await prepared(client)
    await log_in(client, ratna)
    status, page = await send(client, "/counselor/proofs", {"kind": "degree", "file": file})
    assert status == 422
    assert 'id="file-wrong"' in page
    assert '<option value="degree" selected>' in page
    assert client.app[SITE].renderer.text("id", f"proofs.{word}") in page
    async with client.app[SERVICES].database.sessions() as db:
        assert await client.app[REGISTER].proofs.of(db, user=ratna.id) == []


async def test_a_file_that_is_too_long_is_read_to_its_end_and_not_kept(client: Client) -> None:
    ratna, _ = await prepared(client)
    await log_in(client, ratna)
    page = await text_of(client, "/counselor/proofs")
    hidden = {name: page.split(f'name="{name}" value="')[1].split('"')[0] for name in ("csrf", "once")}
    for size, status in ((10 * 1024 * 1024 + 1, 422), (65 * 1024 * 1024, 413)):
        data = FormData({**hidden, "kind": "degree"})
        data.add_field("file", io.BytesIO(b"\xff\xd8\xff".ljust(size, b"x")), filename="long.jpg")
        try:
            async with client.post("/counselor/proofs", data=data) as answer:
                assert answer.status == status
                if status == 422:
                    assert client.app[SITE].renderer.text("id", "proofs.refused_size") in await answer.text()
        except ClientConnectionError:
            assert status == 413  # the server hung up on what nobody may send


async def test_bodies_that_are_no_form_are_refused_without_being_kept(client: Client) -> None:
    ratna, _ = await prepared(client)
    await log_in(client, ratna)
    async with client.post(
        "/counselor/proofs", data=b"{}", headers={"Content-Type": "application/json"}
    ) as answer:
        assert answer.status == 400
    boundary = {"Content-Type": "multipart/form-data; boundary=x"}
    for body in (b"", b"--x\r\n", b"--x\r\n\r\n" * 30, b"--x--", b"no parts at all"):
        async with client.post("/counselor/proofs", data=body, headers=boundary) as answer:
            assert answer.status in {400, 403}, body
    data = FormData()
    for number in range(20):
        data.add_field(f"f{number}", b"x", filename="x")
    async with client.post("/counselor/proofs", data=data) as answer:
        assert answer.status == 400


async def test_proofs_are_opened_by_who_said_why_and_by_nobody_else(client: Client) -> None:
    ratna, adi = await prepared(client)
    bima = await make(client, Role.COUNSELOR, name="bima")
    await as_person(client, ratna)
    await fill(client)
    async with client.app[SERVICES].database.sessions() as db:
        (first, *_) = await client.app[REGISTER].proofs.of(db, user=ratna.id)
    path = f"/admin/register/{ratna.id}/proofs/{first.id}"
    for person in (ratna, bima):
        await as_person(client, person)
        await text_of(client, path, 403)
    await as_person(client, adi)
    async with client.get(path, allow_redirects=False) as answer:
        assert answer.status == 303
    status, page = await send(
        client, f"/admin/register/{ratna.id}/open", {"purpose": "x"}, page=f"/admin/register/{ratna.id}"
    )
    assert (status, 'id="purpose-wrong"' in page) == (422, True)
    # A grant for one counselor opens nothing of another's.
    await as_person(client, bima)
    await fill(client)
    await as_person(client, adi)
    status, _ = await open_proofs(client, bima.id)
    assert status == 303
    async with client.get(path, allow_redirects=False) as answer:
        assert answer.status == 303
    await text_of(client, f"/admin/register/{bima.id}/proofs/{first.id}", 404)
    for wrong in ("x", "f_1", "../../../etc/passwd", "f_" + "a" * 20):
        await text_of(client, f"/admin/register/{bima.id}/proofs/{wrong}", 404)


async def test_a_counselor_removes_only_their_own_proofs(client: Client) -> None:
    ratna, _ = await prepared(client)
    bima = await make(client, Role.COUNSELOR, name="bima")
    await as_person(client, ratna)
    await fill(client)
    services, ours = client.app[SERVICES], client.app[REGISTER]
    async with services.database.sessions() as db:
        (first, *_) = await ours.proofs.of(db, user=ratna.id)
    await as_person(client, bima)
    status, _ = await send(client, f"/counselor/proofs/{first.id}/remove", {}, page="/counselor/proofs")
    assert status == 404
    await as_person(client, ratna)
    status, to = await send(client, f"/counselor/proofs/{first.id}/remove", {}, page="/counselor/proofs")
    assert (status, to) == (303, "/counselor/proofs?done=proof_removed")
    assert len(list((services.config.data_dir / "proofs").iterdir())) == 2


async def test_a_counselor_who_is_erased_takes_the_proofs_along(client: Client, clock: FakeClock) -> None:
    ratna, _ = await prepared(client)
    await as_person(client, ratna)
    await fill(client)
    services = client.app[SERVICES]
    folder = services.config.data_dir / "proofs"
    assert len(list(folder.iterdir())) == 3
    async with services.database.sessions.begin() as db:
        await services.erasure.ask(db, person=ratna, login=None, now=services.now())
    clock.advance(timedelta(hours=73).total_seconds())
    async with services.database.sessions.begin() as db:
        await services.erasure.carry_out(db, user=ratna.id, now=services.now())
    async with services.database.sessions() as db:
        assert await register.find(db, user=ratna.id) is None
        assert await people.find(db, user=ratna.id) is None
    assert list(folder.iterdir()) == []
