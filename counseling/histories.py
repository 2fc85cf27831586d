"""What a client lets their counselor see of their talks with others: when, about what, how.

Nothing of what was said. Only while the two talk, and only where the client ticked it
(``talks.share_history``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.grants import Grant
from accounts.roles import Permission
from core.errors import Forbidden
from core.ids import UserId
from counseling import talks
from counseling.entry import Medium
from counseling.talks import Talk
from counseling.way_tables import WalkinRow


@dataclass(frozen=True, slots=True)
class Before:
    """One earlier talk with somebody else; ``topic`` is None where it did not come from a walk-in."""

    begun_at: datetime
    medium: Medium
    topic: str | None


async def has_others(db: AsyncSession, *, talk: Talk) -> bool:
    """Whether there is anything to share: the client talked with somebody else before."""
    return any(one.counselor != talk.counselor for one in await talks.of_client(db, client=talk.client))


async def shared(db: AsyncSession, grant: Grant, *, talk: Talk, now: datetime) -> Sequence[Before]:
    """List the client's earlier talks with others, the newest first. Raises ``Forbidden``."""
    grant.require(Permission.SERVE, talk.client, now)
    if grant.person != talk.counselor or talk.ended_at is not None or not talk.shares_history:
        raise Forbidden("The client does not share this.")
    others = [one for one in await talks.of_client(db, client=talk.client) if one.counselor != talk.counselor]
    topics = await _topics(db, [one.walkin for one in others if one.walkin is not None], talk.client)
    return [Before(one.begun_at, one.medium, topics.get(one.walkin or "")) for one in others]


async def _topics(db: AsyncSession, numbers: Sequence[str], client: UserId) -> dict[str, str]:
    rows = await db.execute(
        select(WalkinRow.id, WalkinRow.topic).where(WalkinRow.id.in_(numbers), WalkinRow.client_id == client)
    )
    return {row.id: row.topic for row in rows}
