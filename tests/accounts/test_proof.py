"""Proof of consent, opened for real: the JSON parsed, the PDF read page by page with pikepdf."""

from __future__ import annotations

import hashlib
import io
import json
from datetime import timedelta
from pathlib import Path

import pikepdf
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import consents, grants, people, printing, proof, texts
from accounts.audit import Filter
from accounts.grants import Grant
from accounts.people import Person
from accounts.printing import NotPrinted, Printer
from accounts.receipts import Receipts
from accounts.roles import Permission
from accounts.texts import CONSENTS, Kind
from core.db import Database
from core.errors import Forbidden
from core.ids import UserId
from tests.accounts.test_consents import AUDIT, client_in, give, withdraw
from tests.accounts.test_texts import MASTER, admin_in, publish
from tests.fakes import FakeClock
from web.render import make_renderer

RECEIPTS = Receipts(MASTER, origin="https://teduh.example")


async def grant_to(
    db: AsyncSession, admin: Person, user: UserId, clock: FakeClock, *, erased: bool = False
) -> Grant:
    return await grants.give(
        db,
        AUDIT,
        person=admin,
        permission=Permission.SEE_CONSENT_PROOF,
        subject=None if erased else user,
        object_id=user,
        purpose="Permintaan pengadilan 12/2026",
        now=clock.now(),
    )


async def a_story(database: Database, clock: FakeClock) -> tuple[Person, Person]:
    """A client who gave in two languages, withdrew, and gave again to a changed text; and an admin."""
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        person, admin = await client_in(db, clock), await admin_in(db, clock)
        await give(db, person, Kind.SERVICE, clock)
        await give(db, person, Kind.RESEARCH, clock, locale="en")
        await withdraw(db, person, Kind.RESEARCH, clock)
        await publish(db, admin, clock)
        await give(db, person, Kind.SERVICE, clock, version=2)
    return person, admin


async def own_json(database: Database, person: Person, clock: FakeClock) -> bytes:
    async with database.sessions() as db:
        return proof.as_json(await proof.own(db, user=person.id, now=clock.now()), RECEIPTS)


def page_text(page: pikepdf.Page) -> str:
    """What a page shows, from the text operators of its content (ISO 32000-1, 9.4.3)."""
    shown: list[str] = []
    for instruction in pikepdf.parse_content_stream(page):
        operands, operator = instruction.operands, str(instruction.operator)
        if operator == "Tj":
            shown.append(bytes(operands[0]).decode("cp1252"))
        elif operator == "TJ":
            parts = [bytes(one) for one in operands[0] if isinstance(one, pikepdf.String)]
            shown.append(b"".join(parts).decode("cp1252"))
        elif operator in {"T*", "Td", "TD", "Tm", "ET"}:
            shown.append(" ")
    return " ".join("".join(shown).split())


async def test_the_json_holds_rows_receipts_and_exact_texts(database: Database, clock: FakeClock) -> None:
    person, _ = await a_story(database, clock)
    whole = json.loads(await own_json(database, person, clock))
    assert whole["person"] == person.id
    assert whole["standing"] == {
        "service": "given",
        "recording": "open",
        "supervision": "open",
        "research": "withdrawn",
    }
    told = [(one["kind"], one["event"], one["version"], one["locale"]) for one in whole["entries"]]
    assert told == [
        ("service", "given", 1, "id"),
        ("research", "given", 1, "en"),
        ("research", "withdrawn", 1, "en"),
        ("service", "given", 2, "id"),
    ]
    hashes = {one["sha256"] for one in whole["texts"]}
    assert hashes == {one["sha256"] for one in whole["entries"]}
    assert len(whole["texts"]) == 3
    for one in whole["texts"]:
        assert hashlib.sha256(one["body"].encode()).hexdigest() == one["sha256"]
    for one in whole["entries"]:
        assert RECEIPTS.read(one["receipt"]).id == one["id"]
    assert person.name not in json.dumps(whole, ensure_ascii=False)


@pytest.mark.parametrize("language", ["id", "en"])
async def test_the_pdf_shows_rows_and_texts_and_has_them_attached(
    database: Database, clock: FakeClock, language: str
) -> None:
    person, _ = await a_story(database, clock)
    content = await own_json(database, person, clock)
    renderer = make_renderer()
    made = await Printer().pdf(content, say=lambda key: renderer.text(language, key), language=language)
    with pikepdf.open(io.BytesIO(made)) as pdf:
        assert pdf.Root.Lang == language
        foot = renderer.text(language, "proof.page")
        pages = [
            page_text(page).removesuffix(f" {foot} {number}")
            for number, page in enumerate(pdf.pages, start=1)
        ]
        assert renderer.text(language, "proof.title") in pages[0]
        assert person.id in pages[0]
        for entry in json.loads(content)["entries"]:
            assert entry["sha256"] in pages[0]
            assert entry["id"] in pages[0]
        together = " ".join(pages)
        async with database.sessions() as db:
            for kind, locale in ((Kind.SERVICE, "id"), (Kind.RESEARCH, "en")):
                body = (await texts.find(db, kind=kind, number=1)).text(locale).body
                for line in body.splitlines():
                    words = line.lstrip("#- ")
                    assert " ".join(words.split()) in together, words
        attached = {name: file.get_file().read_bytes() for name, file in pdf.attachments.items()}
    assert attached.pop("proof.json") == content
    assert set(attached) == {"service-1.id.md", "service-2.id.md", "research-1.en.md"}
    assert {hashlib.sha256(one).hexdigest() for one in attached.values()} == {
        one["sha256"] for one in json.loads(content)["texts"]
    }


