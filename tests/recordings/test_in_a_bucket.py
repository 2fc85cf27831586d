"""The same way with a bucket of a real S3 server that keeps versions: stored, checked, destroyed for good."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.bucket import Bucket, place
from core.config import Config
from recordings import ending, orphans
from recordings.container import OPUS_TRACK, Codec, Frame, cluster, live_head
from recordings.log import LogWriter
from recordings.records import Growth, grew
from recordings.retention import Why
from recordings.sides import log_path
from recordings.states import Side, SideState, State
from recordings.store import object_name
from recordings.store_s3 import PART_BYTES, BucketStore
from recordings.verifying import verify
from recordings.working import work
from recordings.workshop import Workshop
from tests.fakes import FakeClock
from tests.recordings.ended import (
    BOTH,
    Ended,
    end_one,
    opened,
    recipient_of,
    side_of,
    side_states,
    state_of,
    stored,
)
from tests.recordings.playing import play
from tests.s3 import S3Server, running_s3


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with running_s3() as server:
        yield server


@pytest.fixture
def bucket(s3: S3Server, tmp_path: Path) -> Bucket:
    return s3.bucket(f"rekaman-{tmp_path.name[-24:].replace('_', '-')}".rstrip("-"), "teduh", versions=True)


@pytest.fixture
def config(s3: S3Server, bucket: Bucket, tmp_path: Path) -> Config:
    url = place(s3.setting(bucket))
    assert url == bucket
    return Config(
        data_dir=tmp_path / "data", database_url=f"sqlite:///{tmp_path / 'test.db'}", recordings_url=url
    )


pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def begin(shop: Workshop, made: Ended) -> None:
    async with shop.database.sessions.begin() as db:
        await ending.begin(db, shop.audit, recording=made.id, why=Why.WITHDRAWN, now=shop.clock.now())


async def problems(shop: Workshop) -> list[str]:
    return [f"{one.side}: {one.problem}" async for one in verify(shop) if one.problem is not None]


async def test_from_the_end_to_the_last_version(shop: Workshop, s3: S3Server, bucket: Bucket) -> None:
    made = await end_one(shop)
    await work(shop)
    assert await state_of(shop, made.id) is State.STORED
    assert not (shop.spool / made.id).exists()
    assert await stored(shop) == [object_name(made.id, side) for side in BOTH]
    assert play(await opened(shop, made.id, Side.CLIENT)).voice_s == pytest.approx(3.0, abs=0.05)
    assert await problems(shop) == []
    assert await orphans.look(shop) == []
    key = f"teduh/{object_name(made.id, Side.CLIENT)}"
    s3.raw("PUT", f"/{bucket.name}/{key}", b"somebody with the bucket puts another in its place")
    assert await problems(shop) != []
    assert [one.lack for one in await orphans.look(shop)] == ["media"]
    s3.raw("DELETE", f"/{bucket.name}/{key}")
    assert await problems(shop) == ["client: the file is gone"]
    await begin(shop, made)
    await work(shop)
    assert await state_of(shop, made.id) is State.DESTROYED
    assert s3.keys(bucket, "versions") == []
    async with shop.database.sessions() as db:
        proof = await ending.proof_of(db, recording=made.id)
    assert proof is not None
    assert proof.files == 4, "two files, the one in its place, and the mark that it was deleted"


async def test_a_bucket_with_another_secret_is_stuck_and_then_not(
    shop: Workshop, bucket: Bucket, clock: FakeClock
) -> None:
    right = shop.store
    wrong = BucketStore(dataclasses.replace(bucket, secret="another"))
    object.__setattr__(shop, "store", wrong)
    made = await end_one(shop)
    for _ in range(5):
        await work(shop)
        clock.advance(3_600)
    assert await state_of(shop, made.id) is State.STUCK
    assert (await side_of(shop, made.id, Side.CLIENT)).problem == "store_failed"
    await wrong.close()
    object.__setattr__(shop, "store", right)
    await work(shop)
    assert await state_of(shop, made.id) is State.STORED


async def test_a_large_one_goes_in_parts_and_a_half_one_is_ended(
    shop: Workshop, s3: S3Server, bucket: Bucket
) -> None:
    """It is larger than two parts; an upload of it was begun by a worker that died."""
    made = await end_one(shop, sides=())
    log = LogWriter(
        log_path(shop.spool, made.id, Side.CLIENT),
        recording_id=made.id,
        side=Side.CLIENT,
        recipient=await recipient_of(shop, made.id),
    )
    log.append(live_head([OPUS_TRACK]))
    for second in range(20):
        noise = Frame(Codec.OPUS, 1_000 * second, key=True, data=os.urandom(1 << 20))
        log.append(cluster([noise]))
    log.append(b"", final=True)
    log.close()
    async with shop.database.sessions.begin() as db:
        growth = Growth(made.id, Side.CLIENT, log.chain.records, log.chain.head.hex(), log.bytes, 20_000)
        await grew(db, [growth])
    name = f"teduh/{object_name(made.id, Side.CLIENT)}"
    s3.begin_upload(bucket, name)
    await work(shop)
    assert await side_states(shop, made.id) == [SideState.STORED, SideState.EMPTY]
    assert await shop.store.size(object_name(made.id, Side.CLIENT)) > 2 * PART_BYTES
    assert s3.keys(bucket, "uploads") == []
    assert await problems(shop) == []
