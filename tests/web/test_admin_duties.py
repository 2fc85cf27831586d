"""The admin's pages of duties: the roster, people under 18, incidents."""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta

import pytest

from accounts.audit import Filter
from accounts.people import Person
from accounts.roles import Role
from counseling import incidents, roster
from counseling.minors import read_policy
from counseling.roster import Duty
from tests.docs.conftest import ROOT
from tests.fakes import FakeClock
from tests.web.conftest import Client
from tests.web.people import log_in, log_out, make, send
from web.commands.incident import tell
from web.duties import DUTIES
from web.services import SERVICES


async def staff(client: Client) -> tuple[Person, Person]:
    rina, budi = (
        await make(client, Role.COUNSELOR, name="Rina Dewi"),
        await make(client, Role.SUPERVISOR, name="Budi"),
    )
    await log_in(client, await make(client, Role.ADMIN, name="Ayu"))
    return rina, budi


async def page(client: Client, path: str) -> str:
    async with client.get(path) as answer:
        assert answer.status == 200, (path, answer.status)
        return await answer.text()


async def test_a_roster_begins_as_one_gap_and_is_filled(client: Client) -> None:
    rina, budi = await staff(client)
    text = await page(client, "/admin/roster")
    assert text.count('class="gap"><span class="long">kosong') == 168
    assert "Kosong dalam 7 hari ke depan" in text
    hours = {"days": [str(day) for day in range(7)], "from_hour": "22", "until_hour": "6"}
    for wrong in (
        {"person": rina.id, "deputy": rina.id},
        {"person": "", "deputy": rina.id},
        {"person": "u_x", "deputy": ""},
        {"person": rina.id, "deputy": "", "days": []},
        {"person": rina.id, "deputy": "", "from_hour": "24"},
    ):
        assert (await send(client, "/admin/roster", {**hours, **wrong}))[0] == 422, wrong
    whole = {"days": [str(day) for day in range(7)], "from_hour": "0", "until_hour": "24"}
    assert (await send(client, "/admin/roster", {**whole, "person": rina.id, "deputy": budi.id}))[0] == 303
    assert (await send(client, "/admin/roster", {**hours, "person": budi.id, "deputy": ""}))[0] == 303
    text = await page(client, "/admin/roster")
    assert "Tidak ada jam kosong" in text
    assert text.count('class="thin"') == 56
    assert "22.00\u201324.00" in text
    assert "Ayu" not in text.partition("<main")[2], "an admin cannot be on duty"


async def test_one_date_differs_and_is_restored(client: Client, clock: FakeClock) -> None:
    rina, _ = await staff(client)
    fields = {"on": "2026-03-04", "from_hour": "8", "until_hour": "12", "person": rina.id, "deputy": ""}
    for wrong in ({"on": "2026-03-01"}, {"on": "2028-03-01"}, {"on": "besok"}, {"until_hour": "8"}):
        answer = await send(client, "/admin/roster/date", {**fields, **wrong}, page="/admin/roster")
        assert answer[0] == 422, wrong
    assert (await send(client, "/admin/roster/date", fields, page="/admin/roster"))[0] == 303
    services = client.app[SERVICES]
    at = clock.now().replace(hour=2) + timedelta(days=2)  # 09.00 in Jakarta
    async with services.database.sessions() as db:
        held = await roster.load(db, zone=client.app[DUTIES].zone, now=clock.now())
    assert held.on_duty(at) == Duty(rina.id, None)
    assert "4 Maret 2026" in await page(client, "/admin/roster")
    way = "/admin/roster/date/2026-03-04/restore"
    assert (await send(client, way, {}, page="/admin/roster"))[0] == 303
    await log_out(client)
    await log_in(client, rina)
    assert "Jadwal jaga Anda berubah" in await page(client, "/me/notices")
    assert "tidak tercatat" in await page(client, "/me/duty")


async def test_without_a_policy_the_page_says_what_that_means(client: Client) -> None:
    await staff(client)
    assert "18 ke atas" in await page(client, "/admin/minors")
    async with client.get("/admin/minors/u_x") as answer:
        assert answer.status == 404


async def seen(client: Client, person: Person) -> int:
    """Count the rows that say that somebody was shown."""
    services = client.app[SERVICES]
    async with services.database.sessions() as db:
        entries = await services.audit.matching(db, wanted=Filter(tag="minor:see", person=person.id))
    return sum(entry.subject == person.id for entry in entries)


