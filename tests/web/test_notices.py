"""The inbox and the letters that say that something is in it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_aiohttp.plugin import AiohttpClient

from accounts import contacts, notices, people
from accounts.roles import Role
from core.shapes import Smtp
from tests.core.test_mail import Post, serve
from tests.docs.conftest import ROOT
from tests.fakes import FakeClock
from tests.web.conftest import Client, FakeEngine, make_config
from tests.web.people import log_in, log_out, make, send
from web.app import make_app
from web.gate import PERMISSIONS
from web.pages.notices import LEADS, letters
from web.pages.site import SITE
from web.render import make_renderer
from web.services import SERVICES


async def test_a_notice_is_new_once_and_counted(client: Client) -> None:
    person = await make(client)
    await log_in(client, person)
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        await notices.post(db, user=person.id, kind="complaint_answered", now=services.now())
    async with client.get("/home") as answer:
        assert '<span class="vh">1 baru</span>' in await answer.text()
    async with client.get("/me/notices", headers={"Accept-Language": "en"}) as answer:
        text = await answer.text()
        assert answer.status == 200
    assert text.count('<span class="state">baru</span>') == 1, "the person's language, not the browser's"
    async with client.get("/me/notices") as answer:
        text = await answer.text()
    assert '<span class="state">' not in text


async def test_a_notice_leads_to_the_page_that_it_is_about(client: Client) -> None:
    person = await make(client)
    await log_in(client, person)
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        await notices.post(db, user=person.id, kind="complaint_answered", now=services.now())
    async with client.get("/me/notices") as answer:
        assert '<h2><a class="touch" href="/complaint">' in await answer.text()
    for kind, page in LEADS.items():
        assert ("GET", page) in client.app[PERMISSIONS], page
        assert f"notice.{kind}.title" in client.app[SITE].renderer.texts["id"], kind


@pytest.mark.parametrize(
    "before",
    [
        "x",
        "2026-01-01",
        "2026-01-01T00:00:00+00:00' OR 1=1",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    ],
)
async def test_a_moment_that_is_none_is_not_found(client: Client, before: str) -> None:
    await log_in(client, await make(client))
    async with client.get("/me/notices", params={"before": before}) as answer:
        assert answer.status == 404


async def test_an_address_is_kept_shown_and_forgotten(client: Client) -> None:
    person = await make(client)
    await log_in(client, person)
    services = client.app[SERVICES]
    status, text = await send(client, "/me/email", {"email": "bukan alamat"})
    assert status == 422
    assert "bukan alamat" in text, "what was typed is kept"
    assert (await send(client, "/me/email", {"email": "daun@example.org"}))[0] == 303
    async with client.get("/me/email") as answer:
        assert "daun@example.org" in await answer.text()
    assert (await send(client, "/me/email/forget", {}, page="/me/email"))[0] == 303
    async with services.database.sessions() as db:
        assert await contacts.email_of(db, services.subjects, user=person.id) is None
        tags = [entry.tag for entry in await services.audit.own(db, person=person.id)]
    assert tags == ["email:forget", "email:keep"]


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    made = Post()
    server = await serve(made)
    yield made
    server.close()


async def test_one_letter_goes_out_and_says_nothing(
    aiohttp_client: AiohttpClient, tmp_path: Path, database_url: str, clock: FakeClock, post: Post
) -> None:
    config = make_config(
        tmp_path, database_url, smtp=Smtp("127.0.0.1", post.port), mail_from="post@example.org"
    )
    client: Client = await aiohttp_client(make_app(config, clock=clock, make_engine=FakeEngine))
    person = await make(client, name="Embun Rahasia")
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        await contacts.keep_email(
            db, services.subjects, user=person.id, email="daun@example.org", code_hash="d", now=services.now()
        )
        leaving = await people.create_client(db, name="Kabut", language="id", adult=True, now=services.now())
        await contacts.keep_email(
            db,
            services.subjects,
            user=leaving.id,
            email="kabut@example.org",
            code_hash="k",
            now=services.now(),
        )
        for code in ("d", "k"):
            await contacts.confirm_email(db, code_hash=code, now=services.now())
        await people.leave(db, user=leaving.id, at=services.now() + timedelta(hours=72))
        for kind in ("complaint_answered", "incident"):
            both = [person.id, leaving.id]
            await notices.post_all(db, users=both, kind=kind, places={"what": "Rahasia"}, now=services.now())
    job = letters(client.app[SITE].renderer)
    clock.advance(3600)
    await job(services)
    await job(services)
    assert services.mail is not None
    await services.mail.sent()
    (letter,) = post.came
    assert (letter["To"], letter["Subject"]) == ("daun@example.org", "Ada kabar baru")
    everything = letter.as_string() + letter.get_content()
    assert not re.search(r"rahasia|embun|konsel|teduh|http", everything, re.IGNORECASE)


async def test_an_address_is_confirmed_from_the_letter_before_any_notice(
    aiohttp_client: AiohttpClient, tmp_path: Path, database_url: str, clock: FakeClock, post: Post
) -> None:
    config = make_config(
        tmp_path, database_url, smtp=Smtp("127.0.0.1", post.port), mail_from="post@example.org"
    )
    client: Client = await aiohttp_client(make_app(config, clock=clock, make_engine=FakeEngine))
    services, person = client.app[SERVICES], await make(client, name="Embun Rahasia")
    assert services.mail is not None
    await log_in(client, person)
    assert (await send(client, "/me/email", {"email": "daun@example.org"}))[0] == 303
    assert (await send(client, "/me/email/forget", {}, page="/me/email"))[0] == 303
    status, text = await send(client, "/me/email", {"email": "stranger@example.org"})
    assert (status, "sekali dalam satu jam" in text) == (422, True), "forgetting it does not help"
    clock.advance(3600)
    assert (await send(client, "/me/email", {"email": "daun@example.org"}))[0] == 303
    await services.mail.sent()
    first, letter = post.came
    assert [one["To"] for one in post.came] == ["daun@example.org"] * 2
    text = letter.get_content()
    assert not re.search(r"rahasia|embun|konsel", text, re.IGNORECASE)
    ways = [re.search(r"/email/\w+", one.get_content()) for one in (first, letter)]
    assert ways[0] is not None
    assert ways[1] is not None
    async with services.database.sessions.begin() as db:
        await notices.post(db, user=person.id, kind="incident", places={"what": "x"}, now=services.now())
    await log_out(client)
    async with client.get(ways[1][0]) as answer:
        assert answer.status == 200
    async with services.database.sessions() as db:
        assert not await contacts.is_confirmed(db, user=person.id), "mail programs open links by themselves"
    assert (await send(client, ways[0][0], {}))[0] == 404, "of the address that was forgotten"
    for _ in range(2):
        assert (await send(client, ways[1][0], {}))[0] == 200
    async with client.get("/email/" + "x" * 40) as answer:
        assert answer.status == 404
    async with services.database.sessions.begin() as db:
        assert await contacts.is_confirmed(db, user=person.id)
        await notices.post(db, user=person.id, kind="incident", places={"what": "x"}, now=services.now())
    job = letters(client.app[SITE].renderer)
    for wait_s in (0, 3600, 10):
        clock.advance(wait_s)
        await job(services)
    await services.mail.sent()
    assert [one["Subject"] for one in post.came[2:]] == ["Ada kabar baru"]


async def test_staff_may_have_letters_too(client: Client) -> None:
    await log_in(client, await make(client, Role.ADMIN))
    assert (await send(client, "/me/email", {"email": "admin@example.org"}))[0] == 303


def test_every_kind_that_is_posted_has_words_in_both_languages() -> None:
    sources = [
        path.read_text()
        for floor in ("accounts", "counseling", "recordings", "web")
        for path in (ROOT / floor).rglob("*.py")
    ]
    kinds = {
        kind
        for source in sources
        for call in re.findall(r"notices\.post(?:_all)?\((.*?)now=", source, re.DOTALL)
        for kind in re.findall(r'kind="([a-z_]+)"', call)
    }
    assert {
        "incident",
        "duty",
        "crisis_stale",
        "complaint_new",
        "complaint_late",
        "complaint_answered",
    } <= kinds
    for texts in make_renderer().texts.values():
        for kind in kinds:
            assert f"notice.{kind}.title" in texts, kind
            assert f"notice.{kind}.text" in texts, kind


def test_every_tag_of_duties_has_words_in_both_languages() -> None:
    parts = ("counseling/crisis", "counseling/complaints", "counseling/incidents", "counseling/minors")
    files = [ROOT / f"{part}.py" for part in (*parts, "counseling/roster", "web/pages/notices")]
    tags = {
        tag
        for file in files
        for tag in re.findall(
            r'"((?:crisis|complaint|incident|minor|roster|email):[a-z]+)"', file.read_text()
        )
    }
    assert len(tags) >= 20
    for texts in make_renderer().texts.values():
        assert {f"audit.{tag.replace(':', '-')}" for tag in tags} - set(texts) == set()
