"""The report of a session's line: who may read it, that it is written down, and what it says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta

import pytest

from accounts import people
from accounts.people import Person
from accounts.roles import Role
from counseling import supervision
from signaling.directory import SessionRecord
from tests.fakes import FakeClock
from tests.web.browsing import get
from tests.web.conftest import Client, new_program
from tests.web.people import log_in, log_out, make
from tests.web.sessions import bad_quarter, make_session
from web.services import SERVICES


@dataclass
class Staged:
    """Everybody who could want to read about one session."""

    client: Client
    session: SessionRecord
    embun: Person
    ratna: Person
    other: Person
    sari: Person
    stranger: Person
    dewi: Person

    @property
    def path(self) -> str:
        return f"/quality/sessions/{self.session.id}"

    async def status(self, person: Person) -> int:
        await log_out(self.client)
        await log_in(self.client, person)
        return (await get(self.client, self.path)).status

    async def text(self, person: Person, language: str = "en") -> str:
        await log_out(self.client)
        await log_in(self.client, person)
        self.client.session.cookie_jar.update_cookies({"teduh_lang": language})
        page = await get(self.client, self.path)
        assert page.status == 200
        return page.text


@pytest.fixture
async def staged(client: Client, clock: FakeClock) -> Staged:
    """A session with a bad quarter of an hour, and who supervises whom."""
    embun, dewi = await make(client, name="Embun"), await make(client, Role.ADMIN, name="dewi")
    ratna = await make(client, Role.COUNSELOR, name="ratna")
    other = await make(client, Role.COUNSELOR, name="other")
    sari, stranger = [await make(client, Role.SUPERVISOR, name=name) for name in ("sari", "stranger")]
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        session = await make_session(db, client=embun, counselor=ratna, now=services.now())
        await bad_quarter(db, session, began_at=services.now())
        await supervision.assign(
            db,
            services.audit,
            person=dewi,
            supervisor=sari,
            counselor=ratna,
            from_day=services.now().date() - timedelta(days=1),
            until_day=None,
            now=services.now(),
        )
    clock.advance(3_600)
    return Staged(client, session, embun, ratna, other, sari, stranger, dewi)


async def test_its_counselor_who_supervises_them_and_admins_read_it_and_nobody_else(staged: Staged) -> None:
    for person in (staged.ratna, staged.sari, staged.dewi):
        assert await staged.status(person) == 200, person.name
    for person in (staged.other, staged.stranger):
        assert await staged.status(person) == 404, person.name
    assert await staged.status(staged.embun) == 403


async def test_the_client_reads_who_opened_it_once_and_why(staged: Staged) -> None:
    for _ in range(3):
        await staged.text(staged.sari)
    await log_out(staged.client)
    await log_in(staged.client, staged.embun)
    history = (await get(staged.client, "/me/history?by=others")).text
    assert history.count("Laporan sambungan sebuah sesi dibuka") == 1
    assert "sari" in history
    assert "melihat bagaimana sambungan" in history


async def test_the_pseudonym_is_for_the_client_s_own_counselor(staged: Staged) -> None:
    assert "Embun" in await staged.text(staged.ratna)
    for person in (staged.sari, staged.dewi):
        assert "Embun" not in await staged.text(person)


async def test_it_says_whose_line_it_was_and_what_happened_to_it(staged: Staged) -> None:
    text = await staged.text(staged.ratna)
    assert "The trouble was mostly on the client&#39;s line." in text
    assert "Times it broke: 1; 7.6 s in all, 7.6 s at most." in text
    assert "Nothing came through, from the client to us" in text
    assert "16:05:58" in text, "the last packet came 1.2 s before the break was told"
    assert "The picture was paused: for the line" in text
    assert "Moved to voice only: for the line" in text
    assert "The page is in touch with the server again after 1.0 s" in text
    assert "Packets were lost, from the client to us" in text
    assert "36.9 MB (18.0 MB sent, 18.9 MB received)" in text
    assert "Somebody had left." in text
    indonesian = await staged.text(staged.ratna, "id")
    assert "Gangguannya terutama di sambungan klien." in indonesian
    assert "seluruhnya 7,6 detik" in indonesian


async def test_the_picture_shows_both_sides_with_gaps_and_steps(staged: Staged) -> None:
    text = await staged.text(staged.dewi)
    assert text.count('<svg class="lane-shapes') == 8
    assert text.count('role="img" aria-label=') == 8
    shapes = re.findall(r'<rect class="([gr]-[a-z]+)" x="([\d.]+)" width="([\d.]+)"', text)
    assert {word for word, _, _ in shapes} >= {"g-good", "g-poor", "g-gap", "r-full", "r-paused", "r-voice"}
    assert all(float(x) >= 0 and float(x) + float(width) <= 1000.1 for _, x, width in shapes)
    assert "style=" not in text


async def test_a_program_s_session_is_for_admins_alone(staged: Staged, clock: FakeClock) -> None:
    services = staged.client.app[SERVICES]
    program = await new_program(staged.client, clock)
    async with services.database.sessions.begin() as db:
        made = await make_session(db, client=None, counselor=None, owner=program.key, now=services.now())
    path = f"/quality/sessions/{made.id}"
    for person, status in ((staged.dewi, 200), (staged.ratna, 404), (staged.sari, 404)):
        await log_out(staged.client)
        await log_in(staged.client, person)
        page = await get(staged.client, path)
        assert page.status == status, person.name
        assert "Sekar" not in page.text
        assert ("Tidak ada yang terukur di sesi ini." in page.text) is (status == 200)


async def test_a_client_who_asked_to_be_erased_is_gone_for_everybody(staged: Staged) -> None:
    services = staged.client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        await people.leave(db, user=staged.embun.id, at=services.now() + timedelta(hours=72))
    for person in (staged.ratna, staged.sari, staged.dewi):
        assert await staged.status(person) == 404, person.name
    async with services.database.sessions.begin() as db:
        await services.erasure.carry_out(db, user=staged.embun.id, now=services.now())
    for person in (staged.ratna, staged.sari, staged.dewi):
        assert await staged.status(person) == 404, person.name


@pytest.mark.parametrize("asked", ["s_nothing", "x", "s_00000000000000000000", "%00"])
async def test_what_is_no_session_is_not_found(client: Client, asked: str) -> None:
    await log_in(client, await make(client, Role.ADMIN))
    assert (await get(client, f"/quality/sessions/{asked}")).status in {400, 404}


async def test_who_may_read_it_takes_the_record_away_as_files(staged: Staged) -> None:
    await log_in(staged.client, staged.ratna)
    page = await get(staged.client, staged.path)
    assert f'href="{staged.path}.json"' in page.text
    assert f'href="{staged.path}.csv"' in page.text
    async with staged.client.get(f"{staged.path}.json") as answer:
        record = await answer.json()
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{staged.session.id}.json"'
    assert record["session"] == staged.session.id
    assert record["verdict"] == "client"
    assert record["ended_why"] is not None
    assert record["samples"]
    async with staged.client.get(f"{staged.path}.csv") as answer:
        lines = (await answer.text()).splitlines()
    assert len(lines) == 1 + len(record["samples"])
    await log_out(staged.client)
    await log_in(staged.client, staged.stranger)
    for kind in ("json", "csv"):
        assert (await get(staged.client, f"{staged.path}.{kind}")).status == 404
