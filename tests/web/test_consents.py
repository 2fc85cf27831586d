"""The pages of consents, texts and proofs, on a real database."""

from __future__ import annotations

import html
import io
import json
import re
from typing import Any

import pikepdf
import pytest

from accounts import consents, prose, texts
from accounts.audit import Filter
from accounts.people import Person
from accounts.prose import LOCALES
from accounts.roles import Role
from accounts.standing import Standing
from accounts.texts import CONSENTS, Kind
from tests.accounts.test_texts import written
from tests.fakes import FakeClock
from tests.web.conftest import Client
from tests.web.people import log_in, log_out, make, send
from web.services import Services

ID = {"Accept-Language": "id"}


async def read(client: Client, path: str, *, status: int = 200, language: str = "id") -> str:
    async with client.get(path, headers={"Accept-Language": language}, allow_redirects=False) as answer:
        assert answer.status == status, (path, answer.status, await answer.text())
        return await answer.text()


async def give(client: Client, kind: str, *, version: int = 1, locale: str = "id") -> tuple[int, str]:
    return await send(
        client,
        f"/me/consents/{kind}/give",
        {"version": version, "locale": locale},
        page="/me/consents",
    )


async def standings(services: Services, person: Person) -> list[Standing]:
    async with services.database.sessions() as db:
        state = await consents.state(db, user=person.id)
    return [state.consents[kind].standing for kind in CONSENTS]


async def receipts(client: Client) -> list[str]:
    """The ids of the receipts on the page, the newest first."""
    return re.findall(r'href="/me/consents/receipts/(c_\w+)"', await read(client, "/me/consents"))


async def publish(client: Client, kind: str = "service", **changed: object) -> tuple[int, str]:
    """Send the form of a new version as it stands after its preview."""
    page = f"/admin/texts/{kind}/new"
    fields: dict[str, object] = {
        **{f"body_{locale}": body.replace("\n", "\r\n") for locale, body in written().items()},
        "changes_id": "Lebih jelas.",
        "changes_en": "Clearer.",
        "again": "yes",
        "base": 1,
        **changed,
    }
    status, shown = await send(client, page, fields | {"do": "preview"})
    if status != 200:
        return status, shown
    seen = re.search(r'name="seen" value="(\w+)"', shown)
    assert seen is not None
    return await send(client, page, fields | {"do": "publish", "seen": seen[1]})


async def test_a_client_gives_and_withdraws_each_by_itself(client: Client, services: Services) -> None:
    person = await make(client)
    await log_in(client, person)
    page = await read(client, "/me/consents")
    for kind in CONSENTS:
        assert f'action="/me/consents/{kind.value}/give"' in page
        assert f'action="/me/consents/{kind.value}/withdraw"' not in page
    assert await give(client, "supervision") == (303, "/me/consents?done=consent_given#supervision")
    open_, given = Standing.OPEN, Standing.GIVEN
    assert await standings(services, person) == [open_, open_, given, open_]
    page = await read(client, "/me/consents?done=consent_given")
    assert "Tercatat: kamu setuju" in page
    assert 'action="/me/consents/supervision/give"' not in page
    done = await send(client, "/me/consents/supervision/withdraw", {}, page="/me/consents")
    assert done == (303, "/me/consents?done=consent_withdrawn#supervision")
    assert await standings(services, person) == [open_, open_, Standing.WITHDRAWN, open_]
    assert 'action="/me/consents/supervision/give"' in await read(client, "/me/consents")


async def test_sending_twice_adds_one_row(client: Client, services: Services) -> None:
    person = await make(client)
    await log_in(client, person)
    page = await read(client, "/me/consents")
    hidden = {name: re.search(rf'name="{name}" value="([^"]*)"', page) for name in ("csrf", "once")}
    data = {name: found[1] for name, found in hidden.items() if found} | {"version": "1", "locale": "id"}
    answers = set()
    for _ in range(2):
        async with client.post("/me/consents/service/give", data=data, allow_redirects=False) as answer:
            answers.add((answer.status, answer.headers["Location"]))
    assert answers == {(303, "/me/consents?done=consent_given#service")}
    async with services.database.sessions() as db:
        assert len(await consents.entries(db, user=person.id)) == 1


