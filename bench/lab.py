"""The laboratory of bad lines: a server, two Chromiums, a network for each, and faults done to them."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, async_playwright

from accounts import logins, people
from accounts.logins import Stage as Login
from accounts.roles import Role
from bench.confusion import GRADE, Said
from core.db import Database
from tests.browser.conftest import Call, Stage, set_up
from tests.browser.driver import Person, chromium
from tests.browser.media import BLUE, RED
from tests.netem.faults import Deed, Fault, Side
from tests.netem.network import Network

AT_ONCE_S = 9.0  # what cannot be undone is looked at for so long


@dataclass(slots=True)
class Doing:
    """A call, and what a fault needs of it."""

    call: Call

    def network(self, side: Side) -> Network:
        return self.call.stage.red if side is Side.CLIENT else self.call.stage.blue

    def person(self, side: Side) -> Person:
        return self.call.red if side is Side.CLIENT else self.call.blue

    async def do(self, fault: Fault, *, at_once_s: float = AT_ONCE_S) -> float:
        """Do a fault and undo it when its time is over; returns since when coming back counts.

        After what cannot be undone it waits for ``at_once_s``.
        """
        began = time.time()
        match fault.deed:
            case Deed.LINE:
                self.network(fault.side).set(fault.up, fault.down)
                await asyncio.sleep(fault.seconds)
                self.network(fault.side).heal()
                return time.time()
            case Deed.STAND_STILL:
                process = self.call.stage.server.process
                assert process is not None
                process.send_signal(signal.SIGSTOP)
                try:
                    await asyncio.sleep(fault.seconds)
                finally:
                    process.send_signal(signal.SIGCONT)
                return time.time()
            case Deed.REBIND:
                self.network(fault.side).rebind()
            case Deed.MOVE:
                self.network(fault.side).move()
            case Deed.BLOCK_UDP:
                self.network(fault.side).media.block_udp()
            case Deed.CLOSE_PAGE:
                await self.person(fault.side).page.close()
        await asyncio.sleep(at_once_s)
        return began

    async def record(self) -> dict[str, Any]:
        """The session's whole quality record."""
        stage = self.call.stage
        return await stage.server.get(stage.http, f"/api/v1/sessions/{self.call.session.id}/quality")

    async def said(self, since: float) -> list[Said]:
        """What the record says since a moment. An event of nobody's is the server's."""
        session = self.call.session
        names = {each.participant: each.role for each in (session.client, session.counselor)}
        found = (_said(event, names, since) for event in (await self.record())["events"])
        return [one for one in found if one.after_s >= 0]

    async def end(self) -> None:
        """End the session: nobody watches it any more."""
        server = self.call.stage.server
        assert server.key is not None
        url = f"{server.url}/api/v1/sessions/{self.call.session.id}/end"
        async with self.call.stage.http.post(
            url, json={"reason": "measured"}, headers=server.key.bearer()
        ) as answer:
            assert answer.status == 204, await answer.text()


async def metrics(stage: Stage) -> str:
    """What Prometheus is told."""
    async with stage.http.get(f"{stage.server.url}/metrics") as answer:
        assert answer.status == 200, await answer.text()
        return await answer.text()


async def report_page(stage: Stage, session: str) -> str:
    """The report of a session as an admin reads it who has just logged in."""
    token, now = logins.new_token(), dt.datetime.now(dt.UTC)
    database = Database(f"sqlite:///{stage.server.data_dir / 'teduh.db'}")
    async with database.sessions.begin() as db:
        admin = await people.create_staff(db, name="Sari", language="en", roles=[Role.ADMIN], now=now)
        await logins.open_login(
            db, person=admin, token=token, stage=Login.FULL, device="bench", own_phone=False, now=now
        )
    await database.close()
    url = f"{stage.server.url}/quality/sessions/{session}"
    async with stage.http.get(url, headers={"Cookie": f"teduh_login={token}"}) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.text()


def _said(event: dict[str, Any], names: dict[str, str], since: float) -> Said:
    detail = event["detail"]
    at = dt.datetime.fromisoformat(event["at"]).timestamp()
    return Said(
        after_s=round(at - since, 3),
        event=event["kind"],
        side=str(detail.get("whose") or names.get(event["participant"], Side.SERVER.value)),
        kind=str(detail.get("kind") or ""),
        direction=str(detail.get("direction") or ""),
        grade=str(detail.get("to") or "") if event["kind"] == GRADE else "",
    )


@contextlib.asynccontextmanager
async def laboratory() -> AsyncIterator[tuple[Stage, Browser, Browser]]:
    """A server, a network for each side, and two Chromiums with pictures that take what the line gives."""
    with tempfile.TemporaryDirectory() as folder:
        stage = await set_up(Path(folder) / "data")
        try:
            async with async_playwright() as playwright:
                looks = (replace(RED, busy=True), replace(BLUE, busy=True))
                red, blue = await asyncio.gather(
                    *(chromium(playwright, look, Path(folder)) for look in looks)
                )
                yield stage, red, blue
                await red.close()
                await blue.close()
        finally:
            await stage.close()
