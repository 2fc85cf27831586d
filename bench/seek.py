"""Jumps in a recording of 60 minutes that lies in a bucket: from a Range request to a second in the clear.

    python -m bench.seek [--minutes 60] [--jumps 200] [--bucket s3://KEY:SECRET@BUCKET/PREFIX?endpoint=…]

Both sides are read at once, as the page does: the chunks from a random place on are asked of the bucket,
opened, and given out until a second of voice and picture of 500 kbit/s is there. Without ``--bucket`` a
process that serves ranges of files stands for one: moto, which the tests have, reads a whole object for each
range of it. What was put into a bucket is deleted afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.report import Figure, percentile, publish
from core.agefile import START_BYTES, Identity, Payload
from core.bucket import Bucket, place
from core.ids import new_id
from recordings import ranges
from recordings.container import OPUS_TRACK, Codec, Frame, Track, cluster, live_head
from recordings.finalize import finalize
from recordings.log import LogWriter
from recordings.playback import read_chunks
from recordings.ranges import Piece
from recordings.sides import Side, log_path
from recordings.store import object_name
from recordings.store_s3 import BucketStore
from tests.e2e.server import free_port

LIMIT_MS = 500.0
SECOND_BYTES = 62_500
FRAMES, PACKETS = 30, 50
PACKET_BYTES = 60
FRAME_BYTES = (SECOND_BYTES - PACKETS * PACKET_BYTES) // FRAMES

SERVER = """
import sys
from aiohttp import web

app = web.Application()
app.router.add_static("/seek", sys.argv[1])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[2]), print=None)
"""


@dataclass(frozen=True)
class Made:
    """The finished files of a recording by their names, what opens them, and how often to jump."""

    files: Mapping[str, Path]
    identity: Identity
    jumps: int


def second(number: int, noise: bytes) -> bytes:
    """Write a second of a talk: fifty packets of voice, thirty pictures, the first of them a key frame."""
    start_ms = 1_000 * number
    voice = [
        Frame(Codec.OPUS, start_ms + 20 * at, key=True, data=noise[at : at + PACKET_BYTES])
        for at in range(PACKETS)
    ]
    pictures = [
        Frame(Codec.VP8, start_ms + 33 * at, key=not at, data=noise[at : at + FRAME_BYTES])
        for at in range(FRAMES)
    ]
    return cluster(sorted(voice + pictures, key=lambda frame: frame.at_ms))


def finish(spool: Path, recording: str, side: Side, identity: Identity, seconds: int) -> Path:
    """Write the log of a side, and make the finished file of it."""
    log_file, out = log_path(spool, recording, side), spool / f"{side.value}.webm.age"
    log = LogWriter(log_file, recording_id=recording, side=side, recipient=identity.recipient)
    log.append(live_head([Track(Codec.VP8, 640, 360), OPUS_TRACK]))
    noise = os.urandom(2 * FRAME_BYTES)
    for number in range(seconds):
        log.append(second(number, noise))
    log.append(b"", final=True)
    log.close()
    finalize(
        log_file,
        recording_id=recording,
        side=side,
        identity=identity,
        recipient=identity.recipient,
        out=out,
        expected=log.chain,
    )
    log_file.unlink()
    return out


async def open_object(store: BucketStore, name: str, identity: Identity) -> Payload:
    """Open a file as the server does for a grant: its header, and its last chunk."""
    size = await store.size(name)
    payload = Payload(await store.read(name, 0, START_BYTES), size, [identity])
    await read_chunks(store, name, payload, Piece(payload.last, payload.last, 0, 0))
    return payload


async def jump(store: BucketStore, name: str, payload: Payload, share: float) -> None:
    """Answer ``Range: bytes=N-`` until a second is there."""
    span = ranges.wanted(f"bytes={int(share * (payload.size - SECOND_BYTES))}-", payload.size)
    came = 0
    for piece in ranges.pieces(span):
        came += len((await read_chunks(store, name, payload, piece))[piece.begin : piece.end])
        if came >= SECOND_BYTES:
            return


async def in_folder(spool: Path, made: Made) -> tuple[float, list[float]]:
    """Measure where a process stands for the bucket."""
    folder = Folder(spool / "objects")
    try:
        store = await folder.store()
        for name, path in made.files.items():
            folder.put(name, path)
        return await jump_about(store, made)
    finally:
        folder.close()


async def in_bucket(bucket: Bucket, made: Made) -> tuple[float, list[float]]:
    """Measure in a bucket."""
    store = BucketStore(bucket)
    try:
        for name, path in made.files.items():
            await store.put(name, path)
        return await jump_about(store, made)
    finally:
        for name in made.files:
            await store.delete(name)
        await store.close()


async def jump_about(store: BucketStore, made: Made) -> tuple[float, list[float]]:
    """Open both sides and jump in them; gives how long the one took, and each of the others, in ms."""
    chance, before_s = random.Random(6), time.perf_counter()
    payloads = await asyncio.gather(*(open_object(store, name, made.identity) for name in made.files))
    opened_ms, took_ms = 1e3 * (time.perf_counter() - before_s), list[float]()
    for _ in range(made.jumps):
        share, before_s = chance.random(), time.perf_counter()
        await asyncio.gather(
            *(jump(store, name, one, share) for name, one in zip(made.files, payloads, strict=True))
        )
        took_ms.append(1e3 * (time.perf_counter() - before_s))
    return opened_ms, took_ms


class Folder:
    """A process that serves a folder as a bucket serves its objects; they are put there by their names."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        folder.mkdir()
        self._process = subprocess.Popen([sys.executable, "-c", SERVER, str(folder), str(self._port)])

    async def store(self) -> BucketStore:
        """Give a store that reads there, once it answers."""
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
                writer.close()
                return BucketStore(Bucket("seek", "", f"http://127.0.0.1:{self._port}", "x", "x", "x"))
            await asyncio.sleep(0.05)

    def put(self, name: str, path: Path) -> None:
        """Take a file."""
        (self._folder / name).parent.mkdir(exist_ok=True)
        path.rename(self._folder / name)

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