async def test_the_page_shows_each_text_in_the_readers_language(client: Client) -> None:
    await log_in(client, await make(client))
    for language in LOCALES:
        client.session.cookie_jar.update_cookies({"teduh_lang": language})
        page = html.unescape(await read(client, "/me/consents"))
        for kind in CONSENTS:
            shown = prose.HEADINGS[language]
            assert all(page.count(f"<h2>{heading}</h2>") == len(CONSENTS) for heading in shown), kind


async def test_under_18_two_are_not_asked_and_it_says_why(client: Client, services: Services) -> None:
    person = await make(client, adult=False)
    await log_in(client, person)
    page = await read(client, "/me/consents")
    assert page.count("Ini tidak kami tanyakan kepada orang di bawah 18 tahun") == 2
    for kind in ("recording", "research"):
        assert f'action="/me/consents/{kind}/give"' not in page
        assert (await give(client, kind))[0] == 403
    assert (await give(client, "service"))[0] == 303
    off = Standing.OFF
    assert await standings(services, person) == [Standing.GIVEN, off, Standing.OPEN, off]


@pytest.mark.parametrize(
    ("kind", "fields", "status"),
    [
        ("ethics", {"version": "1"}, 404),
        ("nothing", {"version": "1"}, 404),
        ("service", {}, 404),
        ("service", {"version": "x"}, 404),
        ("service", {"version": "\u00b2"}, 404),
        ("service", {"version": "9" * 30}, 404),
        ("service", {"version": "2"}, 422),
        ("service", {"version": "1", "locale": "fr"}, 404),
        ("service", {"version": "1", "locale": "id\x00"}, 400),
    ],
)
async def test_what_does_not_fit_is_not_recorded(
    client: Client, services: Services, kind: str, fields: dict[str, str], status: int
) -> None:
    person = await make(client)
    await log_in(client, person)
    path = f"/me/consents/{kind}/give"
    assert (await send(client, path, {"locale": "id"} | fields, page="/me/consents"))[0] == status
    async with services.database.sessions() as db:
        assert await consents.entries(db, user=person.id) == []


async def test_a_receipt_is_shown_and_saved_by_its_owner_alone(
    client: Client, services: Services, clock: FakeClock
) -> None:
    person, other = await make(client), await make(client)
    await log_in(client, person)
    await give(client, "service")
    (receipt,) = await receipts(client)
    page = await read(client, f"/me/consents/receipts/{receipt}")
    async with client.get(f"/me/consents/receipts/{receipt}/file") as answer:
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{receipt}.txt"'
        assert answer.content_type == "text/plain"
        signed = await answer.text()
    assert signed.strip() in page
    read_back = services.receipts.read(signed)
    assert (read_back.user, read_back.kind, read_back.at) == (person.id, Kind.SERVICE, clock.now())
    await log_in(client, other)
    for path in (f"/me/consents/receipts/{receipt}", f"/me/consents/receipts/{receipt}/file"):
        await read(client, path, status=404)
    await read(client, "/me/consents/receipts/c_unknown", status=404)


async def test_the_own_proof_comes_as_json_and_pdf(client: Client, services: Services) -> None:
    person = await make(client)
    await log_in(client, person)
    await give(client, "service")
    async with client.get("/me/consents/proof.json") as answer:
        whole = json.loads(await answer.read())
    assert (whole["person"], len(whole["entries"])) == (person.id, 1)
    async with client.get("/me/consents/proof.pdf", headers=ID) as answer:
        assert answer.content_type == "application/pdf"
        assert answer.headers["Content-Disposition"] == 'attachment; filename="proof.pdf"'
        content = await answer.read()
    with pikepdf.open(io.BytesIO(content)) as pdf:
        assert set(pdf.attachments) == {"proof.json", "service-1.id.md"}


async def test_texts_are_open_to_everybody(client: Client) -> None:
    for kind in Kind:
        for language in LOCALES:
            page = html.unescape(await read(client, f"/texts/{kind.value}", language=language))
            assert all(f"<h2>{heading}</h2>" in page for heading in prose.HEADINGS[language])
    for path in ("/texts/nothing", "/texts/service/2", "/texts/service/x", "/texts/service/0"):
        await read(client, path, status=404)


