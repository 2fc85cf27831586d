"""The report of one session's lines: who may read it, and all that it is made of.

It opens with a grant for one session. Where the client is a person of ours they see it among who opened
what; a session that a program made concerns nobody whom we know, and only admins see it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import grants, people
from accounts.audit import Audit
from accounts.grants import Grant
from accounts.people import Person
from accounts.roles import Permission
from core.errors import NotFound
from core.ids import ParticipantId, UserId
from counseling.oversight import Oversight
from media.diagnosis import Trouble
from signaling import quality_record
from signaling.directory import Role, SessionRecord, SessionState
from signaling.gaps import Gap, blame_of
from signaling.quality_record import QualityRecord
from signaling.quality_summary import SideQuality, sides_of
from signaling.quality_verdict import Verdict, verdict
from signaling.summaries import EndedWhy, ended_why

STOOD: Final = "resumed"


@dataclass(frozen=True, slots=True)
class Report:
    """What the lines of one session did. ``until`` is when it ended, or now."""

    session: SessionRecord
    record: QualityRecord
    sides: Mapping[ParticipantId, SideQuality]
    stood_ms: int
    until: datetime

    @property
    def began_at(self) -> datetime:
        """When the two were first connected, or else when something was first known."""
        if self.session.started_at is not None:
            return self.session.started_at
        known = [one.at for one in self.record.samples[:1]] + [one.at for one in self.record.events[:1]]
        return min(known, default=self.session.created_at)

    @property
    def drops(self) -> list[tuple[ParticipantId, Gap]]:
        """Every time that a side could not be reached, in the order of time."""
        found = [(place, gap) for place, side in self.sides.items() for gap in side.gaps]
        return sorted(found, key=lambda one: one[1].began_at)

    @property
    def why(self) -> EndedWhy | None:
        """Why it ended; None while it goes on."""
        if self.session.state is not SessionState.ENDED:
            return None
        return ended_why(self.session, self.record.events, self.sides.values())

    @property
    def verdict(self) -> Verdict:
        """Whose line it was."""
        roles = {place.role: self.sides[place.id] for place in self.session.participants}
        return verdict(roles, stood_ms=self.stood_ms)


def user_in(session: SessionRecord, role: Role) -> UserId | None:
    """Say whose login opens the place of this role; None where only its code does."""
    return next((place.user for place in session.participants if place.role is role), None)


async def ask_for(
    db: AsyncSession,
    audit: Audit,
    *,
    person: Person,
    oversight: Oversight,
    session: SessionRecord,
    purpose: str,
    now: datetime,
) -> Grant:
    """Give somebody a grant for one session's report, or the one they have. Raises ``NotFound``.

    ``purpose`` is in words that the client will read. A client who asked to be erased is gone for everybody.
    """
    client, counselor = user_in(session, Role.CLIENT), user_in(session, Role.COUNSELOR)
    known = None if client is None else await people.find(db, user=client)
    gone = counselor is not None and (known is None or known.is_leaving)
    if gone or not oversight.covers(counselor):
        raise NotFound("There is no such session.")
    permission = Permission.SEE_QUALITY
    held = await grants.current(
        db, audit, person=person, permission=permission, subject=client, now=now, object_id=session.id
    )
    return held or await grants.give(
        db,
        audit,
        person=person,
        permission=permission,
        subject=client,
        purpose=purpose,
        now=now,
        object_id=session.id,
    )


async def read(db: AsyncSession, grant: Grant, *, session: SessionRecord, now: datetime) -> Report:
    """Read what the lines of a session did."""
    client = user_in(session, Role.CLIENT)
    grant.require(Permission.SEE_QUALITY, client, now, object_id=session.id)
    return report_of(session, await quality_record.read(db, session_id=session.id), now=now)


def report_of(session: SessionRecord, record: QualityRecord, *, now: datetime) -> Report:
    """Work out what the lines of a session did; of one that goes on, up to now."""
    until = session.ended_at or now
    return Report(session, record, sides_of(session, record, until=until), stood_ms(record), until)


def stood_ms(record: QualityRecord) -> int:
    """Say how long our own server stood still while the two were in this session."""
    gaps = [
        event.detail.get("gap_ms")
        for event in record.events
        if event.kind == STOOD
        and event.participant_id is None
        and blame_of(event.detail).kind == Trouble.SERVER
    ]
    return sum(gap for gap in gaps if isinstance(gap, int))
