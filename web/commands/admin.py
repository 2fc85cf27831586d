"""``teduh admin create``: the first admin, from the server's own terminal. Others are invited."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys
from pathlib import Path
from typing import Any, Final

from accounts import admins, login_names, people
from accounts.audit import Audit
from accounts.passwords import Passwords, what_is_wrong
from accounts.people import MAX_NAME_CHARS
from accounts.roles import Role
from core.clock import SystemClock
from core.config import Config
from core.errors import ConfigError
from web.commands.stores import Stores, say
from web.render import LANGUAGES

WRONG: Final = {
    "short": "A password has at least 10 characters.",
    "long": "A password has at most 200 characters.",
    "common": "This password is too common and easily guessed.",
    "name": "This password is too much like the name.",
}


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``teduh admin …``."""
    actions = commands.add_parser("admin", help="people who run the service").add_subparsers(
        required=True, metavar="ACTION"
    )
    one = actions.add_parser("create", help="make an admin; the second factor is set up at the first login")
    one.add_argument("name", metavar="NAME", help="the name that colleagues see")
    one.add_argument("login", metavar="LOGIN", help="the name to log in with")
    one.add_argument(
        "--password-file",
        type=Path,
        metavar="FILE",
        help="read the password from a file's first line, or - for standard input; asked for otherwise",
    )
    one.add_argument("--language", choices=LANGUAGES, default=LANGUAGES[0], help="what the admin reads")
    one.set_defaults(command=_create)


async def _create(config: Config, asked: argparse.Namespace) -> None:
    name = " ".join(asked.name.split())
    if not 1 <= len(name) <= MAX_NAME_CHARS:
        raise ConfigError(f"NAME must have 1 to {MAX_NAME_CHARS} characters.")
    if not login_names.is_fit(asked.login):
        raise ConfigError("LOGIN must have 3 to 40 letters a to z, digits, dots, underscores or dashes.")
    password = await asyncio.to_thread(_password, asked.password_file)
    if (wrong := what_is_wrong(password, names=(asked.login, name))) is not None:
        raise ConfigError(WRONG[wrong])
    now = SystemClock().now()
    async with Stores(config) as stores:
        passwords = Passwords(stores.master)
        try:
            hashed = await passwords.hash(password)
        finally:
            passwords.close()
        audit = Audit(stores.master)
        async with stores.database.sessions.begin() as db:
            await audit.hold(db)
            person = await people.create_staff(
                db, name=name, language=asked.language, roles=[Role.ADMIN], now=now
            )
            await login_names.keep(db, user=person.id, login=asked.login, hashed=hashed, now=now)
            await admins.tell_of_new(db, but={person.id}, now=now)
            await audit.append(
                db, tag="staff:make", actor=None, subject=person.id, detail={"roles": Role.ADMIN}, now=now
            )
    say(f"{asked.login} can log in at {config.public_url}/staff/login and sets up the second factor there.")


def _password(file: Path | None) -> str:
    if file is None:
        first, second = (getpass.getpass(text) for text in ("Password: ", "The same again: "))
        if first != second:
            raise ConfigError("The two passwords differ.")
        return first
    try:
        text = sys.stdin.readline() if str(file) == "-" else file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigError("The password file cannot be read.") from None
    return text.split("\n", 1)[0].rstrip("\r")