def report(minutes: int, size: int, opened_ms: float, took_ms: list[float]) -> list[Figure]:
    """Say it in figures."""
    spread = ", ".join(f"{percentile(took_ms, share):.0f}" for share in (0.5, 0.99, 1))
    what = f"a jump in {minutes} min of both sides, {size / 1e6:.0f} MB, out of a bucket: p50, p99, longest"
    return [
        Figure(what, f"{spread} ms", f"{LIMIT_MS:.0f} ms", max(took_ms) <= LIMIT_MS),
        Figure("opening both sides for a grant, once", f"{opened_ms:.0f} ms"),
    ]


def main() -> None:
    """Measure."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=int, default=60)
    asked.add_argument("--jumps", type=int, default=200)
    asked.add_argument("--bucket", metavar="URL", help="as TEDUH_RECORDINGS_URL")
    given = asked.parse_args()
    bucket = None if given.bucket is None else place(given.bucket)
    if isinstance(bucket, Path):
        asked.error("--bucket must be a bucket")
    with tempfile.TemporaryDirectory() as temporary:
        spool, recording, identity = Path(temporary), new_id("r"), Identity.generate()
        files = {
            object_name(recording, side): finish(spool, recording, side, identity, 60 * given.minutes)
            for side in Side
        }
        made, size = Made(files, identity, given.jumps), sum(path.stat().st_size for path in files.values())
        opened_ms, took_ms = asyncio.run(
            in_folder(spool, made) if bucket is None else in_bucket(bucket, made)
        )
    publish("Jumps in a recording out of a bucket", report(given.minutes, size, opened_ms, took_ms))


if __name__ == "__main__":
    main()