async def test_a_proof_of_nothing_says_so(database: Database, clock: FakeClock) -> None:
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        person = await client_in(db, clock)
    content = await own_json(database, person, clock)
    renderer = make_renderer()
    made = await Printer().pdf(content, say=lambda key: renderer.text("id", key), language="id")
    with pikepdf.open(io.BytesIO(made)) as pdf:
        (page,) = pdf.pages
        assert renderer.text("id", "proof.none") in page_text(page)


async def test_no_module_of_the_working_directory_runs_where_it_is_printed(
    database: Database, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        person = await client_in(db, clock)
    content = await own_json(database, person, clock)
    renderer = make_renderer()
    (tmp_path / "json.py").write_text("raise SystemExit('not the one of the library')")
    monkeypatch.chdir(tmp_path)
    made = await Printer().pdf(content, say=lambda key: renderer.text("id", key), language="id")
    assert made.startswith(b"%PDF")


async def test_what_cannot_be_printed_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotPrinted, match="could not be made"):
        await Printer().pdf(b"{}", say=str, language="id")
    monkeypatch.setattr(printing, "WITHIN_S", 0.01)
    with pytest.raises(NotPrinted, match="too long"):
        await Printer().pdf(b"{}", say=str, language="id")


async def test_an_admin_reads_it_with_a_grant_and_it_is_written_down(
    database: Database, clock: FakeClock
) -> None:
    person, admin = await a_story(database, clock)
    async with database.sessions.begin() as db:
        grant = await grant_to(db, admin, person.id, clock)
        read = await proof.of_another(db, grant, AUDIT, user=person.id, form="pdf", now=clock.now())
        assert read == await proof.own(db, user=person.id, now=clock.now())
    async with database.sessions() as db:
        own = await AUDIT.own(db, person=person.id, others_only=True)
        assert [(row.tag, row.actor) for row in own] == [
            ("consent:proof", admin.id),
            ("grant:give", admin.id),
        ]
        assert own[0].detail == {"form": "pdf", "purpose": "Permintaan pengadilan 12/2026"}


async def test_a_grant_for_somebody_else_or_something_else_opens_nothing(
    database: Database, clock: FakeClock
) -> None:
    person, admin = await a_story(database, clock)
    async with database.sessions.begin() as db:
        other = await client_in(db, clock)
        wrong = [
            await grant_to(db, admin, other.id, clock),
            await grant_to(db, admin, other.id, clock, erased=True),
            await grants.give(
                db,
                AUDIT,
                person=admin,
                permission=Permission.SEE_AUDIT,
                subject=person.id,
                purpose="Memeriksa",
                now=clock.now(),
            ),
            await grants.give(
                db,
                AUDIT,
                person=admin,
                permission=Permission.SEE_CONSENT_PROOF,
                subject=None,
                purpose="Semuanya",
                now=clock.now(),
            ),
        ]
        right = await grant_to(db, admin, person.id, clock)
        for grant in wrong:
            with pytest.raises(Forbidden):
                await proof.of_another(db, grant, AUDIT, user=person.id, form="json", now=clock.now())
        clock.advance(15 * 60)
        with pytest.raises(Forbidden, match="has ended"):
            await proof.of_another(db, right, AUDIT, user=person.id, form="json", now=clock.now())
        assert await AUDIT.matching(db, wanted=Filter(tag="consent:proof")) == []


async def test_of_an_erased_person_the_proof_is_still_there(database: Database, clock: FakeClock) -> None:
    person, admin = await a_story(database, clock)
    async with database.sessions.begin() as db:
        await AUDIT.subjects.forget(db, subject=person.id)
        await people.leave(db, user=person.id, at=clock.now() + timedelta(hours=72))
        await consents.erase(db, user=person.id, now=clock.now())
    async with database.sessions.begin() as db:
        grant = await grant_to(db, admin, person.id, clock, erased=True)
        read = await proof.of_another(db, grant, AUDIT, user=person.id, form="json", now=clock.now())
    assert [entry.kind for entry in read.entries] == [
        Kind.SERVICE,
        Kind.RESEARCH,
        Kind.RESEARCH,
        Kind.SERVICE,
    ]
    assert set(CONSENTS) == set(read.state.consents)
