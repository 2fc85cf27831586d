"""The register's pages, without script: a counselor fills the entry, an admin verifies it."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from aiohttp import FormData
from PIL import Image

from accounts import notices, texts
from accounts.people import Person
from accounts.roles import Role
from core.ids import new_user_id
from counseling import expiry
from tests.fakes import FakeClock
from tests.web.conftest import Client
from tests.web.people import log_in, log_out, make, send
from web.register import REGISTER
from web.services import SERVICES

LICENCE: dict[str, object] = {
    "kind": "psychologist",
    "shown_name": "Ratna Puspita",
    "title": "M.Psi., Psikolog",
    "degree": "magister",
    "licence_number": "STR-12-345",
    "issuing_body": "HIMPSI",
    "licence_region": "Jawa Tengah",
    "valid_until": "2026-06-30",
    "background_checked_on": "2026-01-15",
}
PRACTICE: dict[str, object] = {
    "about": "Saya mendengarkan.\nPelan-pelan saja.",
    "languages": ["id", "jv"],
    "topics": ["study", "grief"],
    "media": ["video", "chat"],
    "capacity": "4",
    "reply_hours": "24",
    "recusals": "Fakultas Teknik\n\nFakultas Hukum",
}


def photo(**how: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (30, 20), "red").save(out, "JPEG", **how)
    return out.getvalue()


async def prepared(client: Client) -> tuple[Person, Person]:
    """A counselor and an admin, and the texts that are signed."""
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        await texts.put_first(db, now=services.now())
    return await make(client, Role.COUNSELOR, name="ratna"), await make(client, Role.ADMIN, name="adi")


async def as_person(client: Client, person: Person) -> None:
    await log_out(client)
    await log_in(client, person)


async def fill(client: Client) -> None:
    """All steps of the counselor who is logged in."""
    status, to = await send(
        client, "/counselor/register/licence", LICENCE, page="/counselor/register/licence?kind=psychologist"
    )
    assert (status, to) == (303, "/counselor/register?done=saved"), to
    status, to = await send(client, "/counselor/register/practice", PRACTICE)
    assert status == 303, to
    for kind in ("licence", "degree", "background"):
        status, to = await send(client, "/counselor/proofs", {"kind": kind, "file": photo()})
        assert (status, to) == (303, "/counselor/proofs?done=proof_added"), to


async def text_of(client: Client, path: str, status: int = 200) -> str:
    async with client.get(path) as answer:
        assert answer.status == status, (path, answer.status)
        return await answer.text()


async def sign(client: Client) -> None:
    page = await text_of(client, "/counselor/ethics")
    hidden = {name: page.split(f'name="{name}" value="')[1].split('"')[0] for name in ("version", "digest")}
    status, to = await send(client, "/counselor/ethics", hidden | {"agree": "y"})
    assert (status, to) == (303, "/counselor/register?done=signed")


async def decide(client: Client, user: str, does: str, **changed: object) -> tuple[int, str]:
    page = await text_of(client, f"/admin/register/{user}")
    saw = page.split('name="saw" value="')[1].split('"')[0]
    fields = {"saw": saw, "decision": does, "on": "2026-03-02", "note": "STR dan ijazah dilihat."}
    return await send(client, f"/admin/register/{user}", fields | changed)


async def open_proofs(client: Client, user: str) -> tuple[int, str]:
    """Say what the proofs are opened for."""
    page = f"/admin/register/{user}"
    return await send(client, f"{page}/open", {"purpose": "verifikasi"}, page=page)


async def test_the_whole_way_from_an_empty_entry_to_a_card_and_its_end(
    client: Client, clock: FakeClock
) -> None:
    ratna, adi = await prepared(client)
    card = f"/counselors/{ratna.id}"
    await as_person(client, ratna)
    assert "Belum diserahkan" in await text_of(client, "/counselor/register")
    await fill(client)
    await sign(client)
    status, to = await send(client, "/counselor/hours", {"day_0": "9-12", "day_4": "13.00-17.00"})
    assert status == 303, to
    status, to = await send(client, "/counselor/register", {})
    assert (status, to) == (303, "/counselor/register?done=handed_in")
    await log_out(client)
    await text_of(client, card, 404)

    await as_person(client, adi)
    listed = await text_of(client, "/admin/register")
    assert "Ratna Puspita" in listed
    entry = await text_of(client, f"/admin/register/{ratna.id}")
    assert "STR-12-345" in entry
    assert "/proofs/f_" not in entry
    status, to = await open_proofs(client, ratna.id)
    assert status == 303, to
    entry = await text_of(client, f"/admin/register/{ratna.id}")
    proof = entry.split('href="/admin/register/')[1].split('"')[0]
    async with client.get(f"/admin/register/{proof}") as answer:
        data = await answer.read()
        assert answer.status == 200
        assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        named = answer.headers["Content-Disposition"]
        assert re.fullmatch(r'attachment; filename="[a-z]+-[0-9a-z]{6}\.jpg"', named)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.content_type == "image/jpeg"
        assert data[:3] == b"\xff\xd8\xff"
    status, to = await decide(client, ratna.id, "verify")
    assert (status, to) == (303, f"/admin/register/{ratna.id}?done=register_verify")

    await log_out(client)
    page = await text_of(client, card)
    for shown in ("Ratna Puspita", "M.Psi., Psikolog", "Jawa Tengah", "Kuliah dan belajar", "Senin 09.00"):
        assert shown in page
    for hidden in ("STR-12-345", "Fakultas Teknik", "HIMPSI", "2026-06-30", "ratna<"):
        assert hidden not in page

    clock.advance((120 + 1) * 86_400)
    await text_of(client, card, 404)
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        today = client.app[REGISTER].today(services.now())
        await expiry.warn(db, today=today, now=services.now())  # unless the hourly job was first
    async with services.database.sessions() as db:
        ended = [one for one in await notices.inbox(db, user=ratna.id) if one.kind == "register_ended"]
        assert len(ended) == 1
        tags = {row.tag for row in await services.audit.own(db, person=ratna.id)}
    assert {"register:submit", "register:verify", "proof:open", "proof:add", "ethics:sign"} <= tags


async def test_what_was_typed_stays_and_what_is_wrong_stands_at_its_field(client: Client) -> None:
    ratna, _ = await prepared(client)
    await log_in(client, ratna)
    wrong = LICENCE | {"degree": "sarjana", "valid_until": "2020-01-01", "issuing_body": " ", "title": "<b>x"}
    status, page = await send(
        client, "/counselor/register/licence", wrong, page="/counselor/register/licence?kind=psychologist"
    )
    assert status == 422
    assert 'value="STR-12-345"' in page
    assert "&lt;b&gt;x" in page
    assert '<option value="sarjana" selected>' in page
    for field in ("degree", "valid_until", "issuing_body"):
        assert f'id="{field}-wrong"' in page
    assert 'id="licence_number-wrong"' not in page
    status, page = await send(
        client,
        "/counselor/register/licence",
        LICENCE | {"valid_until": "besok"},
        page="/counselor/register/licence?kind=psychologist",
    )
    assert status == 422
    assert 'value="besok"' in page


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("about", "  "),
        ("about", "x" * 1201),
        ("languages", []),
        ("languages", ["tlh"]),
        ("topics", ["study", "study"]),
        ("media", ["telepathy"]),
        ("capacity", "0"),
        ("capacity", "201"),
        ("capacity", "-1"),
        ("capacity", "\u0661"),
        ("reply_hours", "169"),
        ("reply_hours", ""),
        ("recusals", "\n".join(f"Fakultas {number}" for number in range(21))),
        ("recusals", "x" * 81),
    ],
)
async def test_an_offer_that_does_not_fit_is_said_at_its_field(
    client: Client, field: str, value: object
) -> None:
    ratna, _ = await prepared(client)
    await log_in(client, ratna)
    status, page = await send(client, "/counselor/register/practice", PRACTICE | {field: value})
    assert status == 422
    assert f'id="{field}-wrong"' in page


async def test_minors_are_for_those_whose_credential_allows_it(client: Client) -> None:
    ratna, _ = await prepared(client)
    await log_in(client, ratna)
    offer = PRACTICE | {"minors": "y"}
    status, page = await send(client, "/counselor/register/practice", offer)
    assert (status, 'id="minors-wrong"' in page) == (422, True), "no kind is chosen yet"
    way = "/counselor/register/licence?kind=psychologist"
    assert (await send(client, "/counselor/register/licence", LICENCE, page=way))[0] == 303
    assert (await send(client, "/counselor/register/practice", offer))[0] == 303
    trainee = {**LICENCE, "kind": "trainee"}
    status, to = await send(
        client, "/counselor/register/licence", trainee, page="/counselor/register/licence?kind=trainee"
    )
    assert status == 303, to
    async with client.get("/counselor/register/practice") as answer:
        found = re.search(r'<input[^>]*name="minors"[^>]*>', await answer.text())
    assert found is not None
    assert "checked" not in found[0], "what was offered before does not outlive the credential"
    status, page = await send(client, "/counselor/register/practice", offer)
    assert (status, 'id="minors-wrong"' in page) == (422, True)


async def test_hours_are_said_at_their_day(client: Client) -> None:
    ratna, _ = await prepared(client)
    await log_in(client, ratna)
    fields = {"day_0": "9-12", "day_2": "pagi", "away_from": "2026-05-02", "away_until": "2026-05-01"}
    status, page = await send(client, "/counselor/hours", fields)
    assert status == 422
    assert 'id="day_2-wrong"' in page
    assert 'id="away_until-wrong"' in page
    assert 'value="pagi"' in page
    assert 'value="9-12"' in page


async def test_an_unfinished_entry_is_not_handed_in(client: Client) -> None:
    ratna, _ = await prepared(client)
    await log_in(client, ratna)
    status, page = await send(client, "/counselor/register", {})
    assert status == 422
    assert "Masih ada langkah" in page


async def test_a_form_sent_twice_is_done_once(client: Client) -> None:
    ratna, _ = await prepared(client)
    await log_in(client, ratna)
    page = await text_of(client, "/counselor/proofs")
    hidden = {name: page.split(f'name="{name}" value="')[1].split('"')[0] for name in ("csrf", "once")}
    for _ in range(2):
        data = FormData({**hidden, "kind": "licence"})
        data.add_field("file", photo(), filename="../../etc/passwd", content_type="text/html")
        async with client.post("/counselor/proofs", data=data, allow_redirects=False) as answer:
            assert answer.status == 303
    services = client.app[SERVICES]
    async with services.database.sessions() as db:
        assert len(await client.app[REGISTER].proofs.of(db, user=ratna.id)) == 1


async def test_a_refusal_tells_why_and_the_entry_can_be_handed_in_again(client: Client) -> None:
    ratna, adi = await prepared(client)
    await as_person(client, ratna)
    await fill(client)
    await send(client, "/counselor/register", {})
    await as_person(client, adi)
    for changed in ({"note": "x"}, {"on": ""}, {"on": "2026-03-09"}, {"decision": "promote"}):
        status, page = await decide(client, ratna.id, "refuse", **changed)
        assert status == 422, changed
        assert "-wrong" in page
    status, _ = await decide(client, ratna.id, "refuse", note="Ijazah terpotong.")
    assert status == 303
    await as_person(client, ratna)
    page = await text_of(client, "/counselor/register")
    assert "Ijazah terpotong." in page
    status, to = await send(client, "/counselor/register", {})
    assert (status, to) == (303, "/counselor/register?done=handed_in")


async def test_an_entry_that_changed_meanwhile_is_read_again_first(client: Client) -> None:
    ratna, adi = await prepared(client)
    await as_person(client, ratna)
    await fill(client)
    await send(client, "/counselor/register", {})
    await as_person(client, adi)
    status, page = await decide(client, ratna.id, "verify", saw="0" * 32)
    assert status == 409
    assert "berubah selagi" in page
    assert "STR dan ijazah dilihat." in page
    assert "0" * 32 not in page


async def test_a_supervisor_sees_whom_an_admin_assigned_and_only_while_it_lasts(client: Client) -> None:
    ratna, adi = await prepared(client)
    sari = await make(client, Role.SUPERVISOR, name="sari")
    await as_person(client, ratna)
    await fill(client)
    await as_person(client, sari)
    assert "Ratna Puspita" not in await text_of(client, "/supervisor")
    await text_of(client, f"/admin/register/{ratna.id}", 403)
    await as_person(client, adi)
    path = f"/admin/register/{ratna.id}"
    status, page = await send(
        client, f"{path}/supervisors", {"supervisor": adi.id, "from_day": "2026-03-02"}, page=path
    )
    assert (status, 'id="supervisor-wrong"' in page) == (422, True)
    chosen: dict[str, object] = {"supervisor": sari.id, "from_day": "2026-03-02"}
    status, to = await send(client, f"{path}/supervisors", chosen, page=path)
    assert status == 303, to
    status, page = await send(client, f"{path}/supervisors", chosen, page=path)
    assert (status, 'id="supervisor-wrong"' in page) == (422, True)
    await as_person(client, sari)
    page = await text_of(client, "/supervisor")
    assert "Ratna Puspita" in page
    assert "STR-12-345" not in page
    await as_person(client, adi)
    page = await text_of(client, path)
    end = page.split(f'action="{path}/supervisors/')[1].split('"')[0]
    status, _ = await send(client, f"{path}/supervisors/{end}", {}, page=path)
    assert status == 303
    await as_person(client, sari)
    assert "Ratna Puspita" not in await text_of(client, "/supervisor")


async def test_who_is_no_counselor_has_no_entry_and_no_card(client: Client) -> None:
    _, adi = await prepared(client)
    somebody = await make(client)
    await as_person(client, adi)
    for user in (somebody.id, new_user_id(), "u_1", "x" * 300, adi.id):
        await text_of(client, f"/admin/register/{user}", 404)
        await text_of(client, f"/counselors/{user}", 404)
    for view in ("pending", "expiring", "all", "nonsense"):
        for page in ("1", "2", "0", "-1", "x", "99999"):
            await text_of(client, f"/admin/register?view={view}&page={page}")
