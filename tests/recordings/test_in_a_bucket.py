"""The same way with a bucket of a real S3 server that keeps versions: stored, checked, destroyed for good."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import pickle
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

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
    MASTER,
    Ended,
    end_one,
    opened,
    recipient_of,
    side_of,
    side_states,
    state_of,
    stored,
)
from tests.recordings.killed import ROOT
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
    s3.raw("PUT", f"/{bucket.name}/{key}", b"a replica comes back")
    s3.raw("DELETE", f"/{bucket.name}/{key}")
    assert [one.lack for one in await orphans.look(shop)] == ["row"], "a version of it is there"


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


async def end_a_large_one(shop: Workshop) -> Ended:
    """Record a client whose file is larger than two parts, and a counselor who said nothing."""
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
    return made


async def large_one_is_whole(shop: Workshop, made: Ended) -> None:
    assert await side_states(shop, made.id) == [SideState.STORED, SideState.EMPTY]
    assert await shop.store.size(object_name(made.id, Side.CLIENT)) > 2 * PART_BYTES
    assert await problems(shop) == []


async def test_a_large_one_goes_in_parts_and_a_half_one_is_ended(
    shop: Workshop, s3: S3Server, bucket: Bucket
) -> None:
    """It is larger than two parts; an upload of it was begun by a worker that died."""
    made = await end_a_large_one(shop)
    s3.begin_upload(bucket, f"teduh/{object_name(made.id, Side.CLIENT)}")
    await work(shop)
    await large_one_is_whole(shop, made)
    assert s3.keys(bucket, "uploads") == []


@asynccontextmanager
async def narrow(server: str, *, most_bytes: int) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Stand before a server: what is sent to it stands still behind so many bytes; gives URL and sign."""
    where, is_full, left, talks = urlsplit(server), asyncio.Event(), most_bytes, set[asyncio.Task[None]]()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counts: bool) -> None:
        nonlocal left
        while data := await reader.read(65_536):
            left -= len(data) if counts else 0
            if left < 0:
                is_full.set()
                await asyncio.Event().wait()
            writer.write(data)
            await writer.drain()
        writer.close()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to_server = await asyncio.open_connection(where.hostname, where.port)
        with contextlib.closing(writer), contextlib.closing(to_server), contextlib.suppress(ConnectionError):
            await asyncio.gather(
                pass_on(reader, to_server, counts=True), pass_on(there, writer, counts=False)
            )

    proxy = await asyncio.start_server(
        lambda reader, writer: talks.add(asyncio.create_task(talk(reader, writer))), "127.0.0.1", 0
    )
    try:
        yield f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}", is_full
    finally:
        proxy.close()
        for one in talks:
            one.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


async def test_a_worker_killed_while_parts_go_up_leaves_nothing_behind(
    shop: Workshop, config: Config, s3: S3Server, bucket: Bucket, clock: FakeClock
) -> None:
    clock.advance((datetime.now(UTC) - clock.now()).total_seconds())  # the worker has a clock of its own
    made = await end_a_large_one(shop)
    async with narrow(s3.url, most_bytes=PART_BYTES * 3 // 2) as (url, is_full):
        behind = dataclasses.replace(bucket, endpoint=url)
        slow = dataclasses.replace(config, recordings_url=behind, master_key=MASTER)
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "web.worker", stdin=asyncio.subprocess.PIPE, cwd=ROOT
        )
        assert worker.stdin is not None
        worker.stdin.write(pickle.dumps(slow))
        worker.stdin.close()
        async with asyncio.timeout(60):
            await is_full.wait()
        worker.kill()
        assert await worker.wait() == -signal.SIGKILL
    assert s3.keys(bucket, "uploads") == [f"teduh/{object_name(made.id, Side.CLIENT)}"]
    assert await stored(shop) == []
    assert await side_states(shop, made.id) == [SideState.FINAL, SideState.LOG]
    await work(shop)
    await large_one_is_whole(shop, made)
    assert s3.keys(bucket, "uploads") == []
    assert await state_of(shop, made.id) is State.STORED
