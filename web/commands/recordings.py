"""``teduh recordings``: what there is, whether it holds, what is lost; work on them now; proofs."""

from __future__ import annotations

import argparse
import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from sqlalchemy import select

from accounts.audit import Audit
from core.clock import SystemClock, rfc3339
from core.config import Config
from core.errors import TeduhError
from recordings import ending, finishing, leap, orphans
from recordings.orphans import Lack
from recordings.states import Side, State
from recordings.tables import RecordingRow, RecordingSideRow
from recordings.verifying import Checked, verify
from recordings.working import work
from recordings.workshop import Workshop
from web.commands.stores import Stores, say

PROOFS: Final = 1_000
LACKS: Final = {
    Lack.MEDIA: "is stored, says the database, and is not in the store, or is of another size",
    Lack.ROW: "is there, and the database knows no such recording, or says that it was destroyed",
    Lack.KEY: "has no key in keys.db, and opens no more",
    Lack.KEY_ROW: "has a key, and the database knows no such recording (teduh recordings drop-key)",
}


class NotWhole(TeduhError):
    """Something of the recordings is broken or lost."""

    code = "not_whole"


class NotOpened(TeduhError):
    """What was looked at holds, and not all of it was opened."""

    code = "not_opened"


def add(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``teduh recordings …``."""
    actions = commands.add_parser("recordings", help="recordings after their end").add_subparsers(
        required=True, metavar="ACTION"
    )
    one = actions.add_parser("list", help="list what there is, by state; no person is named")
    one.add_argument("--all", action="store_true", help="also what was destroyed")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(command=_list)

    one = actions.add_parser(
        "verify",
        help="check every chain, count, tail, stored byte and key; status 1 when something is broken",
    )
    one.add_argument("id", nargs="?", metavar="ID", help="one recording; all unless given")
    one.add_argument(
        "--wait",
        action="store_true",
        help="go on until all are opened, when there are more than the keyring opens in an hour",
    )
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(command=_verify)

    one = actions.add_parser("orphans", help="find media without rows, rows without media; status 1 if any")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(command=_orphans)

    one = actions.add_parser("work", help="finish and destroy what is due, now; the server does it by itself")
    one.set_defaults(command=_work)

    one = actions.add_parser("retry", help="try one again that is stuck or broken")
    one.add_argument("id", metavar="ID")
    one.set_defaults(command=_retry)

    one = actions.add_parser(
        "lost",
        help="say that stored media of one being destroyed is nowhere any more, so that it gets its proof",
    )
    one.add_argument("id", metavar="ID")
    one.set_defaults(command=_lost)

    one = actions.add_parser("drop-key", help="destroy a key of which the database knows no recording")
    one.add_argument("id", metavar="ID")
    one.set_defaults(command=_drop_key)

    one = actions.add_parser(
        "clock-right",
        help="say that the machine's clock is right, when it leapt and nothing is destroyed because of it",
    )
    one.set_defaults(command=_clock_right)

    one = actions.add_parser("proofs", help="print the proofs of destruction, the newest first")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(command=_proofs)


@asynccontextmanager
async def _workshop(config: Config) -> AsyncIterator[Workshop]:
    async with Stores(config) as stores:
        shop = Workshop.of(config, database=stores.database, master=stores.master, clock=SystemClock())
        try:
            yield shop
        finally:
            await shop.store.close()


async def _list(config: Config, asked: argparse.Namespace) -> None:
    wanted = (
        select(RecordingRow, RecordingSideRow)
        .join(RecordingSideRow, RecordingSideRow.recording_id == RecordingRow.id)
        .order_by(RecordingRow.started_at, RecordingRow.id, RecordingSideRow.side)
    )
    if not asked.all:
        wanted = wanted.where(RecordingRow.state != State.DESTROYED.value)
    async with Stores(config) as stores, stores.database.sessions() as db:
        found = (await db.execute(wanted)).all()
    rows = [
        {
            "id": row.id,
            "state": row.state,
            "side": side.side,
            "side_state": side.state,
            "started_at": rfc3339(row.started_at),
            "expires_at": rfc3339(row.expires_at),
            "bytes": side.final_bytes if side.final_bytes is not None else side.bytes,
            "duration_ms": side.duration_ms,
            "tries": side.tries,
            "problem": side.problem,
        }
        for row, side in found
    ]
    if asked.json:
        say(json.dumps(rows))
        return
    for one in rows:
        tries = f", {one['tries']} tries" if one["tries"] else ""
        problem = f"  {one['problem']}{tries}" if one["problem"] else ""
        say(
            f"{one['id']}  {one['state']:<10}  {one['side']:<9}  {one['side_state']:<9}  "
            f"{one['bytes']:>12} bytes  until {one['expires_at']}{problem}"
        )
    if not rows:
        say("There is no recording.")


async def _verify(config: Config, asked: argparse.Namespace) -> None:
    found: dict[tuple[str, Side], Checked] = {}

    async def wait(seconds: float) -> None:
        if not asked.json:
            waiting = sum(one.waits for one in found.values())
            next_ = f"the next key comes in {math.ceil(seconds / 60)} min"
            say(f"{waiting} of {len(found)} sides are still to be opened: {next_}.")
        await asyncio.sleep(seconds)

    async with _workshop(config) as shop:
        async for one in verify(shop, recording=asked.id, wait=wait if asked.wait else None):
            found[one.recording, one.side] = one
            if not asked.json and one.problem is not None:
                say(f"BROKEN  {one.recording}  {one.side.value:<9}  {one.problem}")
    if asked.json:
        rows = [
            {"id": one.recording, "side": one.side.value, "looked_at": one.what, "problem": one.problem}
            for one in found.values()
        ]
        say(json.dumps(rows))
    waiting = sum(one.waits for one in found.values())
    unopened = (
        f" {waiting} were read and compared, and not opened: the keyring opens only so many keys in an hour. "
        "teduh recordings verify --wait goes on until all are."
    )
    if broken := sum(one.problem is not None for one in found.values()):
        raise NotWhole(f"{broken} of {len(found)} sides do not hold.{unopened if waiting else ''}")
    if waiting:
        raise NotOpened(f"{len(found) - waiting} of {len(found)} sides hold.{unopened}")
    if not asked.json:
        say(f"All {len(found)} sides hold.")


async def _orphans(config: Config, asked: argparse.Namespace) -> None:
    async with _workshop(config) as shop:
        found = await orphans.look(shop)
    if asked.json:
        say(json.dumps([{"lacks": one.lack.value, "name": one.name} for one in found]))
    else:
        for one in found:
            say(f"{one.name}  {LACKS[one.lack]}")
    if found:
        raise NotWhole(f"{len(found)} things have lost their other half.")
    if not asked.json:
        say("Everything has its other half.")


async def _work(config: Config, _asked: argparse.Namespace) -> None:
    async with _workshop(config) as shop:
        done = await work(shop)
    for state, count in sorted(done.items()):
        say(f"{count} {state}")
    say("Nothing else is due.")


async def _retry(config: Config, asked: argparse.Namespace) -> None:
    async with Stores(config) as stores, stores.database.sessions.begin() as db:
        await finishing.retry(db, Audit(stores.master), recording=asked.id)
    say("It is tried again: by the server within seconds, or by teduh recordings work.")


async def _lost(config: Config, asked: argparse.Namespace) -> None:
    now = SystemClock().now()
    async with Stores(config) as stores, stores.database.sessions.begin() as db:
        await ending.give_up_media(db, Audit(stores.master), recording=asked.id, now=now)
    say("What is not in the store is not looked for any more; it gets its proof within seconds.")


async def _drop_key(config: Config, asked: argparse.Namespace) -> None:
    async with _workshop(config) as shop:
        await orphans.drop_key(shop, recording=asked.id)
    say("The key is destroyed: what was sealed for it opens no more.")


async def _clock_right(config: Config, _asked: argparse.Namespace) -> None:
    now = SystemClock().now()
    async with _workshop(config) as shop:
        await asyncio.to_thread(leap.believe, shop.spool, now=now)
    say(f"It is {rfc3339(now)}. What is over by that is destroyed: by the server within seconds.")


async def _proofs(config: Config, asked: argparse.Namespace) -> None:
    async with Stores(config) as stores, stores.database.sessions() as db:
        found = await ending.proofs(db, limit=PROOFS)
    if not asked.json:
        for one in found:
            say(f"{one.recording_id}  {one.why.value:<15}  {one.sentence}")
        return
    rows = [
        {
            "id": one.recording_id,
            "why": one.why.value,
            "asked_at": rfc3339(one.asked_at),
            "key_destroyed_at": rfc3339(one.key_at),
            "backups_until": rfc3339(one.backups_until),
            "media_deleted_at": rfc3339(one.media_at),
            "files": one.files,
            "problem": one.problem,
        }
        for one in found
    ]
    say(json.dumps(rows))
