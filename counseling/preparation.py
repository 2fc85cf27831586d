"""Preparing for a session: where the client is and whom to call, what a drop should do.

The answer to the recording question lies in the same row (``counseling/recording_answers.py``).

It belongs to one walk-in or one appointment, each part may be left out or said later, and it is gone with
the session: at its end, or where a risk was seen until a counselor closes it, 72 hours at most. Where the
client is and whom to call opens by break-glass alone (``counseling/breakglass.py``); the number for this
session also to the counselor of the talk, where the client asked to be called when the line drops.
"""

from __future__ import annotations

import enum
import json
import re
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from accounts.grants import Grant
from accounts.people import Person
from accounts.roles import Permission
from core.db import insert_into
from core.errors import InvalidInput, InvalidState, NotFound
from core.ids import UserId, new_id
from core.sealing import seal, unseal
from counseling import appointment_lists, walkins
from counseling.appointment_tables import AppointmentRow
from counseling.drop_tables import RiskFlagRow
from counseling.entry import Medium
from counseling.preparation_tables import PreparationRow
from counseling.triage import Risk
from counseling.walkin_states import Alone
from counseling.way_tables import TalkRow, WalkinRow

KEPT_AT_RISK: Final = timedelta(hours=72)
MAX_PLACE_CHARS: Final = 300
MAX_PERSON_CHARS: Final = 120
MAX_NUMBER_CHARS: Final = 40
NUMBER: Final = re.compile(r"\+?[0-9][0-9 ().-]{3,38}")


