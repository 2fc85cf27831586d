"""What of a recording was watched: stretches that grow while somebody watches on, then stand in the audit.

The page says every few seconds what it played. What follows on what was watched before lengthens it; a jump
begins another stretch. Nothing added for ``REST``, a stretch is done: it is written into the audit. How much
was sent is counted by the server itself: it is there also of who watches without the page.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from accounts.grants import Grant
from accounts.roles import Permission
from accounts.subjects import KeyGone
from core.errors import InvalidInput, NotFound
from core.ids import UserId, new_id
from recordings.review_tables import RecordingViewRow, ReviewOpeningRow
from recordings.reviews import Recording
from recordings.tables import RecordingRow

logger = logging.getLogger(__name__)

GAP_MS: Final = 1_500
"""What a stretch may leap over and still be the same: a page tells where it was, not each frame."""
REST: Final = timedelta(seconds=10)
MOST_MS: Final = 60_000
"""What one report may say at once: more was not watched between two of them at any speed."""
AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class Watched:
    """From where to where, on the recording's timeline."""

    from_ms: int
    to_ms: int


def joined(before: Watched, after: Watched) -> Watched | None:
    """Put a stretch and what follows it into one; None when it does not follow. Pure."""
    if not before.from_ms - GAP_MS <= after.from_ms <= before.to_ms + GAP_MS:
        return None
    return Watched(min(before.from_ms, after.from_ms), max(before.to_ms, after.to_ms))


async def watch(
    db: AsyncSession, grant: Grant, *, recording: Recording, watched: Watched, now: datetime
) -> None:
    """Keep what was watched under a grant. Raises ``InvalidInput`` for what cannot have been."""
    grant.require(Permission.REVIEW_RECORDINGS, recording.client, now, object_id=recording.id)
    fits = 0 <= watched.from_ms <= watched.to_ms <= recording.duration_ms + GAP_MS
    if not fits or watched.to_ms - watched.from_ms > MOST_MS:
        raise InvalidInput("Nobody can have watched this.")
    opening = await db.scalar(select(ReviewOpeningRow.id).where(ReviewOpeningRow.grant_id == grant.id))
    if opening is None:
        raise NotFound("This grant opened nothing.")
    row = await db.scalar(
        select(RecordingViewRow)
        .where(RecordingViewRow.opening_id == opening, RecordingViewRow.audited_at.is_(None))
        .order_by(RecordingViewRow.changed_at.desc(), RecordingViewRow.id)
        .limit(1)
        .with_for_update()
    )
    if row is not None and (both := joined(Watched(row.from_ms, row.to_ms), watched)) is not None:
        row.from_ms, row.to_ms, row.changed_at = both.from_ms, both.to_ms, now
    else:
        db.add(
            RecordingViewRow(
                id=new_id("w"),
                opening_id=opening,
                from_ms=watched.from_ms,
                to_ms=watched.to_ms,
                began_at=now,
                changed_at=now,
                audited_at=None,
            )
        )
    await db.flush()


async def sent(db: AsyncSession, grant: Grant, *, sent_bytes: int) -> None:
    """Count what was sent under a grant, though it has ended meanwhile."""
    await db.execute(
        update(ReviewOpeningRow)
        .where(ReviewOpeningRow.grant_id == grant.id)
        .values(sent_bytes=ReviewOpeningRow.sent_bytes + sent_bytes)
    )


async def write_down(db: AsyncSession, audit: Audit, *, now: datetime) -> int:
    """Write the stretches that are done into the audit; gives how many."""
    due = (
        select(RecordingViewRow, ReviewOpeningRow, RecordingRow.client_user)
        .join(ReviewOpeningRow, ReviewOpeningRow.id == RecordingViewRow.opening_id)
        .join(RecordingRow, RecordingRow.id == ReviewOpeningRow.recording_id)
        .where(RecordingViewRow.audited_at.is_(None), RecordingViewRow.changed_at <= now - REST)
        .order_by(RecordingViewRow.changed_at, RecordingViewRow.id)
        .limit(AT_ONCE)
        .execution_options(populate_existing=True)
    )
    if (await db.execute(due)).first() is None:
        return 0
    await audit.hold(db)
    rows = (await db.execute(due)).all()
    for view, opening, client in rows:
        view.audited_at = now
        try:
            await audit.append(
                db,
                tag="review:watch",
                actor=None if opening.viewer_id is None else UserId(opening.viewer_id),
                subject=None if client is None else UserId(client),
                object_id=opening.recording_id,
                detail={"from_ms": view.from_ms, "to_ms": view.to_ms},
                now=now,
            )
        except KeyGone:
            # Who was heard in it was forgotten meanwhile; so is what was watched of them.
            await db.execute(delete(RecordingViewRow).where(RecordingViewRow.id == view.id))
    await db.flush()
    return len(rows)
