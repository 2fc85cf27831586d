"""Consents: given, withdrawn, and where they stand. The ledger is only ever added to.

Each consent is by itself (Indonesia's PDP law 27/2022, articles 20 to 24): giving, refusing or withdrawing
one touches no other. Refusing is not giving: it leaves no row. Withdrawing (article 9) is as easy as giving.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import people, texts
from accounts.audit import Audit
from accounts.consent_tables import ConsentRow
from accounts.people import Person
from accounts.roles import Permission
from accounts.standing import ConsentState, Entry, Standing, off_for, state_of
from accounts.texts import CONSENTS, Kind, Overtaken
from core.errors import Forbidden, NotFound
from core.ids import UserId, new_id


async def has(db: AsyncSession, *, user: UserId, kind: Kind) -> bool:
    """Whether there is a consent to go by: given, not withdrawn, and to a text that still says the same."""
    return (await state(db, user=user)).has(kind)


async def state(db: AsyncSession, *, user: UserId) -> ConsentState:
    """Say where all consents of a person stand. Somebody who is gone counts as under 18."""
    person = await people.find(db, user=user)
    adult = None if person is None else person.adult
    rows = await entries(db, user=user)
    return state_of(rows, await texts.numbers(db), off=off_for(adult=adult))


async def entries(db: AsyncSession, *, user: UserId) -> list[Entry]:
    """List a person's rows of the ledger, the oldest first; for that person (see ``accounts/proof.py``)."""
    rows = await db.scalars(select(ConsentRow).where(ConsentRow.user_id == user).order_by(ConsentRow.number))
    return [_entry(row) for row in rows]


async def entry(db: AsyncSession, *, receipt: str) -> Entry:
    """Look a row up by its receipt's id. Raises ``NotFound``."""
    row = (await db.scalars(select(ConsentRow).where(ConsentRow.id == receipt))).one_or_none()
    if row is None:
        raise NotFound("There is no such receipt.")
    return _entry(row)


async def give(
    db: AsyncSession,
    audit: Audit,
    *,
    person: Person,
    kind: Kind,
    version: int,
    locale: str,
    page: str,
    now: datetime,
) -> Entry:
    """Give a consent to the text in this version and language, which was shown on ``page``.

    Given already to this version, it stays as it is. Raises ``Overtaken`` when the text is not the current
    one any more (show the new one), ``Forbidden`` when this is not asked of this person.
    """
    _check(person, kind)
    if kind in off_for(adult=person.adult):
        raise Forbidden("This is not asked of people under 18.")
    text = await texts.current(db, kind=kind)
    if locale not in text.texts:
        raise NotFound("There is no such text.")
    if text.number != version:
        raise Overtaken("The text has changed since it was shown.")
    before = (await state(db, user=person.id)).consents[kind]
    if before.standing is Standing.GIVEN and before.last is not None and before.last.version == version:
        return before.last
    return await _add(db, audit, person, kind, given=True, version=version, locale=locale, page=page, now=now)


async def withdraw(
    db: AsyncSession, audit: Audit, *, person: Person, kind: Kind, page: str, now: datetime
) -> Entry | None:
    """Withdraw a consent; its row names the text that it had been given to.

    Nothing given, nothing changes: None, or the row by which it was withdrawn before.
    """
    _check(person, kind)
    last = (await state(db, user=person.id)).consents[kind].last
    if last is None or not last.given:
        return last
    return await _add(
        db, audit, person, kind, given=False, version=last.version, locale=last.locale, page=page, now=now
    )


async def erase(db: AsyncSession, *, user: UserId, now: datetime) -> None:
    """Erase nothing: proof of consent outlives the account (PDP law, article 24).

    The rows hold an opaque id and no name. Everything that leads from the id to a person is erased by others.
    """


def _check(person: Person, kind: Kind) -> None:
    if kind not in CONSENTS:
        raise NotFound("Nobody is asked to consent to this.")
    if person.is_leaving or not person.may(Permission.OWN_CONSENTS):
        raise Forbidden("Consents are given by clients.")


async def _add(
    db: AsyncSession,
    audit: Audit,
    person: Person,
    kind: Kind,
    *,
    given: bool,
    version: int,
    locale: str,
    page: str,
    now: datetime,
) -> Entry:
    text = (await texts.find(db, kind=kind, number=version)).text(locale)
    receipt = new_id("c")
    number = (
        await db.execute(
            insert(ConsentRow)
            .values(
                id=receipt,
                user_id=person.id,
                kind=kind.value,
                given=given,
                version=version,
                locale=text.locale,
                sha256=text.sha256,
                at=now,
                page=page[:100],
            )
            .returning(ConsentRow.number)
        )
    ).scalar_one()
    await audit.append(
        db,
        tag="consent:give" if given else "consent:withdraw",
        actor=person.id,
        subject=person.id,
        object_id=receipt,
        detail={"kind": kind.value, "version": version, "locale": text.locale},
        now=now,
    )
    return Entry(number, receipt, person.id, kind, given, version, text.locale, text.sha256, now, page[:100])


def _entry(row: ConsentRow) -> Entry:
    return Entry(
        row.number,
        row.id,
        UserId(row.user_id),
        Kind(row.kind),
        row.given,
        row.version,
        row.locale,
        row.sha256,
        row.at,
        row.page,
    )
