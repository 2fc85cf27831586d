"""The peer's WebSocket (signaling.md, "The WebSocket"): JSON messages, `ref`s and the close code."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
from collections.abc import Callable
from typing import Any

import aiohttp

Message = dict[str, Any]
WAIT_S = 5.0


class WireClosed(Exception):
    """The WebSocket closed while a message was awaited."""

    def __init__(self, code: int | None, wanted: str) -> None:
        super().__init__(f"closed with {code} while waiting for {wanted}")
        self.code = code


class Wire:
    """One WebSocket. ``log`` has all that came; ``expect`` takes each message at most once."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.websocket = websocket
        self.log: list[Message] = []
        self.close_code: int | None = None
        self.listeners: list[Callable[[Message], None]] = []
        self._unread: list[Message] = []
        self._news = asyncio.Condition()
        # Unique in the session: a page that is loaded again must not reuse the last one's.
        self._refs = (f"{secrets.token_hex(4)}-{number}" for number in itertools.count(1))
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        http: aiohttp.ClientSession,
        url: str,
        *,
        protocols: tuple[str, ...] = ("teduh.v1",),
        headers: dict[str, str] | None = None,
        answers_pings: bool = True,
    ) -> Wire:
        """Upgrade ``url`` (http or ws). Raises aiohttp.WSServerHandshakeError when refused."""
        websocket = await http.ws_connect(
            url, protocols=protocols, headers=headers, autoping=answers_pings, max_msg_size=0
        )
        wire = cls(websocket)
        wire._reading = asyncio.get_running_loop().create_task(wire._read())
        return wire

    async def _read(self) -> None:
        async for frame in self.websocket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                continue
            message = json.loads(frame.data)
            self.log.append(message)
            for listener in self.listeners:
                listener(message)
            async with self._news:
                self._unread.append(message)
                self._news.notify_all()
        async with self._news:
            self.close_code = self.websocket.close_code
            self._news.notify_all()

    async def expect(self, kind: str, *, within_s: float = WAIT_S, **fields: object) -> Message:
        """The oldest unread message of that type with these fields. Raises TimeoutError, WireClosed."""
        wanted = f"{kind} {fields}"
        try:
            async with asyncio.timeout(within_s), self._news:
                while True:
                    for message in self._unread:
                        if message.get("type") == kind and _has(message, fields):
                            self._unread.remove(message)
                            return message
                    if self.close_code is not None or self.websocket.closed:
                        raise WireClosed(self.close_code, wanted)
                    await self._news.wait()
        except TimeoutError:
            seen = [message.get("type") for message in self.log]
            raise TimeoutError(f"no {wanted} in {within_s} s; came: {seen}") from None

    async def closed(self, *, within_s: float = WAIT_S) -> int | None:
        """Wait for the close; returns its code."""
        async with asyncio.timeout(within_s), self._news:
            while self.close_code is None:
                await self._news.wait()
        return self.close_code

    async def send(self, kind: str, **fields: object) -> None:
        """Send a message without `ref`."""
        await self.websocket.send_str(json.dumps({"type": kind, **fields}))

    async def send_text(self, text: str) -> None:
        """Send a text frame as it is."""
        await self.websocket.send_str(text)

    async def request(self, kind: str, **fields: object) -> str:
        """Send a message with a fresh `ref`; returns the `ref`."""
        ref = next(self._refs)
        await self.send(kind, ref=ref, **fields)
        return ref

    async def ask(self, kind: str, **fields: object) -> None:
        """Send a message with a fresh `ref` and wait for its `ok`."""
        ref = await self.request(kind, **fields)
        await self.expect("ok", ref=ref)

    def last_seq(self) -> int:
        """The highest `seq` seen."""
        return max((int(message.get("seq", 0)) for message in self.log), default=0)

    async def close(self) -> None:
        """Close with 1000. Idempotent."""
        await self.websocket.close()
        await self._stop_reading()

    async def kill(self) -> None:
        """Drop the TCP connection without a closing handshake."""
        connection = self.websocket._conn
        if connection is not None and connection.transport is not None:
            connection.transport.abort()
        self.websocket._response.close()
        await self._stop_reading()

    async def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)


def _has(message: Message, fields: dict[str, object]) -> bool:
    return all(message.get(name) == value for name, value in fields.items())
