"""Verifying: every chain, count and tail, every stored byte, every key; what is broken is named, not mended.

A live log is checked against the chain that the database kept, without any key. What is stored is read whole:
its size and hash are compared, and every chunk is opened and forgotten. Of what was destroyed nothing may be
left.

The keyring opens only so many keys in an hour (``core/keylog.py``). What it gives none for is read and
compared all the same, and opened when there is one again, by whoever waits for that.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from core.agefile import SEALED_CHUNK_BYTES, START_BYTES, Identity, Payload
from core.errors import NotFound, TeduhError, TooMany
from core.keyring import KeyBroken, KeyMissing
from core.warrants import SYSTEM, Purpose
from recordings.log import Chain, LogBroken, check_log
from recordings.sides import log_path
from recordings.states import Side, SideState, State
from recordings.store import NotStored, object_name
from recordings.tables import RecordingRow, RecordingSideRow
from recordings.workshop import Workshop

CHUNKS: Final = 64
"""How many chunks of 64 KiB are read at once."""
WAIT_S: Final = 60.0
"""So long is waited for a key at the least: each time that there is none is a line in the log of keys."""
UNOPENED: Final = "bytes"

Wait = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of one side. ``problem`` is None when it holds; ``what`` is what was looked at."""

    recording: str
    side: Side
    what: str
    problem: str | None

    @property
    def waits(self) -> bool:
        """Whether it holds as far as was looked, and is still to be opened."""
        return self.what == UNOPENED and self.problem is None


async def verify(
    shop: Workshop, *, recording: str | None = None, wait: Wait | None = None
) -> AsyncIterator[Checked]:
    """Check one recording, or all. Raises ``NotFound``, and ``StoreFailed`` when the store is down.

    ``wait`` waits for so many seconds: with it, all that is still to be opened at the end is told a second
    time, opened.
    """
    wanted = (
        select(RecordingSideRow.recording_id, RecordingSideRow.side)
        .join(RecordingRow, RecordingRow.id == RecordingSideRow.recording_id)
        .order_by(RecordingRow.started_at, RecordingRow.id, RecordingSideRow.side)
    )
    if recording is not None:
        wanted = wanted.where(RecordingRow.id == recording)
    async with shop.database.sessions() as db:
        found = [(one, Side(side)) for one, side in await db.execute(wanted)]
    if recording is not None and not found:
        raise NotFound("There is no such recording.")
    keys, later = _Keys(shop), list[tuple[str, Side]]()
    for one, side in found:
        checked = await _check_now(shop, keys, one, side)
        yield checked
        if checked.waits:
            later.append((one, side))
    keys.wait = wait
    for one, side in later if wait is not None else ():
        yield await _check_now(shop, keys, one, side)


class _Keys:
    """Keys of recordings, each opened once for both sides, as long as the keyring gives any."""

    def __init__(self, shop: Workshop) -> None:
        self.wait: Wait | None = None
        self._shop = shop
        self._newest: tuple[str, Identity] | None = None
        self._free_s = 0.0

    async def of(self, recording: str) -> Identity | None:
        """Give a key; None when there is none for now and nobody waits. Raises as ``Vault.open`` else."""
        while self._newest is None or self._newest[0] != recording:
            if (left_s := self._free_s - self._shop.clock.monotonic()) > 0:
                if self.wait is None:
                    return None
                await self.wait(left_s)
                continue
            warrant = self._shop.warrants.issue(
                recording_id=recording, viewer=SYSTEM, purpose=Purpose.VERIFY, now=self._shop.clock.now()
            )
            try:
                self._newest = recording, await self._shop.vault.open(warrant)
            except TooMany as error:
                self._free_s = self._shop.clock.monotonic() + max(error.retry_after_s, WAIT_S)
        return self._newest[1]


async def _check_now(shop: Workshop, keys: _Keys, recording: str, side: Side) -> Checked:
    """Check a side as it is now; once more when it was stored or destroyed while it was looked at."""
    before, row = await _stands(shop, recording, side)
    checked = await _check(shop, keys, before, row)
    if checked.problem is not None:
        state, again = await _stands(shop, recording, side)
        if (state, again.state) != (before, row.state):
            return await _check(shop, keys, state, again)
    return checked


