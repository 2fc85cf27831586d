"""``teduh audit``: verify the chain, take a checkpoint now, print the public key of checkpoints."""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
from pathlib import Path
from typing import Any, Final

from accounts.audit import Audit
from accounts.checkpoints import Checkpoint, Checkpoints, read_lines
from accounts.tombstones import tombstones_in
from accounts.verifying import ChainBroken, Verdict, note, verify
from core.clock import SystemClock, rfc3339
from core.config import Config
from core.errors import ConfigError, TeduhError
from core.mail import Mail
from web.commands.stores import Stores, say

MAIL_WITHIN_S: Final = 30.0


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``teduh audit …``."""
    actions = commands.add_parser("audit", help="the chain of what was done").add_subparsers(
        required=True, metavar="ACTION"
    )
    one = actions.add_parser("verify", help="check every row; status 1 when the chain does not hold")
    one.add_argument(
        "--checkpoint",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="compare with the checkpoints in a file or a saved letter; may be given again",
    )
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(command=_verify)

    one = actions.add_parser("checkpoint", help="sign what the chain is now, print it and send it outside")
    one.set_defaults(command=_checkpoint)

    one = actions.add_parser("key", help="print the public key of checkpoints (Ed25519, base64)")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(command=_key)


async def _verify(config: Config, asked: argparse.Namespace) -> None:
    checkpoints = [one for path in asked.checkpoint for one in _read(path)]
    async with Stores(config) as stores:
        erased = tombstones_in(config.data_dir, stores.master).read()
        async with stores.database.sessions() as db:
            verdict = await verify(
                db,
                Audit(stores.master),
                erased=erased,
                checkpoints=checkpoints,
                signer=Checkpoints(stores.master).signer,
                now=SystemClock().now(),
            )
        async with stores.database.sessions.begin() as db:
            await note(db, verdict=verdict)
    if asked.json:
        say(json.dumps(_told(verdict)))
    if verdict.problem is not None:
        raise ChainBroken(verdict.sentence)
    if not asked.json:
        say(verdict.sentence)


def _read(path: Path) -> list[Checkpoint]:
    try:
        return read_lines(path.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    except TeduhError as error:
        raise ConfigError(f"{path}: {error}") from None


def _told(verdict: Verdict) -> dict[str, object]:
    return {
        "holds": verdict.problem is None,
        "rows": verdict.count,
        "closed": verdict.closed,
        "checkpoints": verdict.checkpoints,
        "problem": verdict.problem,
        "row": verdict.row,
        "sentence": verdict.sentence,
        "at": rfc3339(verdict.at),
    }


async def _checkpoint(config: Config, _asked: argparse.Namespace) -> None:
    now = SystemClock().now()
    async with Stores(config) as stores:
        outside = config.audit_checkpoints
        checkpoints = Checkpoints(stores.master, directory=outside.directory, addresses=outside.addresses)
        async with stores.database.sessions() as db:
            checkpoint = await checkpoints.take(db, now=now)
    say(checkpoint.line())
    if config.smtp is None or not outside.addresses:
        await checkpoints.send(checkpoint, letters=None, now=now)
        return
    mail = Mail(config.smtp, sender=config.mail_sender, retry_after_s=())
    await mail.start()
    try:
        await checkpoints.send(checkpoint, letters=mail, now=now)
        async with asyncio.timeout(MAIL_WITHIN_S):
            await mail.sent()
    except TimeoutError:
        raise TeduhError("The mail server did not take the checkpoint in time.") from None
    finally:
        await mail.close()
    if mail.counters["failed"]:
        raise TeduhError("The mail server did not take the checkpoint.")


async def _key(config: Config, asked: argparse.Namespace) -> None:
    async with Stores(config) as stores:
        signer = Checkpoints(stores.master).signer
    public = base64.b64encode(signer.public).decode()
    say(json.dumps({"key": signer.key, "public": public}) if asked.json else f"{signer.key}  {public}")
