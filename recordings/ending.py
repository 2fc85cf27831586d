"""Destroying a recording: its key, then its media, then the proof; each step is kept, and may be done again.

    asked ── the key is destroyed ── the media is deleted ── proof
      state DESTROYING                                       state DESTROYED

The first step makes it unreadable wherever copies of the media lie, so it never waits for a bucket that does
not answer. Whoever asks (``begin``) commits; ``carry_out`` does the rest, also after a crash or a failure,
and never gives up: what fails for longer than ``LATE`` is told by the doctor and the metrics.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import ColumnElement, delete, false, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from core.clock import rfc3339
from core.db import insert_into
from core.errors import InvalidState, NotFound, TeduhError
from core.ids import UserId
from recordings import states
from recordings.retention import HELD_AT_MOST, Kept, Why, decide
from recordings.retrying import INTERNAL, may_try
from recordings.review_tables import ReviewCommentRow
from recordings.states import Ending, Event, Side, SideState, State
from recordings.store import NotStored, object_name
from recordings.tables import NOT_DESTROYED, RecordingProofRow, RecordingRow, RecordingSideRow
from recordings.workshop import Workshop

logger = logging.getLogger(__name__)

LATE: Final = timedelta(hours=1)
AT_ONCE: Final = 100
DESTROY: Final = "recording:destroy"


class NotFoundInStore(TeduhError):
    """What was stored is not there when it is to be deleted: the store may be another, or a disk away."""

    code = "not_found_in_store"


@dataclass(frozen=True, slots=True)
class Proof:
    """That a recording was destroyed, or how far it is. It names no person and no content."""

    recording_id: str
    why: Why
    asked_at: datetime
    key_at: datetime | None
    backups_until: datetime | None
    media_at: datetime | None
    files: int
    tries: int
    problem: str | None

    @property
    def sentence(self) -> str:
        """Say what is gone, and until when it could come back."""
        if self.key_at is None or self.backups_until is None:
            return f"asked for at {rfc3339(self.asked_at)}; its key is still there"
        until = f"the last backup copy of its key expires on {self.backups_until:%Y-%m-%d}"
        if self.media_at is None:
            return f"unreadable since {rfc3339(self.key_at)}, media not yet deleted; {until}"
        files = "1 file" if self.files == 1 else f"{self.files} files"
        return (
            f"unreadable since {rfc3339(self.key_at)}, {files} deleted by {rfc3339(self.media_at)}; {until}"
        )


async def begin(
    db: AsyncSession, audit: Audit, *, recording: str, why: Why, actor: UserId | None = None, now: datetime
) -> None:
    """Begin to destroy what has ended; asked again, nothing changes. Nobody opens it from the commit on.

    Raises ``InvalidState`` while it still records.
    """
    await audit.hold(db)
    row = await db.get(RecordingRow, recording, populate_existing=True)
    if row is None or State(row.state) in {State.DESTROYING, State.DESTROYED}:
        return
    row.state = states.after(State(row.state), Event.DESTROY).value
    await db.flush()
    await _make_proof(db, recording=recording, why=why, now=now)
    await audit.append(
        db, tag=DESTROY, actor=actor, subject=None, object_id=recording, detail={"why": why.value}, now=now
    )


async def begin_due(
    db: AsyncSession, audit: Audit, *, now: datetime, believed: bool = True
) -> list[tuple[str, Why]]:
    """Begin to destroy all whose time is over, and those whose session is gone; the caller commits.

    Not ``believed``: the clock may be wrong (``recordings/leap.py``), and no time is over.
    """
    over = (RecordingRow.expires_at <= now) & or_(
        RecordingRow.held_at.is_(None), RecordingRow.held_at <= now - HELD_AT_MOST
    )
    due = (
        select(RecordingRow)
        .where(
            NOT_DESTROYED,
            RecordingRow.state.not_in([State.RECORDING.value, State.DESTROYING.value]),
            or_(RecordingRow.session_id.is_(None), over if believed else false()),
        )
        .order_by(RecordingRow.expires_at)
        .limit(AT_ONCE)
        .execution_options(populate_existing=True)
    )
    if (await db.scalars(due)).first() is None:
        return []
    # Asked again now that nobody changes it: a client may just have had one kept for a complaint.
    await audit.hold(db)
    rows = await db.scalars(due)
    begun = []
    for row in rows.all():
        kept = Kept(
            state=State(row.state),
            in_session=row.session_id is not None,
            expires_at=row.expires_at,
            closed_at=row.closed_at,
            held_at=row.held_at,
        )
        if (why := decide(kept, now=now)) is not None:
            await begin(db, audit, recording=row.id, why=why, now=now)
            begun.append((row.id, why))
    return begun


async def under_way(db: AsyncSession, *, now: datetime) -> list[str]:
    """List what is to be destroyed and may be tried now, the longest waiting first."""
    proof = RecordingProofRow
    rows = await db.execute(
        select(RecordingRow.id, proof.tries, proof.tried_at)
        .outerjoin(proof, proof.recording_id == RecordingRow.id)
        .where(NOT_DESTROYED, RecordingRow.state == State.DESTROYING.value)
        .order_by(proof.asked_at, RecordingRow.id)
    )
    return [one for one, tries, tried_at in rows if may_try(tries or 0, tried_at, now=now)]


async def give_up_media(db: AsyncSession, audit: Audit, *, recording: str, now: datetime) -> None:
    """Take an operator's word that what is not in the store is nowhere else.

    Raises ``NotFound``, ``InvalidState``.
    """
    await audit.hold(db)
    row = await db.get(RecordingRow, recording, populate_existing=True)
    if row is None:
        raise NotFound("There is no such recording.")
    if State(row.state) is not State.DESTROYING:
        raise InvalidState("It is not being destroyed.")
    await _forget_objects(db, recording)
    await _set_proof(db, recording, tries=0, tried_at=None)
    await audit.append(db, tag="recording:lost", actor=None, subject=None, object_id=recording, now=now)


async def proof_of(db: AsyncSession, *, recording: str) -> Proof | None:
    """Give the proof of one recording; None when nobody asked for its destruction."""
    row = await db.get(RecordingProofRow, recording, populate_existing=True)
    return None if row is None else _proof(row)


async def proofs(db: AsyncSession, *, limit: int) -> list[Proof]:
    """List proofs, the newest first."""
    rows = await db.scalars(
        select(RecordingProofRow).order_by(RecordingProofRow.asked_at.desc()).limit(limit)
    )
    return [_proof(row) for row in rows]


async def overdue(db: AsyncSession, *, now: datetime) -> int:
    """Count those whose destruction was asked for an hour ago and is not done."""
    late = select(func.count()).where(
        RecordingProofRow.media_at.is_(None), RecordingProofRow.asked_at <= now - LATE
    )
    return await db.scalar(late.select_from(RecordingProofRow)) or 0


async def erase(db: AsyncSession, *, user: UserId, now: datetime) -> None:
    """Begin to destroy what an erased person is in. What a client holds against a counselor stays held.

    What is still being recorded is destroyed as soon as it ends.
    """
    theirs = (
        or_(RecordingRow.client_user == user, RecordingRow.counselor_user == user),
        RecordingRow.state.not_in([State.DESTROYING.value, State.DESTROYED.value]),
    )
    # Takes the rows: nobody finishes or holds one between the look at it and the commit.
    await db.execute(
        update(RecordingRow)
        .where(*theirs)
        .values(state=RecordingRow.state)
        .execution_options(synchronize_session=False)
    )
    rows = await db.scalars(select(RecordingRow).where(*theirs).execution_options(populate_existing=True))
    for row in rows.all():
        if row.held_at is not None and row.client_user != user:
            row.closed_at = row.closed_at or now
            continue
        row.expires_at, row.held_at = min(row.expires_at, now), None
        if State(row.state) is not State.RECORDING:
            row.state = states.after(State(row.state), Event.DESTROY).value
            await db.flush()
            await _make_proof(db, recording=row.id, why=Why.ERASED, now=now)
    await db.flush()


class Destroyer:
    """Destroys what is to be destroyed."""

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop

    async def destroy_key(self, recording: str, *, now: datetime) -> None:
        """Make a recording unreadable; again is fine. Raises ``TeduhError`` when it did not work yet."""
        async with self._shop.database.sessions.begin() as db:
            row = await db.get_one(RecordingRow, recording)
            if State(row.state) is not State.DESTROYING:
                return
            await _make_proof(db, recording=recording, why=_why(row), now=now)
            proof = await db.get_one(RecordingProofRow, recording)
            if proof.key_at is not None:
                return
        gone = await self._shop.vault.destroy(recording, now=now)
        async with self._shop.database.sessions.begin() as db:
            # The recording before its proof, as everywhere.
            await db.execute(
                update(RecordingRow)
                .where(RecordingRow.id == recording)
                .values(backups_until=gone.backups_until)
            )
            await _set_proof(db, recording, key_at=gone.at, backups_until=gone.backups_until)

    async def carry_out(self, recording: str, *, now: datetime) -> bool:
        """Do what is left to do, and say whether all is done. A failure is kept, not raised."""
        try:
            await self.destroy_key(recording, now=now)
            files = await self._delete_media(recording)
        except (TeduhError, OSError) as error:
            problem = error.code if isinstance(error, TeduhError) else type(error).__name__
            logger.warning("recording.not_destroyed", extra={"recording": recording, "problem": problem})
            await self._tried(recording, problem, now)
            return False
        except Exception:  # whatever it was, the others are destroyed
            logger.exception("recording.not_destroyed", extra={"recording": recording, "problem": INTERNAL})
            await self._tried(recording, INTERNAL, now)
            return False
        async with self._shop.database.sessions.begin() as db:
            await self._confirm(db, recording, files, now)
        logger.info("recording.destroyed", extra={"recording": recording, "files": files})
        return True

    async def _tried(self, recording: str, problem: str, now: datetime) -> None:
        async with self._shop.database.sessions.begin() as db:
            tries = RecordingProofRow.tries + 1
            await _set_proof(db, recording, tries=tries, tried_at=now, problem=problem)

    async def _delete_media(self, recording: str) -> int:
        files = 0
        for side in Side:
            files += await self._delete_side(recording, side)
        return files + await asyncio.to_thread(_delete_directory, self._shop.spool / recording)

    async def _delete_side(self, recording: str, side: Side) -> int:
        """Delete what the store has of a side. Raises ``NotFoundInStore``."""
        name, store = object_name(recording, side), self._shop.store
        async with self._shop.database.sessions() as db:
            row = await db.get(RecordingSideRow, (recording, side.value))
        if row is None or row.object_name is None:
            return await store.delete(name)
        try:
            await store.size(name)
        except NotStored:
            # Only older versions may be left of it.
            if not (files := await store.delete(name)):
                raise NotFoundInStore(f"{name} was stored, and is not in the store.") from None
            await self._seen(recording, side)
            return files
        # Before it is deleted: who goes on after a crash finds nothing, and that is right then.
        await self._seen(recording, side)
        return await store.delete(name)

    async def _seen(self, recording: str, side: Side) -> None:
        async with self._shop.database.sessions.begin() as db:
            await _forget_objects(db, recording, RecordingSideRow.side == side.value)

    async def _confirm(self, db: AsyncSession, recording: str, files: int, now: datetime) -> None:
        await self._shop.audit.hold(db)  # before the row, as whoever is erased meanwhile holds it
        row = await db.get_one(RecordingRow, recording, with_for_update=True)
        if State(row.state) is not State.DESTROYING:
            return
        row.state, row.destroyed_at = states.after(State.DESTROYING, Event.CONFIRM).value, now
        await db.execute(
            update(RecordingSideRow)
            .where(RecordingSideRow.recording_id == recording)
            .values(state=SideState.DESTROYED.value, problem=None)
        )
        # What was said about what is heard goes with it (docs/privacy.md).
        await db.execute(delete(ReviewCommentRow).where(ReviewCommentRow.recording_id == recording))
        await _set_proof(db, recording, media_at=now, files=RecordingProofRow.files + files, problem=None)
        proof = await db.get_one(RecordingProofRow, recording, populate_existing=True)
        await self._shop.audit.append(
            db,
            tag="recording:destroyed",
            actor=None,
            subject=None,
            object_id=recording,
            detail={"why": proof.why, "files": proof.files},
            now=now,
        )


def _why(row: RecordingRow) -> Why:
    """Say why a destruction was begun that has no proof yet: only a client's withdrawal begins without."""
    return Why.WITHDRAWN if row.reason == Ending.WITHDRAWN_CLIENT.value else Why.EXPIRED


