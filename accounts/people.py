"""People: clients with made-up names, and staff. Who somebody is to the service, and no more.

The caller commits. What proves that somebody is this person stands elsewhere: ``recovery``,
``passwords``, ``passkeys``, ``logins``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, delete, func, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.roles import STAFF, Permission, Role, may
from accounts.tables import UserRoleRow, UserRow
from core.errors import NotFound
from core.ids import UserId, new_user_id

MAX_NAME_CHARS = 60


@dataclass(frozen=True, slots=True)
class Person:
    """One person. ``erase_at`` and ``disabled_at`` are None for most.

    ``adult`` is None for staff, and for a client in danger, who was asked for nothing.
    """

    id: UserId
    name: str
    language: str
    roles: frozenset[Role]
    adult: bool | None
    created_at: datetime
    erase_at: datetime | None
    disabled_at: datetime | None

    @property
    def is_client(self) -> bool:
        """Whether this is a client."""
        return Role.CLIENT in self.roles

    @property
    def is_staff(self) -> bool:
        """Whether this person works here."""
        return not STAFF.isdisjoint(self.roles)

    @property
    def is_leaving(self) -> bool:
        """Whether erasing was asked for: to everybody else this person is gone already."""
        return self.erase_at is not None

    def may(self, permission: Permission) -> bool:
        """Whether this person's roles permit it."""
        return self.disabled_at is None and may(self.roles, permission)


async def create_client(
    db: AsyncSession, *, name: str, language: str, adult: bool | None, now: datetime
) -> Person:
    """Make a client. Asks for nothing that would tell who it is."""
    return await _create(db, name=name, language=language, adult=adult, roles={Role.CLIENT}, now=now)


async def create_staff(
    db: AsyncSession,
    *,
    name: str,
    language: str,
    roles: Iterable[Role],
    now: datetime,
    user: UserId | None = None,
) -> Person:
    """Make a staff member with at least one role of staff; ``user`` is an id that says something, if any."""
    given = frozenset(roles)
    if not given or not given <= STAFF:
        raise ValueError("staff have roles of staff")
    return await _create(db, name=name, language=language, adult=None, roles=given, now=now, user=user)


async def _create(
    db: AsyncSession,
    *,
    name: str,
    language: str,
    adult: bool | None,
    roles: Iterable[Role],
    now: datetime,
    user: UserId | None = None,
) -> Person:
    row = UserRow(
        id=user or new_user_id(),
        name=name,
        language=language,
        adult=adult,
        created_at=now,
        erase_at=None,
        disabled_at=None,
    )
    db.add(row)
    await db.flush()
    given = frozenset(roles)
    db.add_all([UserRoleRow(user_id=row.id, role=role.value) for role in given])
    await db.flush()
    return _person(row, given)


async def find(db: AsyncSession, *, user: UserId) -> Person | None:
    """Look a person up, also one who is leaving or disabled."""
    found = await find_all(db, users=[user])
    return found[0] if found else None


async def get(db: AsyncSession, *, user: UserId) -> Person:
    """Look a person up. Raises ``NotFound``."""
    person = await find(db, user=user)
    if person is None:
        raise NotFound("There is no such person.")
    return person


def leaving() -> Select[str]:
    """Choose those who asked to be erased, for a statement that leaves them out."""
    return select(UserRow.id).where(UserRow.erase_at.is_not(None))


async def find_all(db: AsyncSession, *, users: Sequence[UserId]) -> list[Person]:
    """Look several people up, in the order asked for; those who are not there are left out."""
    rows = await db.execute(
        select(UserRow, UserRoleRow.role)
        .outerjoin(UserRoleRow, UserRoleRow.user_id == UserRow.id)
        .where(UserRow.id.in_(users))
        .execution_options(populate_existing=True)
    )
    by_id: dict[str, tuple[UserRow, set[Role]]] = {}
    for row, role in rows:
        roles = by_id.setdefault(row.id, (row, set()))[1]
        if role is not None:
            roles.add(Role(role))
    return [_person(*by_id[user]) for user in users if user in by_id]


async def with_role(db: AsyncSession, *, role: Role) -> list[Person]:
    """List all who have a role, by name; not those who are leaving or disabled."""
    users = await db.scalars(
        select(UserRow.id)
        .join(UserRoleRow, UserRoleRow.user_id == UserRow.id)
        .where(UserRoleRow.role == role.value, UserRow.erase_at.is_(None), UserRow.disabled_at.is_(None))
        .order_by(UserRow.name, UserRow.id)
    )
    return await find_all(db, users=[UserId(user) for user in users])


