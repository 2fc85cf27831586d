"""A stored recording with its people, for the tests of reviews."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import people
from accounts.people import Person
from accounts.roles import Role
from core.ids import ParticipantId, SessionId, new_id
from recordings.states import Side, SideState, State
from recordings.tables import RecordingRow, RecordingSideRow

DURATION_MS = 60_000


@dataclass(frozen=True, slots=True)
class People:
    """Who has to do with a recording."""

    client: Person
    counselor: Person
    supervisor: Person
    stranger: Person


async def make_people(db: AsyncSession, *, now: datetime) -> People:
    """Make a client, a counselor, a supervisor, and one of another counselor."""
    client = await people.create_client(db, name="Embun", language="id", adult=True, now=now)
    counselor, supervisor, stranger = [
        await people.create_staff(db, name=name, language="id", roles=[role], now=now)
        for name, role in (
            ("ratna", Role.COUNSELOR),
            ("sari", Role.SUPERVISOR),
            ("bayu", Role.SUPERVISOR),
        )
    ]
    return People(client, counselor, supervisor, stranger)


async def make_recording(
    db: AsyncSession,
    *,
    client: Person | None,
    counselor: Person | None,
    now: datetime,
    session: SessionId | None = None,
    places: tuple[ParticipantId, ParticipantId] | None = None,
    state: State = State.STORED,
    duration_ms: int = DURATION_MS,
    sealed_bytes: int | dict[Side, int] = 1_000,
    recording: str | None = None,
) -> str:
    """Write down a recording that ended four days ago, with both sides; gives its id.

    ``places`` are the client's and the counselor's.
    """
    recording = recording or new_id("r")
    ended_at = now - timedelta(days=4)
    db.add(
        RecordingRow(
            id=recording,
            session_id=session,
            state=state.value,
            reason="session_ended",
            client_user=None if client is None else client.id,
            counselor_user=None if counselor is None else counselor.id,
            started_at=ended_at - timedelta(milliseconds=duration_ms),
            ended_at=ended_at,
            open_from=ended_at + timedelta(hours=72),
            expires_at=now + timedelta(days=90),
        )
    )
    await db.flush()
    for number, side in enumerate(Side):
        size = sealed_bytes if isinstance(sealed_bytes, int) else sealed_bytes[side]
        db.add(
            RecordingSideRow(
                recording_id=recording,
                side=side.value,
                participant_id=new_id("p") if places is None else places[number],
                state=SideState.STORED.value,
                records=60,
                head="00" * 32,
                bytes=size,
                until_ms=duration_ms,
                object_name=f"{recording}/{side.value}.webm.age",
                final_bytes=size,
                final_sha256="00" * 32,
                duration_ms=duration_ms,
                codec="vp8",
                tries=0,
                problem=None,
            )
        )
    await db.flush()
    return recording
