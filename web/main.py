"""The command ``teduh``: serve, demo, migrate, api-key."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from accounts import apikeys
from accounts.apikeys import ALL_SCOPES, Scope
from core.clock import SystemClock, rfc3339
from core.config import Config, config_from_here
from core.errors import ConfigError, TeduhError
from core.ids import ApiKeyId
from core.logs import setup_logging
from web.commands import admin, audit, consent, doctor, incident
from web.commands.stores import Stores, say
from web.demo import make_demo
from web.serve import serve

Command = Callable[[Config, argparse.Namespace], Coroutine[Any, Any, None]]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status. A wrong setting is one sentence and status 2."""
    asked = _parser().parse_args(arguments)
    command: Command = asked.command
    try:
        config = config_from_here()
        setup_logging(config.log_level)
        asyncio.run(command(config, asked))
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201  # a command speaks
        return 2
    except TeduhError as error:
        print(error, file=sys.stderr)  # noqa: T201  # a command speaks
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="teduh",
        description="Online counseling on a server of one's own. Settings are TEDUH_* variables or .env.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("serve", help="run the server")
    one.add_argument("--demo", action="store_true", help="make a demo session and print both links")
    one.set_defaults(command=_serve)

    one = commands.add_parser("demo", help="make another demo session and print both links")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(command=_demo)

    one = commands.add_parser("migrate", help="bring the database up to date; serve does it too")
    one.set_defaults(command=_migrate)

    keys = commands.add_parser("api-key", help="keys for programs").add_subparsers(
        required=True, metavar="ACTION"
    )
    one = keys.add_parser("create", help="make a key; its secret is printed this once")
    one.add_argument("name", metavar="NAME", help="what the key is for")
    one.add_argument("--scopes", type=_scopes, default=ALL_SCOPES, help="create,read,end (all of them)")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(command=_create_key)

    one = keys.add_parser("list", help="list all keys")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(command=_list_keys)

    one = keys.add_parser("revoke", help="revoke a key at once")
    one.add_argument("id", metavar="ID")
    one.set_defaults(command=_revoke_key)
    admin.add(commands)
    audit.add(commands)
    consent.add(commands)
    doctor.add(commands)
    incident.add(commands)
    return parser


def _scopes(text: str) -> frozenset[Scope]:
    try:
        return frozenset(Scope(word.strip()) for word in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError("scopes are create, read and end") from None


async def _serve(config: Config, asked: argparse.Namespace) -> None:
    await serve(config, demo=asked.demo, say=say)


async def _demo(config: Config, asked: argparse.Namespace) -> None:
    async with Stores(config) as stores:
        links = await make_demo(stores.database, config, now=SystemClock().now())
    if asked.json:
        say(json.dumps(links))
        return
    for role, link in links.items():
        say(f"{role.value:<10} {link}")


async def _migrate(config: Config, _asked: argparse.Namespace) -> None:
    async with Stores(config):
        say("The database is up to date.")


async def _create_key(config: Config, asked: argparse.Namespace) -> None:
    if not 1 <= len(asked.name) <= 100:
        raise ConfigError("NAME must have 1 to 100 characters.")
    async with Stores(config) as stores, stores.database.sessions.begin() as db:
        key = await apikeys.create(db, name=asked.name, scopes=asked.scopes, now=SystemClock().now())
    secret = stores.tokens.api_secret(key.id)
    if asked.json:
        say(json.dumps({"id": key.id, "name": key.name, "secret": secret, "scopes": sorted(key.scopes)}))
        return
    say(f"id      {key.id}\nsecret  {secret}\nThe secret is not shown again.")


async def _list_keys(config: Config, asked: argparse.Namespace) -> None:
    async with Stores(config) as stores, stores.database.sessions() as db:
        keys = await apikeys.every(db)
    rows = [
        {
            "id": key.id,
            "name": key.name,
            "scopes": sorted(key.scopes),
            "created_at": rfc3339(key.created_at),
            "revoked_at": rfc3339(key.revoked_at),
        }
        for key in keys
    ]
    if asked.json:
        say(json.dumps(rows))
        return
    for key in keys:
        state = "revoked" if key.revoked_at else ",".join(sorted(key.scopes))
        say(f"{key.id}  {rfc3339(key.created_at)}  {state:<16}  {key.name}")


async def _revoke_key(config: Config, asked: argparse.Namespace) -> None:
    async with Stores(config) as stores, stores.database.sessions.begin() as db:
        await apikeys.revoke(db, key=ApiKeyId(asked.id), now=SystemClock().now())
    say("The key is revoked.")


if __name__ == "__main__":
    sys.exit(main())
