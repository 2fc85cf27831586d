"""The command ``teduh api-key``: keys for programs."""

from __future__ import annotations

import argparse
import json
from typing import Any

from accounts import apikeys
from accounts.apikeys import ALL_SCOPES, Scope
from core.clock import SystemClock, rfc3339
from core.config import Config
from core.errors import ConfigError
from core.ids import ApiKeyId
from web.commands.stores import Stores, say


def add(commands: Any) -> None:  # noqa: ANN401  # argparse names no public type for it
    """Add the command."""
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


def _scopes(text: str) -> frozenset[Scope]:
    try:
        return frozenset(Scope(word.strip()) for word in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError("scopes are create, read and end") from None


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
