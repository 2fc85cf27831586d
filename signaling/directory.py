"""The register of sessions: who has a place in which, and what became of it.

All times are aware UTC and come in as ``now``; the caller commits. A join code is shown once, when
the session is made; only its SHA-256 is kept.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Select, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.ids import ApiKeyId, ParticipantId, SessionId, UserId, new_participant_id, new_session_id
from media.codecs import Mode
from signaling.protocol import Reason
from signaling.tables import NOT_ENDED, ParticipantRow, SessionRow

PLACES_LIFE = timedelta(hours=24)
PLACES_AFTER_END = timedelta(hours=1)
CODE_BYTES = 16

# Asked with the first hello of every session: in one step, and written once.
_WITH_PLACES = (
    select(SessionRow, ParticipantRow)
    .join(ParticipantRow, ParticipantRow.session_id == SessionRow.id)
    .order_by(ParticipantRow.position)
    .execution_options(populate_existing=True)
)
_BY_ID = _WITH_PLACES.where(SessionRow.id == bindparam("session"))
_BY_PLACE = _WITH_PLACES.where(
    SessionRow.id
    == select(ParticipantRow.session_id).where(ParticipantRow.id == bindparam("place")).scalar_subquery()
)


class Role(enum.StrEnum):
    """Who sits in a place."""

    CLIENT = "client"
    COUNSELOR = "counselor"


class SessionState(enum.StrEnum):
    """Where a session stands; ``ended`` is final."""

    WAITING = "waiting"
    ACTIVE = "active"
    INTERRUPTED = "interrupted"
    ENDED = "ended"


class Recording(enum.StrEnum):
    """Whether the two may be asked for a recording."""

    OFF = "off"
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class NewParticipant:
    """A place to be made. ``user`` is whose login opens it too; None: the join code alone."""

    role: Role
    name: str
    user: UserId | None = None


@dataclass(frozen=True, slots=True)
class ParticipantRecord:
    """One place. ``state`` is the last known wire state; ``seat`` is SHA-256 (hex) of the seat secret.

    ``user`` is the person whose login opens it too, None for a place that only its code opens.
    """

    id: ParticipantId
    session_id: SessionId
    role: Role
    name: str
    state: str
    seat: str | None
    user: UserId | None = None


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """One session with its places, in the order they were asked for.

    ``mode_reason`` is who or what moved it to its mode, None when it began so. ``ends_at`` is ``starts_at``
    (or, without one, ``started_at``) plus ``max_minutes``; None while unknown. ``places_until`` is when its
    codes, tokens and cookies stop opening.
    """

    id: SessionId
    owner: ApiKeyId | None
    mode: Mode
    recording: Recording
    state: SessionState
    created_at: datetime
    starts_at: datetime | None
    max_minutes: int | None
    started_at: datetime | None
    ends_at: datetime | None
    ended_at: datetime | None
    ended_reason: str | None
    places_until: datetime
    participants: tuple[ParticipantRecord, ...]
    mode_reason: Reason | None = None

    def participant(self, participant: ParticipantId) -> ParticipantRecord | None:
        """Find a place of this session."""
        return next((one for one in self.participants if one.id == participant), None)


@dataclass(frozen=True, slots=True)
class Created:
    """A new session and the join code of each place: the only time that the codes are known."""

    session: SessionRecord
    codes: Mapping[ParticipantId, str]


def places_until(*, now: datetime, starts_at: datetime | None, max_minutes: int | None) -> datetime:
    """Say until when places open: past the latest possible end and the grace after it."""
    length = timedelta(minutes=max_minutes) + PLACES_AFTER_END if max_minutes is not None else PLACES_LIFE
    if starts_at is None:
        return now + (PLACES_LIFE if max_minutes is None else PLACES_LIFE + length)
    return _later(starts_at, length)


def _later(at: datetime, by: timedelta) -> datetime:
    """Add, and stop at the last time there is."""
    last = datetime.max.replace(tzinfo=UTC)
    return last if last - at < by else at + by


async def create(
    db: AsyncSession,
    *,
    mode: Mode,
    recording: Recording,
    participants: Sequence[NewParticipant],
    owner: ApiKeyId | None,
    starts_at: datetime | None,
    max_minutes: int | None,
    now: datetime,
) -> Created:
    """Make a session and its places. A start that has passed counts from ``now``."""
    starts_at = None if starts_at is None else max(starts_at.astimezone(UTC), now)
    ends_at = None
    if starts_at is not None and max_minutes is not None:
        ends_at = _later(starts_at, timedelta(minutes=max_minutes))
    row = SessionRow(
        id=new_session_id(),
        owner=owner,
        mode=mode.value,
        recording=recording.value,
        state=SessionState.WAITING.value,
        created_at=now,
        starts_at=starts_at,
        max_minutes=max_minutes,
        started_at=None,
        ends_at=ends_at,
        ended_at=None,
        ended_reason=None,
        places_until=places_until(now=now, starts_at=starts_at, max_minutes=max_minutes),
    )
    db.add(row)
    await db.flush()
    codes: dict[ParticipantId, str] = {}
    places: list[ParticipantRow] = []
    for position, new in enumerate(participants):
        participant = new_participant_id()
        codes[participant] = _new_code()
        places.append(
            ParticipantRow(
                id=participant,
                session_id=row.id,
                position=position,
                role=new.role.value,
                name=new.name,
                state="absent",
                changed_at=now,
                seat=None,
                user_id=new.user,
                code_hash=_hash(codes[participant]),
            )
        )
    db.add_all(places)
    await db.flush()
    return Created(_session(row, places), codes)


async def find(db: AsyncSession, *, session_id: SessionId) -> SessionRecord | None:
    """Look a session up with its places."""
    return await _one(db, _BY_ID, session=session_id)


async def place_of(db: AsyncSession, *, participant_id: ParticipantId) -> SessionRecord | None:
    """Look up the session that a place belongs to."""
    return await _one(db, _BY_PLACE, place=participant_id)


async def _one(
    db: AsyncSession, asked: Select[SessionRow, ParticipantRow], **which: str
) -> SessionRecord | None:
    found = (await db.execute(asked, which)).all()
    return _session(found[0][0], [place for _, place in found]) if found else None


async def open_code(db: AsyncSession, *, code: str, now: datetime) -> ParticipantRecord | None:
    """Say whose place a join code opens; None when it is wrong, has expired, or the session has ended."""
    found = (
        await db.execute(
            select(ParticipantRow)
            .join(SessionRow, SessionRow.id == ParticipantRow.session_id)
            .where(
                ParticipantRow.code_hash == _hash(code),
                SessionRow.places_until > now,
                SessionRow.state != SessionState.ENDED.value,
            )
        )
    ).scalar_one_or_none()
    return None if found is None else _participant(found)


async def open_places(db: AsyncSession, *, user: UserId, now: datetime) -> list[ParticipantRecord]:
    """List the places that a person's login opens now, the newest session first."""
    rows = await db.scalars(
        select(ParticipantRow)
        .join(SessionRow, SessionRow.id == ParticipantRow.session_id)
        .where(
            ParticipantRow.user_id == user,
            SessionRow.places_until > now,
            SessionRow.state != SessionState.ENDED.value,
        )
        .order_by(SessionRow.created_at.desc(), SessionRow.id)
    )
    return [_participant(row) for row in rows]


