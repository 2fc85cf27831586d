"""Who opened what of mine: in plain words, in both languages, one's own and nobody else's."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from accounts import grants, people
from accounts.people import Person
from accounts.roles import Permission, Role
from tests.web.conftest import Client
from tests.web.people import log_in, make
from web.render import LANGUAGES, read_catalogue
from web.services import SERVICES
from web.telling import key_of

ROOT = Path(__file__).parents[2]
TAG = re.compile(r"[a-z]+(?:-[a-z]+)*:[a-z]+(?:-[a-z]+)*")


async def note(
    client: Client, subject: Person, *, by: Person | None, tag: str = "proof:open", times: int = 1
) -> None:
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        for _ in range(times):
            await services.audit.append(
                db, tag=tag, actor=None if by is None else by.id, subject=subject.id, now=services.now()
            )


async def read(client: Client, path: str = "/me/history", language: str = "id") -> str:
    client.session.cookie_jar.update_cookies({"teduh_lang": language})
    async with client.get(path) as answer:
        assert answer.status == 200, path
        return await answer.text()


async def test_it_says_who_what_when_and_why(client: Client) -> None:
    me, admin = await make(client, name="Embun"), await make(client, Role.ADMIN, Role.OFFICER, name="Ratna")
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        await grants.give(
            db,
            services.audit,
            person=admin,
            permission=Permission.SEE_AUDIT,
            subject=me.id,
            purpose="menjawab <b>laporan</b>",
            now=services.now(),
        )
    await log_in(client, me)
    for language, words in {
        "id": (
            "Rincian catatan ini dibuka",
            "Oleh: Ratna (admin, penerima laporan)",
            "Untuk: menjawab &lt;b&gt;",
        ),
        "en": (
            "Details of this list were opened",
            "By: Ratna (admin, complaints officer)",
            "For: menjawab",
        ),
    }.items():
        text = await read(client, language=language)
        for one in words:
            assert one in text
        assert "<b>laporan" not in text


async def test_somebody_else_s_rows_are_not_shown(client: Client) -> None:
    me, other = await make(client, name="Embun"), await make(client, name="Kabut")
    await note(client, other, by=None, tag="email:forget")
    await note(client, me, by=other, tag="email:keep")
    await log_in(client, me)
    text = await read(client, language="en")
    assert text.count('<li class="card') == 1
    assert "Kabut" not in text, "another client is never named"
    assert "By: a client" in text


async def test_what_i_did_myself_can_be_left_out(client: Client) -> None:
    me = await make(client)
    await log_in(client, me)
    assert "Belum ada catatan" in await read(client)
    await note(client, me, by=me, tag="email:keep")
    assert "Oleh: kamu" in await read(client)
    assert "Belum ada orang lain" in await read(client, "/me/history?by=others")
    await note(client, me, by=None, tag="erasure:done")
    text = await read(client, "/me/history?by=others")
    assert "Oleh: layanan ini" in text
    assert "Oleh: kamu" not in text


async def test_a_long_history_is_paged_to_its_end(client: Client) -> None:
    me, admin = await make(client), await make(client, Role.ADMIN)
    await note(client, me, by=admin, times=120)
    await log_in(client, me)
    path: str | None = "/me/history?by=others"
    counts = []
    while path is not None:
        text = await read(client, path)
        counts.append(text.count("<time "))
        older = re.search(r'href="(/me/history\?before=[^"]*)"', text)
        path = None if older is None else older[1].replace("&amp;", "&")
    assert counts == [50, 50, 20]


@pytest.mark.parametrize("before", ["x", "-1", "9" * 40, "1;DROP", "٣"])
async def test_a_page_that_is_none_is_not_found(client: Client, before: str) -> None:
    await log_in(client, await make(client))
    async with client.get(f"/me/history?before={before}") as answer:
        assert answer.status == 404


async def test_who_left_is_said_so(client: Client) -> None:
    me, admin = await make(client), await make(client, Role.ADMIN)
    await note(client, me, by=admin)
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        await people.leave(db, user=admin.id, at=services.now())
        await services.erasure.carry_out(db, user=admin.id, now=services.now())
    await log_in(client, me)
    assert "seseorang yang sudah tidak terdaftar" in await read(client)


def tags_in_use() -> set[str]:
    """Every text of the sources that has the form of a tag and is no permission."""
    others = {permission.value for permission in Permission} | {"about:blank"}
    return {
        node.value
        for floor in ("accounts", "counseling", "recordings", "signaling", "web")
        for path in (ROOT / floor).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and TAG.fullmatch(node.value)
    } - others


def test_every_tag_in_use_has_words_in_both_languages() -> None:
    tags = tags_in_use()
    assert {"erasure:done", "grant:give", "login:open"} < tags
    for language in LANGUAGES:
        texts = read_catalogue(language)
        assert {tag for tag in tags if key_of(tag) not in texts} == set(), language
