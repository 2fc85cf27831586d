"""What a restored backup brings back of recordings that were destroyed: it is destroyed again.

A backup of the main database does not know what was withdrawn since, and one of ``keys.db`` still has its
key. So each destruction leaves a line in a file outside of both (``accounts/tombstones.py``), which is on the
disk before the key goes. Rows are begun anew before anything is served, keys go with the next look.
"""

from __future__ import annotations

import asyncio

from sqlalchemy import select, update

from recordings import ending
from recordings.keystore import KeyStore
from recordings.retention import Why
from recordings.states import State
from recordings.tables import RecordingProofRow, RecordingRow, RecordingSideRow
from recordings.workshop import Workshop

NOT_NOW = (State.RECORDING.value, State.DESTROYING.value, State.DESTROYED.value)
"""What still records is ended first (``records.end_crashed``)."""


async def begin_again(shop: Workshop) -> list[str]:
    """Begin to destroy again what was destroyed and has its rows back; gives which.

    Raises ``ConfigError`` when nobody can say what was destroyed.
    """
    before = await shop.vault.destroyed()
    if not before:
        return []
    now = shop.clock.now()
    async with shop.database.sessions.begin() as db:
        there = await db.scalars(select(RecordingRow.id).where(RecordingRow.state.not_in(NOT_NOW)))
        back = sorted(before.intersection(there))
        for recording in back:
            await ending.begin(db, shop.audit, recording=recording, why=Why.RESTORED, now=now)
            # Its media may have been deleted when it was destroyed: what is there goes, and none is missed.
            await db.execute(
                update(RecordingSideRow)
                .where(RecordingSideRow.recording_id == recording)
                .values(object_name=None)
                .execution_options(synchronize_session=False)
            )
    return back


async def destroy_keys_again(shop: Workshop) -> list[str]:
    """Destroy keys that were destroyed and are there again; gives whose."""
    if not shop.vault.is_there:
        return []
    kept = await asyncio.to_thread(KeyStore(shop.vault.path).every)
    async with shop.database.sessions() as db:
        proved = await db.scalars(
            select(RecordingProofRow.recording_id).where(RecordingProofRow.key_at.is_not(None))
        )
        gone = (await shop.vault.destroyed()).union(proved)
    back = [one.recording_id for one in kept if one.recording_id in gone]
    for recording in back:
        await shop.vault.destroy(recording, now=shop.clock.now())
    return back