async def test_an_admin_writes_previews_and_publishes(client: Client, services: Services) -> None:
    admin = await make(client, Role.ADMIN)
    await log_in(client, admin)
    assert "Belum dibaca ahli hukum" in await read(client, "/admin/texts")
    assert await publish(client, reviewed="y") == (303, "/admin/texts/service/2?done=text_published")
    async with services.database.sessions() as db:
        made = await texts.current(db, kind=Kind.SERVICE)
        (row,) = await services.audit.matching(db, wanted=Filter(tag="text:publish"))
    assert (made.number, made.material, made.reviewed, row.actor) == (2, True, True, admin.id)
    assert {locale: made.text(locale).body for locale in LOCALES} == written()
    assert "<ins>" in await read(client, "/admin/texts/service/2")
    listed = await read(client, "/admin/texts/service")
    assert "Lebih jelas." in listed
    assert "teks bawaan" in listed
    assert "Ini versi lama" in await read(client, "/texts/service/1")


async def test_a_client_is_asked_again_after_a_material_change(client: Client, services: Services) -> None:
    person, admin = await make(client), await make(client, Role.ADMIN)
    await log_in(client, person)
    await give(client, "service")
    await log_in(client, admin)
    await publish(client)
    await log_in(client, person)
    page = await read(client, "/me/consents")
    assert "Teks berubah, baca lagi" in page
    assert "Yang baru: Lebih jelas." in page
    status, shown = await give(client, "service", version=1)
    assert status == 422
    assert "Teksnya baru saja berubah" in shown
    assert (await standings(services, person))[0] is Standing.REREAD
    assert (await give(client, "service", version=2))[0] == 303
    assert (await standings(services, person))[0] is Standing.GIVEN


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"body_en": ""}, "Teks ini kosong."),
        ({"body_id": "Tanpa judul"}, "Baris pertama harus judul"),
        ({"body_id": "# Judul\n\nIsi."}, "Harus ada tepat tiga kepala"),
        ({"body_en": written()["en"] + "\U0001f642"}, "tanpa emoji"),
        ({"changes_en": ""}, "Bagian ini belum diisi."),
        ({"changes_id": "a"}, "3 sampai 500"),
        ({"changes_id": "a" * 501}, "3 sampai 500"),
        ({"again": ""}, "Pilih salah satu."),
        ({"again": "perhaps"}, "Pilih salah satu."),
    ],
)
async def test_a_text_that_does_not_fit_is_kept_and_told(
    client: Client, services: Services, changed: dict[str, object], words: str
) -> None:
    await log_in(client, await make(client, Role.ADMIN))
    status, shown = await publish(client, **changed)  # type: ignore[arg-type]  # fields of the form only
    assert status == 422
    assert words in html.unescape(shown)
    assert 'id="wrong"' in shown
    kept = str(changed.get("body_en") or "Baru")
    assert kept.splitlines()[0] in html.unescape(shown)
    async with services.database.sessions() as db:
        assert (await texts.current(db, kind=Kind.SERVICE)).number == 1


async def test_the_same_texts_are_published_again_only_when_a_lawyer_read_them(client: Client) -> None:
    await log_in(client, await make(client, Role.ADMIN))
    same: dict[str, Any] = {}
    for locale in LOCALES:
        shipped = (texts.FIRST / f"service.{locale}.md").read_text(encoding="utf-8")
        same[f"body_{locale}"] = shipped.partition("\n---\n")[2]
    status, shown = await publish(client, **same)
    assert (status, "Kedua teks sama dengan versi yang berlaku" in shown) == (422, True)
    assert (await publish(client, **same, reviewed="y", again="no"))[0] == 303
    listed = await read(client, "/admin/texts/service")
    assert listed.index("Sudah dibaca ahli hukum") < listed.index("Belum dibaca ahli hukum")


async def test_nothing_is_published_that_no_preview_showed(client: Client, services: Services) -> None:
    await log_in(client, await make(client, Role.ADMIN))
    fields: dict[str, object] = {
        **{f"body_{locale}": body for locale, body in written().items()},
        "changes_id": "Lebih jelas.",
        "changes_en": "Clearer.",
        "again": "no",
        "base": 1,
    }
    for seen in ("", "0" * 64):
        status, shown = await send(
            client, "/admin/texts/service/new", fields | {"do": "publish", "seen": seen}
        )
        assert status == 200
        assert "Teks berubah sejak pratinjau terakhir" in shown
    async with services.database.sessions() as db:
        assert (await texts.current(db, kind=Kind.SERVICE)).number == 1


