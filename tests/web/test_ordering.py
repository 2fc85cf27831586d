"""Two at once, a form and an erasure: both finish, for both take the audit before any row."""

from __future__ import annotations

import asyncio
import re
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import people
from accounts.audit import Audit
from accounts.erasure import Erasure
from accounts.roles import Role
from accounts.tombstones import Tombstones
from core.ids import UserId
from counseling import complaints
from tests.web.conftest import MASTER, Client
from tests.web.people import log_in, make, send
from tests.web.test_complaint import complain, officers
from web.services import SERVICES

OVERLAP_S = 0.5
"""Long enough that the form has come to the row that the erasure wants."""


async def test_a_complaint_is_closed_while_whoever_filed_it_is_erased(client: Client, tmp_path: Path) -> None:
    services = client.app[SERVICES]
    officer, person = await make(client, Role.OFFICER, name="Wayan"), await make(client)
    await log_in(client, person)
    await complain(client)
    way = await officers(client, officer)
    assert (await send(client, f"{way}/answer", {"text": "Kami sudah menegur."}, page=way))[0] == 303
    async with client.get(way) as answer:
        text = await answer.text()
    form = {name: re.search(rf'name="{name}" value="([^"]*)"', text) for name in ("csrf", "once")}
    fields = {name: found[1] for name, found in form.items() if found is not None}
    at_work = asyncio.Event()

    async def slowly(db: AsyncSession, *, user: UserId, now: datetime) -> None:
        at_work.set()
        await asyncio.sleep(OVERLAP_S)

    erasure = Erasure(services.audit, Tombstones(tmp_path / "tombstones", MASTER), [slowly, complaints.erase])
    async with services.database.sessions.begin() as db:
        await people.leave(db, user=person.id, at=services.now())

    async def erase() -> bool:
        async with services.database.sessions.begin() as db:
            return await erasure.carry_out(db, user=person.id, now=services.now())

    erasing = asyncio.create_task(erase())
    await at_work.wait()
    async with client.post(f"{way}/close", data=fields, allow_redirects=False) as answer:
        assert answer.status == 303
    assert await erasing


async def test_whoever_takes_rows_before_the_audit_is_noticed(
    client: Client, late_for_the_audit: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(_audit: Audit, _db: AsyncSession) -> None:
        pass

    monkeypatch.setattr(Audit, "hold", nothing)
    await complain(client)
    assert late_for_the_audit == ["INSERT INTO submissions", "INSERT INTO complaints"]
    late_for_the_audit.clear()