async def live(db: AsyncSession, *, sessions: Collection[SessionId], now: datetime) -> set[SessionId]:
    """Say which of these sessions have not ended and can still be entered."""
    found = await db.scalars(
        select(SessionRow.id).where(
            SessionRow.id.in_(sessions),
            SessionRow.places_until > now,
            SessionRow.state != SessionState.ENDED.value,
        )
    )
    return {SessionId(one) for one in found}


async def erase(db: AsyncSession, *, user: UserId, now: datetime) -> None:
    """Cut the link between a person and their places, and take the name out of them."""
    await db.execute(
        update(ParticipantRow)
        .where(ParticipantRow.user_id == user)
        .values(user_id=None, name="", changed_at=now)
    )


async def overdue(db: AsyncSession, *, now: datetime, most: int) -> list[SessionId]:
    """List sessions that have not ended and whose time ran out, or whose places have closed; oldest first."""
    found: dict[str, None] = {}
    for until in (SessionRow.ends_at, SessionRow.places_until):
        rows = await db.scalars(
            select(SessionRow.id).where(until <= now, NOT_ENDED).order_by(until).limit(most)
        )
        found |= dict.fromkeys(rows)
    return [SessionId(row) for row in found][:most]


def _new_code() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(CODE_BYTES)).rstrip(b"=").decode()


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()


def _participant(row: ParticipantRow) -> ParticipantRecord:
    return ParticipantRecord(
        ParticipantId(row.id),
        SessionId(row.session_id),
        Role(row.role),
        row.name,
        row.state,
        row.seat,
        None if row.user_id is None else UserId(row.user_id),
    )


def _session(row: SessionRow, places: Sequence[ParticipantRow]) -> SessionRecord:
    return SessionRecord(
        id=SessionId(row.id),
        owner=None if row.owner is None else ApiKeyId(row.owner),
        mode=Mode(row.mode),
        recording=Recording(row.recording),
        state=SessionState(row.state),
        created_at=row.created_at,
        starts_at=row.starts_at,
        max_minutes=row.max_minutes,
        started_at=row.started_at,
        ends_at=row.ends_at,
        ended_at=row.ended_at,
        ended_reason=row.ended_reason,
        places_until=row.places_until,
        participants=tuple(_participant(place) for place in places),
        mode_reason=None if row.mode_reason is None else Reason(row.mode_reason),
    )
