"""A network between clients and one port of a server: UDP and TCP on one port number of its own.

The server advertises the proxy's address and port (``TEDUH_MEDIA_ADDRESSES=address:port``), so all
media of a participant goes through it and meets the conditions that the test sets.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

from tests.netem.model import CLEAN, CUT, Conditions, Line

Address = tuple[str, int]
_CHUNK_BYTES = 16 * 1024


class Proxy:
    """Forwards every client's datagrams and connections to ``target``.

    ``up`` and ``down`` are the two directions. ``cut()`` and ``heal()``, ``rebind()``,
    ``move()``, ``block_udp()`` and ``reset_tcp()`` may be called at any time.
    """

    def __init__(self, target: Address, *, seed: int = 1, udp: bool = True) -> None:
        self.target = target
        self.up = Line(seed=seed)
        self.down = Line(seed=seed + 1)
        self.host = ""
        self.port = 0
        self.udp_blocked = False
        self.udp_packets = 0
        self.tcp_bytes = 0
        self._with_udp = udp
        self._dead: set[Address] = set()
        self._flows: dict[Address, _Flow] = {}
        self._pipes: set[_Pipe] = set()
        self._front: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._open = asyncio.Event()
        self._open.set()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Bind; returns the port number, the same for UDP and TCP."""
        loop = asyncio.get_running_loop()
        self._server = await asyncio.start_server(self._accept, host, port)
        self.host = host
        self.port = self._server.sockets[0].getsockname()[1]
        if self._with_udp:
            transport, _ = await loop.create_datagram_endpoint(
                lambda: _Front(self), local_addr=(host, self.port)
            )
            self._front = transport
        return self.port

    @property
    def netloc(self) -> str:
        """Host and port as they stand in a URL."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def set(self, up: Conditions = CLEAN, down: Conditions | None = None) -> None:
        """Set the conditions of both directions; ``down`` is as ``up`` unless given."""
        self.up.conditions = up
        self.down.conditions = up if down is None else down
        cut = self.up.conditions.cut or self.down.conditions.cut
        (self._open.clear if cut else self._open.set)()

    def cut(self) -> None:
        """Nothing passes any more; TCP connections stand still."""
        self.set(CUT)

    def heal(self) -> None:
        """Everything passes again, without faults."""
        self.set(CLEAN)

    def rebind(self) -> None:
        """As if the NAT forgot all bindings: new source ports towards the server, TCP is reset."""
        for flow in self._flows.values():
            flow.close()
        self._flows.clear()
        self.reset_tcp()

    def move(self) -> None:
        """As if the client's address was gone: its sockets are dead, only new ones get through."""
        self._dead.update(self._flows)
        self.rebind()

    def block_udp(self, *, blocked: bool = True) -> None:
        """Drop every datagram in both directions; TCP passes."""
        self.udp_blocked = blocked

    def reset_tcp(self) -> None:
        """Abort every TCP connection."""
        for pipe in list(self._pipes):
            pipe.abort()

    async def close(self) -> None:
        """Stop and drop everything. Idempotent."""
        self.rebind()
        if self._front is not None:
            self._front.close()
        if self._server is not None:
            self._server.close()
            await asyncio.gather(*(pipe.done() for pipe in list(self._pipes)))

    def _from_client(self, data: bytes, client: Address) -> None:
        self.udp_packets += 1
        if self.udp_blocked or client in self._dead:
            return
        flow = self._flows.get(client)
        if flow is None:
            flow = self._flows[client] = _Flow(self, client)
        _later(self.up, len(data), lambda: flow.send(data))

    def _from_server(self, data: bytes, client: Address) -> None:
        self.udp_packets += 1
        front = self._front
        if not self.udp_blocked and front is not None:
            _later(self.down, len(data), lambda: front.sendto(data, client))

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._open.wait()
        try:
            far = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        pipe = _Pipe(self, (reader, writer), far)
        self._pipes.add(pipe)
        try:
            await pipe.run()
        finally:
            self._pipes.discard(pipe)


def _later(line: Line, size_bytes: int, deliver: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    now_s = loop.time()
    at_s = line.deliver_at(now_s, size_bytes)
    if at_s is None:
        return
    if at_s <= now_s:
        deliver()
    else:
        loop.call_at(at_s, deliver)


class _Front(asyncio.DatagramProtocol):
    """The socket that clients see."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._proxy._from_client(data, cast("Address", addr))

    def error_received(self, exc: Exception) -> None:
        """A client that is gone."""


class _Flow:
    """One client's way to the server: a connected socket of its own, as a NAT keeps one."""

    def __init__(self, proxy: Proxy, client: Address) -> None:
        self._proxy = proxy
        self._client = client
        self._loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in proxy.target[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self._socket.connect(proxy.target)
        self._loop.add_reader(self._socket.fileno(), self._readable)
        self._closed = False

    def send(self, data: bytes) -> None:
        if not self._closed:
            try:
                self._socket.send(data)
            except OSError:
                return

    def _readable(self) -> None:
        for _ in range(64):
            try:
                data = self._socket.recv(65_536)
            except OSError:
                return
            self._proxy._from_server(data, self._client)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()


_Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Pipe:
    """One TCP connection through the proxy: two streams joined both ways."""

    def __init__(self, proxy: Proxy, near: _Ends, far: _Ends) -> None:
        self._proxy = proxy
        self._near = near
        self._far = far
        self._done = asyncio.Event()

    async def run(self) -> None:
        """Copy until either side closes."""
        up = asyncio.ensure_future(self._copy(self._near[0], self._far[1], self._proxy.up))
        down = asyncio.ensure_future(self._copy(self._far[0], self._near[1], self._proxy.down))
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            self._near[1].close()
            self._far[1].close()
            self._done.set()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: Line) -> None:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=256)
        sending = asyncio.ensure_future(self._drain(queue, writer))
        try:
            while data := await reader.read(_CHUNK_BYTES):
                await self._proxy._open.wait()
                self._proxy.tcp_bytes += len(data)
                await queue.put((line.stream_at(loop.time(), len(data)), data))
            await queue.join()
        except OSError:
            return
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _drain(self, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        while True:
            at_s, data = await queue.get()
            await asyncio.sleep(max(0.0, at_s - loop.time()))
            await self._proxy._open.wait()
            try:
                writer.write(data)
                await writer.drain()
            except OSError:
                writer.transport.abort()
            queue.task_done()

    def abort(self) -> None:
        """Reset both connections."""
        self._near[1].transport.abort()
        self._far[1].transport.abort()

    async def done(self) -> None:
        """Wait until both directions ended."""
        await self._done.wait()
