"""Whether the time of an answer tells who has an account: medians of 1,000 tries each way.

    python -m bench.enumeration [--tries 1000] [--database URL]

Two kinds of guess take turns against the real server: a recovery code whose look-up part exists, and one
whose does not; a password for a login name that exists, and for one that does not. Every existing one is
tried once, so that nothing is throttled.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from accounts import login_names, people, recovery
from accounts.codes import ALPHABET, Codes
from accounts.passwords import Passwords
from accounts.recovery import Code
from accounts.roles import Role
from bench.forms import FilledForm, opened
from bench.report import Figure, publish
from core.db import Database
from core.keyfile import master_key
from migrations.run import upgrade
from tests.e2e.server import Server

LIMIT_MS = 5.0
WRONG = 422
WARM_UP = 20


def lookup(number: int) -> str:
    """The look-up part of one of many."""
    return "".join(ALPHABET[(number >> (5 * place)) & 31] for place in range(recovery.LOOKUP_CHARS))


async def settle(server: Server, url: str, count: int) -> None:
    """Make so many clients with codes, and staff with passwords."""
    master = master_key(server.data_dir)
    database, passwords, codes = Database(url), Passwords(master), Codes(master)
    await upgrade(database)
    hashed = await passwords.hash("a password that nobody tries")
    now = datetime.now(UTC)
    async with database.sessions.begin() as db:
        for number in range(count):
            client = await people.create_client(db, name="Embun", language="id", adult=True, now=now)
            code = Code(lookup(2 * number), "")
            await recovery.keep(db, codes, user=client.id, code=code, secret_hash=hashed, now=now)
            staff = await people.create_staff(db, name="Sri", language="id", roles=[Role.ADMIN], now=now)
            await login_names.keep(db, user=staff.id, login=f"there{number}", hashed=hashed, now=now)
    passwords.close()
    await database.close()


async def compare(form: FilledForm, ways: dict[str, list[dict[str, str]]]) -> dict[str, float]:
    """Send each way's guesses in turns; gives the medians in ms."""
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for guesses in zip(*ways.values(), strict=True):
        for way, fields in zip(ways, guesses, strict=True):
            status, took_ms = await form.send(**fields)
            assert status == WRONG, status
            taken[way].append(took_ms)
    return {way: statistics.median(times[WARM_UP:]) for way, times in taken.items()}


async def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--tries", type=int, default=1000)
    asked.add_argument("--database", default="", help="SQLite in a directory of its own unless given")
    options = asked.parse_args()
    count = options.tries + WARM_UP
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "var", extra={"TEDUH_LOG_LEVEL": "WARNING"})
        server.data_dir.mkdir()
        url = options.database or f"sqlite:///{server.data_dir / 'teduh.db'}"
        server.extra["TEDUH_DATABASE_URL"] = url
        await settle(server, url, count)
        server.start()
        try:
            async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
                code = await compare(
                    await opened(http, f"{server.url}/enter"),
                    {
                        way: [
                            {"code": lookup(2 * number + odd) + "0" * 12, "phone": "shared"}
                            for number in range(count)
                        ]
                        for way, odd in (("there", 0), ("not there", 1))
                    },
                )
                name = await compare(
                    await opened(http, f"{server.url}/staff/login"),
                    {
                        way: [{"login": f"{word}{number}", "password": "wrong"} for number in range(count)]
                        for way, word in (("there", "there"), ("not there", "gone"))
                    },
                )
        finally:
            server.stop()
    kind = url.partition(":")[0]
    publish(
        f"enumeration on {kind}",
        [
            _figure(f"wrong recovery code, {options.tries} tries each, {kind}", code),
            _figure(f"wrong password, {options.tries} tries each, {kind}", name),
        ],
    )


def _figure(what: str, medians: dict[str, float]) -> Figure:
    apart_ms = abs(medians["there"] - medians["not there"])
    said = f"{apart_ms:.2f} ms apart ({medians['there']:.1f} and {medians['not there']:.1f} ms)"
    return Figure(what, said, f"at most {LIMIT_MS:.0f} ms apart", apart_ms <= LIMIT_MS)


if __name__ == "__main__":
    asyncio.run(main())
