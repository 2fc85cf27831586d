"""Erasing oneself, through the page, the job and a restart."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pytest_aiohttp.plugin import AiohttpClient
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import erasure, people
from accounts.checkpoints import FILE, Signer, read_lines
from accounts.people import Person
from accounts.roles import Role
from accounts.tombstones import NAME, tombstones_in
from accounts.verifying import Problem, Verdict, verify
from core.ids import UserId
from core.shapes import Outside
from tests.fakes import FakeClock
from tests.web.conftest import MASTER, Client, FakeEngine, make_config
from tests.web.people import log_in, log_out, make, send
from web.app import make_app
from web.services import SERVICES, Services
from web.upkeep import checkpoint_due, erase_due

HOURS_72 = 72 * 3600


async def found(services: Services, user: UserId) -> Person | None:
    async with services.database.sessions() as db:
        return await people.find(db, user=user)


async def verified(services: Services) -> Verdict:
    async with services.database.sessions() as db:
        return await verify(
            db,
            services.audit,
            erased=tombstones_in(services.config.data_dir, MASTER).read(),
            signer=Signer(MASTER),
            now=services.now(),
        )


async def test_the_page_says_what_goes_and_what_stays_in_both_languages(client: Client) -> None:
    await log_in(client, await make(client))
    for language, words in {
        "id": ("Yang hilang untuk selamanya", "Yang tinggal, dan alasannya", "72 jam"),
        "en": ("What goes for ever", "What stays, and why", "72 hours"),
    }.items():
        client.session.cookie_jar.update_cookies({"teduh_lang": language})
        async with client.get("/me/erase") as answer:
            text = await answer.text()
        assert all(word in text for word in words)


async def test_without_being_sure_nothing_happens(client: Client) -> None:
    me = await make(client)
    await log_in(client, me)
    status, text = await send(client, "/me/erase", {})
    assert status == 422
    assert "Centang dulu" in text
    person = await found(client.app[SERVICES], me.id)
    assert person is not None
    assert not person.is_leaving


async def test_who_asked_sees_only_the_way_back(client: Client) -> None:
    me = await make(client)
    other_browser = await log_in(client, me)
    await log_in(client, me)
    assert await send(client, "/me/erase", {"sure": "y"}) == (303, "/me/erase?done=erase_asked")
    async with client.get("/me/erase?done=erase_asked") as answer:
        text = await answer.text()
    assert "Akunmu akan dihapus" in text
    assert "Permintaanmu sudah kami terima" in text
    assert 'href="/home"' not in text
    for path, status, to in (
        ("/home", 303, "/me/erase"),
        ("/me/notices", 303, "/me/erase"),
        ("/me/history", 200, ""),
    ):
        async with client.get(path, allow_redirects=False) as answer:
            assert (answer.status, answer.headers.get("Location", "")) == (status, to), path
    async with client.post("/me/email", allow_redirects=False) as answer:
        assert answer.status == 403
    client.session.cookie_jar.update_cookies({"teduh_login": other_browser})
    async with client.get("/me/erase", allow_redirects=False) as answer:
        assert answer.status == 303, "every other login has ended"


async def test_it_is_taken_back_and_everything_is_as_before(client: Client) -> None:
    me = await make(client)
    await log_in(client, me)
    await send(client, "/me/erase", {"sure": "y"})
    status, location = await send(client, "/me/erase/cancel", {}, page="/me/erase")
    assert (status, location) == (303, "/me/erase?done=erase_cancelled")
    async with client.get("/home") as answer:
        assert answer.status == 200


async def test_when_it_is_due_it_is_too_late(client: Client, clock: FakeClock) -> None:
    me = await make(client)
    await log_in(client, me)
    await send(client, "/me/erase", {"sure": "y"})
    async with client.get("/me/erase") as answer:
        page = await answer.text()
    assert "/me/erase/cancel" in page
    clock.advance(HOURS_72)
    async with client.get("/me/erase") as answer:
        page = await answer.text()
    assert "tidak bisa dibatalkan lagi" in page
    assert "/me/erase/cancel" not in page


async def test_asking_twice_at_once_asks_once(client: Client) -> None:
    me = await make(client)
    await log_in(client, me)
    for _ in range(2):
        assert (await send(client, "/me/erase", {"sure": "y"}))[0] == 303
    services = client.app[SERVICES]
    async with services.database.sessions() as db:
        assert [row.tag for row in await services.audit.own(db, person=me.id)] == ["erasure:ask"]


async def test_a_minute_after_the_72_hours_everything_is_gone(client: Client, clock: FakeClock) -> None:
    me = await make(client)
    await log_in(client, me)
    await send(client, "/me/erase", {"sure": "y"})
    services = client.app[SERVICES]
    clock.advance(HOURS_72 - 1)
    await erase_due(services)
    assert await found(services, me.id) is not None
    clock.advance(1)
    await erase_due(services)
    assert await found(services, me.id) is None
    async with client.get("/me/erase", allow_redirects=False) as answer:
        assert answer.status == 303, "the last login has ended too"
    assert (await verified(services)).problem is None


async def test_who_cannot_be_erased_blocks_nobody_else(
    client: Client, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "AT_ONCE", 1)
    services = client.app[SERVICES]
    stuck, free = await make(client), await make(client)
    broken = True

    async def fail(db: AsyncSession, *, user: UserId, now: datetime) -> None:  # as erasers are
        if broken and user == stuck.id:
            raise OSError("the file is on a disk that is gone")

    services.erasure.register(fail)
    for person in (stuck, free):
        async with services.database.sessions.begin() as db:
            await services.erasure.ask(db, person=person, login=None, now=clock.now())
        clock.advance(1)
    clock.advance(HOURS_72)
    await erase_due(services)
    assert await found(services, free.id) is None
    assert await found(services, stuck.id) is not None
    async with services.database.sessions() as db:
        assert await erasure.overdue(db, now=clock.now()) == 0
        assert await erasure.overdue(db, now=clock.now() + timedelta(hours=2)) == 1
    broken = False
    await erase_due(services)
    assert await found(services, stuck.id) is None


async def test_staff_have_no_such_page(client: Client) -> None:
    await log_in(client, await make(client, Role.COUNSELOR))
    async with client.get("/me/erase") as answer:
        assert answer.status == 403


async def test_an_erasing_is_followed_by_a_checkpoint_outside(
    aiohttp_client: AiohttpClient, clock: FakeClock, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    config = make_config(tmp_path, audit_checkpoints=Outside(outside))
    client = await aiohttp_client(make_app(config, clock=clock, make_engine=FakeEngine))
    services = client.app[SERVICES]
    me = await make(client)
    await log_in(client, me)
    await checkpoint_due(services)
    await checkpoint_due(services)
    await send(client, "/me/erase", {"sure": "y"})
    clock.advance(HOURS_72)
    await erase_due(services)
    checkpoints = read_lines((outside / FILE).read_text())
    assert [one.count for one in checkpoints] == [0, 2], "at the start, and after the erasing"
    assert (outside / FILE).stat().st_mode & 0o777 == 0o600
    clock.advance(3599)
    await checkpoint_due(services)
    assert len(read_lines((outside / FILE).read_text())) == 2
    clock.advance(1)
    await checkpoint_due(services)
    assert len(read_lines((outside / FILE).read_text())) == 3
    async with services.database.sessions() as db:
        verdict = await verify(
            db,
            services.audit,
            erased=[me.id],
            checkpoints=checkpoints,
            signer=Signer(MASTER),
            now=services.now(),
        )
    assert verdict.problem is None


async def test_a_restored_backup_brings_nobody_back(
    aiohttp_client: AiohttpClient, clock: FakeClock, tmp_path: Path
) -> None:
    """Back up, erase, restore, start: gone before anything is served, and the chain holds."""
    config = make_config(tmp_path)
    client = await aiohttp_client(make_app(config, clock=clock, make_engine=FakeEngine))
    services = client.app[SERVICES]
    me, other = await make(client), await make(client, name="Kabut")
    await log_in(client, me)
    file, backup = config.data_dir / "teduh.db", tmp_path / "backup.db"
    await send(client, "/me/erase", {"sure": "y"})
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("VACUUM INTO ?", (str(backup),))
    clock.advance(HOURS_72)
    await erase_due(services)
    assert await found(services, me.id) is None
    await client.close()
    for name in ("teduh.db", "teduh.db-wal", "teduh.db-shm"):
        (config.data_dir / name).unlink(missing_ok=True)
    os.replace(backup, file)  # noqa: PTH105  # a move in one step, as restoring is

    back = await aiohttp_client(make_app(config, clock=clock, make_engine=FakeEngine))
    services = back.app[SERVICES]
    assert await found(services, me.id) is None
    assert await found(services, other.id) is not None
    verdict = await verified(services)
    assert (verdict.problem, verdict.closed) == (None, 2)
    await log_out(back)


async def test_the_chain_of_a_restored_database_is_known_by_a_checkpoint(
    aiohttp_client: AiohttpClient, clock: FakeClock, tmp_path: Path
) -> None:
    config = make_config(tmp_path)
    client = await aiohttp_client(make_app(config, clock=clock, make_engine=FakeEngine))
    services = client.app[SERVICES]
    me = await make(client)
    async with services.database.sessions.begin() as db:
        await services.erasure.ask(db, person=me, login=None, now=services.now())
    async with services.database.sessions() as db:
        checkpoint = await services.checkpoints.take(db, now=services.now())
    await client.close()
    for name in ("teduh.db", "teduh.db-wal", "teduh.db-shm"):
        (config.data_dir / name).unlink(missing_ok=True)
    empty = await aiohttp_client(make_app(config, clock=clock, make_engine=FakeEngine))
    services = empty.app[SERVICES]
    async with services.database.sessions() as db:
        verdict = await verify(
            db, services.audit, erased=[], checkpoints=[checkpoint], signer=Signer(MASTER), now=services.now()
        )
    assert (verdict.problem, verdict.row) == (Problem.BEYOND, 1)
    assert not (config.data_dir / NAME).exists()
