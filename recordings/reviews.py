"""Recordings as reviews see them: what there is, who released it, who opened it and what for.

Whether one may be opened decides ``opening``; the facts that stand outside of recordings (who is assigned to
whom, who consents to supervision) come in from above.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import grants
from accounts.audit import Audit
from accounts.grants import Grant
from accounts.people import Person
from accounts.roles import Permission
from core.errors import Forbidden, InvalidState, NotFound
from core.ids import SessionId, UserId, new_id
from core.sealing import seal, unseal
from recordings.moving import NOT_COMPLETE
from recordings.opening import Facts
from recordings.review_tables import RecordingViewRow, ReviewOpeningRow, ReviewReleaseRow
from recordings.states import Side, SideState, State
from recordings.tables import RecordingPauseRow, RecordingRow, RecordingSideRow

HOURS: Final = (1, 4, 24)
"""How long a supervisor may ask to open a recording for."""


@dataclass(frozen=True, slots=True)
class MediaSide:
    """The finished file of one side. Not ``complete``: something of its end may be missing, after a crash."""

    side: Side
    object_name: str
    sealed_bytes: int
    duration_ms: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Pause:
    """A time off the record; ``to_ms`` is None where it lasted to the end."""

    from_ms: int
    to_ms: int | None


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording. ``client`` or ``counselor`` is None where no login of ours sat in that place."""

    id: str
    session: SessionId | None
    state: State
    client: UserId | None
    counselor: UserId | None
    started_at: datetime
    ended_at: datetime | None
    open_from: datetime | None
    expires_at: datetime
    closed: bool
    released: bool
    sides: tuple[MediaSide, ...]

    @property
    def duration_ms(self) -> int:
        """How long it is: the longer side."""
        return max((one.duration_ms for one in self.sides), default=0)

    def side(self, name: str) -> MediaSide:
        """Find a side that has media. Raises ``NotFound``."""
        found = next((one for one in self.sides if one.side.value == name), None)
        if found is None:
            raise NotFound("There is nothing of this side.")
        return found

    def facts(self, *, client_consents: bool) -> Facts:
        """Give what decides whether it may be opened."""
        return Facts(
            self.state,
            self.open_from,
            closed=self.closed or self.client is None,
            client_consents=client_consents,
            released=self.released,
        )


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was watched at one go."""

    from_ms: int
    to_ms: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Opening:
    """Who opened a recording. ``viewer`` is None once they are gone, ``played_at`` when it was not played.

    ``sent_bytes`` is how much was sent to their browser, which loads ahead of what is watched.
    """

    viewer: UserId | None
    purpose: str
    given_at: datetime
    until: datetime
    played_at: datetime | None
    sent_bytes: int
    watched: tuple[Stretch, ...]


async def find(db: AsyncSession, *, recording: str) -> Recording:
    """Look a recording up. Raises ``NotFound``."""
    found = await _listed(db, RecordingRow.id == recording)
    if not found:
        raise NotFound("There is no such recording.")
    return found[0]


async def of_counselors(
    db: AsyncSession, *, counselors: Collection[UserId], state: State | None = None
) -> list[Recording]:
    """List recordings of these counselors' sessions, the newest first."""
    which: list[ColumnElement[bool]] = [RecordingRow.counselor_user.in_(counselors)]
    if state is not None:
        which.append(RecordingRow.state == state.value)
    return await _listed(db, *which) if counselors else []


async def release(db: AsyncSession, audit: Audit, *, recording: str, person: Person, now: datetime) -> None:
    """Have the counselor of a recording release it for supervision. Done again, it changes nothing.

    Raises ``NotFound`` for anybody else's, ``InvalidState`` when they took the recording back.
    """
    found = await own(db, recording=recording, counselor=person.id)
    if found.closed or found.state in {State.DESTROYING, State.DESTROYED}:
        raise InvalidState("This recording is closed.")
    if found.released:
        return
    await db.merge(
        ReviewReleaseRow(recording_id=found.id, counselor_id=person.id, released_at=now, taken_back_at=None)
    )
    await db.flush()
    await _written_down(db, audit, tag="review:release", recording=found, actor=person.id, now=now)


