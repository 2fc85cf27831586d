"""The code of ethics: which version each counselor signed. Its texts stand in ``accounts/texts.py``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import texts
from accounts.audit import Audit
from accounts.texts import Kind
from core.errors import InvalidState
from core.ids import UserId
from counseling.register_tables import EthicsSignatureRow


class Superseded(InvalidState):
    """Another version holds by now: it is to be read first."""

    code = "superseded"


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature; ``digest`` is the SHA-256 of the text that was read, in that language."""

    version: int
    digest: str
    language: str
    signed_at: datetime


async def sign(
    db: AsyncSession, audit: Audit, *, user: UserId, version: int, digest: str, language: str, now: datetime
) -> Signature:
    """Sign the version that was shown. Signed twice, the first time stands. Raises ``Superseded``."""
    current = await texts.current(db, kind=Kind.ETHICS)
    if version != current.number or digest != current.text(language).sha256:
        raise Superseded("Another version of the code of ethics holds by now.")
    row = await db.get(EthicsSignatureRow, (user, version))
    if row is None:
        row = EthicsSignatureRow(
            user_id=user, version=version, digest=digest, language=language, signed_at=now
        )
        db.add(row)
        await db.flush()
        detail: dict[str, str | int | bool] = {"version": version, "sha256": digest, "language": language}
        await audit.append(db, tag="ethics:sign", actor=user, subject=user, detail=detail, now=now)
    return _signature(row)


async def signatures(db: AsyncSession, *, user: UserId) -> list[Signature]:
    """List what somebody signed, the newest first."""
    found = await db.scalars(
        select(EthicsSignatureRow)
        .where(EthicsSignatureRow.user_id == user)
        .order_by(EthicsSignatureRow.version.desc())
    )
    return [_signature(row) for row in found]


async def newest(db: AsyncSession, *, users: Sequence[UserId]) -> dict[UserId, int]:
    """Say the newest version that each signed; who signed none is left out."""
    found = await db.execute(
        select(EthicsSignatureRow.user_id, func.max(EthicsSignatureRow.version))
        .where(EthicsSignatureRow.user_id.in_(users))
        .group_by(EthicsSignatureRow.user_id)
    )
    return {UserId(user): version for user, version in found}


async def needed(db: AsyncSession) -> int:
    """Say the latest version that asks everybody to sign anew; 0 before there is a text."""
    numbers = (await texts.numbers(db)).get(Kind.ETHICS)
    return 0 if numbers is None else numbers.material


async def erase(db: AsyncSession, *, user: UserId, now: datetime) -> None:  # noqa: ARG001  # as erasers are
    """Delete what a person signed."""
    await db.execute(delete(EthicsSignatureRow).where(EthicsSignatureRow.user_id == user))


def _signature(row: EthicsSignatureRow) -> Signature:
    return Signature(row.version, row.digest, row.language, row.signed_at)
