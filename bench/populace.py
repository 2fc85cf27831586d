"""A service with many people in it: rows in bulk, as they would lie there after a few years."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from accounts import logins, people, texts
from accounts.audit import Audit
from accounts.logins import Stage
from accounts.roles import Role
from accounts.texts import Kind
from core.db import Base, Database
from core.ids import UserId, new_id, new_user_id

CLIENTS = 100_000
COUNSELORS = 500
SUPERVISORS = 20
ADMINS = 5
SAMPLE = 100
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
AT_ONCE = 2_000

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Populace:
    """Who there is, and the cookies of some: by role, a hundred or all."""

    clients: Sequence[UserId]
    counselors: Sequence[UserId]
    tokens: dict[Role, list[str]]


async def fill(database: Database, audit: Audit, *, clients: int = CLIENTS) -> Populace:
    """Fill a database that is up to date and empty."""
    chance = random.Random(11)
    by_role = {
        Role.CLIENT: [new_user_id() for _ in range(clients)],
        Role.COUNSELOR: [new_user_id() for _ in range(COUNSELORS)],
        Role.SUPERVISOR: [new_user_id() for _ in range(SUPERVISORS)],
        Role.OFFICER: [new_user_id() for _ in range(3)],
        Role.ADMIN: [new_user_id() for _ in range(ADMINS)],
    }
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=NOW)
        service = await texts.current(db, kind=Kind.SERVICE)
    digest = service.text("id").sha256
    for role, users in by_role.items():
        await _put(database, "users", (_user(chance, role, user) for user in users))
        await _put(database, "user_roles", ({"user_id": user, "role": role.value} for user in users))
        await _put(database, "logins", (_login(chance, user) for user in users))
        await _put(
            database, "notices", (_notice(chance, user, number) for user in users for number in range(2))
        )
    await _put(database, "consents", (_consent(user, digest) for user in by_role[Role.CLIENT]))
    counselors = by_role[Role.COUNSELOR]
    await _put(database, "counselors", (_counselor(chance, user, n) for n, user in enumerate(counselors)))
    admin = by_role[Role.ADMIN][0]
    await _put(
        database, "counselor_decisions", (_decision(u, admin, n) for u in counselors for n in range(3))
    )
    await _put(database, "proof_files", (_proof(user, n) for user in counselors for n in range(4)))
    await _put(database, "ethics_signatures", (_signature(user) for user in counselors))
    await _put(
        database,
        "supervisions",
        (
            _supervision(user, by_role[Role.SUPERVISOR][n % SUPERVISORS], admin)
            for n, user in enumerate(counselors)
        ),
    )
    await _audit(database, audit, by_role)
    return Populace(by_role[Role.CLIENT], counselors, await _log_in(database, by_role))


async def _put(database: Database, table: str, rows: Iterator[Row]) -> None:
    target = Base.metadata.tables[table]
    while some := list(itertools.islice(rows, AT_ONCE)):
        async with database.engine.begin() as connection:
            await connection.execute(insert(target), some)


def _user(chance: random.Random, role: Role, user: UserId) -> Row:
    return {
        "id": user,
        "name": f"{chance.choice(('Embun', 'Ombak', 'Senja', 'Bintang'))} {chance.randrange(100_000)}",
        "language": "id",
        "adult": True if role is Role.CLIENT else None,
        "created_at": NOW - timedelta(minutes=chance.randrange(1_000_000)),
        "erase_at": None,
        "disabled_at": None,
    }


def _login(chance: random.Random, user: UserId) -> Row:
    return {
        "id": new_id("l"),
        "user_id": user,
        "token_hash": hashlib.sha256(f"{user}{chance.random()}".encode()).hexdigest(),
        "stage": Stage.FULL.value,
        "device": "Chrome, Android",
        "own_phone": True,
        "created_at": NOW,
        "seen_at": NOW,
        "idle_until": NOW + timedelta(days=90),
        "expires_at": NOW + timedelta(days=365),
    }


def _notice(chance: random.Random, user: UserId, number: int) -> Row:
    return {
        "id": new_id("n"),
        "user_id": user,
        "kind": "login_new",
        "places": {"device": "Firefox, Windows"},
        "at": NOW - timedelta(minutes=chance.randrange(100_000)),
        "read_at": NOW if number else None,
        "mail_due": False,
    }


def _consent(user: UserId, digest: str) -> Row:
    return {
        "id": new_id("c"),
        "user_id": user,
        "kind": Kind.SERVICE.value,
        "given": True,
        "version": 1,
        "locale": "id",
        "sha256": digest,
        "at": NOW,
        "page": "/me/consents",
    }


def _counselor(chance: random.Random, user: UserId, number: int) -> Row:
    state = ("verified", "verified", "verified", "pending", "refused")[number % 5]
    return {
        "user_id": user,
        "state": state,
        "submitted_at": NOW - timedelta(minutes=chance.randrange(100_000)),
        "created_at": NOW - timedelta(days=300),
        "changed_at": NOW,
        "warned_days": None,
        "kind": chance.choice(("psychologist", "school_counselor", "trainee")),
        "licence_number": f"STR-{number}",
        "issuing_body": "HIMPSI",
        "licence_region": "Jawa Tengah",
        "valid_until": date(2026, 3, 2) + timedelta(days=chance.randrange(-20, 700)),
        "degree": "magister",
        "background_checked_on": date(2026, 1, 1),
        "shown_name": f"Konselor {chance.randrange(10_000)}",
        "title": "M.Psi., Psikolog",
        "about": "Saya mendengarkan lebih dulu. " * 10,
        "languages": ["id", "jv"],
        "topics": ["study", "grief", "family"],
        "media": ["video", "voice", "chat"],
        "minors": False,
        "capacity": 8,
        "reply_hours": 24,
        "recusals": ["Fakultas Teknik"],
        "hours": [[day, 540, 720] for day in range(5)] + [[day, 780, 960] for day in range(5)],
        "away_from": None,
        "away_until": None,
    }


def _decision(user: UserId, admin: UserId, number: int) -> Row:
    return {
        "id": new_id("d"),
        "user_id": user,
        "decision": ("hand_in", "refuse", "hand_in")[number],
        "decided_by": admin,
        "decided_on": date(2026, 2, 1),
        "note": "Ijazah terpotong; mohon diunggah lagi." if number == 1 else "",
        "at": NOW - timedelta(days=30 - number),
    }


def _proof(user: UserId, number: int) -> Row:
    return {
        "id": new_id("f"),
        "user_id": user,
        "kind": ("licence", "degree", "background", "other")[number],
        "content_type": "application/pdf",
        "size_bytes": 400_000,
        "file": new_id("x") + new_id("y"),
        "added_at": NOW - timedelta(days=40),
    }


def _signature(user: UserId) -> Row:
    return {"user_id": user, "version": 1, "digest": "0" * 64, "language": "id", "signed_at": NOW}


def _supervision(counselor: UserId, supervisor: UserId, admin: UserId) -> Row:
    return {
        "id": new_id("v"),
        "supervisor_id": supervisor,
        "counselor_id": counselor,
        "from_day": date(2025, 9, 1),
        "until_day": None,
        "assigned_by": admin,
        "assigned_at": NOW,
    }


async def _audit(database: Database, audit: Audit, by_role: dict[Role, list[UserId]]) -> None:
    """Write some history for those who will look at theirs, among them rows by others."""
    admin = by_role[Role.ADMIN][0]
    for user in [*by_role[Role.CLIENT][:SAMPLE], *by_role[Role.COUNSELOR][:SAMPLE]]:
        async with database.sessions.begin() as db:
            for number in range(20):
                await audit.append(
                    db,
                    tag="login:open" if number % 2 else "people:see",
                    actor=user if number % 2 else admin,
                    subject=user,
                    now=NOW - timedelta(minutes=number),
                )


async def _log_in(database: Database, by_role: dict[Role, list[UserId]]) -> dict[Role, list[str]]:
    tokens: dict[Role, list[str]] = {}
    for role, users in by_role.items():
        tokens[role] = []
        async with database.sessions.begin() as db:
            for person in await people.find_all(db, users=users[:SAMPLE]):
                token = logins.new_token()
                await logins.open_login(
                    db,
                    person=person,
                    token=token,
                    stage=Stage.FULL,
                    device="Chrome, Android",
                    own_phone=True,
                    now=NOW,
                )
                tokens[role].append(token)
    return tokens