async def take_back(db: AsyncSession, audit: Audit, *, recording: str, person: Person, now: datetime) -> None:
    """Have the counselor take a release back: grants end at once. Raises ``NotFound``."""
    found = await own(db, recording=recording, counselor=person.id)
    if not found.released:
        return
    await db.execute(
        update(ReviewReleaseRow).where(ReviewReleaseRow.recording_id == found.id).values(taken_back_at=now)
    )
    await grants.end(db, permission=Permission.REVIEW_RECORDINGS, object_id=found.id)
    await _written_down(db, audit, tag="review:take-back", recording=found, actor=person.id, now=now)


async def own(db: AsyncSession, *, recording: str, counselor: UserId) -> Recording:
    """Look up a recording of this counselor's own session. Raises ``NotFound``."""
    found = await find(db, recording=recording)
    if found.counselor != counselor:
        raise NotFound("There is no such recording.")
    return found


async def open_up(
    db: AsyncSession,
    audit: Audit,
    *,
    person: Person,
    recording: Recording,
    purpose: str,
    hours: int,
    now: datetime,
) -> Grant:
    """Give a supervisor a grant for one recording. The caller asked ``opening.why_closed`` before.

    Raises ``InvalidInput`` without a purpose, ``Forbidden`` when the person's roles do not permit it.
    """
    if hours not in HOURS or recording.client is None:
        raise Forbidden("This is not open to you.")
    grant = await grants.give(
        db,
        audit,
        person=person,
        permission=Permission.REVIEW_RECORDINGS,
        subject=recording.client,
        purpose=purpose,
        now=now,
        minutes=60 * hours,
        object_id=recording.id,
    )
    row = new_id("o")
    key = await audit.subjects.key_of(db, subject=recording.client)
    db.add(
        ReviewOpeningRow(
            id=row,
            grant_id=grant.id,
            recording_id=recording.id,
            viewer_id=person.id,
            purpose=seal(key, grant.purpose.encode("utf-8", "replace"), about=_about(row)),
            given_at=now,
            until=grant.expires_at,
            played_at=None,
        )
    )
    await db.flush()
    return grant


async def played(
    db: AsyncSession, audit: Audit, grant: Grant, *, recording: Recording, now: datetime
) -> None:
    """Write down that something of a recording was sent under a grant, the first time."""
    grant.require(Permission.REVIEW_RECORDINGS, recording.client, now, object_id=recording.id)
    mine = (ReviewOpeningRow.grant_id == grant.id, ReviewOpeningRow.played_at.is_(None))
    if await db.scalar(select(ReviewOpeningRow.id).where(*mine)) is None:
        return
    await audit.hold(db)
    first = await db.execute(
        update(ReviewOpeningRow).where(*mine).values(played_at=now).returning(ReviewOpeningRow.id)
    )
    if first.scalar_one_or_none() is not None:
        await _written_down(db, audit, tag="review:open", recording=recording, actor=grant.person, now=now)


async def openings(
    db: AsyncSession, audit: Audit, *, recording: Recording, participant: UserId
) -> list[Opening]:
    """List who opened a recording, the newest first, for one of its two. Raises ``NotFound``."""
    if participant not in {recording.client, recording.counselor}:
        raise NotFound("There is no such recording.")
    rows = (
        await db.scalars(
            select(ReviewOpeningRow)
            .where(ReviewOpeningRow.recording_id == recording.id)
            .order_by(ReviewOpeningRow.given_at.desc(), ReviewOpeningRow.id)
        )
    ).all()
    key = await _key(db, audit, recording)
    watched = await _watched(db, [row.id for row in rows])
    return [
        Opening(
            None if row.viewer_id is None else UserId(row.viewer_id),
            "" if key is None else unseal(key, row.purpose, about=_about(row.id)).decode(),
            row.given_at,
            row.until,
            row.played_at,
            row.sent_bytes,
            tuple(watched.get(row.id, ())),
        )
        for row in rows
    ]


