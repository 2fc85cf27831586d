"""The audit for admins: rows by tag, person and time; details for a purpose; a checkpoint to keep."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from accounts.checkpoints import Signer, read_lines
from accounts.people import Person
from accounts.roles import Role
from accounts.verifying import Problem, note, verify
from tests.fakes import FakeClock
from tests.web.conftest import MASTER, Client
from tests.web.people import log_in, make, send
from web.pages.admin_audit import read_filter
from web.render import LANGUAGES, read_catalogue
from web.services import SERVICES

JAKARTA = ZoneInfo("Asia/Jakarta")
NOTHING = {"tag": "", "person": "", "since": "", "until": ""}


async def fill(client: Client, *subjects: Person | None, tag: str = "email:keep") -> None:
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        for subject in subjects:
            await services.audit.append(
                db,
                tag=tag,
                actor=None,
                subject=None if subject is None else subject.id,
                object_id="o_1",
                detail={"place": "rahasia <i>ini</i>"},
                now=services.now(),
            )


async def read(client: Client, path: str = "/admin/audit", *, status: int = 200) -> str:
    async with client.get(path) as answer:
        assert answer.status == status, path
        return await answer.text()


async def enter(client: Client) -> Person:
    admin = await make(client, Role.ADMIN, name="Ratna")
    await log_in(client, admin)
    client.session.cookie_jar.update_cookies({"teduh_lang": "en"})
    return admin


async def test_rows_are_listed_without_details_and_without_names_of_clients(client: Client) -> None:
    me = await make(client, name="Embun")
    await enter(client)
    await fill(client, me, None)
    text = await read(client)
    assert me.id in text
    assert "Embun" not in text
    assert "rahasia" not in text
    assert "never verified" in text.lower()
    assert "nobody in particular" in text


async def test_rows_are_filtered_and_paged(client: Client, clock: FakeClock) -> None:
    me, other = await make(client), await make(client, name="Kabut")
    await fill(client, *([me] * 60), tag="email:keep")
    clock.advance(24 * 3600)
    await enter(client)
    await fill(client, other, tag="email:forget")

    def seqs(text: str) -> list[int]:
        return [int(one) for one in re.findall(r'href="/admin/audit/(\d+)"', text)]

    text = await read(client)
    assert seqs(text) == list(range(61, 11, -1))
    older = re.search(r'href="(/admin/audit\?before=[^"]*)"', text)
    assert older is not None
    assert seqs(await read(client, older[1])) == list(range(11, 0, -1))
    assert seqs(await read(client, "/admin/audit?tag=email%3Aforget")) == [61]
    assert seqs(await read(client, f"/admin/audit?person={other.id}")) == [61]
    assert seqs(await read(client, "/admin/audit?since=2026-03-03")) == [61]
    assert seqs(await read(client, "/admin/audit?until=2026-03-02&tag=email%3Akeep")) == list(
        range(60, 10, -1)
    )
    assert seqs(await read(client, "/admin/audit?since=2026-03-04")) == []
    assert seqs(await read(client, "/admin/audit?until=2026-03-01")) == []
    assert "No row fits" in await read(client, "/admin/audit?tag=x%3Ay")


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("person=Embun", "person"),
        ("person=u_x'--", "person"),
        ("since=kemarin", "since"),
        ("since=2026-02-30", "since"),
        ("since=20260301", "since"),
        ("until=0000-01-01", "until"),
        ("until=9999-12-31", "until"),
    ],
)
async def test_what_does_not_fit_is_kept_and_said_at_its_field(client: Client, query: str, key: str) -> None:
    await enter(client)
    text = await read(client, f"/admin/audit?{query}", status=422)
    assert f'id="{key}-wrong"' in text
    typed = query.partition("=")[2].replace("'", "&#39;")
    assert f'value="{typed}"' in text


def test_a_day_is_the_service_s_own() -> None:
    found, wrong = read_filter({**NOTHING, "since": "2026-03-02", "until": "2026-03-02"}, JAKARTA)
    assert wrong == {}
    assert found.since is not None
    assert found.until is not None
    assert found.since == datetime(2026, 3, 2, tzinfo=JAKARTA)
    assert found.until == datetime(2026, 3, 3, tzinfo=JAKARTA)


async def test_details_open_for_a_purpose_and_a_while_and_the_person_sees_it(
    client: Client, clock: FakeClock
) -> None:
    me, other = await make(client, name="Embun"), await make(client, name="Kabut")
    admin = await enter(client)
    await fill(client, me, other, me)
    assert "rahasia" not in await read(client, "/admin/audit/1")
    for purpose in ("", "x", "  a  ", "y" * 201):
        status, text = await send(client, "/admin/audit/1", {"purpose": purpose})
        assert status == 422
        assert "rahasia" not in text
        assert 'id="purpose-wrong"' in text
    assert await send(client, "/admin/audit/1", {"purpose": "a question of hers"}) == (303, "/admin/audit/1")
    text = await read(client, "/admin/audit/1")
    assert "rahasia &lt;i&gt;ini" in text
    assert "a question of hers" in text
    assert "rahasia" in await read(client, "/admin/audit/3"), "all about the same person"
    assert "rahasia" not in await read(client, "/admin/audit/2"), "and about nobody else"
    assert (await read(client, f"/admin/audit?person={me.id}")).count("rahasia") == 2
    assert "rahasia" not in await read(client)
    clock.advance(15 * 60)
    assert "rahasia" not in await read(client, "/admin/audit/1")
    services = client.app[SERVICES]
    async with services.database.sessions() as db:
        (row, *_) = await services.audit.own(db, person=me.id)
    assert (row.tag, row.actor) == ("grant:give", admin.id)


async def test_details_of_nobody_in_particular_take_a_purpose_too(client: Client) -> None:
    await enter(client)
    await fill(client, None)
    assert "rahasia" not in await read(client, "/admin/audit/1")
    assert (await send(client, "/admin/audit/1", {"purpose": "checking settings"}))[0] == 303
    assert "rahasia" in await read(client, "/admin/audit/1")


async def test_details_of_the_erased_stay_shut(client: Client) -> None:
    me = await make(client)
    await enter(client)
    await fill(client, me)
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        await services.subjects.forget(db, subject=me.id)
    text = await read(client, "/admin/audit/1")
    assert "was erased" in text
    assert 'name="purpose"' not in text


@pytest.mark.parametrize("seq", ["0", "7", "x", "-1", "9" * 30])
async def test_a_row_that_is_not_there_is_not_found(client: Client, seq: str) -> None:
    await enter(client)
    await read(client, f"/admin/audit/{seq}", status=404)


async def test_a_checkpoint_is_a_file_that_verifies(client: Client) -> None:
    await enter(client)
    await fill(client, None, None)
    async with client.get("/admin/audit/checkpoint") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Disposition"] == 'attachment; filename="2-audit-checkpoints.jsonl"'
        (checkpoint,) = read_lines(await answer.text())
    assert checkpoint.count == 2
    assert Signer(MASTER).is_own(checkpoint)


async def test_the_last_verification_is_shown(client: Client) -> None:
    await enter(client)
    await fill(client, None)
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        verdict = await verify(db, services.audit, erased=[], signer=Signer(MASTER), now=services.now())
        await note(db, verdict=verdict)
    assert "The chain holds" in await read(client)


def test_every_problem_has_words_in_both_languages() -> None:
    for language in LANGUAGES:
        texts = read_catalogue(language)
        for problem in Problem:
            assert texts[f"admin_audit.problem.{problem.value}"].format(row=7)


@pytest.mark.parametrize("role", [Role.CLIENT, Role.COUNSELOR, Role.SUPERVISOR, Role.OFFICER])
async def test_nobody_else_comes_in(client: Client, role: Role) -> None:
    await log_in(client, await make(client, role))
    await fill(client, None)
    for path in ("/admin/audit", "/admin/audit/1", "/admin/audit/checkpoint"):
        async with client.get(path) as answer:
            assert answer.status == 403
