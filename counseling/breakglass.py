"""Break-glass: in danger, a counselor opens where a client is and whom to call, and nothing else.

The counselor of the talk, or whoever is on duty, gives a written reason. A second person of the counseling
line is told in the same moment. The client is told too, unless that would add to the danger: then the opener
says why, and the client is told later by one of the two. Opening gives a grant of a few minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import grants, notices, people
from accounts.audit import Audit
from accounts.grants import Grant, fit_purpose
from accounts.people import Person
from accounts.roles import Permission, Role
from core.errors import Forbidden, InvalidInput, NotFound
from core.ids import UserId, new_id
from core.sealing import seal, unseal
from counseling.preparation import KEPT_AT_RISK, Preparation
from counseling.preparation_tables import ContactOpeningRow
from counseling.roster import Duty
from counseling.way_tables import TalkRow

MINUTES: Final = 15
UNTOLD: Final = "in danger; the client is told later"
"""Stands in the audit where the client is not told yet: admins read it, so it says nothing of the reason."""
RETENTION: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening, as its two people see it. ``untold_why`` None: the client was told at once."""

    id: str
    client: UserId
    opener: UserId | None
    second: UserId | None
    reason: str
    untold_why: str | None
    at: datetime
    seen_at: datetime | None
    told_at: datetime | None


def on_duty(duty: Duty | None, user: UserId) -> bool:
    """Whether somebody is on duty now, or the deputy."""
    return duty is not None and user in (duty.person, duty.deputy)


async def may_open(
    db: AsyncSession, *, person: Person, client: UserId, duty: Duty | None, now: datetime
) -> bool:
    """Whether somebody may: the counselor of a talk with this client of now or lately, or who is on duty."""
    if person.is_leaving or not person.may(Permission.BREAK_GLASS):
        return False
    if on_duty(duty, person.id):
        return True
    talked = await db.scalar(
        select(TalkRow.id)
        .where(
            TalkRow.client_id == client,
            TalkRow.counselor_id == person.id,
            or_(TalkRow.ended_at.is_(None), TalkRow.ended_at > now - KEPT_AT_RISK),
        )
        .limit(1)
    )
    return talked is not None


async def seconds(db: AsyncSession, *, person: Person, duty: Duty | None) -> list[Person]:
    """List who may be the second person: who is on duty, the deputy, then supervisors; never the opener."""
    first = [] if duty is None else [one for one in (duty.person, duty.deputy) if one is not None]
    found = await people.find_all(db, users=first)
    found += await people.with_role(db, role=Role.SUPERVISOR)
    return list(
        {
            one.id: one
            for one in found
            if one.id != person.id and one.may(Permission.BREAK_GLASS) and not one.is_leaving
        }.values()
    )


async def open_glass(
    db: AsyncSession,
    audit: Audit,
    *,
    person: Person,
    preparation: Preparation,
    duty: Duty | None,
    reason: str,
    second: UserId,
    untold_why: str | None,
    now: datetime,
) -> Grant:
    """Open the contact; both others are told in the same transaction, the client unless it adds danger.

    Raises ``Forbidden`` for who may not, ``InvalidInput`` without a reason or a fitting second person.
    """
    if not await may_open(db, person=person, client=preparation.client, duty=duty, now=now):
        raise Forbidden("This is for the counselor of the talk and whoever is on duty.")
    if second not in {one.id for one in await seconds(db, person=person, duty=duty)}:
        raise InvalidInput("The second person is somebody else of the counseling line.")
    told, why = fit_purpose(reason), None if untold_why is None else fit_purpose(untold_why)
    client = preparation.client
    # What the client is not told yet does not stand in their history: the grant then names no subject.
    grant = await grants.give(
        db,
        audit,
        person=person,
        permission=Permission.BREAK_GLASS,
        subject=client if why is None else None,
        object_id=preparation.id,
        purpose=told if why is None else UNTOLD,
        minutes=MINUTES,
        now=now,
    )
    key = await audit.subjects.key_of(db, subject=client)
    number = new_id("o")
    db.add(
        ContactOpeningRow(
            id=number,
            preparation_id=preparation.id,
            client_id=client,
            opener_id=person.id,
            second_id=second,
            reason=seal(key, told.encode(), about=_about(number, "reason")),
            untold_why=None if why is None else seal(key, why.encode(), about=_about(number, "untold_why")),
            at=now,
            seen_at=None,
            told_at=now if why is None else None,
        )
    )
    await db.flush()
    await notices.post(db, user=second, kind="contact_second", now=now)
    if why is None:
        await notices.post(db, user=client, kind="contact_opened", now=now)
    return grant


