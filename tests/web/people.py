"""People for the tests of pages: made in the database, logged in by a cookie of their own."""

from __future__ import annotations

import re
from collections.abc import Mapping

from aiohttp import FormData

from accounts import logins, people
from accounts.logins import Stage
from accounts.people import Person
from accounts.roles import Role
from tests.web.conftest import Client
from web.gate import cookie_name
from web.services import SERVICES


async def make(client: Client, *roles: Role, name: str = "Embun", adult: bool = True) -> Person:
    """Make a person with these roles; a client when there are none."""
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        if not roles or roles == (Role.CLIENT,):
            return await people.create_client(db, name=name, language="id", adult=adult, now=services.now())
        return await people.create_staff(db, name=name, language="id", roles=roles, now=services.now())


async def log_in(client: Client, person: Person, *, stage: Stage = Stage.FULL, own_phone: bool = True) -> str:
    """Log a person in with this client's cookie jar; gives the login's token."""
    services = client.app[SERVICES]
    token = logins.new_token()
    async with services.database.sessions.begin() as db:
        await logins.open_login(
            db,
            person=person,
            token=token,
            stage=stage,
            device="Chrome, Android",
            own_phone=own_phone,
            now=services.now(),
        )
    client.session.cookie_jar.update_cookies({cookie_name(secure=services.config.secure): token})
    return token


async def log_out(client: Client) -> None:
    """Forget the cookies of this client."""
    client.session.cookie_jar.clear()


async def send(
    client: Client, path: str, fields: Mapping[str, object], *, page: str | None = None
) -> tuple[int, str]:
    """Open a page, send its form with these fields, and give the status with where it led or what it shows.

    ``page`` is where the form stands; the path itself unless given. A list sends a field several times.
    """
    async with client.get(page or path) as answer:
        text = await answer.text()
        assert answer.status == 200, (page or path, answer.status)
    hidden = [re.search(rf'name="{name}" value="([^"]*)"', text) for name in ("csrf", "once")]
    data = FormData()
    for name, found in zip(("csrf", "once"), hidden, strict=True):
        assert found is not None, f"no form on {page or path}"
        data.add_field(name, found[1])
    for name, value in fields.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, bytes):
                data.add_field(name, one, filename="file.bin", content_type="application/octet-stream")
            else:
                data.add_field(name, str(one))
    async with client.post(path, data=data, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location") or await answer.text()
