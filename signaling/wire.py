"""One WebSocket and its bounded outgoing queue, so that a slow reader delays nobody else.

Whatever sends only puts into the queue; one task empties it. Over the limit the connection is cut.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import ClientConnectionResetError
from aiohttp import web as http

from core.ids import ParticipantId, SessionId, UserId
from signaling.beats import MISSED_BEATS, Beats, Due, Pace
from signaling.connection import Connection, Event, State
from signaling.participant import ConnectionId
from signaling.protocol import CloseCode
from signaling.server_messages import ServerMessage, encode

logger = logging.getLogger(__name__)

MAX_QUEUED = 1_024
MAX_QUEUED_BYTES = 1024 * 1024
CUT_AFTER_S = 2.0


@dataclass(frozen=True, slots=True)
class Comer:
    """What an upgrade shows beside its first message: a place by cookie and ticket, and who is logged in.

    ``login`` is the login that the place's cookie was given for: when it ends, so does the connection.
    """

    place: ParticipantId | None = None
    user: UserId | None = None
    login: str | None = None


@dataclass(frozen=True, slots=True)
class _Ping:
    """A ping frame to be sent; its one byte says which it is."""

    mark: bytes


@dataclass(frozen=True, slots=True)
class _Pong:
    """A pong frame to be sent."""

    data: bytes


@dataclass(frozen=True, slots=True)
class _Close:
    """The end, after everything queued before it."""

    code: CloseCode
    reason: str


_Item = str | _Ping | _Pong | _Close


class Wire:
    """A connection with its socket. ``close`` may be called in any state and more than once."""

    def __init__(
        self,
        number: ConnectionId,
        socket: http.WebSocketResponse,
        *,
        cut: Callable[[], None],
        device: str,
        comer: Comer,
        now_s: float,
    ) -> None:
        self.id = number
        self.machine = Connection(opened_s=now_s)
        self.device = device
        self.comer = comer
        self.session: SessionId | None = None
        self.participant: ParticipantId | None = None
        # How long the last ping took and when something last came, None and -inf before; see ``ponged``.
        self.rtt_ms: float | None = None
        self.heard_s = float("-inf")
        # The other end's close code (RFC 6455, 7.1.5), 1006 when it went without one.
        self.closed_with: int | None = None
        self._pings = 0
        self._pinged_s: dict[bytes, float] = {}
        self._beats = Beats(now_s)
        self._socket = socket
        self._cut = cut
        self._waiting: deque[_Item] = deque()
        self._news = asyncio.Event()
        self._queued_bytes = 0
        self._cutting: asyncio.TimerHandle | None = None

    @property
    def is_open(self) -> bool:
        """Whether anything may still be sent."""
        return self.machine.state is not State.CLOSED

    def send_text(self, text: str) -> None:
        """Queue a message; cuts the connection when too much waits."""
        if not self.is_open:
            return
        if len(self._waiting) >= MAX_QUEUED or self._queued_bytes + len(text) > MAX_QUEUED_BYTES:
            logger.warning("signal.slow_reader", extra={"connection": self.id})
            self.machine.apply(Event.CLOSE)
            self._cut()
            return
        self._queued_bytes += len(text)
        self._put(text)

    def _put(self, item: _Item) -> None:
        self._waiting.append(item)
        self._news.set()

    def send_unnumbered(self, message: ServerMessage) -> None:
        """Queue a message that stands outside the participant's numbering (``seq`` 0)."""
        self.send_text(encode(message, seq=0))

    def alive(self, now_s: float) -> None:
        """Note a sign of life."""
        self._beats.heard()
        self.heard_s = now_s

    def ponged(self, data: bytes, now_s: float) -> None:
        """Take a pong frame: a sign of life, and the round trip of the ping it answers."""
        self.alive(now_s)
        sent_s = self._pinged_s.pop(bytes(data), None)
        if sent_s is not None:
            self.rtt_ms = (now_s - sent_s) * 1000

    def beat(self, now_s: float, pace: Pace) -> bool:
        """Send a ping frame when one is due; False once three went without a sign of life."""
        due = self._beats.due(now_s, pace) if self.is_open else Due.NOTHING
        if due is not Due.PING:
            return due is Due.NOTHING
        self._pings = (self._pings + 1) % 256
        mark = bytes([self._pings])
        if len(self._pinged_s) > MISSED_BEATS:
            del self._pinged_s[next(iter(self._pinged_s))]
        self._pinged_s[mark] = now_s
        self._put(_Ping(mark))
        return True

    def pong(self, data: bytes) -> None:
        """Answer a ping frame of the client."""
        if self.is_open and len(self._waiting) < MAX_QUEUED:
            self._put(_Pong(data))

    def close(self, code: CloseCode, reason: str = "") -> None:
        """Close after what is queued; if that does not go through, cut."""
        if not self.is_open:
            return
        self.machine.apply(Event.CLOSE)
        self._put(_Close(code, reason))
        self._cutting = asyncio.get_running_loop().call_later(CUT_AFTER_S, self._cut)

    def closed(self) -> None:
        """Note that the socket is gone."""
        self.machine.apply(Event.CLOSE)
        if self._cutting is not None:
            self._cutting.cancel()

    async def write(self) -> None:
        """Send what is queued until the connection closes. Runs as a task of the endpoint."""
        try:
            while True:
                await self._news.wait()
                self._news.clear()
                while self._waiting:
                    if not await self._write(self._waiting.popleft()):
                        return
        except (ConnectionError, ClientConnectionResetError, RuntimeError):
            # The reader sees the same end and tells the hub.
            self._cut()

    async def _write(self, item: _Item) -> bool:
        """Send one item; False after the last one."""
        match item:
            case str():
                self._queued_bytes -= len(item)
                await self._socket.send_str(item)
            case _Ping():
                await self._socket.ping(item.mark)
            case _Pong():
                await self._socket.pong(item.data)
            case _Close():
                await self._socket.close(code=item.code, message=item.reason.encode()[:120])
                return False
        return True
