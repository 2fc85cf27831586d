"""With whom a client will not talk, and which clients a counselor will not take. No reason is asked or kept.

A client names counselors, or groups such as a faculty; a counselor names groups in the register (recusals),
or one client. A group that both name keeps the two apart, whoever of them meant it. What one said the other
never sees; the rule that matches just leaves them out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from core.errors import InvalidInput, InvalidState, NotFound
from core.ids import UserId, new_id
from counseling import register, walkins
from counseling.entry import MAX_RECUSAL_CHARS
from counseling.way_tables import ExclusionRow

MOST: Final = 50


@dataclass(frozen=True, slots=True)
class Exclusion:
    """One of a client's own: a counselor or a group."""

    id: str
    counselor: UserId | None
    group: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Apart:
    """Who is kept from one client: counselors, whoever said it, and folded names of groups."""

    counselors: frozenset[UserId] = frozenset()
    groups: frozenset[str] = frozenset()

    def keeps(self, counselor: UserId, recusals: Iterable[str]) -> bool:
        """Whether a counselor with these recusals is kept from the client."""
        return counselor in self.counselors or not self.groups.isdisjoint(map(folded, recusals))


NOBODY: Final = Apart()


def folded(group: str) -> str:
    """Write a group as it is compared: however it was spaced or capitalised."""
    return " ".join(group.split()).casefold()


async def not_with(
    db: AsyncSession, audit: Audit, *, client: UserId, counselor: UserId, now: datetime
) -> Exclusion:
    """Keep that a client will not talk with a counselor; said again, the first stands.

    An offer that is with them goes back. A talk that goes on is ended apart (``line.end_talk``).
    """
    return await _add(db, audit, client=client, counselor=counselor, now=now)


async def not_with_group(
    db: AsyncSession, audit: Audit, *, client: UserId, group: str, now: datetime
) -> Exclusion:
    """Keep that a client will not talk with people of a group. Raises ``InvalidInput``."""
    name = " ".join(group.split())
    if not 0 < len(name) <= MAX_RECUSAL_CHARS:
        raise InvalidInput(f"A group has a name of 1 to {MAX_RECUSAL_CHARS} characters.")
    return await _add(db, audit, client=client, group=name, now=now)


async def recuse(db: AsyncSession, audit: Audit, *, counselor: UserId, client: UserId, now: datetime) -> None:
    """Keep that a counselor will not take a client; the client is told neither that nor why."""
    await audit.hold(db)
    found = await db.scalar(
        select(ExclusionRow.id).where(
            ExclusionRow.client_id == client,
            ExclusionRow.counselor_id == counselor,
            ExclusionRow.recused.is_(True),
        )
    )
    if found is None:
        row = _row(client, counselor=counselor, group=None, recused=True, now=now)
        db.add(row)
        await db.flush()
        await audit.append(
            db, tag="exclusion:recuse", actor=counselor, subject=counselor, object_id=row.id, now=now
        )


async def remove(db: AsyncSession, audit: Audit, *, client: UserId, exclusion: str, now: datetime) -> None:
    """Take one of a client's own back. Raises ``NotFound``."""
    await audit.hold(db)
    gone = await db.scalar(
        delete(ExclusionRow)
        .where(
            ExclusionRow.id == exclusion, ExclusionRow.client_id == client, ExclusionRow.recused.is_(False)
        )
        .returning(ExclusionRow.id)
    )
    if gone is None:
        raise NotFound("There is no such thing.")
    await audit.append(db, tag="exclusion:remove", actor=client, subject=client, object_id=gone, now=now)


async def of_client(db: AsyncSession, *, client: UserId) -> list[Exclusion]:
    """List a client's own, the newest first; not what counselors said."""
    rows = await db.scalars(
        select(ExclusionRow)
        .where(ExclusionRow.client_id == client, ExclusionRow.recused.is_(False))
        .order_by(ExclusionRow.at.desc(), ExclusionRow.id)
    )
    return [_exclusion(row) for row in rows]


async def apart(db: AsyncSession, *, clients: Collection[UserId]) -> Mapping[UserId, Apart]:
    """Say who is kept from each of these clients; a client whom nobody is kept from is left out."""
    rows = await db.execute(
        select(ExclusionRow.client_id, ExclusionRow.counselor_id, ExclusionRow.group).where(
            ExclusionRow.client_id.in_(clients)
        )
    )
    counselors: dict[UserId, set[UserId]] = {}
    groups: dict[UserId, set[str]] = {}
    for client, counselor, group in rows:
        if counselor is not None:
            counselors.setdefault(UserId(client), set()).add(UserId(counselor))
        if group is not None:
            groups.setdefault(UserId(client), set()).add(folded(group))
    return {
        client: Apart(frozenset(counselors.get(client, ())), frozenset(groups.get(client, ())))
        for client in counselors.keys() | groups.keys()
    }


async def excludes(db: AsyncSession, *, client: UserId, counselor: UserId) -> bool:
    """Whether a counselor is kept from a client, for whichever reason."""
    found = (await apart(db, clients=[client])).get(client, NOBODY)
    if not found.groups or counselor in found.counselors:
        return counselor in found.counselors
    entry = await register.find(db, user=counselor)
    return found.keeps(counselor, () if entry is None else entry.practice.recusals)


async def _add(
    db: AsyncSession,
    audit: Audit,
    *,
    client: UserId,
    counselor: UserId | None = None,
    group: str | None = None,
    now: datetime,
) -> Exclusion:
    await audit.hold(db)
    own = await of_client(db, client=client)
    for one in own:
        if one.counselor == counselor and folded(one.group or "") == folded(group or ""):
            return one
    if len(own) >= MOST:
        raise InvalidState(f"There are {MOST} already: take one back first.")
    row = _row(client, counselor=counselor, group=group, recused=False, now=now)
    db.add(row)
    await db.flush()
    await audit.append(db, tag="exclusion:add", actor=client, subject=client, object_id=row.id, now=now)
    walkin = await walkins.find_open(db, client=client)
    if (
        walkin is not None
        and walkin.offered_to is not None
        and await excludes(db, client=client, counselor=walkin.offered_to)
    ):
        walkins.release(await walkins.row_of(db, walkin.id))
        await db.flush()
    return _exclusion(row)


def _row(
    client: UserId, *, counselor: UserId | None, group: str | None, recused: bool, now: datetime
) -> ExclusionRow:
    return ExclusionRow(
        id=new_id("x"), client_id=client, counselor_id=counselor, group=group, recused=recused, at=now
    )


def _exclusion(row: ExclusionRow) -> Exclusion:
    return Exclusion(
        row.id, None if row.counselor_id is None else UserId(row.counselor_id), row.group, row.at
    )
