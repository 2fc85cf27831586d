"""``GET /api/v1/alarms``: a WebSocket that tells a page of the staff how many alarms sound on it.

It sends ``{"alarms": 1, "drops": 0, "own": 0}`` when it opens and whenever a number is another one, and takes
nothing: urgent calls; lines that broke under a risk flag; for the room, what the client said whom this person
talks with. It closes by itself after a while, so that a login that has ended hears no more than that.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from aiohttp import WSCloseCode
from aiohttp import web as http

from accounts.roles import Permission
from web.drops import DROPS
from web.escalation import CALLS
from web.gate import add, check_origin, person_of

LIFE_S: Final = 600.0
HEARTBEAT_S: Final = 30.0
CLOSE_S: Final = 1.0
"""How long a browser may take to say goodbye."""
MAX_BYTES: Final = 256
SOCKETS: Final = http.AppKey("alarm_sockets", set[http.WebSocketResponse])


async def listen(request: http.Request) -> http.WebSocketResponse:
    """Answer the upgrade; browsers name the page that asks, and another site's hears nothing."""
    check_origin(request)
    calls, drops, person = request.app[CALLS], request.app[DROPS], person_of(request)
    socket = http.WebSocketResponse(
        heartbeat=HEARTBEAT_S, timeout=CLOSE_S, compress=False, max_msg_size=MAX_BYTES
    )
    await socket.prepare(request)
    changed = asyncio.Event()
    for source in (calls, drops):
        source.listeners.add(changed.set)
    request.app[SOCKETS].add(socket)
    reading = asyncio.create_task(_read(socket), name="alarm socket")
    reading.add_done_callback(lambda _: changed.set())
    told = None
    try:
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(LIFE_S):
                while not reading.done():
                    changed.clear()
                    counts = {
                        "alarms": calls.count(person),
                        "drops": drops.count(person),
                        "own": calls.count_own(person),
                    }
                    if counts != told:
                        await socket.send_json(counts)
                        told = counts
                    await changed.wait()
    except TimeoutError:
        pass  # its life is over; the page opens another one
    finally:
        for source in (calls, drops):
            source.listeners.discard(changed.set)
        request.app[SOCKETS].discard(socket)
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        await socket.close()
    return socket


async def _read(socket: http.WebSocketResponse) -> None:
    """Wait for the end; whoever says something is not listened to any more."""
    await socket.receive()


def setup(app: http.Application) -> None:
    """Add the route, and have all sockets closed when the server goes."""
    sockets: set[http.WebSocketResponse] = set()
    app[SOCKETS] = sockets

    async def close_all(_app: http.Application) -> None:
        await asyncio.gather(*(one.close(code=WSCloseCode.GOING_AWAY) for one in tuple(sockets)))

    app.on_shutdown.append(close_all)
    add(app, "GET", "/api/v1/alarms", listen, Permission.DUTY)