async def test_html_in_a_text_is_shown_as_typed(client: Client) -> None:
    await log_in(client, await make(client, Role.ADMIN))
    typed = written()["id"] + "\n<script>alert(1)</script> [x](https://example.org) ![y](z)\n"
    assert (await publish(client, body_id=typed))[0] == 303
    await log_out(client)
    page = await read(client, "/texts/service")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "example.org</a>" not in page
    assert "<img" not in page


async def test_of_two_admins_the_second_is_told_and_keeps_the_text(client: Client) -> None:
    await log_in(client, await make(client, Role.ADMIN))
    assert (await publish(client))[0] == 303
    status, shown = await publish(client, body_id=written("Lain")["id"], base=1)
    assert status == 422
    assert "Sementara itu versi lain diterbitkan" in shown
    assert "# Lain" in shown
    assert 'name="base" value="2"' in shown


async def test_an_admin_opens_a_proof_for_a_purpose_and_the_person_sees_it(
    client: Client, services: Services, clock: FakeClock
) -> None:
    person, admin = await make(client), await make(client, Role.ADMIN)
    await log_in(client, person)
    await give(client, "service")
    await log_in(client, admin)
    page = f"/admin/consents/{person.id}"
    for path in (page, f"{page}/proof.json", f"{page}/proof.pdf"):
        await read(client, path, status=303)
    done = await send(client, "/admin/consents", {"user": person.id, "purpose": "Permintaan pengadilan"})
    assert done == (303, page)
    assert "Permintaan pengadilan" in await read(client, page)
    async with client.get(f"{page}/proof.json") as answer:
        assert json.loads(await answer.read())["person"] == person.id
    async with client.get(f"{page}/proof.pdf") as answer:
        assert (await answer.read()).startswith(b"%PDF-")
    async with services.database.sessions() as db:
        told = await services.audit.own(db, person=person.id, others_only=True)
    assert [entry.tag for entry in told] == ["consent:proof", "consent:proof", "grant:give"]
    assert {str(entry.detail["purpose"]) for entry in told if entry.detail} == {"Permintaan pengadilan"}
    clock.advance(16 * 60)
    await read(client, f"{page}/proof.json", status=303)
    await log_in(client, person)
    assert "Bukti persetujuan dibuka" in await read(client, "/me/history")


@pytest.mark.parametrize(
    ("user", "purpose", "words"),
    [
        ("", "Permintaan", "Bagian ini belum diisi."),
        ("Sekar", "Permintaan", "Ini bukan kode orang."),
        ("s_" + "a" * 20, "Permintaan", "Ini bukan kode orang."),
        ("u_" + "a" * 20, "", "Bagian ini belum diisi."),
        ("u_" + "a" * 20, "ab", "3 sampai 200"),
        ("u_" + "a" * 20, "  a  ", "3 sampai 200"),
        ("u_" + "a" * 20, "a" * 201, "3 sampai 200"),
    ],
)
async def test_no_grant_without_a_person_and_a_purpose(
    client: Client, services: Services, user: str, purpose: str, words: str
) -> None:
    await log_in(client, await make(client, Role.ADMIN))
    status, shown = await send(client, "/admin/consents", {"user": user, "purpose": purpose})
    assert status == 422
    assert words in shown
    async with services.database.sessions() as db:
        assert await services.audit.matching(db, wanted=Filter(tag="grant:give")) == []


async def test_after_erasure_the_proof_is_still_given_by_its_code(
    client: Client, services: Services, clock: FakeClock
) -> None:
    person, admin = await make(client), await make(client, Role.ADMIN)
    await log_in(client, person)
    await give(client, "service")
    async with services.database.sessions.begin() as db:
        await services.erasure.ask(db, person=person, login=None, now=clock.now())
    clock.advance(73 * 3600)
    async with services.database.sessions.begin() as db:
        assert await services.erasure.carry_out(db, user=person.id, now=clock.now())
    await log_in(client, admin)
    done = await send(client, "/admin/consents", {"user": person.id, "purpose": "Permintaan pengadilan"})
    assert done[0] == 303
    assert "sudah dihapus" in await read(client, done[1])
    async with client.get(f"{done[1]}/proof.json") as answer:
        text = await answer.text()
    assert [entry["kind"] for entry in json.loads(text)["entries"]] == ["service"]
    assert person.name not in text