@dataclass(frozen=True, slots=True)
class Staff:
    """One page of the list of staff. ``after`` is what to ask for the next one with; None at the end."""

    people: Sequence[Person]
    after: tuple[str, UserId] | None


async def staff(
    db: AsyncSession,
    *,
    name: str = "",
    role: Role | None = None,
    after: tuple[str, UserId] | None = None,
    limit: int = 50,
) -> Staff:
    """List staff by name, also those who are disabled; ``name`` is any part of theirs."""
    wanted = STAFF if role is None else frozenset({role})
    asked = (
        select(UserRow.name, UserRow.id)
        .where(
            UserRow.id.in_(
                select(UserRoleRow.user_id).where(UserRoleRow.role.in_([one.value for one in wanted]))
            ),
            UserRow.erase_at.is_(None),
        )
        .order_by(UserRow.name, UserRow.id)
        .limit(limit + 1)
    )
    if name:
        asked = asked.where(UserRow.name.icontains(name, autoescape=True))
    if after is not None:
        asked = asked.where(tuple_(UserRow.name, UserRow.id) > tuple_(*map(literal, after)))
    found = [(row.name, UserId(row.id)) for row in await db.execute(asked)]
    shown = found[:limit]
    listed = await find_all(db, users=[user for _, user in shown])
    return Staff(listed, shown[-1] if len(found) > limit else None)


async def count_clients(db: AsyncSession) -> int:
    """Count the clients who have an account now."""
    asked = select(func.count()).select_from(UserRoleRow).where(UserRoleRow.role == Role.CLIENT.value)
    return await db.scalar(asked) or 0


async def everybody(db: AsyncSession) -> list[UserId]:
    """List the ids of all people there are, in no order that means something."""
    return [UserId(user) for user in await db.scalars(select(UserRow.id))]


async def under_18(db: AsyncSession, *, name: str, limit: int = 20) -> list[Person]:
    """Find clients under 18 by their whole name, in any case: whoever does not know it finds nobody."""
    users = await db.scalars(
        select(UserRow.id)
        .where(
            UserRow.adult.is_(False),
            UserRow.erase_at.is_(None),
            func.lower(UserRow.name) == " ".join(name.split()).lower(),
        )
        .order_by(UserRow.created_at.desc(), UserRow.id)
        .limit(limit)
    )
    return await find_all(db, users=[UserId(user) for user in users])


async def hold(db: AsyncSession, *, users: Iterable[UserId]) -> None:
    """Have these people to oneself until the commit: of two who would change them at once, one waits here.

    On SQLite whoever has written anything has everything to themselves.
    """
    await db.execute(
        select(UserRow.id)
        .where(UserRow.id.in_(set(users)))
        .order_by(UserRow.id)
        .with_for_update(key_share=True)
    )


async def rename(db: AsyncSession, *, user: UserId, name: str) -> None:
    """Give a person another name."""
    await _change(db, user, name=name)


async def say_age(db: AsyncSession, *, user: UserId, adult: bool) -> None:
    """Keep whether a client is 18 or older, as they said it."""
    await _change(db, user, adult=adult)


async def speak(db: AsyncSession, *, user: UserId, language: str) -> None:
    """Keep the language a person reads."""
    await _change(db, user, language=language)


async def disable(db: AsyncSession, *, user: UserId, at: datetime | None) -> None:
    """Close a staff member's account, or open it again with None. Logins end apart from it."""
    await _change(db, user, disabled_at=at)


async def leave(db: AsyncSession, *, user: UserId, at: datetime | None) -> None:
    """Set when a person will be erased, or take it back with None."""
    await _change(db, user, erase_at=at)


async def set_roles(db: AsyncSession, *, user: UserId, roles: Iterable[Role]) -> None:
    """Give a staff member these roles instead of the former ones."""
    given = frozenset(roles)
    if not given or not given <= STAFF:
        raise ValueError("staff have roles of staff")
    await db.execute(delete(UserRoleRow).where(UserRoleRow.user_id == user))
    db.add_all([UserRoleRow(user_id=user, role=role.value) for role in given])
    await db.flush()


async def _change(db: AsyncSession, user: UserId, **values: object) -> None:
    await db.execute(update(UserRow).where(UserRow.id == user).values(**values))


def _person(row: UserRow, roles: Iterable[Role]) -> Person:
    return Person(
        UserId(row.id),
        row.name,
        row.language,
        frozenset(roles),
        row.adult,
        row.created_at,
        row.erase_at,
        row.disabled_at,
    )
