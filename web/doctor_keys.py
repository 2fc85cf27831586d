"""What ``teduh doctor`` looks at where recordings' keys are: facts in, findings out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from accounts import texts
from core.addresses import Reach, reach_of
from core.clock import Clock
from core.config import Config
from core.errors import TeduhError
from recordings import keybackup
from recordings.vault import Vault
from web.commands.stores import Stores
from web.doctor import Finding, Level

ABOUT: Final = "recordings"
BACKUP_WITHIN: Final = timedelta(hours=26)
ESCROW: Final = re.compile(r"kunci titipan|escrow", re.IGNORECASE)
EXPORT: Final = re.compile(r"\bberkas|\bfiles?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """How things are. ``problem`` is a sentence of the keyring, None when it answers and misses no key."""

    now: datetime
    reach: Reach
    data_dir: Path
    keys_dir: Path | None
    """None when another process, or Vault, keeps them."""
    keys_file: Path
    there: bool
    """Whether a recording was made yet."""
    problem: str | None
    backup_dir: Path | None
    backup_at: datetime | None
    escrow: str | None
    escrow_said: bool
    """Whether the text of consent to recording speaks of escrow, in each language."""
    one_disk: bool = False
    """Whether the directory of keys lies on the file system of the data directory."""
    export: bool = False
    export_said: bool = False
    """The same of recordings that are taken out as a file."""


async def gather_keys(config: Config, *, master: bytes, clock: Clock) -> KeyFacts:
    """Find out how things are; nothing is made or opened."""
    vault, problem, made = Vault.of(config, master=master, clock=clock), None, True
    try:
        made = vault.is_there
        await vault.check()
    except TeduhError as error:
        problem = str(error)
    there = (
        [] if config.keys_backup is None else await asyncio.to_thread(keybackup.backups, config.keys_backup)
    )
    return KeyFacts(
        now=clock.now(),
        reach=reach_of(config.public_host),
        data_dir=config.data_dir,
        keys_dir=config.keys_at.directory,
        keys_file=config.keys_file,
        there=made,
        problem=problem,
        backup_dir=config.keys_backup,
        backup_at=there[-1].at if there else None,
        escrow=config.escrow,
        escrow_said=config.escrow is not None and await _is_said(config, ESCROW),
        one_disk=await asyncio.to_thread(_one_disk, config.keys_at.directory, config.data_dir),
        export=config.recording_export,
        export_said=config.recording_export and await _is_said(config, EXPORT),
    )


def _one_disk(keys: Path | None, data: Path) -> bool:
    """Whether both are there, on one file system."""
    try:
        return keys is not None and keys.stat().st_dev == data.stat().st_dev
    except OSError:
        return False


async def _is_said(config: Config, words: re.Pattern[str]) -> bool:
    async with Stores(config) as stores, stores.database.sessions() as db:
        versions = await texts.versions(db, kind=texts.Kind.RECORDING)
    return bool(versions) and all(words.search(text.body) for text in versions[0].texts.values())


def examine_keys(facts: KeyFacts) -> list[Finding]:
    """Look at everything, in an order that stays the same."""
    return [finding for check in (_keys, _place, _backups, _escrow, _export) for finding in check(facts)]


def _keys(facts: KeyFacts) -> Iterator[Finding]:
    if facts.problem is not None:
        yield Finding(ABOUT, Level.WRONG, facts.problem)
    elif facts.there:
        yield Finding(ABOUT, Level.FINE, "The key of every recording hangs on a key that is there.")
    else:
        yield Finding(ABOUT, Level.FINE, "Nothing was recorded yet.")


def _place(facts: KeyFacts) -> Iterator[Finding]:
    """Who takes the disk with both halves on it opens everything: right for trying out only."""
    inside = facts.keys_dir is not None and facts.keys_dir.resolve().is_relative_to(facts.data_dir.resolve())
    if inside and facts.reach is not Reach.LOOPBACK:
        yield Finding(
            ABOUT,
            Level.WRONG if facts.there else Level.NOTE,
            f"The keys in {facts.keys_dir} lie with what they open: who takes this disk sees every "
            "recording. Move them out of the data directory and set TEDUH_KEYS (docs/recordings.md).",
        )
    elif inside:
        yield Finding(ABOUT, Level.NOTE, "Keys and recordings lie in one directory: for trying out only.")
    elif facts.one_disk and facts.reach is not Reach.LOOPBACK:
        yield Finding(
            ABOUT,
            Level.NOTE,
            f"The keys in {facts.keys_dir} lie on the disk of what they open: who takes it sees every "
            "recording, unless they are encrypted there. Put them on another (docs/recordings.md).",
        )


def _backups(facts: KeyFacts) -> Iterator[Finding]:
    if not facts.there:
        return
    if facts.backup_dir is None:
        yield Finding(
            ABOUT,
            Level.WRONG,
            f"Nobody can tell whether there is a backup of {facts.keys_file}, nor that none is older than "
            "7 days: set TEDUH_KEYS_BACKUP, and leave the file out of every other backup.",
        )
    elif facts.backup_at is None or facts.now - facts.backup_at > BACKUP_WITHIN:
        yield Finding(
            ABOUT, Level.WRONG, f"No backup of recordings' keys was written to {facts.backup_dir} for a day."
        )
    else:
        yield Finding(ABOUT, Level.FINE, "Recordings' keys are backed up, for less than 7 days each.")


def _escrow(facts: KeyFacts) -> Iterator[Finding]:
    """Who agrees must know that two more people could open it (docs/recordings.md)."""
    if facts.escrow is None:
        return
    if facts.escrow_said:
        yield Finding(
            ABOUT, Level.FINE, f"Escrow is on ({facts.escrow[:12]}…), and the text of consent says so."
        )
    else:
        yield Finding(
            ABOUT,
            Level.WRONG,
            f"Escrow is on ({facts.escrow[:12]}…), and the text of consent to recording does not say so in "
            "both languages: publish one that names it, and who holds the two halves.",
        )


def _export(facts: KeyFacts) -> Iterator[Finding]:
    """Who agrees must know that a recording may leave this server."""
    if not facts.export:
        return
    if facts.export_said:
        yield Finding(ABOUT, Level.FINE, "Recordings may be taken out, and the text of consent says so.")
    else:
        yield Finding(
            ABOUT,
            Level.WRONG,
            "Recordings may be taken out (TEDUH_RECORDING_EXPORT), and the text of consent to recording does "
            "not speak of a file in both languages: publish one that says who may get one.",
        )
