"""Acceptances: an admin's word that a translation may be used though nobody validated it, and its withdrawal.

What is accepted are the exact words, by their SHA-256: a changed word is off again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from accounts.people import Person
from core.db import insert_into
from core.errors import InvalidState
from core.ids import new_id
from counseling.instruments import Instrument, Status, Translation
from counseling.intake_tables import AcceptedTranslationRow


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Who vouched for the words with this digest, and on which day. It stands while not withdrawn."""

    digest: str
    vouched_by: str
    vouched_on: date
    withdrawn_at: datetime | None

    @property
    def stands(self) -> bool:
        """Whether it holds."""
        return self.withdrawn_at is None


async def acceptances(db: AsyncSession) -> Mapping[str, Acceptance]:
    """Give the last acceptance of each digest, also one that was withdrawn."""
    rows = await db.scalars(select(AcceptedTranslationRow).order_by(AcceptedTranslationRow.accepted_at))
    return {
        row.digest: Acceptance(row.digest, row.vouched_by, row.vouched_on, row.withdrawn_at) for row in rows
    }


def is_on(translation: Translation, accepted: Mapping[str, Acceptance]) -> bool:
    """Whether clients may be asked in these words."""
    if translation.status is not Status.UNVALIDATED:
        return True
    found = accepted.get(translation.digest)
    return found is not None and found.stands


def offered(
    instruments: Mapping[str, Instrument],
    accepted: Mapping[str, Acceptance],
    *,
    language: str,
    adult: bool | None,
) -> dict[str, Instrument]:
    """Choose what a client is asked with: words in their language that are on, made for their age.

    ``adult`` None is somebody whose age was not asked: only what is for all ages.
    """
    return {
        one.id: one
        for one in instruments.values()
        if language in one.translations
        and is_on(one.translations[language], accepted)
        and (adult or not one.adults_only)
    }


async def accept(
    db: AsyncSession,
    audit: Audit,
    *,
    instrument: Instrument,
    translation: Translation,
    vouched_by: str,
    vouched_on: date,
    actor: Person,
    now: datetime,
) -> None:
    """Let a translation be used. Raises ``InvalidState`` for one that needs no acceptance, or has one."""
    if translation.status is not Status.UNVALIDATED:
        raise InvalidState("This translation needs no acceptance.")
    number = new_id("i")
    made = await db.scalar(
        insert_into(db, AcceptedTranslationRow)
        .values(
            id=number,
            instrument=instrument.id,
            language=translation.language,
            digest=translation.digest,
            vouched_by=vouched_by,
            vouched_on=vouched_on,
            accepted_at=now,
            accepted_by=actor.id,
        )
        .on_conflict_do_nothing()
        .returning(AcceptedTranslationRow.id)
    )
    if made is None:
        raise InvalidState("This translation is accepted already.")
    await audit.append(
        db,
        tag="instrument:accept",
        actor=actor.id,
        subject=None,
        object_id=number,
        detail=_detail(instrument, translation)
        | {"vouched_by": vouched_by, "vouched_on": vouched_on.isoformat()},
        now=now,
    )


async def withdraw(
    db: AsyncSession,
    audit: Audit,
    *,
    instrument: Instrument,
    translation: Translation,
    actor: Person,
    now: datetime,
) -> None:
    """Let a translation be used no more; what was answered stays. Raises ``InvalidState`` when it is off."""
    number = await db.scalar(
        update(AcceptedTranslationRow)
        .where(
            AcceptedTranslationRow.digest == translation.digest,
            AcceptedTranslationRow.withdrawn_at.is_(None),
        )
        .values(withdrawn_at=now, withdrawn_by=actor.id)
        .returning(AcceptedTranslationRow.id)
        .execution_options(synchronize_session=False)
    )
    if number is None:
        raise InvalidState("This translation is not accepted.")
    await audit.append(
        db,
        tag="instrument:withdraw",
        actor=actor.id,
        subject=None,
        object_id=number,
        detail=_detail(instrument, translation),
        now=now,
    )


def _detail(instrument: Instrument, translation: Translation) -> dict[str, str | int | bool]:
    return {
        "instrument": instrument.name,
        "language": translation.language,
        "made_by": translation.made_by,
        "sha256": translation.digest,
    }