async def test_a_decision_about_a_minor(client: Client) -> None:
    services = client.app[SERVICES]
    services.minors = dataclasses.replace(
        read_policy(ROOT / "examples" / "minors.toml") or pytest.fail("no policy"), may_decide=("Dr. Ratna",)
    )
    await staff(client)
    child, adult = await make(client, name="Daun Kecil", adult=False), await make(client, name="Daun Besar")
    assert "Daun Kecil" not in await page(client, "/admin/minors"), "nobody browses"
    assert await seen(client, child) == 0
    for part in ("daun", "Daun", "aun kec", "%", "Daun_Kecil", "Daun Besar"):
        status, text = await send(client, "/admin/minors", {"name": part})
        assert (status, "Tidak ada klien" in text) == (200, True), part
    assert (await send(client, "/admin/minors", {"name": " "}))[0] == 422
    assert "/admin/minors/" not in await page(client, "/admin/minors?name=Daun+Kecil")
    assert await seen(client, child) == 0
    status, text = await send(client, "/admin/minors", {"name": " daun  kecil "})
    assert (status, f"/admin/minors/{child.id}" in text) == (200, True)
    assert await seen(client, child) == 1
    await page(client, f"/admin/minors/{child.id}")
    assert await seen(client, child) == 2
    assert await seen(client, adult) == 0
    async with client.get(f"/admin/minors/{adult.id}") as answer:
        assert answer.status == 404
    way = f"/admin/minors/{child.id}"
    fields = {"kind": "exception", "decider": "Dr. Ratna", "reason": "pesan dari sekolah"}
    for wrong in ({"decider": "Admin"}, {"kind": "x"}, {"reason": " "}):
        assert (await send(client, way, {**fields, **wrong}))[0] == 422, wrong
    assert (await send(client, way, fields))[0] == 303
    text = await page(client, way)
    assert "Sesi boleh berlanjut" in text
    assert "pesan dari sekolah" not in text
    assert (await send(client, f"{way}/open", {"purpose": "x"}, page=way))[0] == 422
    assert (await send(client, f"{way}/open", {"purpose": "meninjau"}, page=way))[0] == 303
    assert "pesan dari sekolah" in await page(client, way)
    await log_out(client)
    await log_in(client, child)
    assert "Nama dan keputusan tentang usia di bawah 18 dilihat" in await page(client, "/me/history")


async def test_an_incident_and_its_clock(client: Client, clock: FakeClock) -> None:
    services = client.app[SERVICES]
    person = await make(client)
    async with services.database.sessions.begin() as db:
        made = await incidents.open_incident(
            db,
            services.audit,
            title="Cadangan hilang",
            what_id="Sebuah cadangan hilang.",
            what_en="A backup was lost.",
            since=clock.now() - timedelta(hours=3),
            until=clock.now() - timedelta(hours=2),
            known_at=clock.now(),
            users=[person.id],
            now=clock.now(),
        )
    await staff(client)
    way = f"/admin/incidents/{made.id}"
    assert "Sisa 72 jam" in await page(client, "/admin/incidents")
    clock.advance(73 * 60)
    await log_in(client, await make(client, Role.ADMIN))
    assert "Sisa 70 jam" in await page(client, "/admin/incidents")
    status, text = await send(client, f"{way}/close", {}, page=way)
    assert (status, "Belum bisa ditandai selesai" in text) == (422, True)
    async with services.database.sessions.begin() as db:
        await tell(db, services.audit, incident=made, zone="Asia/Jakarta", now=clock.now())
    assert (await send(client, f"{way}/note", {"text": " "}, page=way))[0] == 422
    assert (await send(client, f"{way}/note", {"text": "Kunci diganti."}, page=way))[0] == 303
    assert (await send(client, f"{way}/report", {}, page=way))[0] == 303
    assert "Semua sudah diberi tahu" in await page(client, "/admin/incidents")
    assert "Kunci diganti." in await page(client, way)
    assert (await send(client, f"{way}/close", {}, page=way))[0] == 303
    await log_out(client)
    await log_in(client, person)
    text = await page(client, "/me/notices")
    assert "Sebuah cadangan hilang." in text
    assert re.search(r"antara 2 Mar 2026, 13\.00 WIB dan", text)
