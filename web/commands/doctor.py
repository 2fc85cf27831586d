"""``teduh doctor``: says in plain sentences what is wrong with this server; status 1 when something is.

It opens the database as the server does, and asks the public address for /metrics and its certificate.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import json
import shutil
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import aiohttp
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import checkpoints, contacts, erasure, passkeys, people, totp, tries
from accounts.audit import Audit, Filter
from accounts.codes import Codes
from accounts.passwords import Passwords
from accounts.people import Person
from accounts.roles import Role
from core.addresses import Reach, reach_of
from core.clock import SystemClock
from core.config import Config
from core.errors import TeduhError
from core.keyfile import NAME, master_key
from core.shapes import is_loopback
from counseling import complaint_lists, crisis, incidents, roster
from counseling.complaints import outside_the_line
from counseling.minors import read_policy
from counseling.roster import LOOK_AHEAD, Lack, Roster
from web import demo, tls
from web.commands.stores import Stores, say
from web.doctor import TRIED_OUT_WITHIN, Facts, Finding, Level, examine
from web.doctor_keys import examine_keys, gather_keys
from web.doctor_recordings import examine_recordings, gather_recordings
from web.duties import clinical_digest
from web.render import make_renderer

ASK_WITHIN_S: Final = 5.0
SIGNS: Final = {Level.FINE: "ok   ", Level.NOTE: "note ", Level.WRONG: "WRONG"}
TIME_ERROR: Final = 5  # adjtimex(2): the clock is not synchronised
TIMEX_BYTES: Final = 512  # struct timex is smaller on every system
PAGE: Final = 500


class SomethingWrong(TeduhError):
    """The doctor found something."""

    code = "something_wrong"


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    one = commands.add_parser("doctor", help="say what is wrong with this server; status 1 when something is")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.add_argument("--offline", action="store_true", help="ask nothing over the network")
    one.set_defaults(command=_doctor)


async def _doctor(config: Config, asked: argparse.Namespace) -> None:
    found = examine(await gather(config, now=SystemClock().now(), offline=asked.offline))
    master = config.master_key or master_key(config.data_dir)
    found += examine_keys(await gather_keys(config, master=master, clock=SystemClock()))
    facts = await gather_recordings(config, clock=SystemClock(), offline=asked.offline)
    found += examine_recordings(facts)
    if asked.json:
        say(json.dumps([{"about": one.about, "level": one.level, "text": one.text} for one in found]))
    else:
        for one in found:
            say(f"{SIGNS[one.level]}  {one.about:<12} {one.text}")
    if count := _count(found):
        raise SomethingWrong("One thing is wrong." if count == 1 else f"{count} things are wrong.")


def _count(found: list[Finding]) -> int:
    return sum(one.level is Level.WRONG for one in found)


async def gather(config: Config, *, now: datetime, offline: bool) -> Facts:
    """Find out how things are. The files come first: opening the stores would make what is missing."""
    reach = reach_of(config.public_host)
    files = _files(config)
    known: dict[str, Any] = {"certificate_until": None, "metrics_status": None}
    if config.tls is not None:
        known["certificate_until"] = _certificate_file(config)
    elif config.secure and not offline:
        known["certificate_until"] = await _certificate_asked(config)
    if reach is not Reach.LOOPBACK and not offline:
        known["metrics_status"] = await _metrics_asked(config)
    async with Stores(config) as stores, stores.database.sessions() as db:
        people_facts = await _about_people(db, config, now)
        people_facts["tried_out"] = await tried_out(db, Audit(stores.master), now)
        demo_open = [] if config.loopback_only else await _demo_open(db, stores.master)
    return Facts(
        now=now,
        reach=reach,
        https=config.secure,
        own_tls=config.tls is not None,
        plain_outside=config.tls is None and not all(map(is_loopback, config.http_host)),
        mail_set=config.smtp is not None,
        clock_synchronised=_clock(),
        demo_open=demo_open,
        minors_policy=read_policy(config.minors_policy) is not None,
        **files,
        **known,
        **people_facts,
    )


def _files(config: Config) -> dict[str, Any]:
    key, outside = config.data_dir / NAME, config.audit_checkpoints
    file = None if outside.directory is None else outside.directory / checkpoints.FILE
    above = next(
        path for path in (config.data_dir.resolve(), *config.data_dir.resolve().parents) if path.exists()
    )
    return {
        "data_dir": config.data_dir,
        "data_dir_mode": _mode(config.data_dir),
        "key_file": key,
        "key_mode": _mode(key),
        "key_from_environment": config.master_key is not None,
        "free_bytes": shutil.disk_usage(above).free,
        "backup_mark": config.backup_mark,
        "backup_at": None if config.backup_mark is None else _changed_at(config.backup_mark),
        "checkpoints_set": bool(file or outside.addresses),
        "checkpoint_file": file,
        "checkpoint_at": None if file is None else _changed_at(file),
    }


async def _about_people(db: AsyncSession, config: Config, now: datetime) -> dict[str, Any]:
    zone = ZoneInfo(config.time_zone)
    held = await roster.load(db, zone=zone, now=now)
    gaps = held.gaps(now, now + LOOK_AHEAD)
    lines = await crisis.every(db)
    officers = await people.with_role(db, role=Role.OFFICER)
    return {
        "gaps": [
            (gap.since.astimezone(zone), gap.until.astimezone(zone))
            for gap in gaps
            if gap.lack is Lack.NOBODY
        ],
        "thin": sum(gap.lack is Lack.NO_DEPUTY for gap in gaps),
        "unreached": []
        if config.alert_webhook
        else await unreached(db, held, mailed=config.smtp is not None),
        "lines": len(lines),
        "stale_lines": [line.name for line in lines if crisis.is_stale(line, now)],
        "texts_signed": await crisis.signoff(db, digest=clinical_digest(make_renderer())) is not None,
        "officers": sum(outside_the_line(one) for one in officers),
        "officers_in_line": [one.name for one in officers if not outside_the_line(one)],
        "late_erasures": await erasure.overdue(db, now=now),
        "late_complaints": (await complaint_lists.measure(db, now=now)).late,
        "staff_without_factor": [one.name for one in await _all_staff(db) if not await _has_factor(db, one)],
        "open_incidents": [
            (one.title, one.left(now)) for one in await incidents.every(db) if one.closed_at is None
        ],
    }


async def unreached(db: AsyncSession, held: Roster, *, mailed: bool) -> list[str]:
    """Name those on duty in some hour of the week to whom no letter can go."""
    users = {one for duty in held.week.values() for one in (duty.person, duty.deputy) if one is not None}
    found = await people.find_all(db, users=sorted(users))
    return [one.name for one in found if not mailed or not await contacts.is_confirmed(db, user=one.id)]


async def tried_out(db: AsyncSession, audit: Audit, now: datetime) -> list[str]:
    """Name those at whose second factor all tries were used up in the last days."""
    wanted = Filter(tag=tries.FACTOR_USED_UP, since=now - TRIED_OUT_WITHIN)
    users = {entry.subject for entry in await audit.matching(db, wanted=wanted)}
    found = await people.find_all(db, users=sorted(user for user in users if user is not None))
    return [one.name for one in found if one.disabled_at is None]


async def _demo_open(db: AsyncSession, master: bytes) -> list[str]:
    passwords = Passwords(master)
    try:
        found = await demo.there(db, Codes(master), passwords)
    finally:
        passwords.close()
    return [one.name for one in found if one.disabled_at is None]


async def _all_staff(db: AsyncSession) -> list[Person]:
    found: list[Person] = []
    page = await people.staff(db, limit=PAGE)
    found += page.people
    while page.after is not None:
        page = await people.staff(db, after=page.after, limit=PAGE)
        found += page.people
    return [one for one in found if one.disabled_at is None]


async def _has_factor(db: AsyncSession, person: Person) -> bool:
    return await totp.since(db, user=person.id) is not None or await passkeys.count(db, user=person.id) > 0


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode & 0o777
    except OSError:
        return None


def _changed_at(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except OSError:
        return None


def _certificate_file(config: Config) -> datetime | None:
    path = config.data_dir / tls.FILE
    if config.tls is not None and config.tls.certificate is not None:
        path = config.tls.certificate
    try:
        return tls.ends_at(path.read_bytes())
    except OSError:
        return None


async def _certificate_asked(config: Config) -> datetime | None:
    """Ask the public address for its certificate; whether it is trusted, browsers decide."""
    parts = urlsplit(config.public_url)
    address = (config.public_host, parts.port or 443)
    try:
        async with asyncio.timeout(ASK_WITHIN_S + 1):
            pem = await asyncio.to_thread(ssl.get_server_certificate, address, timeout=ASK_WITHIN_S)
        return tls.ends_at(pem.encode())
    except (OSError, ValueError):
        return None


async def _metrics_asked(config: Config) -> int | None:
    """Ask the public address for /metrics as anybody could; gives the status."""
    timeout = aiohttp.ClientTimeout(total=ASK_WITHIN_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(f"{config.public_url}/metrics", ssl=False, allow_redirects=False) as answer,
        ):
            return answer.status
    except (OSError, aiohttp.ClientError, TimeoutError):
        return None


def _clock() -> bool | None:
    """Ask the kernel whether something keeps its clock right; None where it cannot say."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else bool(state != TIME_ERROR)
