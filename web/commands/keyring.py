"""The commands ``teduh keys`` and ``teduh keyd``: what recordings' keys hang on."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from core.clock import SystemClock
from core.config import Config
from core.errors import ConfigError, NotFound, TeduhError
from core.keyd import serve
from core.keyfile import make_data_dir, master_key
from core.keyrings import keyring_for, keyring_here
from core.warrants import Warrants
from recordings import keybackup
from recordings.drill import drill
from recordings.keystore import KeyStore
from recordings.vault import Vault
from web.commands.stores import say

SIGNER_BYTES = 32


class DrillFailed(TeduhError):
    """Something in a backup would not open again."""

    code = "drill_failed"


def add(commands: Any) -> None:  # noqa: ANN401  # argparse names no public type for it
    """Add the commands."""
    actions = commands.add_parser("keys", help="keys of recordings").add_subparsers(
        required=True, metavar="ACTION"
    )
    one = actions.add_parser("list", help="list the wrapping keys, and how many recordings hang on each")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(command=_list)

    one = actions.add_parser("rotate", help="make a new wrapping key and move every recording to it")
    one.set_defaults(command=_rotate)

    one = actions.add_parser("backup", help="write a backup of keys.db, and delete those of 7 days ago")
    one.add_argument("directory", metavar="DIRECTORY", type=Path)
    one.set_defaults(command=_backup)

    one = actions.add_parser("drill", help="try whether the newest backup would open again")
    one.add_argument("directory", metavar="DIRECTORY", type=Path)
    one.set_defaults(command=_drill)

    one = actions.add_parser("signer", help="print the public key of this server's warrants, for keyd")
    one.set_defaults(command=_signer)

    one = commands.add_parser("keyd", help="keep the wrapping keys as a user or on a host of its own")
    one.add_argument("socket", metavar="SOCKET", type=Path, help="where it listens")
    one.add_argument("signer", metavar="SIGNER", type=_public, help="what `teduh keys signer` printed")
    one.set_defaults(command=_keyd)


def _public(text: str) -> bytes:
    try:
        public = bytes.fromhex(text)
    except ValueError:
        public = b""
    if len(public) != SIGNER_BYTES:
        raise argparse.ArgumentTypeError("`teduh keys signer` prints what goes here")
    return public


def _warrants(config: Config) -> Warrants:
    make_data_dir(config.data_dir)
    return Warrants(config.master_key or master_key(config.data_dir))


def _vault(config: Config) -> Vault:
    make_data_dir(config.data_dir)
    master = config.master_key or master_key(config.data_dir)
    return Vault.of(config, master=master, clock=SystemClock())


async def _list(config: Config, asked: argparse.Namespace) -> None:
    keys = keyring_for(config, signer=_warrants(config).public, clock=SystemClock())
    hanging = Counter(kept.key_id for kept in KeyStore(config.keys_file).every())
    held = await keys.held()
    rows = [
        {"id": key_id, "recordings": hanging[key_id], "held": key_id in held}
        for key_id in sorted(held | hanging.keys())
    ]
    if asked.json:
        say(json.dumps(rows))
        return
    for row in rows:
        say(f"{row['id']:<24} {'held' if row['held'] else 'MISSING':<8} {row['recordings']:>6} recordings")


async def _rotate(config: Config, _asked: argparse.Namespace) -> None:
    moved = await _vault(config).rotate()
    say(f"{moved} recordings hang on a new key. The old ones are destroyed within two hours.")


async def _backup(config: Config, asked: argparse.Namespace) -> None:
    keys = KeyStore(config.keys_file)
    if not keys.is_there:
        raise NotFound(f"There are no keys of recordings at {config.keys_file} yet.")
    made = keybackup.back_up(keys, asked.directory, now=SystemClock().now())
    say(f"{made.path}")


async def _drill(config: Config, asked: argparse.Namespace) -> None:
    there = keybackup.backups(asked.directory)
    if not there:
        raise ConfigError(f"There is no backup of keys in {asked.directory}: teduh keys backup makes one.")
    clock, warrants = SystemClock(), _warrants(config)
    found = await drill(
        KeyStore(there[-1].path, read_only=True),
        live=KeyStore(config.keys_file),
        keys=keyring_for(config, signer=warrants.public, clock=clock),
        warrants=warrants,
        clock=clock,
    )
    say(f"{there[-1].path}")
    say(f"{len(found.opened)} recordings would open again.")
    say(f"{len(found.missing)} were made since and are not in it.")
    for recording in found.destroyed:
        say(f"{recording} was destroyed since; until this backup is deleted it could be opened.")
    for recording, why in found.lost.items():
        say(f"{recording} would not open: {why}")
    if found.lost:
        raise DrillFailed(f"{len(found.lost)} recordings would be lost.")


async def _signer(config: Config, _asked: argparse.Namespace) -> None:
    say(_warrants(config).public.hex())


async def _keyd(config: Config, asked: argparse.Namespace) -> None:
    directory = config.keys_at.directory
    if directory is None:
        raise ConfigError("TEDUH_KEYS must name a directory where teduh keyd runs.")
    keys = keyring_here(config, directory, signer=asked.signer, clock=SystemClock())
    await keys.held()
    async with await serve(keys, asked.socket) as server:
        say(f"teduh keyd answers at {asked.socket}")
        await server.serve_forever()
