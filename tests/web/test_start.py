"""A client's account in one step, and the way back with a recovery code."""

from __future__ import annotations

import asyncio
import re
from datetime import date
from types import SimpleNamespace

import pytest
from sqlalchemy import func, select

from accounts import people
from accounts.audit import Filter
from accounts.roles import Role
from accounts.tables import UserRow
from accounts.throttle import Throttle
from core.ids import UserId
from counseling.minors import Policy
from tests.fakes import FakeClock
from tests.web.browsing import get, post, send
from tests.web.conftest import Client
from tests.web.people import log_in, log_out, make
from web import entering
from web.services import SERVICES

COOKIE = "teduh_login"


async def count(client: Client) -> int:
    async with client.app[SERVICES].database.sessions() as db:
        return await db.scalar(select(func.count()).select_from(UserRow)) or 0


async def start(client: Client, *, phone: str = "own") -> None:
    page = await send(client, "/start", age="adult", phone=phone)
    assert (page.status, page.location) == (303, "/home?done=started")


async def code_of(client: Client) -> str:
    page = await send(client, "/me/recovery")
    assert page.status == 200
    groups = re.findall(r"<span>([0-9A-Z]{4})</span>", page.text)
    assert len(groups) == 5
    return "-".join(groups)


async def enter(client: Client, code: str, *, phone: str = "shared") -> tuple[int, str]:
    page = await send(client, "/enter", code=code, phone=phone)
    return page.status, page.location or page.text


async def test_two_questions_make_an_account_with_a_made_up_name(client: Client) -> None:
    await start(client)
    page = await get(client, "/home")
    assert page.status == 200
    async with client.app[SERVICES].database.sessions() as db:
        (client_person,) = await people.with_role(db, role=Role.CLIENT)
    assert client_person.name in page.text
    assert client_person.adult
    assert client_person.language == "en"


async def test_the_cookie_is_closed_to_scripts_and_other_sites(client: Client) -> None:
    page = await send(client, "/start", age="adult", phone="own")
    cookie = page.cookies[COOKIE]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Max-Age=31536000" in cookie


async def test_on_a_shared_phone_the_cookie_goes_with_the_browser(client: Client, clock: FakeClock) -> None:
    page = await send(client, "/start", age="adult", phone="shared")
    assert "Max-Age" not in page.cookies[COOKIE]
    assert "expires" not in page.cookies[COOKIE].lower()
    clock.advance(16 * 60)
    assert (await get(client, "/home")).location == "/enter"


async def test_both_questions_must_be_answered_and_what_was_typed_is_kept(client: Client) -> None:
    first = await get(client, "/start")
    name = first.form("/start")["name"]
    page = await post(client, "/start", first.form("/start") | {"phone": "shared"})
    assert page.status == 422
    assert page.form("/start")["name"] == name
    assert page.form("/start")["phone"] == "shared"
    assert 'id="age-wrong"' in page.text
    assert await count(client) == 0


async def test_another_name_is_one_tap_away(client: Client) -> None:
    proposed = {(await get(client, "/start")).form("/start")["name"] for _ in range(5)}
    assert len(proposed) > 1


@pytest.mark.parametrize("name", ["", "   ", "\u202eterbalik", "a\u200bb", "Dr. Sari, psikolog", "x" * 5000])
async def test_a_name_that_we_did_not_propose_is_not_taken(client: Client, name: str) -> None:
    fields = (await get(client, "/start")).form("/start") | {"age": "adult", "phone": "own"}
    page = await post(client, "/start", fields | {"name": name})
    assert page.status == 422
    assert page.form("/start")["name"] not in {name, ""}
    assert await count(client) == 0
    again = page.form("/start") | {"age": "adult", "phone": "own"}
    assert (await post(client, "/start", again)).location == "/home?done=started"


async def test_the_proof_of_one_form_is_none_in_another(client: Client) -> None:
    first, second = [(await get(client, "/start")).form("/start") for _ in range(2)]
    fields = second | {"name": first["name"], "ours": first["ours"], "age": "adult", "phone": "own"}
    assert (await post(client, "/start", fields)).status == 422


