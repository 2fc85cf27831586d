"""Logins: server-side, one for each browser, ended at any time from any other.

The cookie holds 32 random bytes; the table holds their SHA-256. How long one lasts follows from
whose phone it is: a shared one is forgotten after 15 minutes of rest.
"""

from __future__ import annotations

import enum
import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import people
from accounts.people import Person
from accounts.tables import LoginRow
from core.ids import UserId, new_id

SHARED_IDLE = timedelta(minutes=15)
SHARED_LIFE = timedelta(hours=12)
OWN_IDLE = timedelta(days=90)
OWN_LIFE = timedelta(days=365)
STAFF_IDLE = timedelta(hours=1)
STAFF_LIFE = timedelta(hours=12)
SEEN_EVERY = timedelta(minutes=1)
MAX_DEVICE_CHARS = 60
MAX_TOKEN_CHARS = 100


class Stage(enum.StrEnum):
    """How far a login has come; only ``full`` opens anything."""

    FACTOR = "factor"
    """The first factor held; the second is asked."""
    ENROL = "enrol"
    """The first factor held; a second must be set up first."""
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Login:
    """One login. It counts until ``idle_until`` without a sign of life, and ``expires_at`` in any case."""

    id: str
    user: UserId
    stage: Stage
    device: str
    own_phone: bool
    created_at: datetime
    seen_at: datetime
    expires_at: datetime


def new_token() -> str:
    """Make a login's token: 32 random bytes, URL-safe."""
    return secrets.token_urlsafe(32)


async def open_login(
    db: AsyncSession,
    *,
    person: Person,
    token: str,
    stage: Stage,
    device: str,
    own_phone: bool,
    now: datetime,
) -> Login:
    """Log a person in with a new token. ``own_phone``: is it theirs alone? Never true for staff."""
    idle, life = _times(person, own_phone=own_phone)
    row = LoginRow(
        id=new_id("l"),
        user_id=person.id,
        token_hash=_hash(token),
        stage=stage.value,
        device=device[:MAX_DEVICE_CHARS],
        own_phone=own_phone and not person.is_staff,
        created_at=now,
        seen_at=now,
        idle_until=now + idle,
        expires_at=now + life,
    )
    db.add(row)
    await db.flush()
    return _login(row)


async def find(db: AsyncSession, *, token: str, now: datetime) -> tuple[Person, Login] | None:
    """Say who this token belongs to; None when it does not hold or the account is closed.

    Notes the sign of life, at most once a minute: then the caller must commit.
    """
    if not 0 < len(token) <= MAX_TOKEN_CHARS:
        return None
    row = (
        await db.execute(
            select(LoginRow).where(
                LoginRow.token_hash == _hash(token), LoginRow.idle_until > now, LoginRow.expires_at > now
            )
        )
    ).scalar_one_or_none()
    if row is None:
        return None
    person = await people.find(db, user=UserId(row.user_id))
    if person is None or person.disabled_at is not None:
        return None
    if now - row.seen_at >= SEEN_EVERY:
        idle, _ = _times(person, own_phone=row.own_phone)
        await db.execute(
            update(LoginRow).where(LoginRow.id == row.id).values(seen_at=now, idle_until=now + idle)
        )
    return person, _login(row)


async def advance(db: AsyncSession, *, login: str, stage: Stage, token: str) -> None:
    """Take a login a stage further, under a new token, so that an older one is worth nothing."""
    await db.execute(
        update(LoginRow).where(LoginRow.id == login).values(stage=stage.value, token_hash=_hash(token))
    )


async def of(db: AsyncSession, *, user: UserId, now: datetime) -> list[Login]:
    """List a person's logins that hold, the last seen first."""
    rows = await db.scalars(
        select(LoginRow)
        .where(LoginRow.user_id == user, LoginRow.idle_until > now, LoginRow.expires_at > now)
        .order_by(LoginRow.seen_at.desc(), LoginRow.id)
    )
    return [_login(row) for row in rows]


async def seen_between(db: AsyncSession, *, since: datetime, until: datetime) -> list[UserId]:
    """List who was logged in at some moment of a time, as far as the logins are still there."""
    users = await db.scalars(
        select(LoginRow.user_id).where(LoginRow.created_at <= until, LoginRow.seen_at >= since).distinct()
    )
    return [UserId(user) for user in users]


async def end(db: AsyncSession, *, user: UserId, login: str) -> None:
    """End one of a person's logins; one that is not theirs or not there is left alone."""
    await db.execute(delete(LoginRow).where(LoginRow.id == login, LoginRow.user_id == user))


async def end_all(db: AsyncSession, *, user: UserId, but: str | None = None) -> None:
    """End all of a person's logins, perhaps but one."""
    await db.execute(delete(LoginRow).where(LoginRow.user_id == user, LoginRow.id != (but or "")))


async def keep_alive(db: AsyncSession, *, ids: Collection[str], now: datetime) -> set[str]:
    """Say which of these logins hold, and note a sign of life of each, at most once a minute.

    For logins that are in use without a request: a call goes on for an hour.
    """
    if not ids:
        return set()
    rows = await db.scalars(
        select(LoginRow).where(
            LoginRow.id.in_(ids),
            LoginRow.stage == Stage.FULL.value,
            LoginRow.idle_until > now,
            LoginRow.expires_at > now,
        )
    )
    alive = set()
    for row in rows.all():
        alive.add(row.id)
        if now - row.seen_at >= SEEN_EVERY:
            row.idle_until, row.seen_at = now + (row.idle_until - row.seen_at), now
    return alive


async def claim(db: AsyncSession, *, person: Person, login: str, own_phone: bool, now: datetime) -> None:
    """Note whose phone a login is on, once that is said: how long it lasts follows, from now on."""
    idle, life = _times(person, own_phone=own_phone)
    await db.execute(
        update(LoginRow)
        .where(LoginRow.id == login, LoginRow.user_id == person.id)
        .values(
            own_phone=own_phone and not person.is_staff,
            seen_at=now,
            idle_until=now + idle,
            expires_at=now + life,
        )
    )


async def prune(db: AsyncSession, *, now: datetime) -> None:
    """Delete what does not hold any more."""
    await db.execute(delete(LoginRow).where((LoginRow.idle_until <= now) | (LoginRow.expires_at <= now)))


def _times(person: Person, *, own_phone: bool) -> tuple[timedelta, timedelta]:
    if person.is_staff:
        return STAFF_IDLE, STAFF_LIFE
    return (OWN_IDLE, OWN_LIFE) if own_phone else (SHARED_IDLE, SHARED_LIFE)


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _login(row: LoginRow) -> Login:
    return Login(
        row.id,
        UserId(row.user_id),
        Stage(row.stage),
        row.device,
        row.own_phone,
        row.created_at,
        row.seen_at,
        row.expires_at,
    )