def _delete_directory(folder: Path) -> int:
    if not folder.is_dir():
        return 0
    files = sum(1 for one in folder.iterdir() if one.is_file())
    shutil.rmtree(folder)
    return files


async def _make_proof(db: AsyncSession, *, recording: str, why: Why, now: datetime) -> None:
    await db.execute(
        insert_into(db, RecordingProofRow)
        .values(recording_id=recording, why=why.value, asked_at=now, files=0, tries=0)
        .on_conflict_do_nothing()
    )


async def _forget_objects(db: AsyncSession, recording: str, *which: ColumnElement[bool]) -> None:
    """Note that what is not in the store from now on need not be found there."""
    await db.execute(
        update(RecordingSideRow)
        .where(RecordingSideRow.recording_id == recording, *which)
        .values(object_name=None)
        .execution_options(synchronize_session=False)
    )


async def _set_proof(db: AsyncSession, recording: str, **values: object) -> None:
    await db.execute(
        update(RecordingProofRow)
        .where(RecordingProofRow.recording_id == recording)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def _proof(row: RecordingProofRow) -> Proof:
    return Proof(
        recording_id=row.recording_id,
        why=Why(row.why),
        asked_at=row.asked_at,
        key_at=row.key_at,
        backups_until=row.backups_until,
        media_at=row.media_at,
        files=row.files,
        tries=row.tries,
        problem=row.problem,
    )
