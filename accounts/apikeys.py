"""API keys: what an operator's own programs hold. Scopes: create, read, end."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.tables import ApiKeyRow
from core.errors import NotFound
from core.ids import ApiKeyId, new_api_key_id


class Scope(enum.StrEnum):
    """What a key may do, with the sessions it created and no others."""

    CREATE = "create"
    READ = "read"
    END = "end"


ALL_SCOPES = frozenset(Scope)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key. ``revoked_at`` is None while it holds."""

    id: ApiKeyId
    name: str
    scopes: frozenset[Scope]
    created_at: datetime
    revoked_at: datetime | None


async def create(
    db: AsyncSession, *, name: str, scopes: frozenset[Scope] = ALL_SCOPES, now: datetime
) -> ApiKey:
    """Make a key. The caller asks ``Tokens.api_secret`` for its secret and shows it once."""
    row = ApiKeyRow(
        id=new_api_key_id(), name=name, scopes=" ".join(sorted(scopes)), created_at=now, revoked_at=None
    )
    db.add(row)
    await db.flush()
    return _key(row)


async def find(db: AsyncSession, *, key: ApiKeyId) -> ApiKey | None:
    """Look a key up, revoked or not."""
    row = await db.get(ApiKeyRow, key)
    return None if row is None else _key(row)


async def every(db: AsyncSession) -> list[ApiKey]:
    """List all keys, the oldest first."""
    rows = await db.scalars(select(ApiKeyRow).order_by(ApiKeyRow.created_at, ApiKeyRow.id))
    return [_key(row) for row in rows]


async def revoke(db: AsyncSession, *, key: ApiKeyId, now: datetime) -> None:
    """Revoke a key; tokens made with it stop working at once. Raises ``NotFound``."""
    if await db.get(ApiKeyRow, key) is None:
        raise NotFound("There is no API key with this id.")
    await db.execute(
        update(ApiKeyRow).where(ApiKeyRow.id == key, ApiKeyRow.revoked_at.is_(None)).values(revoked_at=now)
    )


def _key(row: ApiKeyRow) -> ApiKey:
    scopes = frozenset(Scope(word) for word in row.scopes.split())
    return ApiKey(ApiKeyId(row.id), row.name, scopes, row.created_at, row.revoked_at)
