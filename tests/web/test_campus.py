"""A campus behind one address: each is counted by what they type, and all are let in.

Here 300 come by HTTP; 5,000 stand in ``tests/accounts/test_tries.py``, ``tests/accounts/test_turns.py``, and
by HTTP in ``python -m bench.campus``.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from pathlib import Path

import aiohttp
from pytest_aiohttp.plugin import AiohttpClient

from accounts import people, recovery
from accounts.passwords import Cost, Passwords
from accounts.recovery import Code
from tests.fakes import FakeClock
from tests.web.browsing import get
from tests.web.conftest import MASTER, Client, FakeEngine, make_config
from web.app import make_app
from web.forms import new_once
from web.services import SERVICES

CLIENTS = 300
AT_ONCE = 100


async def test_all_behind_one_address_are_let_in(
    aiohttp_client: AiohttpClient, tmp_path: Path, clock: FakeClock, migrated_sqlite: Path
) -> None:
    shutil.copy(migrated_sqlite, tmp_path / "test.db")
    config = make_config(tmp_path, f"sqlite:///{tmp_path / 'test.db'}")
    campus = await aiohttp_client(make_app(config, clock=clock, make_engine=FakeEngine))
    services = campus.app[SERVICES]
    services.passwords.close()
    services.passwords = Passwords(MASTER, cost=Cost(memory_kib=8, passes=1))
    secret = "0" * recovery.SECRET_CHARS
    hashed = await services.passwords.hash(secret)
    lookups = [f"{number:08}" for number in range(CLIENTS)]
    async with services.database.sessions.begin() as db:
        for lookup in lookups:
            person = await people.create_client(
                db, name="Embun", language="id", adult=True, now=services.now()
            )
            code = Code(lookup, secret)
            await recovery.keep(
                db, services.codes, user=person.id, code=code, secret_hash=hashed, now=services.now()
            )
    fields = (await get(campus, "/enter")).form("/enter") | {"phone": "shared"}
    statuses = Counter[int]()

    async def comes(lookup: str) -> None:
        once = new_once()
        # Each has a browser of their own; all of them one address, and every third mistypes at first.
        if int(lookup) % 3 == 0:
            wrong = fields | {"once": once, "code": lookup + "1" * recovery.SECRET_CHARS}
            statuses[(await alone(campus, wrong))] += 1
        statuses[await alone(campus, fields | {"once": once, "code": lookup + secret})] += 1

    for start_at in range(0, len(lookups), AT_ONCE):
        await asyncio.gather(*(comes(lookup) for lookup in lookups[start_at : start_at + AT_ONCE]))
    assert statuses == {303: CLIENTS, 422: CLIENTS // 3}


async def alone(client: Client, fields: dict[str, str]) -> int:
    """Send the code from a browser without cookies."""
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http,
        http.post(client.make_url("/enter"), data=fields, allow_redirects=False) as answer,
    ):
        return answer.status
