"""``teduh incident``: open an incident, tell whom it affects, keep its log, close it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import logins, people
from accounts.audit import Audit, Filter
from core.clock import SystemClock, rfc3339
from core.config import Config
from core.errors import ConfigError, NotFound
from core.ids import UserId, is_id
from counseling import incidents
from counseling.incidents import Incident
from web.commands.stores import Stores, say
from web.render import say_time

AUDIT_PAGE = 500


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command with its actions."""
    actions = commands.add_parser(
        "incident", help="what happened to whose data, and telling them"
    ).add_subparsers(required=True, metavar="ACTION")
    one = actions.add_parser("open", help="open one, start the clock of 72 hours, and tell whom it affects")
    one.add_argument("--title", required=True, help="a line for the staff")
    one.add_argument(
        "--what", required=True, help="in Indonesian: which data, when and how, what is done about it"
    )
    one.add_argument("--what-en", required=True, help="the same in English")
    one.add_argument("--since", required=True, metavar="TIME", help="such as 2026-03-02T09:00")
    one.add_argument("--until", required=True, metavar="TIME", help="when it ended")
    one.add_argument("--known", metavar="TIME", help="when it was known; now unless given")
    whom = one.add_mutually_exclusive_group(required=True)
    whom.add_argument("--users", type=Path, metavar="FILE", help="whom it affects: one id in each line")
    whom.add_argument("--all", action="store_true", help="it affects everybody who has an account")
    whom.add_argument("--logins", action="store_true", help="it affects who was logged in meanwhile")
    one.add_argument("--later", action="store_true", help="tell nobody yet; `teduh incident tell ID` does")
    one.set_defaults(command=_open)

    one = actions.add_parser("tell", help="tell those who were not told yet")
    one.add_argument("id", metavar="ID")
    one.set_defaults(command=_tell)

    one = actions.add_parser("list", help="list all, with the time that is left")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(command=_list)

    one = actions.add_parser("note", help="add a line to the log")
    one.add_argument("id", metavar="ID")
    one.add_argument("text", metavar="TEXT")
    one.set_defaults(command=_note)

    one = actions.add_parser("report", help="record that the agency was told")
    one.add_argument("id", metavar="ID")
    one.set_defaults(command=_report)

    one = actions.add_parser("close", help="close it, when everybody was told")
    one.add_argument("id", metavar="ID")
    one.set_defaults(command=_close)


