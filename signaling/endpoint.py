"""``GET /api/v1/signal``: the WebSocket's edge. Bytes come in and go out here and nowhere else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import WSMessage, WSMsgType
from aiohttp import web as http

from signaling.device import describe
from signaling.hub import Hub
from signaling.protocol import MAX_FRAME_BYTES, SUBPROTOCOL, CloseCode
from signaling.unseated import Unseated
from signaling.wire import Comer, Wire

logger = logging.getLogger(__name__)

PATH = "/api/v1/signal"
CLOSE_TIMEOUT_S = 1.0
# aiohttp drops the connection at a frame of this size, unread: the client may see no close code. What
# is too large, but not by much, is therefore read, and closed with a whole handshake.
READ_BYTES = 8 * MAX_FRAME_BYTES

ComerOf = Callable[[http.Request], Comer]
Handler = Callable[[http.Request], Awaitable[http.StreamResponse]]


def signal_handler(
    hub: Hub,
    *,
    comer_of: ComerOf,
    origin_allowed: Callable[[str], bool],
    address_of: Callable[[http.Request], str],
) -> Handler:
    """Make the handler of the WebSocket.

    ``origin_allowed`` says whether pages of an origin may open it: PUBLIC_URL's and the embedders'.

    ``comer_of`` reads the place's cookie and its ticket (the ``teduh.ticket.`` entry of the
    subprotocols), which count together or not at all, and says who is logged in.

    ``address_of`` says who asks, as far as sockets without a seat are counted by it.
    """
    unseated = Unseated(hub.settings.unseated_per_address)

    async def signal(request: http.Request) -> http.StreamResponse:
        refusal = _refuse(request, hub, origin_allowed)
        if refusal is not None:
            return refusal
        socket = http.WebSocketResponse(
            protocols=(SUBPROTOCOL,),
            compress=False,
            max_msg_size=READ_BYTES,
            autoping=False,
            timeout=CLOSE_TIMEOUT_S,
        )
        wire = Wire(
            hub.next_connection(),
            socket,
            cut=lambda: _cut(request),
            device=describe(request.headers.get("User-Agent", "")),
            comer=comer_of(request),
            now_s=hub.clock.monotonic(),
        )
        address = address_of(request)
        if not unseated.enter(address, wire):
            return http.Response(
                status=429, headers={"Retry-After": "5"}, text="Too many sockets wait here.\n"
            )
        try:
            await socket.prepare(request)
            await _serve(hub, wire, socket)
        finally:
            unseated.leave(address, wire)
        return socket

    return signal


def _refuse(request: http.Request, hub: Hub, origin_allowed: Callable[[str], bool]) -> http.Response | None:
    """Say why this upgrade is not taken, None when it is."""
    origin = request.headers.get("Origin")
    if origin is not None and not origin_allowed(origin):
        return http.Response(status=403, text="This origin may not open the session socket.\n")
    offered = {
        name.strip()
        for line in request.headers.getall("Sec-WebSocket-Protocol", [])
        for name in line.split(",")
    }
    if SUBPROTOCOL not in offered:
        return http.Response(status=400, text=f"Offer the subprotocol {SUBPROTOCOL}.\n")
    if hub.is_closing:
        return http.Response(status=503, headers={"Retry-After": "1"}, text="The server restarts.\n")
    return None


def _cut(request: http.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _serve(hub: Hub, wire: Wire, socket: http.WebSocketResponse) -> None:
    """Read until the connection ends; a second task writes."""
    hub.opened(wire)
    writing = asyncio.get_running_loop().create_task(wire.write())
    try:
        # Once we close, the closing handshake does the reading: unread data would reset the connection
        # and the client would never see the close code.
        while wire.is_open and not socket.closed:
            if not await _take(hub, wire, await socket.receive()):
                break
    except Exception:
        logger.exception("signal.read_failed", extra={"connection": wire.id})
        hub.mistook()
    finally:
        try:
            if not wire.is_open:
                # The server closes: the writer is in the closing handshake, which must not be cut short.
                await asyncio.wait({writing}, timeout=CLOSE_TIMEOUT_S + 0.5)
        finally:
            # Also when the server cancels this handler because the client went first.
            wire.closed_with = socket.close_code
            hub.gone(wire)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)


async def _take(hub: Hub, wire: Wire, message: WSMessage) -> bool:
    """Take one frame; False after the last one."""
    match message.type:
        case WSMsgType.TEXT if len(message.data.encode()) > MAX_FRAME_BYTES:
            wire.close(CloseCode.TOO_BIG)
        case WSMsgType.BINARY if len(message.data) > MAX_FRAME_BYTES:
            wire.close(CloseCode.TOO_BIG)
        case WSMsgType.TEXT:
            await hub.hearing.received(wire, message.data)
        case WSMsgType.BINARY:
            hub.hearing.malformed(wire, "messages are text frames")
        case WSMsgType.PING:
            wire.alive(hub.clock.monotonic())
            wire.pong(message.data)
        case WSMsgType.PONG:
            wire.ponged(message.data, hub.clock.monotonic())
        case _:
            return False
    return True
