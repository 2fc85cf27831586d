"""The command ``teduh escrow``: make the two halves, join them, hand a recording's key to their holders.

``new`` and ``join`` need no settings and no database: they are for a machine that is not the server.
"""

from __future__ import annotations

import argparse
import asyncio
import getpass
import os
import sys
from pathlib import Path
from typing import Any

from accounts.audit import Audit
from core.agefile import Identity
from core.clock import Clock, SystemClock
from core.config import Config
from core.errors import ConfigError
from core.escrow import join, split
from counseling import incidents
from counseling.incidents import Incident
from recordings import reviews
from recordings.vault import Vault
from web.commands.incident import tell
from web.commands.stores import Stores, say
from web.render import say_time

CLEAR = "\033[H\033[2J\033[3J"
KEY_FILE = "key.age"


def add(commands: Any) -> None:  # noqa: ANN401  # argparse names no public type for it
    """Add the command with its actions."""
    actions = commands.add_parser("escrow", help="a key to all recordings, in two halves").add_subparsers(
        required=True, metavar="ACTION"
    )
    one = actions.add_parser("new", help="make a key and show its halves, one after the other")
    one.set_defaults(command=_new)

    one = actions.add_parser("join", help="ask for both halves and print the key, as age reads it")
    one.set_defaults(command=_join)

    one = actions.add_parser(
        "take", help="hand out a recording's key, sealed to the escrow; both participants are told"
    )
    one.add_argument("recording", metavar="RECORDING")
    one.add_argument("--reason", required=True, help="in Indonesian, as both participants read it")
    one.add_argument("--reason-en", required=True, help="the same in English")
    one.add_argument("--out", type=Path, required=True, metavar="DIRECTORY", help=f"where {KEY_FILE} is put")
    one.set_defaults(command=_take)


async def _new(_config: Config, _asked: argparse.Namespace) -> None:
    identity = Identity.generate()
    halves = split(identity)
    for holder, half in zip(("first", "second"), halves, strict=True):
        await _ask(f"Only the {holder} holder looks at the screen now. Enter shows their half: ")
        say(half)
        await _ask("Written down twice, and read back? Enter takes it away: ")
        if sys.stdout.isatty():
            say(CLEAR)
    say(f"TEDUH_ESCROW={identity.recipient}")


async def _join(_config: Config, _asked: argparse.Namespace) -> None:
    first, second = await _secret("The first half: "), await _secret("The second half: ")
    say(str(join(first, second)))


async def _take(config: Config, asked: argparse.Namespace) -> None:
    clock = SystemClock()
    target = asked.out / KEY_FILE
    if target.exists() or not asked.out.is_dir():
        raise ConfigError(f"{asked.out} must be a directory without {KEY_FILE}.")
    async with Stores(config) as stores:
        vault = Vault.of(config, master=stores.master, clock=clock)
        sealed = await vault.escrowed(asked.recording)
        incident, untold = await _tell_both(stores, asked, clock)
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(sealed)
    say(f"{target}")
    say(f"This is incident {incident.id}; {incident.affected} people were told.")
    if untold is not None:
        say(untold)
    say("When the agency was told too:")
    say(f"teduh incident report {incident.id}")


async def _tell_both(stores: Stores, asked: argparse.Namespace, clock: Clock) -> tuple[Incident, str | None]:
    """Open the incident and tell whoever of the two has an account; committed before the key is out.

    Where neither has one, as in every session of a program, it also says who is to tell them.
    """
    audit, now, zone = Audit(stores.master), clock.now(), stores.config.time_zone
    async with stores.database.sessions.begin() as db:
        found = await reviews.find(db, recording=asked.recording)
        users = [user for user in (found.client, found.counselor) if user is not None]
        made = {
            language: say_time(found.started_at, language=language, zone=zone) for language in ("id", "en")
        }
        incident = await incidents.open_incident(
            db,
            audit,
            title=f"Escrow: {found.id}",
            what_id=f"Rekaman sesi Anda dari {made['id']} dibuka dengan kunci titipan. "
            f"Alasannya: {asked.reason}",
            what_en=f"The recording of your session of {made['en']} was opened with the key in escrow. "
            f"The reason: {asked.reason_en}",
            since=now,
            until=now,
            known_at=now,
            users=users,
            now=now,
        )
        await tell(db, audit, incident=incident, zone=zone, now=now)
        if users:
            return incident, None
        untold = (
            f"Neither has an account here: tell the program that made session {found.session}, "
            "which is to tell them."
        )
        await incidents.note(db, audit, number=incident.id, text=untold, author=None, now=now)
    return incident, untold


async def _ask(question: str) -> None:
    print(question, end="", file=sys.stderr, flush=True)  # noqa: T201  # a command speaks
    await asyncio.to_thread(sys.stdin.readline)


async def _secret(question: str) -> str:
    """Ask without showing what is typed; a pipe gives a line."""
    if sys.stdin.isatty():
        return await asyncio.to_thread(getpass.getpass, question)
    return await asyncio.to_thread(sys.stdin.readline)
