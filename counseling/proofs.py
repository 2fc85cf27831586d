"""Proofs of what a counselor says: files that lie sealed under the counselor's own key in the data directory.

Only clean files come here (``counseling/uploads.py``). A file is written before its row and deleted after
it, so that a crash leaves at most a file that nothing names; ``sweep`` deletes those. Who forgets a person's
key has forgotten their files, wherever a copy lies.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from accounts.grants import Grant
from accounts.roles import Permission
from core.errors import InvalidState, NotFound
from core.ids import UserId, new_id
from core.sealing import seal, unseal
from counseling import register, rows
from counseling.register_tables import ProofFileRow
from counseling.uploads import Clean

FOLDER: Final = "proofs"
MAX_FILES: Final = 10
KEPT_UNNAMED: Final = timedelta(hours=1)
ENDINGS: Final = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png"}


class TooManyProofs(InvalidState):
    """There are as many proofs as there may be."""

    code = "too_many_proofs"


@dataclass(frozen=True, slots=True)
class Proof:
    """One proof. ``size_bytes`` is of the file as it is read."""

    id: str
    user: UserId
    kind: str
    content_type: str
    size_bytes: int
    added_at: datetime

    @property
    def file_name(self) -> str:
        """What the file is called for whoever opens it; says nothing about a person."""
        return f"{self.kind}-{self.id[-6:]}.{ENDINGS[self.content_type]}"


class Proofs:
    """The files of one service."""

    def __init__(self, data_dir: Path, audit: Audit) -> None:
        self._folder = data_dir / FOLDER
        self._audit = audit

    async def of(self, db: AsyncSession, *, user: UserId) -> list[Proof]:
        """List somebody's proofs, the oldest first."""
        found = await db.scalars(
            select(ProofFileRow)
            .where(ProofFileRow.user_id == user)
            .order_by(ProofFileRow.added_at, ProofFileRow.id)
        )
        return [_proof(row) for row in found]

    async def add(self, db: AsyncSession, *, user: UserId, kind: str, file: Clean, now: datetime) -> Proof:
        """Keep a clean file as a proof of some kind. Raises ``TooManyProofs``."""
        await rows.begun(db, user, now)
        if len(await rows.proofs_of(db, user)) >= MAX_FILES:
            raise TooManyProofs("There are as many proofs as there may be.")
        key = await self._audit.subjects.key_of(db, subject=user)
        row = ProofFileRow(
            id=new_id("f"),
            user_id=user,
            kind=kind,
            content_type=file.content_type,
            size_bytes=len(file.data),
            file=secrets.token_hex(24),
            added_at=now,
        )
        await asyncio.to_thread(self._write, row.file, key, file.data, _about(row.id))
        db.add(row)
        await db.flush()
        await self._audit.append(
            db, tag="proof:add", actor=user, subject=user, object_id=row.id, detail={"kind": kind}, now=now
        )
        return _proof(row)

    async def remove(self, db: AsyncSession, *, user: UserId, proof: str, now: datetime) -> str:
        """Take one of somebody's own proofs away; gives what ``unlink`` takes after the commit."""
        row = await db.get(ProofFileRow, proof)
        if row is None or row.user_id != user:
            raise NotFound("There is no such proof.")
        file, kind = row.file, row.kind
        await db.delete(row)
        await db.flush()
        await register.proof_removed(db, self._audit, user=user, now=now)
        await self._audit.append(
            db, tag="proof:remove", actor=user, subject=user, object_id=proof, detail={"kind": kind}, now=now
        )
        return file

    async def open(
        self, db: AsyncSession, grant: Grant, *, user: UserId, proof: str, now: datetime
    ) -> tuple[Proof, bytes]:
        """Read a proof; who did is written down. Raises ``Forbidden``, ``NotFound``, ``KeyGone``."""
        grant.require(Permission.OPEN_PROOF, user, now, object_id=proof)
        row = await db.get(ProofFileRow, proof)
        if row is None or row.user_id != user:
            raise NotFound("There is no such proof.")
        key = await self._audit.subjects.key_of(db, subject=user)
        try:
            data = await asyncio.to_thread(self._read, row.file, key, _about(row.id))
        except FileNotFoundError:
            raise NotFound("This proof's file is gone.") from None
        detail = {"kind": row.kind, "purpose": grant.purpose}
        await self._audit.append(
            db, tag="proof:open", actor=grant.person, subject=user, object_id=proof, detail=detail, now=now
        )
        return _proof(row), data

    async def unlink(self, *files: str) -> None:
        """Delete files whose rows are gone; one that is not there is left alone."""
        for file in files:
            await asyncio.to_thread((self._folder / file).unlink, missing_ok=True)

    async def sweep(self, db: AsyncSession, *, now: datetime) -> int:
        """Delete files that no row names and that are older than an hour; says how many."""
        there = await asyncio.to_thread(self._older_than, now - KEPT_UNNAMED)
        named = set(await db.scalars(select(ProofFileRow.file)))
        unnamed = [file for file in there if file not in named]
        await self.unlink(*unnamed)
        return len(unnamed)

    async def erase(self, db: AsyncSession, *, user: UserId, now: datetime) -> None:
        """Delete a person's proofs, then their entry (an eraser; it may be called again)."""
        files = list(await db.scalars(select(ProofFileRow.file).where(ProofFileRow.user_id == user)))
        await db.execute(delete(ProofFileRow).where(ProofFileRow.user_id == user))
        await register.erase(db, user=user, now=now)
        await self.unlink(*files)

    def _write(self, file: str, key: bytes, data: bytes, about: str) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        halfway = self._folder / f"{file}.new"
        descriptor = os.open(halfway, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as out:
            out.write(seal(key, data, about=about))
            out.flush()
            os.fsync(out.fileno())
        halfway.rename(self._folder / file)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _read(self, file: str, key: bytes, about: str) -> bytes:
        return unseal(key, (self._folder / file).read_bytes(), about=about)

    def _older_than(self, at: datetime) -> list[str]:
        if not self._folder.is_dir():
            return []
        return [file.name for file in self._folder.iterdir() if file.stat().st_mtime < at.timestamp()]


def _about(proof: str) -> str:
    return f"proof_files:{proof}:content"


def _proof(row: ProofFileRow) -> Proof:
    return Proof(row.id, UserId(row.user_id), row.kind, row.content_type, row.size_bytes, row.added_at)
