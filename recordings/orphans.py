"""What has lost its other half: media without a row, rows without media, keys and rows alike.

A backup that was restored, or an operator's hand, is behind it, and people decide (``drop_key``); only what
was destroyed before is destroyed again (``recordings/restored.py``).
What is under way is left out: only stored recordings must have media, only destroyed ones must have none.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import select

from core.errors import InvalidState, NotFound
from core.ids import is_id
from recordings.keystore import KeyStore
from recordings.states import Side, SideState, State
from recordings.store import object_name, whose
from recordings.tables import RecordingRow, RecordingSideRow
from recordings.workshop import Workshop

YOUNG: Final = timedelta(hours=1)
DROP_KEY: Final = "recording:unkey"


class Lack(enum.StrEnum):
    """What is missing, or too much."""

    MEDIA = "media"
    """A row says that something is stored, and it is not there, or has another size."""
    ROW = "row"
    """Something is stored, or lies in the spool, of which no row knows, or which was destroyed."""
    KEY = "key"
    """A recording that is kept has no key, and opens no more."""
    KEY_ROW = "key_row"
    """There is a key of which no row knows, or which was destroyed."""


@dataclass(frozen=True, slots=True, order=True)
class Orphan:
    """One of them. ``name`` is an object's, a file's or a recording's."""

    lack: Lack
    name: str


@dataclass(frozen=True, slots=True)
class Known:
    """What the database has: states of recordings, and sizes of what is stored by name."""

    states: Mapping[str, State]
    sizes: Mapping[str, int | None]


def compare(
    known: Known, *, objects: Mapping[str, int], spool: Collection[str], keys: Collection[str]
) -> list[Orphan]:
    """Find orphans. ``objects`` are sizes by name, ``spool`` and ``keys`` ids of recordings. Pure."""
    gone = {None, State.DESTROYED}

    def is_gone(recording: str) -> bool:
        return known.states.get(recording) in gone

    found = [Orphan(Lack.MEDIA, name) for name, size in known.sizes.items() if objects.get(name) != size]
    found += [
        Orphan(Lack.ROW, name) for name in objects if (of := whose(name)) is not None and is_gone(of[0])
    ]
    found += [Orphan(Lack.ROW, f"{recording}/") for recording in spool if is_gone(recording)]
    found += [
        Orphan(Lack.KEY, recording)
        for recording, state in known.states.items()
        if recording not in keys and state not in {State.DESTROYING, State.DESTROYED}
    ]
    found += [Orphan(Lack.KEY_ROW, recording) for recording in keys if is_gone(recording)]
    return sorted(found)


async def look(shop: Workshop) -> list[Orphan]:
    """Look everywhere and compare. Raises ``StoreFailed`` and ``KeysUnusable``.

    The database is asked before and after, and only what is wrong by both is told: what is being stored or
    destroyed meanwhile is no orphan.
    """
    before = await _known(shop)
    objects = {one.name: one.size_bytes async for one in shop.store.every()}
    spool = await asyncio.to_thread(_recordings_in, shop.spool)
    keys = await asyncio.to_thread(_keys, shop.vault.path)
    after = await _known(shop)
    return sorted(
        set(compare(before, objects=objects, spool=spool, keys=keys))
        & set(compare(after, objects=objects, spool=spool, keys=keys))
    )


async def drop_key(shop: Workshop, *, recording: str) -> None:
    """Destroy a key of which no row knows: a crash left it, or a backup of the database that is older.

    Raises ``NotFound`` without such a key, and ``InvalidState`` where there is a row, or may be soon.
    """
    now = shop.clock.now()
    kept = await asyncio.to_thread(KeyStore(shop.vault.path).find, recording)
    if kept is None:
        raise NotFound("There is no key of such a recording.")
    if now - kept.made_at < YOUNG:
        raise InvalidState("This key was made within the hour: its recording may just be beginning.")
    async with shop.database.sessions.begin() as db:
        await shop.audit.hold(db)
        if await db.get(RecordingRow, recording) is not None:
            raise InvalidState("The database knows this recording: its key goes when it is destroyed.")
        await shop.audit.append(db, tag=DROP_KEY, actor=None, subject=None, object_id=recording, now=now)
    await shop.vault.destroy(recording, now=now)


async def _known(shop: Workshop) -> Known:
    async with shop.database.sessions() as db:
        rows = await db.execute(select(RecordingRow.id, RecordingRow.state))
        states = {recording: State(state) for recording, state in rows}
        sides = await db.execute(
            select(RecordingSideRow.recording_id, RecordingSideRow.side, RecordingSideRow.final_bytes).where(
                RecordingSideRow.state == SideState.STORED.value
            )
        )
        sizes = {
            object_name(recording, Side(side)): size
            for recording, side, size in sides
            if states.get(recording) is State.STORED
        }
    return Known(states, sizes)


def _recordings_in(spool: Path) -> list[str]:
    return [one.name for one in spool.iterdir() if is_id(one.name)] if spool.is_dir() else []


def _keys(path: Path) -> list[str]:
    """Name the recordings that have a key; a file that is not there yet is not made."""
    store = KeyStore(path)
    return [key.recording_id for key in store.every()] if store.is_there else []
