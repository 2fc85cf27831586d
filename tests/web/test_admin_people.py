from __future__ import annotations

import re

from accounts import invitations, logins, people
from accounts.people import Person
from accounts.roles import Role
from tests.web.conftest import Client
from tests.web.people import log_in, make
from web.services import Services

HIDDEN = re.compile(r'name="(csrf|once)" value="([^"]*)"')


async def page(client: Client, path: str) -> str:
    async with client.get(path) as answer:
        assert answer.status == 200, path
        return await answer.text()


async def send(client: Client, path: str, shown: str, **fields: object) -> tuple[int, str]:
    """Send a form with the hidden numbers of the page that showed it; gives the status and the page."""
    numbers = dict(HIDDEN.findall(shown))
    async with client.post(path, data={**numbers, **fields}, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location", "") or await answer.text()


async def admin(client: Client) -> Person:
    person = await make(client, Role.ADMIN, name="Ratih")
    await log_in(client, person)
    return person


async def tags(services: Services) -> list[str]:
    async with services.database.sessions() as db:
        return await services.audit.tags(db)


async def test_an_invitation_gives_one_link_however_often_the_form_is_sent(
    client: Client, services: Services
) -> None:
    await admin(client)
    shown = await page(client, "/admin/people/invite")
    answers = [
        await send(client, "/admin/people/invite", shown, note="Bu Sari", roles="counselor") for _ in range(2)
    ]
    links = {re.search(r"/invitation#[^<]+", text).group() for _, text in answers}  # type: ignore[union-attr]  # it is there
    assert [status for status, _ in answers] == [200, 200]
    assert len(links) == 1
    async with services.database.sessions() as db:
        made = await invitations.every(db)
        assert [one.roles for one in made] == [{Role.COUNSELOR}]
        found = await invitations.find(
            db, services.codes, typed=links.pop().partition("#")[2], now=services.now()
        )
    assert found == made[0]
    listed = await page(client, "/admin/people")
    assert "Bu Sari" in listed
    assert "invitation#" not in listed


async def test_what_was_typed_stays_when_something_is_missing(client: Client) -> None:
    await admin(client)
    shown = await page(client, "/admin/people/invite")
    status, text = await send(client, "/admin/people/invite", shown, note="Bu <Sari>")
    assert status == 422
    assert 'value="Bu &lt;Sari&gt;"' in text
    assert "Pilih sedikitnya satu peran" in text


async def test_a_closed_account_is_logged_out_at_once(client: Client, services: Services) -> None:
    await admin(client)
    other = await make(client, Role.COUNSELOR, name="Bima")
    async with services.database.sessions.begin() as db:
        await logins.open_login(
            db,
            person=other,
            token="t" * 40,
            stage=logins.Stage.FULL,
            device="x",
            own_phone=False,
            now=services.now(),
        )
    path = f"/admin/people/{other.id}"
    shown = await page(client, path)
    assert (await send(client, f"{path}/close", shown, reason=""))[0] == 422
    assert (await send(client, f"{path}/close", shown, reason="left us"))[0] == 303
    async with services.database.sessions() as db:
        assert await logins.of(db, user=other.id, now=services.now()) == []
        assert (await people.get(db, user=other.id)).disabled_at is not None
    assert (await send(client, f"{path}/open", await page(client, path)))[0] == 303
    async with services.database.sessions() as db:
        assert (await people.get(db, user=other.id)).disabled_at is None
    assert {"staff:close", "staff:open"} <= set(await tags(services))


async def test_an_admin_cannot_lock_the_last_door_from_inside(client: Client) -> None:
    me = await admin(client)
    path = f"/admin/people/{me.id}"
    shown = await page(client, path)
    assert (await send(client, f"{path}/roles", shown, roles="counselor"))[0] == 422
    assert (await send(client, f"{path}/close", shown, reason="tired"))[0] == 422


async def test_clients_are_counted_and_never_shown(client: Client) -> None:
    await admin(client)
    someone = await make(client, name="Kabut Pagi")
    shown = await page(client, "/admin/people")
    assert "ada 1 akun klien" in shown
    assert "Kabut Pagi" not in shown
    async with client.get(f"/admin/people/{someone.id}") as answer:
        assert answer.status == 404
