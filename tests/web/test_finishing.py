"""Recordings after their end in the whole application: a worker is started, people are told."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pytest_aiohttp.plugin import AiohttpClient
from sqlalchemy import delete, select, update

from accounts import erasure as erasing
from accounts import notices, people
from accounts.notices import Notice
from accounts.people import Person
from accounts.roles import Role
from core.ids import new_id
from recordings import ending, leap
from recordings.retention import Why
from recordings.states import Side, State
from recordings.store import Stored, StoreFailed, object_name
from recordings.store_local import DRAFT, LocalStore
from recordings.tables import RecordingProofRow, RecordingRow
from recordings.working import STALE, Busy, work
from recordings.workshop import Workshop
from signaling.tables import SessionRow
from tests.fakes import FakeClock
from tests.recordings.ended import Ended, end_one, state_of, stored, workshop
from tests.web.conftest import Client, FakeEngine
from tests.web.people import log_in, make
from web import finishing, upkeep
from web.app import make_app
from web.finishing import FINISHING, Finishing
from web.services import SERVICES, Services


@pytest.fixture
async def shop(client: Client) -> AsyncIterator[Workshop]:
    services = client.app[SERVICES]
    async with workshop(services.config, services.database, services.clock) as made:
        yield made


@pytest.fixture
def jobs(client: Client) -> Finishing:
    return client.app[FINISHING]


@pytest.fixture
def here(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The worker works in this process, whose clock is the test's; counts how often.

    When the clock is moved on, the application's own jobs come due too and may work already.
    """
    worked: list[int] = []

    async def work_here(_config: object) -> bool:
        with contextlib.suppress(Busy):
            worked.append(sum((await work(shop)).values()))
        return True

    monkeypatch.setattr(finishing, "have_worked", work_here)
    return worked


async def test_a_worker_is_started_when_something_is_due_and_not_otherwise(
    services: Services, shop: Workshop, jobs: Finishing, here: list[int]
) -> None:
    await jobs.finish_recordings(services)
    assert here == []
    made = await end_one(shop)
    await jobs.finish_recordings(services)
    assert here == [1]
    assert await state_of(shop, made.id) is State.STORED
    await jobs.finish_recordings(services)
    assert here == [1]


