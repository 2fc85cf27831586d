"""One side on its way from its live log into the store; each step is kept before the next is begun.

    LOG ── a finished file is made of the log, and every chunk of it opens ──> FINAL
    FINAL ── it is put into the store, read back, and is the same ──> STORED
    LOG ── not one frame is in it ──> EMPTY

A process that dies anywhere leaves something to go on from: what is on the disk says what is to be done
again. The log is only ever read here.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.agefile import Identity, Reader
from core.errors import TeduhError
from recordings.finalize import Finalized, finalize
from recordings.log import Chain, LogBroken, read_log
from recordings.sides import log_path
from recordings.states import Side, SideState
from recordings.store import SUFFIX, Store, StoreFailed, object_name

PIECE_BYTES: Final = 4 << 20
DONE: Final = frozenset({SideState.STORED, SideState.EMPTY})
NOT_COMPLETE: Final = "not_complete"
"""The problem of a stored side whose log has no last record: something of its end may be missing."""


class MediaLost(TeduhError):
    """Neither a log nor a finished file is there, and there was something once."""

    code = "media_lost"


@dataclass(frozen=True, slots=True)
class Half:
    """One side, as the database has it. ``chain`` is None while no record was counted."""

    recording: str
    side: Side
    state: SideState
    chain: Chain | None
    final_sha256: str | None
    """Of the finished file; None before there is one."""


Keep = Callable[[Half, dict[str, object]], Awaitable[None]]
"""Writes new columns of a side down, and commits; raises when nothing more is to be done for it."""


async def move(half: Half, identity: Identity, *, store: Store, spool: Path, keep: Keep) -> None:
    """Take a side as far as it goes.

    Raises ``LogBroken``, ``MediaLost`` for what does not mend by itself, and ``TeduhError`` or ``OSError``
    for what may.
    """
    if half.state in DONE:
        return
    final = spool / half.recording / f"{half.side.value}{SUFFIX}"
    log = log_path(spool, half.recording, half.side)
    digest, complete = half.final_sha256, None
    if half.state is not SideState.FINAL or digest is None or not await _is(final, digest):
        made = await _make(half, identity, final, log)
        if made is None:
            await keep(half, {"state": SideState.EMPTY.value, "problem": None})
            return
        digest, complete = made.sha256.hex(), made.complete
        await keep(
            half,
            {
                "state": SideState.FINAL.value,
                "final_bytes": made.bytes,
                "final_sha256": digest,
                "duration_ms": made.duration_ms,
                "codec": made.codec,
            },
        )
    name = object_name(half.recording, half.side)
    await store.put(name, final)
    if await digest_in(store, name) != digest:
        raise StoreFailed("What the store gives back is not what was put into it.")
    if complete is None:
        complete = await asyncio.to_thread(_has_end, half, identity, log)
    problem = None if complete else NOT_COMPLETE
    await keep(half, {"state": SideState.STORED.value, "object_name": name, "tries": 0, "problem": problem})


async def digest_in(store: Store, name: str) -> str:
    """Read an object whole and give its SHA-256, hex."""
    size, digest = await store.size(name), hashlib.sha256()
    for offset in range(0, size, PIECE_BYTES):
        digest.update(await store.read(name, offset, min(PIECE_BYTES, size - offset)))
    return digest.hexdigest()


async def _make(half: Half, identity: Identity, final: Path, log: Path) -> Finalized | None:
    """Make the finished file; None when there is nothing to make it of."""

    def work() -> Finalized | None:
        if not log.exists():
            if half.chain is not None or half.final_sha256 is not None:
                raise MediaLost("A log is gone before it was finished.")
            return None
        try:
            made = finalize(
                log,
                recording_id=half.recording,
                side=half.side,
                identity=identity,
                recipient=identity.recipient,
                out=final,
                expected=half.chain,
            )
        except LogBroken as error:
            if error.what == "empty":
                return None
            raise
        open_all(final, identity)
        return made

    return await asyncio.to_thread(work)


def _has_end(half: Half, identity: Identity, log: Path) -> bool:
    """Whether a log that was finished before has its last record; one that is gone counts as whole."""
    found = True
    try:
        for record in read_log(log, recording_id=half.recording, side=half.side, identity=identity):
            found = record.final
    except FileNotFoundError:
        return True
    except LogBroken:
        return False  # The file was made of it while it held, and is what counts.
    return found


def open_all(path: Path, identity: Identity) -> None:
    """Open every chunk of a finished file, and keep nothing. Raises ``AgeError``."""
    with path.open("rb") as file:

        def read_at(offset: int, length: int) -> bytes:
            file.seek(offset)
            return file.read(length)

        reader = Reader(read_at, path.stat().st_size, [identity])
        for offset in range(0, reader.size, PIECE_BYTES):
            reader.read_at(offset, PIECE_BYTES)


async def _is(path: Path, digest: str) -> bool:
    """Whether a file is there and the one that was made."""

    def look() -> bool:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest

    return await asyncio.to_thread(look)