async def test_who_makes_many_accounts_waits_and_is_not_refused(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    client.app[SERVICES].starts = Throttle(per_s=1, burst=2)
    monkeypatch.setattr(entering, "asyncio", SimpleNamespace(sleep=sleep))
    for _ in range(4):
        await start(client)
        await log_out(client)
    assert waited == [1, 2]
    assert await count(client) == 4


async def test_sent_twice_it_makes_one_account_and_stays_logged_in(client: Client) -> None:
    fields = (await get(client, "/start")).form("/start") | {"age": "adult", "phone": "own"}
    client.session.cookie_jar.clear()
    both = await asyncio.gather(*(post(client, "/start", fields) for _ in range(2)))
    assert {page.location for page in both} == {"/home?done=started"}
    assert both[0].cookies[COOKIE].split(";")[0] == both[1].cookies[COOKIE].split(";")[0]
    assert await count(client) == 1
    assert (await get(client, "/home")).status == 200


async def test_under_18_without_a_policy_nothing_is_made_and_help_is_shown(client: Client) -> None:
    page = await send(client, "/start", age="minor", phone="own")
    assert (page.status, page.location) == (303, "/start/under-18")
    assert COOKIE not in page.cookies
    assert 'href="/crisis"' in (await get(client, "/start/under-18")).text
    assert await count(client) == 0


async def test_under_18_with_a_policy_the_account_says_so(client: Client) -> None:
    words = {"id": "a", "en": "b"}
    client.app[SERVICES].minors = Policy(date(2026, 1, 15), 2, ("Dr. Ratna",), words, words)
    assert (await send(client, "/start", age="minor", phone="own")).location == "/home?done=started"
    async with client.app[SERVICES].database.sessions() as db:
        (person,) = await people.with_role(db, role=Role.CLIENT)
    assert person.adult is False


async def test_who_has_an_account_is_led_home(client: Client) -> None:
    await start(client)
    assert (await get(client, "/start")).location == "/home"
    assert (await get(client, "/enter")).location == "/home"


async def test_with_the_code_a_client_comes_back_and_the_old_device_sees_it(client: Client) -> None:
    await start(client)
    code = await code_of(client)
    old = {morsel.key: morsel.value for morsel in client.session.cookie_jar}
    await log_out(client)
    assert await enter(client, code.lower().replace("0", "o").replace("1", "l")) == (
        303,
        "/home?done=entered",
    )
    client.session.cookie_jar.update_cookies(old)
    assert 'id="new-logins"' in (await get(client, "/home")).text
    assert "1 new" in (await get(client, "/me/recovery")).text
    page = await get(client, "/me/devices")
    assert 'id="new-logins"' in page.text
    assert page.text.count('data-login="other"') == 1
    assert (await send(client, "/me/devices/seen", "/me/devices")).status == 303
    assert 'id="new-logins"' not in (await get(client, "/me/devices")).text
    await send(client, "/me/devices/end", "/me/devices")
    assert 'data-login="other"' not in (await get(client, "/me/devices")).text


async def test_a_new_code_voids_the_old_one(client: Client) -> None:
    await start(client)
    old, new = await code_of(client), await code_of(client)
    await log_out(client)
    status, text = await enter(client, old)
    assert status == 422
    assert "does not fit" in text
    assert (await enter(client, new))[0] == 303


async def test_a_code_form_that_is_sent_twice_shows_one_code(client: Client) -> None:
    await start(client)
    fields = (await get(client, "/me/recovery")).form("/me/recovery")
    both = [await post(client, "/me/recovery", fields) for _ in range(2)]
    shown = [re.findall(r"<span>([0-9A-Z]{4})</span>", page.text) for page in both]
    assert shown[0] == shown[1]
    assert len(shown[0]) == 5
    await code_of(client)
    assert (await post(client, "/me/recovery", fields)).location == "/me/recovery"


async def test_a_wrong_lookup_and_a_wrong_secret_get_the_same_answer_after_the_same_work(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start(client)
    code = await code_of(client)
    await log_out(client)
    passwords = client.app[SERVICES].passwords
    worked: list[bool] = []
    verify = passwords._verify

    def counted(kept: str, secret: str) -> bool:
        worked.append(kept != passwords._nobody)
        return verify(kept, secret)

    monkeypatch.setattr(passwords, "_verify", counted)
    wrong_secret = code[:-1] + ("0" if code[-1] != "0" else "1")
    wrong_lookup = ("0" if code[0] != "0" else "1") + code[1:]
    texts = []
    for wrong in (wrong_secret, wrong_lookup):
        status, text = await enter(client, wrong)
        assert status == 422
        texts.append(re.sub(r'value="[^"]*"', "", text))
    assert texts[0] == texts[1]
    assert worked == [True, False]


@pytest.mark.parametrize("exists", [True, False])
async def test_ten_wrong_tries_and_then_one_an_hour(client: Client, clock: FakeClock, exists: bool) -> None:
    await start(client)
    code = await code_of(client) if exists else "0000-0000-0000-0000-0000"
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    await log_out(client)
    fields = (await get(client, "/enter")).form("/enter") | {"code": wrong, "phone": "own"}
    for _ in range(10):
        assert "does not fit" in (await post(client, "/enter", fields)).text
    assert "too often" in (await post(client, "/enter", fields)).text
    assert "too often" in (await post(client, "/enter", fields | {"code": code})).text
    clock.advance(3601)
    page = await post(client, "/enter", fields | {"code": code})
    assert page.status == (303 if exists else 422)


@pytest.mark.parametrize("typed", ["", "abc", "u" * 20, "0" * 21, "\U0001f600" * 20, "0" * 5000])
async def test_what_is_no_code_is_said_at_its_field(client: Client, typed: str) -> None:
    status, text = await enter(client, typed)
    assert status == 422
    assert 'id="code-wrong"' in text


async def test_who_leaves_is_logged_out_and_the_cookie_is_worth_nothing(client: Client) -> None:
    await start(client)
    kept = {morsel.key: morsel.value for morsel in client.session.cookie_jar}
    page = await send(client, "/me/logout", "/home")
    assert page.location == "/?done=left"
    client.session.cookie_jar.update_cookies(kept)
    assert (await get(client, "/home")).location == "/enter"


async def test_one_can_take_another_name_but_no_unseen_signs(client: Client) -> None:
    await start(client)
    assert (await send(client, "/me/name", name="  Daun   Jatuh ")).location == "/home?done=renamed"
    assert "Daun Jatuh" in (await get(client, "/home")).text
    for name in ("\u202eterbalik", "a\u200bb", "", " ", "x", "y" * 61, "..."):
        page = await send(client, "/me/name", name=name)
        assert page.status == 422, name
    proposal = (await get(client, "/me/name?another")).form("/me/name")["name"]
    assert proposal != "Daun Jatuh"


async def test_nobody_ends_the_login_of_somebody_else(client: Client) -> None:
    other = await make(client)
    token = await log_in(client, other)
    page = await get(client, "/me/devices")
    await log_out(client)
    await start(client)
    async with client.app[SERVICES].database.sessions() as db:
        from accounts import logins

        (theirs,) = await logins.of(db, user=other.id, now=client.app[SERVICES].now())
    page = await get(client, "/me/devices")
    fields = page.form("/me/logout") | {"login": theirs.id}
    await post(client, "/me/devices/end", fields)
    await log_out(client)
    client.session.cookie_jar.update_cookies({COOKIE: token})
    assert (await get(client, "/home")).status == 200


async def test_each_step_stands_in_the_audit(client: Client) -> None:
    await start(client)
    await code_of(client)
    await send(client, "/me/name", name="Daun Jatuh")
    await send(client, "/me/logout", "/home")
    services = client.app[SERVICES]
    async with services.database.sessions() as db:
        entries = await services.audit.matching(db, wanted=Filter())
        user = UserId(str(await db.scalar(select(UserRow.id))))
    assert [entry.tag for entry in reversed(entries)] == [
        "account:make",
        "login:open",
        "recovery:make",
        "account:rename",
        "login:end",
    ]
    assert {entry.subject for entry in entries} == {user}
