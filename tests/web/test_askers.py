"""Waiting for Argon2: who has gone is not worked for, and no address keeps another out."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from accounts import turns
from accounts.turns import Asker
from tests.web.browsing import get, post
from tests.web.conftest import Client
from web.services import SERVICES

WRONG = {"login": "sri", "password": "salah sekali ini"}


async def until_waiting(client: Client, many: int) -> None:
    line = client.app[SERVICES].passwords._turns
    async with asyncio.timeout(5):
        while line.waiting != many:  # noqa: ASYNC110  # the line tells nobody how long it is
            await asyncio.sleep(0.01)


async def test_nobody_computes_for_a_connection_that_was_closed(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = client.server.runner
    assert served is not None
    monkeypatch.setattr(served.server, "handler_cancellation", False)  # as teduh serve has it
    passwords, worked = client.app[SERVICES].passwords, list[str]()

    def verify(_kept: str, secret: str) -> bool:
        worked.append(secret)
        return False

    monkeypatch.setattr(passwords, "_verify", verify)
    fields = (await get(client, "/staff/login")).form("/staff/login") | WRONG
    inside = Asker("inside")
    async with passwords._turns.turn(inside), passwords._turns.turn(inside):
        leaving = asyncio.create_task(post(client, "/staff/login", fields | {"password": "gone"}))
        await until_waiting(client, 1)
        leaving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await leaving
        staying = asyncio.create_task(post(client, "/staff/login", fields | {"password": "here"}))
        await until_waiting(client, 2)
    assert (await staying).status == 422
    assert worked == ["here"]


async def test_a_full_line_of_one_address_keeps_nobody_else_out(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "MOST_WAITING", 3)
    line = client.app[SERVICES].passwords._turns
    fields = (await get(client, "/staff/login")).form("/staff/login") | WRONG

    async def come() -> None:
        async with line.turn(Asker("203.0.113.7")):
            pass

    async with line.turn(Asker("inside")), line.turn(Asker("inside")):
        flood = [asyncio.create_task(come()) for _ in range(3)]
        await until_waiting(client, 3)
        asked = asyncio.create_task(post(client, "/staff/login", fields))
        done, _ = await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED, timeout=5)
        assert done == {flood[-1]}
    assert "does not fit" in (await asked).text
    await asyncio.gather(*flood, return_exceptions=True)