async def pauses(db: AsyncSession, *, recording: str) -> list[Pause]:
    """List when a recording was off the record."""
    rows = await db.scalars(
        select(RecordingPauseRow)
        .where(RecordingPauseRow.recording_id == recording)
        .order_by(RecordingPauseRow.from_ms)
    )
    return [Pause(row.from_ms, row.to_ms) for row in rows]


async def given_at(db: AsyncSession, *, grant: Grant) -> datetime | None:
    """Say when a grant was given; None for one that opened nothing."""
    return await db.scalar(select(ReviewOpeningRow.given_at).where(ReviewOpeningRow.grant_id == grant.id))


async def has_played(db: AsyncSession, *, recording: str, viewer: UserId) -> bool:
    """Whether somebody ever played a recording."""
    asked = select(ReviewOpeningRow.id).where(
        ReviewOpeningRow.recording_id == recording,
        ReviewOpeningRow.viewer_id == viewer,
        ReviewOpeningRow.played_at.is_not(None),
    )
    return await db.scalar(asked.limit(1)) is not None


async def _watched(db: AsyncSession, ids: Sequence[str]) -> dict[str, list[Stretch]]:
    rows = await db.scalars(
        select(RecordingViewRow)
        .where(RecordingViewRow.opening_id.in_(ids))
        .order_by(RecordingViewRow.from_ms, RecordingViewRow.id)
    )
    found: dict[str, list[Stretch]] = {}
    for row in rows:
        found.setdefault(row.opening_id, []).append(Stretch(row.from_ms, row.to_ms, row.began_at))
    return found


async def _key(db: AsyncSession, audit: Audit, recording: Recording) -> bytes | None:
    if recording.client is None:
        return None
    return (await audit.subjects.keys_of(db, subjects=[recording.client])).get(recording.client)


async def _listed(db: AsyncSession, *which: ColumnElement[bool]) -> list[Recording]:
    rows = await db.execute(
        select(RecordingRow, ReviewReleaseRow)
        .outerjoin(ReviewReleaseRow, ReviewReleaseRow.recording_id == RecordingRow.id)
        .where(*which)
        .order_by(RecordingRow.started_at.desc(), RecordingRow.id)
        .execution_options(populate_existing=True)
    )
    found = [(row, release) for row, release in rows]
    media = await db.scalars(
        select(RecordingSideRow)
        .where(
            RecordingSideRow.recording_id.in_([row.id for row, _ in found]),
            RecordingSideRow.state == SideState.STORED.value,
        )
        .order_by(RecordingSideRow.side)
        .execution_options(populate_existing=True)
    )
    sides: dict[str, list[MediaSide]] = {}
    for one in media:
        if one.object_name is not None and one.final_bytes is not None:
            sides.setdefault(one.recording_id, []).append(
                MediaSide(
                    Side(one.side),
                    one.object_name,
                    one.final_bytes,
                    one.duration_ms or 0,
                    one.problem != NOT_COMPLETE,
                )
            )
    return [_recording(row, release, tuple(sides.get(row.id, ()))) for row, release in found]


def _recording(
    row: RecordingRow, release: ReviewReleaseRow | None, sides: tuple[MediaSide, ...]
) -> Recording:
    return Recording(
        id=row.id,
        session=None if row.session_id is None else SessionId(row.session_id),
        state=State(row.state),
        client=None if row.client_user is None else UserId(row.client_user),
        counselor=None if row.counselor_user is None else UserId(row.counselor_user),
        started_at=row.started_at,
        ended_at=row.ended_at,
        open_from=row.open_from,
        expires_at=row.expires_at,
        closed=row.closed_at is not None,
        released=release is not None and release.taken_back_at is None,
        sides=sides,
    )


async def _written_down(
    db: AsyncSession, audit: Audit, *, tag: str, recording: Recording, actor: UserId, now: datetime
) -> None:
    await audit.append(db, tag=tag, actor=actor, subject=recording.client, object_id=recording.id, now=now)


def _about(opening: str) -> str:
    return f"review_openings:{opening}:purpose"
