"""``kill -9`` at every step of the work: the next worker goes on, and nothing is lost or comes back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from core.config import Config
from recordings import ending
from recordings.retention import Why
from recordings.states import SideState, State
from recordings.store import object_name
from recordings.working import work
from recordings.workshop import Workshop
from tests.conftest import BOTH as BOTH_DATABASES
from tests.fakes import FakeClock
from tests.recordings.ended import (
    BOTH,
    end_one,
    opened,
    side_states,
    state_of,
    stored,
)
from tests.recordings.killed import work_and_die
from tests.recordings.playing import play


@pytest.fixture
def clock() -> FakeClock:
    """It stands still at the time of day that the killed processes have."""
    return FakeClock(datetime.now(UTC))


def on(names: tuple[str, ...], cases: list[tuple[object, ...]], *, both: str) -> pytest.MarkDecorator:
    """Run each case on SQLite, and on PostgreSQL too where a transaction is about: its name begins so."""
    databases = {case: BOTH_DATABASES if str(case[0]).startswith(both) else ("sqlite",) for case in cases}
    return pytest.mark.parametrize(
        ("database_url", *names),
        [(database, *case) for case in cases for database in databases[case]],
        indirect=["database_url"],
    )


@on(
    ("function", "when", "number"),
    [
        ("recordings.moving:finalize", "before", 1),
        ("recordings.moving:finalize", "after", 2),
        ("recordings.finishing:Finisher._keep", "before", 1),
        ("recordings.finishing:Finisher._keep", "after", 1),
        ("recordings.store_local:_place", "after", 1),
        ("recordings.store_local:LocalStore.put", "after", 1),
        ("recordings.moving:digest_in", "after", 2),
        ("recordings.finishing:Finisher._keep", "after", 4),
        ("recordings.finishing:Finisher._conclude", "before", 1),
        ("recordings.finishing:_delete", "before", 1),
        ("recordings.finishing:_delete", "after", 1),
    ],
    both="recordings.finishing:Finisher.",
)
async def test_finishing_goes_on(
    shop: Workshop, config: Config, function: str, when: str, number: int
) -> None:
    made = await end_one(shop)
    await work_and_die(config, function, when, number)
    await work(shop)
    assert await state_of(shop, made.id) is State.STORED
    assert await side_states(shop, made.id) == [SideState.STORED, SideState.STORED]
    assert await stored(shop) == [object_name(made.id, side) for side in BOTH]
    assert not (shop.spool / made.id).exists()
    for side in BOTH:
        assert play(await opened(shop, made.id, side)).voice_s == pytest.approx(3.0, abs=0.05)


@on(
    ("function", "when", "after_finishing"),
    [
        ("recordings.vault:Vault.destroy", "before", True),
        ("recordings.vault:Vault.destroy", "after", False),
        ("recordings.ending:Destroyer.destroy_key", "after", True),
        ("recordings.store_local:LocalStore.delete", "after", True),
        ("recordings.ending:_delete_directory", "before", False),
        ("recordings.ending:Destroyer._confirm", "before", True),
    ],
    both="recordings.ending:Destroyer.",
)
async def test_destroying_goes_on(
    shop: Workshop, config: Config, function: str, when: str, after_finishing: bool
) -> None:
    made = await end_one(shop)
    if after_finishing:
        await work(shop)
    async with shop.database.sessions.begin() as db:
        await ending.begin(
            db, shop.audit, recording=made.id, why=Why.EXPIRED, actor=None, now=shop.clock.now()
        )
    await work_and_die(config, function, when)
    assert await state_of(shop, made.id) is State.DESTROYING
    await work(shop)
    assert await state_of(shop, made.id) is State.DESTROYED
    assert not await shop.vault.has(made.id)
    assert await stored(shop) == []
    assert not (shop.spool / made.id).exists()
    async with shop.database.sessions() as db:
        proof = await ending.proof_of(db, recording=made.id)
    assert proof is not None
    assert (proof.why, proof.problem) == (Why.EXPIRED, None)
    assert proof.key_at is not None
    assert proof.media_at is not None
