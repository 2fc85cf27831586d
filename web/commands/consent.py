"""``teduh consent``: check a receipt that somebody holds, print the public key of receipts."""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import consents, texts
from accounts.receipts import BadReceipt, PublicKey, Receipt, Receipts, key_id_of, read_public_pem
from accounts.standing import Entry
from core.clock import rfc3339
from core.config import Config
from core.errors import ConfigError, NotFound
from recordings import receipts as receipts_of
from web.commands.stores import Stores, say

MAX_BYTES: Final = 64 * 1024
_BETWEEN: Final = re.compile(r"\n[ \t\r]*\n")
"""What stands between the receipts of a file with more than one."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it fits, and a sentence."""

    what: str
    fits: bool
    sentence: str


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``teduh consent …``."""
    actions = commands.add_parser("consent", help="receipts of consent").add_subparsers(
        required=True, metavar="ACTION"
    )
    one = actions.add_parser("verify", help="check receipts; status 1 when something does not fit")
    one.add_argument("receipt", metavar="RECEIPT", help="the file of one receipt or more, or - for the input")
    one.add_argument(
        "--public-key",
        type=Path,
        metavar="FILE",
        help="a public key in PEM, when the receipt was signed with another than this server's",
    )
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(command=_verify)

    one = actions.add_parser("key", help="print the public key of receipts (Ed25519, PEM)")
    one.set_defaults(command=_key)


async def _verify(config: Config, asked: argparse.Namespace) -> None:
    said = [one for one in _BETWEEN.split(_read(asked.receipt).decode("utf-8", "replace")) if one.strip()]
    pem = None if asked.public_key is None else _read(str(asked.public_key))
    async with Stores(config) as stores:
        receipts = Receipts(stores.master, origin=config.public_url)
        key = receipts.public_key if pem is None else read_public_pem(pem)
        async with stores.database.sessions() as db:
            looked = [await look_at(db, receipts, one, key=key) for one in said or [""]]
    held = [_tell(findings, as_json=asked.json) for findings in looked]
    if not all(held):
        raise BadReceipt("The receipt does not hold." if len(held) == 1 else "Not all of the receipts hold.")


def _tell(findings: list[Finding], *, as_json: bool) -> bool:
    """Print what was found of one receipt, and say whether it holds."""
    holds = all(one.fits for one in findings)
    if as_json:
        told = {one.what: {"fits": one.fits, "sentence": one.sentence} for one in findings}
        say(json.dumps({"holds": holds, **told}))
        return holds
    for one in findings:
        say(f"{one.what:<10} {'fits' if one.fits else 'DOES NOT FIT'}: {one.sentence}")
    if holds:
        say("The receipt holds.")
    return holds


async def _key(config: Config, _asked: argparse.Namespace) -> None:
    async with Stores(config) as stores:
        say(Receipts(stores.master, origin=config.public_url).public_pem().strip())


async def look_at(db: AsyncSession, receipts: Receipts, text: str, *, key: PublicKey) -> list[Finding]:
    """Look at the signature, the ledger and the text. Of what is not signed, nothing else is looked at."""
    try:
        receipt = receipts.read(text, key=key)
    except BadReceipt as error:
        return [Finding("signature", fits=False, sentence=str(error))]
    return [
        Finding("signature", fits=True, sentence=f"it was signed with the key {key_id_of(key)}."),
        await _in_ledger(db, receipt),
        await _published(db, receipt),
    ]


async def _in_ledger(db: AsyncSession, receipt: Receipt) -> Finding:
    try:
        entry, after = await _entry(db, receipt.id)
    except NotFound:
        return Finding("ledger", fits=False, sentence=f"there is no row {receipt.id} here.")
    if not receipt.tells_of(entry):
        return Finding("ledger", fits=False, sentence=f"the row {receipt.id} says something else.")
    later = [one for one in after if one.number > entry.number]
    now = f" Since then: {_told(later[-1])}." if later else ""
    return Finding("ledger", fits=True, sentence=f"{entry.user} {_told(entry)} on {entry.page}.{now}")


async def _entry(db: AsyncSession, receipt: str) -> tuple[Entry, list[Entry]]:
    """Look a row up in either ledger, with all of its kind: a person's, or of a recorded session."""
    try:
        entry = await consents.entry(db, receipt=receipt)
    except NotFound:
        return await receipts_of.with_others(db, receipt=receipt)
    return entry, [one for one in await consents.entries(db, user=entry.user) if one.kind is entry.kind]


async def _published(db: AsyncSession, receipt: Receipt) -> Finding:
    name = f"{receipt.kind.value} version {receipt.version} ({receipt.locale})"
    try:
        text = (await texts.find(db, kind=receipt.kind, number=receipt.version)).texts.get(receipt.locale)
    except NotFound:
        text = None
    if text is None:
        return Finding("text", fits=False, sentence=f"{name} was never published here.")
    if text.sha256 != receipt.sha256 or texts.sha256_of(text.body) != receipt.sha256:
        return Finding("text", fits=False, sentence=f"{name} has other bytes than the receipt says.")
    return Finding("text", fits=True, sentence=f"{name} was published, SHA-256 {text.sha256}.")


def _told(entry: Entry) -> str:
    way = "gave" if entry.given else "withdrew"
    return f"{way} {entry.kind.value} version {entry.version} ({entry.locale}) at {rfc3339(entry.at)}"


def _read(name: str) -> bytes:
    try:
        if name == "-":
            return sys.stdin.buffer.read(MAX_BYTES)
        with Path(name).open("rb") as file:
            return file.read(MAX_BYTES)
    except OSError as error:
        raise ConfigError(f"{name} cannot be read: {error.strerror}.") from None