async def current(
    db: AsyncSession, audit: Audit, *, person: Person, preparation: Preparation, now: datetime
) -> Grant | None:
    """Find an opening that still holds."""
    for subject in (preparation.client, None):
        grant = await grants.current(
            db,
            audit,
            person=person,
            permission=Permission.BREAK_GLASS,
            subject=subject,
            object_id=preparation.id,
            now=now,
        )
        if grant is not None:
            return grant
    return None


async def of_person(db: AsyncSession, audit: Audit, *, person: Person) -> list[Opening]:
    """List the openings somebody made or was told of, the latest first."""
    rows = await db.scalars(
        select(ContactOpeningRow)
        .where(or_(ContactOpeningRow.opener_id == person.id, ContactOpeningRow.second_id == person.id))
        .order_by(ContactOpeningRow.at.desc(), ContactOpeningRow.id)
        .limit(50)
    )
    return [await _opening(db, audit, row) for row in rows]


async def confirm(db: AsyncSession, audit: Audit, *, person: Person, opening: str, now: datetime) -> None:
    """Note that the second person has read of it. Raises ``NotFound`` for anybody else."""
    row = await _row(db, opening)
    if row.second_id != person.id:
        raise NotFound("There is no such opening.")
    if row.seen_at is None:
        row.seen_at = now
        await db.flush()
        subject = None if row.told_at is None else UserId(row.client_id)
        await audit.append(
            db, tag="contact:confirm", actor=person.id, subject=subject, object_id=row.id, now=now
        )


async def tell(db: AsyncSession, audit: Audit, *, person: Person, opening: str, now: datetime) -> None:
    """Tell the client of an opening that they were not told of. Raises ``NotFound`` for anybody else."""
    row = await _row(db, opening)
    if person.id not in {row.opener_id, row.second_id}:
        raise NotFound("There is no such opening.")
    if row.told_at is None:
        row.told_at = now
        await db.flush()
        await notices.post(db, user=UserId(row.client_id), kind="contact_opened", now=now)
        await audit.append(
            db,
            tag="contact:tell",
            actor=person.id,
            subject=UserId(row.client_id),
            object_id=row.id,
            detail={"purpose": (await _opening(db, audit, row)).reason},
            now=now,
        )


async def prune(db: AsyncSession, *, now: datetime) -> None:
    """Delete openings that are older than a year; the audit keeps that they were made."""
    await db.execute(delete(ContactOpeningRow).where(ContactOpeningRow.at < now - RETENTION))


async def _row(db: AsyncSession, opening: str) -> ContactOpeningRow:
    row = await db.get(ContactOpeningRow, opening, populate_existing=True)
    if row is None:
        raise NotFound("There is no such opening.")
    return row


async def _opening(db: AsyncSession, audit: Audit, row: ContactOpeningRow) -> Opening:
    key = await audit.subjects.key_of(db, subject=UserId(row.client_id))
    why = None
    if row.untold_why is not None:
        why = unseal(key, row.untold_why, about=_about(row.id, "untold_why")).decode()
    return Opening(
        row.id,
        UserId(row.client_id),
        None if row.opener_id is None else UserId(row.opener_id),
        None if row.second_id is None else UserId(row.second_id),
        unseal(key, row.reason, about=_about(row.id, "reason")).decode(),
        why,
        row.at,
        row.seen_at,
        row.told_at,
    )


def _about(opening: str, column: str) -> str:
    return f"contact_openings:{opening}:{column}"