async def _stands(shop: Workshop, recording: str, side: Side) -> tuple[State, RecordingSideRow]:
    async with shop.database.sessions() as db:
        row = await db.get_one(RecordingSideRow, (recording, side.value))
        return State((await db.get_one(RecordingRow, recording)).state), row


async def _check(shop: Workshop, keys: _Keys, state: State, row: RecordingSideRow) -> Checked:
    side = Side(row.side)
    match SideState(row.state):
        case _ if state in {State.DESTROYING, State.DESTROYED}:
            what, problem = "destroyed", await _left(shop, state, row.recording_id, side)
        case SideState.STORED:
            what, problem = await _stored(shop, keys, row, side)
        case SideState.EMPTY:
            what, problem = "empty", None
        case _:
            what, problem = "log", await _log(shop, row, side)
    return Checked(row.recording_id, side, what, problem)


async def _log(shop: Workshop, row: RecordingSideRow, side: Side) -> str | None:
    kept = Chain(row.records, bytes.fromhex(row.head)) if row.records and row.head is not None else None
    path = log_path(shop.spool, row.recording_id, side)
    try:
        await asyncio.to_thread(check_log, path, recording_id=row.recording_id, side=side, expected=kept)
    except LogBroken as error:
        return f"{error.what} at record {error.at_record}"
    except FileNotFoundError:
        return None if kept is None else f"the log is gone, and {row.records} records were on disk"
    except OSError as error:
        return f"the log cannot be read: {error.strerror}"
    return None if await shop.vault.has(row.recording_id) else "it has no key"


async def _stored(shop: Workshop, keys: _Keys, row: RecordingSideRow, side: Side) -> tuple[str, str | None]:
    """Give what was looked at, all of the file or its bytes alone, and what is wrong."""
    name, what = object_name(row.recording_id, side), "file"
    try:
        size = await shop.store.size(name)
        if size != row.final_bytes:
            return what, f"the file has {size} bytes, and had {row.final_bytes}"
        if (identity := await keys.of(row.recording_id)) is None:
            what, digest = UNOPENED, await _hash(shop, name, size)
        else:
            digest = await _read(shop, name, size, identity)
    except NotStored:
        return what, "the file is gone"
    except NotFound:
        return what, "it has no key"
    except (KeyMissing, KeyBroken, _Unopened) as error:
        return what, f"it does not open: {error}"
    return what, None if digest == row.final_sha256 else "the file was changed"


class _Unopened(TeduhError):
    """A file does not open with the key of its recording."""


async def _read(shop: Workshop, name: str, size: int, identity: Identity) -> str:
    """Read and open all of a file, and give its SHA-256, hex."""
    start = await shop.store.read(name, 0, START_BYTES)
    try:
        payload = Payload(start, size, [identity])
    except TeduhError as error:
        raise _Unopened(str(error)) from None
    digest = hashlib.sha256(start[: payload.begins])
    for first in range(0, payload.last + 1, CHUNKS):
        sealed = await shop.store.read(name, *payload.span(first, min(first + CHUNKS - 1, payload.last)))
        digest.update(sealed)
        try:
            await asyncio.to_thread(payload.open, first, sealed)
        except TeduhError as error:
            raise _Unopened(str(error)) from None
    return digest.hexdigest()


async def _hash(shop: Workshop, name: str, size: int) -> str:
    """Read all of a file, and give its SHA-256, hex."""
    digest, at_once = hashlib.sha256(), CHUNKS * SEALED_CHUNK_BYTES
    for offset in range(0, size, at_once):
        digest.update(await shop.store.read(name, offset, min(at_once, size - offset)))
    return digest.hexdigest()


async def _left(shop: Workshop, state: State, recording: str, side: Side) -> str | None:
    """Say what is left of what was destroyed; while that is under way nothing is said."""
    if state is State.DESTROYING:
        return None
    if await shop.vault.has(recording):
        return "it was destroyed, and its key is there"
    try:
        await shop.store.size(object_name(recording, side))
    except NotStored:
        there = await asyncio.to_thread(log_path(shop.spool, recording, side).exists)
        return "it was destroyed, and its log is there" if there else None
    return "it was destroyed, and its file is there"
