"""Verifying: every chain, count and tail, every stored byte, every key; what is broken is named, not mended.

A live log is checked against the chain that the database kept, without any key. What is stored is read whole:
its size and hash are compared, and every chunk is opened and forgotten. Of what was destroyed nothing may be
left.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from core.agefile import START_BYTES, Identity, Payload
from core.errors import NotFound, TeduhError
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


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found of one side. ``problem`` is None when it holds; ``what`` is what was looked at."""

    recording: str
    side: Side
    what: str
    problem: str | None


async def verify(shop: Workshop, *, recording: str | None = None) -> AsyncIterator[Checked]:
    """Check one recording, or all. Raises ``NotFound``, and ``StoreFailed`` when the store is down."""
    wanted = select(RecordingRow.id, RecordingRow.state).order_by(RecordingRow.started_at, RecordingRow.id)
    if recording is not None:
        wanted = wanted.where(RecordingRow.id == recording)
    async with shop.database.sessions() as db:
        found = (await db.execute(wanted)).all()
    if recording is not None and not found:
        raise NotFound("There is no such recording.")
    for one, state in found:
        async with shop.database.sessions() as db:
            sides = await db.scalars(
                select(RecordingSideRow)
                .where(RecordingSideRow.recording_id == one)
                .order_by(RecordingSideRow.side)
            )
            rows = sides.all()
        for row in rows:
            yield await _check(shop, State(state), row)


async def _check(shop: Workshop, state: State, row: RecordingSideRow) -> Checked:
    side = Side(row.side)
    match SideState(row.state):
        case _ if state in {State.DESTROYING, State.DESTROYED}:
            what, problem = "destroyed", await _left(shop, state, row.recording_id, side)
        case SideState.STORED:
            what, problem = "file", await _stored(shop, row, side)
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


async def _stored(shop: Workshop, row: RecordingSideRow, side: Side) -> str | None:
    name = object_name(row.recording_id, side)
    try:
        size = await shop.store.size(name)
        if size != row.final_bytes:
            return f"the file has {size} bytes, and had {row.final_bytes}"
        warrant = shop.warrants.issue(
            recording_id=row.recording_id, viewer=SYSTEM, purpose=Purpose.VERIFY, now=shop.clock.now()
        )
        digest = await _read(shop, name, size, await shop.vault.open(warrant))
    except NotStored:
        return "the file is gone"
    except NotFound:
        return "it has no key"
    except (KeyMissing, KeyBroken, _Unopened) as error:
        return f"it does not open: {error}"
    return None if digest == row.final_sha256 else "the file was changed"


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
