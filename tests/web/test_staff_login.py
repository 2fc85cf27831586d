"""Staff prove themselves twice; nothing opens before."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest

from accounts import login_names, logins, notices, people, totp
from accounts.audit import Filter
from accounts.passwords import Cost, Passwords
from accounts.people import Person
from accounts.roles import Role
from accounts.tries import FACTOR_USED_UP
from tests.fakes import FakeClock
from tests.web.browsing import Page, get, post, send
from tests.web.conftest import MASTER, Client
from tests.web.people import log_in, log_out, make
from web.commands.doctor import tried_out
from web.services import SERVICES

PASSWORD = "kopi susu hangat di teras"
OTHER = "empat ekor angsa menyeberang"


@dataclass
class Staff:
    """Somebody of the staff with everything they log in with."""

    person: Person
    login: str
    secret: str
    codes: list[str]

    def code(self, clock: FakeClock) -> str:
        return str(pyotp.TOTP(self.secret).at(clock.now()))


async def with_password(client: Client, login: str = "sri", *roles: Role) -> Person:
    services = client.app[SERVICES]
    person = await make(client, *(roles or (Role.ADMIN,)), name="Sri Wahyuni")
    hashed = await services.passwords.hash(PASSWORD)
    async with services.database.sessions.begin() as db:
        await login_names.keep(db, user=person.id, login=login, hashed=hashed, now=services.now())
        await people.speak(db, user=person.id, language="en")
    return person


async def first_step(client: Client, login: str = "sri", password: str = PASSWORD) -> Page:
    return await send(client, "/staff/login", login=login, password=password)


def secret_in(page: Page) -> str:
    (uri,) = re.findall(r'href="(otpauth:[^"]+)"', page.text)
    return str(parse_qs(urlsplit(uri.replace("&amp;", "&")).query)["secret"][0])


async def enrol(client: Client, clock: FakeClock) -> tuple[str, list[str]]:
    """Set an app up; gives its secret and the backup codes."""
    page = await get(client, "/staff/enrol")
    secret = secret_in(page)
    code = str(pyotp.TOTP(secret).at(clock.now()))
    done = await post(client, "/staff/enrol", page.form("/staff/enrol") | {"code": code})
    assert done.status == 200, done.text
    codes = re.findall(r'<li class="code">([0-9A-Z-]+)</li>', done.text)
    assert len(codes) == 10
    return secret, codes


async def enrolled(client: Client, clock: FakeClock, login: str = "sri") -> Staff:
    person = await with_password(client, login)
    assert (await first_step(client, login)).location == "/staff/enrol"
    secret, codes = await enrol(client, clock)
    await log_out(client)
    clock.advance(60)
    return Staff(person, login, secret, codes)


async def whole(client: Client, clock: FakeClock, staff: Staff) -> None:
    assert (await first_step(client, staff.login)).location == "/staff/factor"
    assert (await send(client, "/staff/factor", code=staff.code(clock))).location == "/admin"


async def test_a_password_alone_opens_nothing_until_a_second_factor_is_set_up(
    client: Client, clock: FakeClock
) -> None:
    await with_password(client)
    assert (await first_step(client)).location == "/staff/enrol"
    for path in ("/admin", "/me/credentials", "/me/devices", "/staff/factor"):
        page = await get(client, path)
        assert page.status == 303, path
    await enrol(client, clock)
    assert (await get(client, "/admin")).status == 200
    assert (await get(client, "/staff/enrol")).location == "/admin"


async def test_password_and_code_open_and_the_code_counts_once(client: Client, clock: FakeClock) -> None:
    staff = await enrolled(client, clock)
    used = staff.code(clock)
    await whole(client, clock, staff)
    assert (await get(client, "/admin")).status == 200
    await log_out(client)
    await first_step(client)
    page = await send(client, "/staff/factor", code=used)
    assert page.status == 422
    assert "used already" in page.text


async def test_a_backup_code_opens_once(client: Client, clock: FakeClock) -> None:
    staff = await enrolled(client, clock)
    for status in (303, 422):
        await log_out(client)
        await first_step(client)
        assert (await send(client, "/staff/factor", code=staff.codes[0].lower())).status == status


async def test_a_cookie_from_before_the_second_factor_is_worth_nothing(
    client: Client, clock: FakeClock
) -> None:
    staff = await enrolled(client, clock)
    await first_step(client)
    before = {morsel.key: morsel.value for morsel in client.session.cookie_jar}
    await send(client, "/staff/factor", code=staff.code(clock))
    assert (await get(client, "/admin")).status == 200
    await log_out(client)
    client.session.cookie_jar.update_cookies(before)
    assert (await get(client, "/admin")).location == "/staff/login"


async def test_sent_twice_at_once_the_second_factor_logs_in_once(client: Client, clock: FakeClock) -> None:
    staff = await enrolled(client, clock)
    await first_step(client)
    fields = (await get(client, "/staff/factor")).form("/staff/factor") | {"code": staff.code(clock)}
    both = await asyncio.gather(*(post(client, "/staff/factor", fields) for _ in range(2)))
    assert "/admin" in {page.location for page in both}
    assert (await get(client, "/admin")).status == 200


async def test_the_cookie_of_staff_goes_with_the_browser_and_rests_an_hour(
    client: Client, clock: FakeClock
) -> None:
    staff = await enrolled(client, clock)
    page = await first_step(client)
    assert "Max-Age" not in page.cookies["teduh_login"]
    assert "HttpOnly" in page.cookies["teduh_login"]
    await send(client, "/staff/factor", code=staff.code(clock))
    clock.advance(3601)
    assert (await get(client, "/admin")).location == "/staff/login"


async def test_an_unknown_name_and_a_wrong_password_get_the_same_answer_after_the_same_work(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await with_password(client)
    passwords, worked = client.app[SERVICES].passwords, list[bool]()
    verify = passwords._verify

    def counted(kept: str, secret: str) -> bool:
        worked.append(kept != passwords._nobody)
        return verify(kept, secret)

    monkeypatch.setattr(passwords, "_verify", counted)
    texts = []
    for login in ("sri", "tri"):
        page = await first_step(client, login, "salah sekali ini")
        assert page.status == 422
        texts.append(re.sub(r'value="[^"]*"', "", page.text))
        assert "salah sekali" not in page.text
    assert texts[0] == texts[1]
    assert worked == [True, False]


@pytest.mark.parametrize("login", ["sri", "nobody"])
async def test_ten_wrong_passwords_and_then_one_in_five_minutes(
    client: Client, clock: FakeClock, login: str
) -> None:
    await with_password(client)
    fields = (await get(client, "/staff/login")).form("/staff/login")
    for _ in range(10):
        page = await post(client, "/staff/login", fields | {"login": login, "password": "salah salah"})
        assert "does not fit" in page.text
    right = fields | {"login": login.upper(), "password": PASSWORD}
    assert "too often" in (await post(client, "/staff/login", right)).text
    clock.advance(301)
    assert (await post(client, "/staff/login", right)).status == (303 if login == "sri" else 422)


async def test_ten_wrong_codes_close_the_second_factor_for_an_hour(client: Client, clock: FakeClock) -> None:
    staff = await enrolled(client, clock)
    await first_step(client)
    page = await get(client, "/staff/factor")
    for _ in range(10):
        wrong = await post(client, "/staff/factor", page.form("/staff/factor") | {"code": "000000"})
        assert wrong.status == 422
    refused = await post(client, "/staff/factor", page.form("/staff/factor") | {"code": staff.codes[0]})
    assert "Too many tries" in refused.text


async def test_wrong_codes_to_the_last_try_are_told(client: Client, clock: FakeClock) -> None:
    """Whoever came so far knew the password."""
    staff = await enrolled(client, clock)
    services = client.app[SERVICES]
    admin, other = await make(client, Role.ADMIN), await make(client, Role.COUNSELOR)

    async def told() -> list[list[str]]:
        async with services.database.sessions() as db:
            inboxes = [await notices.inbox(db, user=one.id) for one in (staff.person, admin, other)]
        return [[notice.kind for notice in inbox] for inbox in inboxes]

    async def written() -> int:
        async with services.database.sessions() as db:
            return len(await services.audit.matching(db, wanted=Filter(tag=FACTOR_USED_UP)))

    await first_step(client)
    page = await get(client, "/staff/factor")
    before = await told()
    for _ in range(9):
        await post(client, "/staff/factor", page.form("/staff/factor") | {"code": "000000"})
    assert (await told(), await written()) == (before, 0)
    for _ in range(3):
        await post(client, "/staff/factor", page.form("/staff/factor") | {"code": "000000"})
    after = await told()
    assert [new[: len(new) - len(old)] for new, old in zip(after, before, strict=True)] == [
        ["factor_tried_own"],
        ["factor_tried"],
        [],
    ]
    assert await written() == 1
    clock.advance(3601)
    await first_step(client)
    assert (await send(client, "/staff/factor", code="000000")).status == 422
    assert (await told(), await written()) == (after, 2), "written each time, told once"
    async with services.database.sessions() as db:
        assert await tried_out(db, services.audit, services.now()) == ["Sri Wahyuni"]
        assert await tried_out(db, services.audit, services.now() + timedelta(days=4)) == []


async def test_who_was_disabled_gets_the_answer_of_a_wrong_password(client: Client, clock: FakeClock) -> None:
    staff = await enrolled(client, clock)
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        await people.disable(db, user=staff.person.id, at=services.now())
    assert "does not fit" in (await first_step(client)).text


async def test_a_hash_of_another_cost_is_made_anew(client: Client) -> None:
    person = await with_password(client)
    services = client.app[SERVICES]
    cheap = Passwords(MASTER, cost=Cost(memory_kib=64, passes=1))
    async with services.database.sessions.begin() as db:
        await login_names.change(db, user=person.id, hashed=await cheap.hash(PASSWORD), now=services.now())
    cheap.close()
    assert (await first_step(client)).status == 303
    async with services.database.sessions() as db:
        assert not services.passwords.is_old((await login_names.of(db, user=person.id)).hash)


async def test_a_half_done_login_can_be_given_up(client: Client, clock: FakeClock) -> None:
    await enrolled(client, clock)
    await first_step(client)
    assert (await send(client, "/staff/leave", "/staff/factor")).location == "/staff/login"
    assert (await get(client, "/staff/factor")).location == "/staff/login"


async def test_a_changed_password_ends_all_other_logins(client: Client, clock: FakeClock) -> None:
    staff = await enrolled(client, clock)
    other = await log_in(client, staff.person)
    await log_out(client)
    await whole(client, clock, staff)
    page = await send(client, "/me/credentials/password", password="salah", new=OTHER, again=OTHER)
    assert 'id="password-wrong"' in page.text
    page = await send(client, "/me/credentials/password", password=PASSWORD, new="sri", again="sri")
    assert 'id="new-wrong"' in page.text
    page = await send(client, "/me/credentials/password", password=PASSWORD, new=OTHER, again=OTHER)
    assert page.location == "/me/credentials?done=password"
    services = client.app[SERVICES]
    async with services.database.sessions() as db:
        assert await logins.find(db, token=other, now=services.now()) is None
    await log_out(client)
    assert (await first_step(client)).status == 422
    assert (await first_step(client, password=OTHER)).location == "/staff/factor"


async def test_another_app_replaces_the_first_and_the_last_factor_stays(
    client: Client, clock: FakeClock
) -> None:
    staff = await enrolled(client, clock)
    await whole(client, clock, staff)
    page = await get(client, "/me/credentials/app")
    secret = secret_in(page)
    code = str(pyotp.TOTP(secret).at(clock.now()))
    fields = page.form("/me/credentials/app") | {"code": code, "password": PASSWORD}
    wrong = await post(client, "/me/credentials/app", fields | {"code": "000000"})
    assert wrong.status == 422
    assert secret_in(wrong) == secret
    assert (await post(client, "/me/credentials/app", fields)).location == "/me/credentials?done=factor"
    removed = await send(
        client,
        "/me/credentials/remove",
        "/me/credentials/remove?factor=app",
        password=PASSWORD,
    )
    assert removed.status == 422
    assert "last second factor" in removed.text
    async with client.app[SERVICES].database.sessions() as db:
        assert await totp.since(db, user=staff.person.id) is not None


async def test_new_backup_codes_replace_the_old(client: Client, clock: FakeClock) -> None:
    staff = await enrolled(client, clock)
    await whole(client, clock, staff)
    page = await send(client, "/me/credentials/backup", password=PASSWORD)
    codes = re.findall(r'<li class="code">([0-9A-Z-]+)</li>', page.text)
    assert len(codes) == 10
    assert not set(codes) & set(staff.codes)
    assert "10 codes" in (await get(client, "/me/credentials")).text
    await log_out(client)
    await first_step(client)
    assert (await send(client, "/staff/factor", code=staff.codes[1])).status == 422
    assert (await send(client, "/staff/factor", code=codes[1])).location == "/admin"


async def test_each_step_of_staff_stands_in_the_audit(client: Client, clock: FakeClock) -> None:
    staff = await enrolled(client, clock)
    await whole(client, clock, staff)
    services = client.app[SERVICES]
    async with services.database.sessions() as db:
        entries = await services.audit.matching(db, wanted=Filter(person=staff.person.id))
    assert [entry.tag for entry in reversed(entries)] == [
        "factor:add",
        "factor:backup",
        "login:open",
        "login:open",
    ]