def read_time(text: str, zone: str) -> datetime:
    """Read a time as an operator writes it; without a zone of its own it is the service's."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{text} is not a time such as 2026-03-02T09:00.") from None
    return at.replace(tzinfo=ZoneInfo(zone)) if at.tzinfo is None else at


async def tell(db: AsyncSession, audit: Audit, *, incident: Incident, zone: str, now: datetime) -> int:
    """Tell those whom an incident affects, with its times as people read them."""
    since, until = (
        (say_time(at, language="id", zone=zone), say_time(at, language="en", zone=zone))
        for at in (incident.since, incident.until)
    )
    return await incidents.tell(db, audit, number=incident.id, since=since, until=until, now=now)


async def _open(config: Config, asked: argparse.Namespace) -> None:
    now = SystemClock().now()
    since, until = read_time(asked.since, config.time_zone), read_time(asked.until, config.time_zone)
    known = read_time(asked.known, config.time_zone) if asked.known else now
    listed = _read_users(asked.users) if asked.users else []
    async with Stores(config) as stores:
        audit = Audit(stores.master)
        async with stores.database.sessions.begin() as db:
            if asked.users:
                users = await _known(db, listed)
            elif asked.all:
                users = await people.everybody(db)
            else:
                users = await _logged_in(db, audit, since=since, until=until)
            incident = await incidents.open_incident(
                db,
                audit,
                title=asked.title,
                what_id=asked.what,
                what_en=asked.what_en,
                since=since,
                until=until,
                known_at=known,
                users=users,
                now=now,
            )
            told = 0
            if not asked.later:
                told = await tell(db, audit, incident=incident, zone=config.time_zone, now=now)
    say(f"id        {incident.id}")
    say(f"affected  {incident.affected}")
    say(f"told      {told}")
    say(f"deadline  {say_time(incident.deadline, language='en', zone=config.time_zone)}")
    say("Tell the agency too, then run: teduh incident report " + incident.id)


async def _tell(config: Config, asked: argparse.Namespace) -> None:
    async with Stores(config) as stores, stores.database.sessions.begin() as db:
        incident = await incidents.get(db, number=asked.id)
        told = await tell(
            db, Audit(stores.master), incident=incident, zone=config.time_zone, now=SystemClock().now()
        )
    say(f"{told} were told.")


async def _list(config: Config, asked: argparse.Namespace) -> None:
    now = SystemClock().now()
    async with Stores(config) as stores, stores.database.sessions() as db:
        found = await incidents.every(db)
    if asked.json:
        say(json.dumps([_json(one, now) for one in found], ensure_ascii=False))
        return
    for one in found:
        say(f"{one.id}  {clock(one, now):<22}  {one.told}/{one.affected} told  {one.title}")


async def _note(config: Config, asked: argparse.Namespace) -> None:
    async with Stores(config) as stores, stores.database.sessions.begin() as db:
        await incidents.note(
            db, Audit(stores.master), number=asked.id, text=asked.text, author=None, now=SystemClock().now()
        )
    say("The note is kept.")


async def _report(config: Config, asked: argparse.Namespace) -> None:
    async with Stores(config) as stores, stores.database.sessions.begin() as db:
        await incidents.report(
            db, Audit(stores.master), number=asked.id, author=None, now=SystemClock().now()
        )
    say("It is recorded that the agency was told.")


async def _close(config: Config, asked: argparse.Namespace) -> None:
    async with Stores(config) as stores, stores.database.sessions.begin() as db:
        await incidents.close(db, Audit(stores.master), number=asked.id, author=None, now=SystemClock().now())
    say("The incident is closed.")


def clock(incident: Incident, now: datetime) -> str:
    """Say in a few words how the clock stands."""
    if incident.closed_at is not None:
        return "closed"
    left = incident.left(now)
    if left is None:
        return "all told"
    hours = abs(left.total_seconds()) / 3600
    return f"{hours:.0f} h late" if left.total_seconds() < 0 else f"{hours:.0f} h left"


def _json(one: Incident, now: datetime) -> dict[str, object]:
    left = one.left(now)
    return {
        "id": one.id,
        "title": one.title,
        "since": rfc3339(one.since),
        "until": rfc3339(one.until),
        "known_at": rfc3339(one.known_at),
        "deadline": rfc3339(one.deadline),
        "left_s": None if left is None else round(left.total_seconds()),
        "affected": one.affected,
        "told": one.told,
        "reported_at": rfc3339(one.reported_at),
        "closed_at": rfc3339(one.closed_at),
    }


def _read_users(path: Path) -> list[UserId]:
    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{path} cannot be read.") from None
    if wrong := [line for line in lines if not is_id(line)]:
        raise ConfigError(f"{path} holds {len(wrong)} lines that are no id, the first: {wrong[0]!r}.")
    return [UserId(line) for line in lines]


async def _known(db: AsyncSession, users: Sequence[UserId]) -> list[UserId]:
    there = set(await people.everybody(db))
    if missing := [user for user in users if user not in there]:
        raise NotFound(f"{len(missing)} of these people are not here, the first: {missing[0]}.")
    return list(users)


async def _logged_in(db: AsyncSession, audit: Audit, *, since: datetime, until: datetime) -> list[UserId]:
    """List who was logged in meanwhile: by the logins there are, and by the audit for those that ended."""
    found = set(await logins.seen_between(db, since=since, until=until))
    before: int | None = None
    while True:
        wanted = Filter(tag="login:open", since=since, until=until)
        entries = await audit.matching(db, wanted=wanted, before=before, limit=AUDIT_PAGE)
        found |= {entry.subject for entry in entries if entry.subject is not None}
        if len(entries) < AUDIT_PAGE:
            break
        before = entries[-1].seq
    there = set(await people.everybody(db))
    return sorted(found & there)