class OnDrop(enum.StrEnum):
    """What the counselor does when the line drops and does not come back."""

    CALL = "call"
    WRITE = "write"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Contact:
    """Where the client is, whom to call in a crisis and at which number, and the client's own for a drop."""

    place: str = ""
    person: str = ""
    person_number: str = ""
    number: str = ""

    @property
    def said(self) -> bool:
        """Whether anything of it was said."""
        return any(asdict(self).values())


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a client prepares for. ``alone`` is None for an appointment: nobody has asked yet."""

    client: UserId
    medium: Medium
    risk: Risk
    alone: Alone | None
    starts_at: datetime | None
    walkin: str | None = None
    appointment: str | None = None


@dataclass(frozen=True, slots=True)
class Preparation:
    """What was prepared, but for the contact; ``has_contact`` says whether there is one."""

    id: str
    client: UserId
    on_drop: OnDrop
    recording: bool | None
    has_contact: bool
    changed_at: datetime

    @property
    def is_for_others(self) -> bool:
        """Whether there is anything for a counselor to see: an answer to the recording question is not."""
        return self.has_contact or self.on_drop is not OnDrop.NOTHING


def gone_at(risk: Risk, ended_at: datetime | None) -> datetime | None:
    """Say when it is deleted by itself; None while what it was prepared for is still to come or goes on."""
    if ended_at is None or risk is Risk.NONE:
        return ended_at
    return ended_at + KEPT_AT_RISK


def fit_contact(contact: Contact) -> Contact:
    """Take a contact as typed. Raises ``InvalidInput`` for what is too long, or a number that is none."""
    told = Contact(**{name: " ".join(value.split()) for name, value in asdict(contact).items()})
    if len(told.place) > MAX_PLACE_CHARS or len(told.person) > MAX_PERSON_CHARS:
        raise InvalidInput("This is longer than is needed.")
    if any(number and not is_number(number) for number in (told.person_number, told.number)):
        raise InvalidInput("This is not a telephone number.")
    return told


def is_number(text: str) -> bool:
    """Whether a text can be dialled."""
    return NUMBER.fullmatch(text) is not None


async def occasion_of(db: AsyncSession, *, client: UserId) -> Occasion | None:
    """Find what a client may prepare for: the open walk-in, else the next appointment."""
    walkin = await walkins.find_open(db, client=client)
    if walkin is not None:
        return Occasion(client, walkin.medium, walkin.triage.risk, walkin.alone, None, walkin=walkin.id)
    booked = sorted(await appointment_lists.open_of_client(db, client=client), key=lambda one: one.slot.since)
    if not booked:
        return None
    return Occasion(client, booked[0].medium, Risk.NONE, None, booked[0].slot.since, appointment=booked[0].id)


async def find(db: AsyncSession, *, occasion: Occasion) -> Preparation | None:
    """Look up what was prepared for an occasion."""
    row = await _row_of(db, occasion)
    return None if row is None else _preparation(row)


async def own(db: AsyncSession, audit: Audit, *, occasion: Occasion) -> Contact:
    """Open the contact for the client who said it."""
    row = await _row_of(db, occasion)
    return Contact() if row is None else await _contact(db, audit, row)


async def keep_contact(
    db: AsyncSession, audit: Audit, *, occasion: Occasion, contact: Contact, now: datetime
) -> None:
    """Keep where the client is and whom to call; nothing said takes it away. Raises ``InvalidInput``.

    Without a number any more, nobody is asked to call it when the line drops.
    """
    told = fit_contact(contact)
    row = await begun(db, occasion, now)
    sealed = None
    if told.said:
        key = await audit.subjects.key_of(db, subject=occasion.client)
        sealed = seal(key, json.dumps(asdict(told)).encode(), about=_about(row.id))
    row.contact = sealed
    if row.on_drop == OnDrop.CALL.value and not told.number:
        row.on_drop = OnDrop.NOTHING.value
    await write_down(db, audit, row, "contact", now)


async def keep_on_drop(
    db: AsyncSession, audit: Audit, *, occasion: Occasion, on_drop: OnDrop, now: datetime
) -> None:
    """Keep what a drop should do. Raises ``InvalidState`` for a call without a number to call."""
    row = await begun(db, occasion, now)
    if on_drop is OnDrop.CALL and not (await _contact(db, audit, row)).number:
        raise InvalidState("There is no number to call.")
    row.on_drop = on_drop.value
    await write_down(db, audit, row, "on_drop", now)


async def on_drop(db: AsyncSession, *, talk: str) -> OnDrop:
    """Say what a drop should do in a talk: nothing, unless the client said otherwise."""
    found = await of_talk(db, talk=talk)
    return OnDrop.NOTHING if found is None else found.on_drop


async def take_back_on_drop(db: AsyncSession, audit: Audit, *, client: UserId, now: datetime) -> None:
    """Do nothing on a drop any more: the client left quickly, and may not be alone."""
    found = await db.scalars(
        select(PreparationRow)
        .where(PreparationRow.client_id == client, PreparationRow.on_drop != OnDrop.NOTHING.value)
        .execution_options(populate_existing=True)
    )
    for row in found.all():
        row.on_drop = OnDrop.NOTHING.value
        await write_down(db, audit, row, "on_drop", now)


async def of_talk(db: AsyncSession, *, talk: str) -> Preparation | None:
    """Look up what was prepared for a talk, whether it came from a walk-in or an appointment."""
    return await _one(
        db,
        PreparationRow.walkin_id.in_(select(TalkRow.walkin_id).where(TalkRow.id == talk))
        | PreparationRow.appointment_id.in_(select(AppointmentRow.id).where(AppointmentRow.talk_id == talk)),
    )


async def of_walkin(db: AsyncSession, *, walkin: str) -> Preparation | None:
    """Look up what was prepared for a walk-in."""
    return await _one(db, PreparationRow.walkin_id == walkin)


async def number_to_call(
    db: AsyncSession, grant: Grant, audit: Audit, *, talk: str, now: datetime
) -> str:  # fmt: skip
    """Open the client's own number where they asked to be called when the line drops.

    Raises ``NotFound`` where they did not, ``Forbidden``.
    """
    found = await of_talk(db, talk=talk)
    if found is None or found.on_drop is not OnDrop.CALL:
        raise NotFound("There is no number to call.")
    grant.require(Permission.CALL_BACK, found.client, now, object_id=found.id)
    return (await _contact(db, audit, await _held(db, found.id))).number


async def opened(db: AsyncSession, grant: Grant, audit: Audit, *, preparation: str, now: datetime) -> Contact:
    """Open the contact by break-glass. A client who is not told yet is not the grant's subject.

    Raises ``NotFound``, ``Forbidden``.
    """
    row = await _held(db, preparation)
    subject = None if grant.subject is None else UserId(row.client_id)
    grant.require(Permission.BREAK_GLASS, subject, now, object_id=preparation)
    return await _contact(db, audit, row)


async def close(db: AsyncSession, audit: Audit, *, preparation: str, person: Person, now: datetime) -> None:
    """Delete what was prepared for them: a counselor says that it is not needed any more.

    What the client said of being recorded stays until the session is over: it is not the counselor's.
    """
    row = await _held(db, preparation)
    client = UserId(row.client_id)
    if row.recording is None:
        await db.delete(row)
    else:
        row.contact, row.on_drop = None, OnDrop.NOTHING.value
    await db.flush()
    await audit.append(
        db, tag="preparation:close", actor=person.id, subject=client, object_id=preparation, now=now
    )


async def prune(db: AsyncSession, *, now: datetime) -> int:
    """Delete what is over: see ``gone_at``."""
    rows = await db.execute(
        select(PreparationRow.id, WalkinRow.risk, WalkinRow.ended_at, AppointmentRow.ended_at)
        .outerjoin(WalkinRow, WalkinRow.id == PreparationRow.walkin_id)
        .outerjoin(AppointmentRow, AppointmentRow.id == PreparationRow.appointment_id)
    )
    flagged = await _flagged(db)
    over = []
    for number, risk, walked, met in rows:
        seen = Risk.URGENT if number in flagged else Risk(risk or Risk.NONE)
        gone = gone_at(seen, walked or met)
        if gone is not None and gone <= now:
            over.append(number)
    for start in range(0, len(over), 500):
        await db.execute(delete(PreparationRow).where(PreparationRow.id.in_(over[start : start + 500])))
    return len(over)


async def _flagged(db: AsyncSession) -> set[str]:
    """Name what was prepared for talks in which a counselor saw a risk."""
    found = await db.scalars(
        select(PreparationRow.id)
        .outerjoin(AppointmentRow, AppointmentRow.id == PreparationRow.appointment_id)
        .join(
            TalkRow,
            or_(TalkRow.walkin_id == PreparationRow.walkin_id, TalkRow.id == AppointmentRow.talk_id),
        )
        .join(RiskFlagRow, RiskFlagRow.talk_id == TalkRow.id)
        .where(RiskFlagRow.stands)
    )
    return set(found)


async def _held(db: AsyncSession, preparation: str) -> PreparationRow:
    row = await db.get(PreparationRow, preparation, populate_existing=True)
    if row is None:
        raise NotFound("There is nothing prepared.")
    return row


async def _row_of(db: AsyncSession, occasion: Occasion) -> PreparationRow | None:
    which = (
        PreparationRow.walkin_id == occasion.walkin
        if occasion.walkin is not None
        else PreparationRow.appointment_id == occasion.appointment
    )
    found = await db.scalars(select(PreparationRow).where(which).execution_options(populate_existing=True))
    return found.one_or_none()


async def begun(db: AsyncSession, occasion: Occasion, now: datetime) -> PreparationRow:
    """Give the row of an occasion, a new one where there is none; of two at once, one is kept."""
    row = await _row_of(db, occasion)
    if row is not None:
        return row
    values = {
        "id": new_id("r"),
        "client_id": occasion.client,
        "walkin_id": occasion.walkin,
        "appointment_id": occasion.appointment,
        "on_drop": OnDrop.NOTHING.value,
        "recording": None,
        "contact": None,
        "changed_at": now,
    }
    await db.execute(insert_into(db, PreparationRow).values(values).on_conflict_do_nothing())
    row = await _row_of(db, occasion)
    if row is None:
        raise NotFound("There is nothing to prepare for.")
    return row


async def _contact(db: AsyncSession, audit: Audit, row: PreparationRow) -> Contact:
    if row.contact is None:
        return Contact()
    key = await audit.subjects.key_of(db, subject=UserId(row.client_id))
    read = json.loads(unseal(key, row.contact, about=_about(row.id)))
    return replace(Contact(), **{one.name: str(read.get(one.name, "")) for one in fields(Contact)})


async def _one(db: AsyncSession, which: ColumnElement[bool]) -> Preparation | None:
    row = await db.scalar(select(PreparationRow).where(which).execution_options(populate_existing=True))
    return None if row is None else _preparation(row)


async def write_down(db: AsyncSession, audit: Audit, row: PreparationRow, what: str, now: datetime) -> None:
    """Write down that a part was kept, never what it says."""
    row.changed_at = now
    await db.flush()
    client = UserId(row.client_id)
    await audit.append(
        db,
        tag="preparation:keep",
        actor=client,
        subject=client,
        object_id=row.id,
        detail={"part": what},
        now=now,
    )


def _preparation(row: PreparationRow) -> Preparation:
    return Preparation(
        row.id,
        UserId(row.client_id),
        OnDrop(row.on_drop),
        row.recording,
        row.contact is not None,
        row.changed_at,
    )


def _about(preparation: str) -> str:
    return f"preparations:{preparation}:contact"
