"""The crisis page, and the lines behind it."""

from __future__ import annotations

import re

from accounts.roles import Role
from counseling import crisis
from tests.fakes import FakeClock
from tests.web.conftest import Client
from tests.web.people import log_in, log_out, make, send
from web.duties import clinical_digest, clinical_texts, tell_stale_lines
from web.pages.site import SITE
from web.services import SERVICES

LINE = {
    "name": "Siang",
    "numbers": "0800-1-500119\n119,8",
    "about_id": "Untuk siapa saja",
    "about_en": "For anybody",
    "days": ["0", "1"],
    "opens": "08.00",
    "closes": "17:30",
    "languages": "id, JV",
    "owner": "Rina",
    "source": "brosur",
}


async def page(client: Client, language: str = "id") -> str:
    async with client.get("/crisis", headers={"Accept-Language": language}) as answer:
        assert answer.status == 200
        return await answer.text()


async def test_it_is_open_to_all_and_never_empty(client: Client) -> None:
    text = await page(client)
    assert re.findall(r'href="(tel:[^"]+)"', text) == ["tel:119,8", "tel:112", "tel:129"]
    assert "Apakah kamu aman saat ini?" in text
    assert text.count("nomor belum kami cek") == 3
    assert "belum ditandatangani klinisi" in text
    assert "Are you safe right now?" in await page(client, "en")


async def test_an_admin_takes_over_checks_and_signs(client: Client, clock: FakeClock) -> None:
    await log_in(client, await make(client, Role.ADMIN, name="Dewi"))
    assert (await send(client, "/admin/crisis/adopt", {}, page="/admin/crisis"))[0] == 303
    async with client.app[SERVICES].database.sessions() as db:
        first = (await crisis.every(db))[0]
    status, where = await send(client, f"/admin/crisis/{first.id}/checked", {}, page="/admin/crisis")
    assert (status, where) == (303, "/admin/crisis?done=line_checked")
    status, text = await send(client, "/admin/crisis/sign", {"clinician": ""}, page="/admin/crisis")
    assert status == 422
    assert (await send(client, "/admin/crisis/sign", {"clinician": "dr. Sp"}, page="/admin/crisis"))[0] == 303
    await log_out(client)
    text = await page(client)
    assert text.count("nomor belum kami cek") == 2
    assert "2 Maret 2026" in text
    assert "belum ditandatangani" not in text
    clock.advance(31 * 86_400)
    assert "lebih dari 30 hari lalu" in await page(client)
    await tell_stale_lines(client.app[SERVICES])
    await log_in(client, await make(client, Role.ADMIN))
    async with client.get("/admin/crisis") as answer:
        assert "tidak dicek lebih dari 30 hari" in await answer.text()


async def test_a_line_is_added_changed_and_deleted(client: Client) -> None:
    await log_in(client, await make(client, Role.ADMIN))
    for changed, said in (
        ({"numbers": "tolong"}, "hanya angka"),
        ({"days": []}, "paling sedikit satu hari"),
        ({"opens": ""}, "jam seperti"),
        ({"closes": "25.00"}, "jam seperti"),
        ({"name": " " * 5}, "Bagian ini belum diisi"),
        ({"source": "x" * 301}, "Terlalu panjang"),
        ({"days": ["9"]}, "Pilih salah satu"),
    ):
        status, text = await send(client, "/admin/crisis/new", {**LINE, **changed})
        assert status == 422, changed
        assert said in text, changed
        assert "brosur" in text or "source" in changed, "what was typed is kept"
    assert (await send(client, "/admin/crisis/new", LINE))[0] == 303
    async with client.app[SERVICES].database.sessions() as db:
        (line,) = await crisis.every(db)
    assert (line.numbers, line.days, line.opens_minute, line.closes_minute, line.languages) == (
        ("08001500119", "119,8"),
        "1100000",
        480,
        1050,
        ("id", "jv"),
    )
    assert "Senin, Selasa: 08.00\u201317.30 (Jakarta)" in await page(client)
    assert (await send(client, f"/admin/crisis/{line.id}", {**LINE, "always": "y"}))[0] == 303
    assert "24 jam" in await page(client)
    assert (await send(client, f"/admin/crisis/{line.id}/remove", {}, page="/admin/crisis"))[0] == 303
    assert (await send(client, f"/admin/crisis/{line.id}/up", {}, page="/admin/crisis"))[0] == 404


async def test_a_changed_word_lapses_the_signoff(client: Client) -> None:
    renderer = client.app[SITE].renderer
    before = clinical_digest(renderer)
    assert len(clinical_texts(renderer)) >= 5
    key = clinical_texts(renderer)[0][0]
    texts = {name: dict(those) for name, those in renderer.texts.items()}
    texts["en"][key] += "!"
    assert clinical_digest(type(renderer)(renderer.environment, texts)) != before