async def test_a_real_worker_gets_its_settings_through_a_pipe(
    services: Services, shop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its clock is the real one: then everything has expired long ago, and it destroys."""
    monkeypatch.setenv("TEDUH_NO_SUCH_SETTING", "it would stop whoever reads the environment")
    data_dir = services.config.data_dir
    monkeypatch.chdir(data_dir.parent)
    made = await end_one(shop)
    leap.believe(shop.spool, now=datetime.now(UTC))
    relative = dataclasses.replace(services.config, data_dir=Path(data_dir.name))
    assert await finishing.have_worked(relative)
    assert await state_of(shop, made.id) is State.DESTROYED
    assert await stored(shop) == []


async def test_a_worker_that_fails_is_said(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(finishing, "pickle", _Broken)
    assert not await finishing.have_worked(services.config)
    assert "recordings.worker_failed" in caplog.text


class _Broken:
    @staticmethod
    def dumps(_config: object) -> bytes:
        return b"these are no settings"


async def test_a_key_goes_without_any_worker(services: Services, shop: Workshop, jobs: Finishing) -> None:
    made = await end_one(shop)
    async with services.database.sessions.begin() as db:
        await ending.begin(db, shop.audit, recording=made.id, why=Why.WITHDRAWN, now=services.now())
    await jobs.destroy_keys(services)
    assert not await shop.vault.has(made.id)
    assert await state_of(shop, made.id) is State.DESTROYING


async def test_who_is_erased_leaves_no_recording(
    services: Services, shop: Workshop, jobs: Finishing, here: list[int], clock: FakeClock
) -> None:
    made = await end_one(shop)
    await jobs.finish_recordings(services)
    async with services.database.sessions.begin() as db:
        person = await people.find(db, user=made.users[Side.CLIENT])
        assert person is not None
        await services.erasure.ask(db, person=person, login=None, now=services.now())
    clock.advance(erasing.WAIT.total_seconds())
    await upkeep.erase_due(services)
    await jobs.finish_recordings(services)
    await _is_gone(shop, made, Why.ERASED)


async def test_a_session_that_is_deleted_takes_its_recording_along(
    services: Services, shop: Workshop, jobs: Finishing, here: list[int]
) -> None:
    made = await end_one(shop)
    await jobs.finish_recordings(services)
    async with services.database.sessions.begin() as db:
        await db.execute(delete(SessionRow).where(SessionRow.id == made.session))
    await jobs.finish_recordings(services)
    await _is_gone(shop, made, Why.SESSION_DELETED)


async def test_what_a_backup_brought_back_is_closed_before_a_page_is_served(
    aiohttp_client: AiohttpClient, client: Client, services: Services, shop: Workshop, here: list[int]
) -> None:
    """Its row says stored, as it did before it was destroyed."""
    made, kept = await end_one(shop), await end_one(shop)
    await client.app[FINISHING].finish_recordings(services)
    await shop.vault.destroy(made.id, now=services.now())
    await aiohttp_client(make_app(services.config, clock=services.clock, make_engine=FakeEngine))
    assert await state_of(shop, made.id) is State.DESTROYING
    assert await state_of(shop, kept.id) is State.STORED
    async with shop.database.sessions() as db:
        proof = await db.get_one(RecordingProofRow, made.id)
    assert proof.why == Why.RESTORED.value


async def _is_gone(shop: Workshop, made: Ended, why: Why) -> None:
    for _ in range(200):
        if await state_of(shop, made.id) is State.DESTROYED:
            break
        await asyncio.sleep(0.05)
    assert await state_of(shop, made.id) is State.DESTROYED
    assert await stored(shop) == []
    assert not await shop.vault.has(made.id)
    async with shop.database.sessions() as db:
        proof = await db.get_one(RecordingProofRow, made.id)
    assert (proof.why, proof.files) == (why.value, 2)


async def test_admins_hear_once_of_what_is_stuck(
    client: Client, services: Services, shop: Workshop, jobs: Finishing, clock: FakeClock
) -> None:
    admin = await make(client, Role.ADMIN, name="Wira")
    await make(client, Role.COUNSELOR, name="Ratna")

    made = await end_one(shop)
    await jobs.measure_recordings(services)
    assert await heard(services, admin, finishing.STUCK) == []
    async with services.database.sessions.begin() as db:
        await db.execute(
            update(RecordingRow).where(RecordingRow.id == made.id).values(state=State.STUCK.value)
        )
    await jobs.measure_recordings(services)
    await jobs.measure_recordings(services)
    assert len(await heard(services, admin, finishing.STUCK)) == 1


async def heard(services: Services, person: Person, kind: str) -> list[Notice]:
    async with services.database.sessions() as db:
        return [one for one in await notices.inbox(db, user=person.id) if one.kind == kind]


@pytest.mark.usefixtures("here")
async def test_admins_hear_once_of_a_clock_that_leapt(
    client: Client, services: Services, shop: Workshop, jobs: Finishing, clock: FakeClock
) -> None:
    admin = await make(client, Role.ADMIN, name="Wira")
    clock.advance(365 * 86_400)
    await jobs.look_at_clock(services)
    assert await heard(services, admin, finishing.LEAPT) == [], "there is no recording to be held up"
    leap.believe(shop.spool, now=clock.now())
    made = await end_one(shop)
    await jobs.finish_recordings(services)
    clock.advance(365 * 86_400)
    for _ in range(2):
        await jobs.look_at_clock(services)
        await jobs.finish_recordings(services)
    [notice] = await heard(services, admin, finishing.LEAPT)
    assert notice.said("id") == {
        "was": "2027-03-02 09:00 UTC",
        "leapt": "2028-03-01 09:00 UTC",
        "until": "2028-03-02 09:00 UTC",
    }
    assert await state_of(shop, made.id) is State.STORED
    leap.believe(shop.spool, now=clock.now())
    await jobs.look_at_clock(services)
    await jobs.finish_recordings(services)
    assert await state_of(shop, made.id) is State.DESTROYED
    assert len(await heard(services, admin, finishing.LEAPT)) == 1


async def test_a_start_with_a_wrong_clock_is_known_before_anything_is_written_by_it(
    aiohttp_client: AiohttpClient, client: Client, services: Services, shop: Workshop, clock: FakeClock
) -> None:
    """What a start writes down itself, such as recordings that a crash has ended, says nothing of time."""
    admin = await make(client, Role.ADMIN, name="Wira")
    await end_one(shop)
    (shop.spool / leap.NAME).unlink()
    wrong = FakeClock(clock.now() + timedelta(days=3_650))
    await aiohttp_client(make_app(services.config, clock=wrong, make_engine=FakeEngine))
    assert len(await heard(services, admin, finishing.LEAPT)) == 1
    seen = leap.read(shop.spool)
    assert seen is not None
    assert (seen.leapt_at, seen.was) == (wrong.now(), clock.now())


async def test_the_metrics_tell_what_stands_where(
    client: Client, services: Services, shop: Workshop, jobs: Finishing
) -> None:
    await end_one(shop)
    (shop.spool / new_id("r")).mkdir()
    await jobs.measure_recordings(services)
    await jobs.find_orphans(services)
    async with client.get("/metrics") as answer:
        told = await answer.text()
    assert "teduh_recordings_ended 1.0" in told
    assert "teduh_recordings_stored 0.0" in told
    assert "teduh_recordings_late_stored 0.0" in told
    assert "teduh_recordings_orphans 1.0" in told


async def test_no_person_and_no_recording_is_in_the_metrics(
    client: Client, services: Services, shop: Workshop, jobs: Finishing
) -> None:
    made = await end_one(shop)
    await jobs.measure_recordings(services)
    async with client.get("/metrics") as answer:
        assert made.id not in await answer.text()
    async with services.database.sessions() as db:
        assert await db.scalar(select(RecordingRow.id)) == made.id


async def test_what_a_dead_worker_began_to_store_is_swept(
    services: Services, shop: Workshop, jobs: Finishing, clock: FakeClock
) -> None:
    made = await end_one(shop)
    folder = shop.spool / "stored" / made.id
    folder.mkdir(parents=True)
    draft = folder / f"{DRAFT}client.webm.age.0123"
    draft.write_bytes(b"half")
    clock.advance((datetime.now(UTC) - clock.now()).total_seconds())
    await jobs.sweep_uploads(services)
    assert draft.exists()
    clock.advance(STALE.total_seconds() + 60)
    await jobs.sweep_uploads(services)
    assert not draft.exists()


async def test_a_store_that_is_down_ends_no_job(
    services: Services, shop: Workshop, jobs: Finishing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each job's error is its own (web/jobs.py); the next look asks again."""

    def down(_store: LocalStore) -> AsyncIterator[Stored]:
        raise StoreFailed("The store is down.")

    made = await end_one(shop)
    monkeypatch.setattr(LocalStore, "every", down)
    with pytest.raises(StoreFailed):
        await jobs.find_orphans(services)
    assert jobs.counters() == {}
    monkeypatch.undo()
    await jobs.find_orphans(services)
    assert jobs.counters() == {"orphans": 0}
    assert object_name(made.id, Side.CLIENT) not in await stored(shop)


async def test_an_admin_reads_how_many_need_a_look(
    client: Client, services: Services, shop: Workshop, jobs: Finishing
) -> None:
    admin = await make(client, Role.ADMIN, name="Wira")
    await log_in(client, admin)
    made = await end_one(shop)
    async with services.database.sessions.begin() as db:
        await db.execute(
            update(RecordingRow).where(RecordingRow.id == made.id).values(state=State.STUCK.value)
        )
    (shop.spool / new_id("r")).mkdir()
    await jobs.find_orphans(services)
    async with client.get("/admin/settings") as answer:
        page = await answer.text()
    assert page.count("<dd><strong>1</strong></dd>") == 2, "one is stuck, one thing is lost"
    assert made.id not in page
