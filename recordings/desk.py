"""The process that records, seen from the server: started, fed without ever waiting for it, started again.

Packets are gathered and leave in one write every 40 ms, or when 256 KiB have come together: to put one is two
copies. A process that does not keep up costs memory up to a bound, then the recordings, and never a call.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Final, Protocol

import msgspec

from recordings.sides import Side
from recordings.wire import HEAD, Lines, Open, Told, ToldAlive, What

logger = logging.getLogger(__name__)

ROOT: Final = Path(__file__).parent.parent
GATHER_S: Final = 0.04
GATHER_BYTES: Final = 256 * 1024
MOST_BYTES: Final = 32 << 20
"""What may wait for the recording process: 20 sessions of five seconds."""
PATIENCE_S: Final = 10.0
"""A process that has said nothing for so long, though something is recorded, stands still."""
MEMORY: Final = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(32 << 20),
}
"""For glibc's malloc (mallopt(3)): each record is tenths of a megabyte in a thread of its own, and pages that
are given back to the system and taken again cost a fifteenth of the process' time."""
EXIT_WITHIN_S: Final = 10.0
AGAIN_AFTER_S: Final = 1.0


class Listener(Protocol):
    """Who recorded with it."""

    def told(self, side: Side, told: Told) -> None:
        """Take what is said of a side."""
        ...

    def lost(self) -> None:
        """Take that the process is gone."""
        ...


class Desk:
    """Owns the one recording process; one for each application."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._buffer = bytearray()
        self._waiting: list[memoryview] = []
        self._waiting_bytes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._again: asyncio.TimerHandle | None = None
        self._lines = Lines()
        self._heard_s = 0.0
        self._numbers = itertools.count(1)
        self._channels: dict[int, tuple[Side, Listener]] = {}
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The recording process, None while there is none."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the process unless it runs. It gets no setting of ours, and so no secret.

        Nor does it take a module from the directory that the server runs in (-P): packets are in the clear.
        """
        if self._process is not None:
            return
        ours, theirs = socket.socketpair()
        with theirs:
            ours.settimeout(0)
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
            self._process = subprocess.Popen(  # noqa: S603  # this interpreter, and a module of ours
                [sys.executable, "-P", "-m", "recordings.taping", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={"PYTHONPATH": str(ROOT), **MEMORY},
            )
        self._socket = ours
        self._lines = Lines()
        asyncio.get_running_loop().add_reader(ours.fileno(), self._readable)
        logger.info("recording.process_started", extra={"pid": self._process.pid})

    async def close(self) -> None:
        """End the process once all that was put is on the disk. Idempotent; recorders are closed before."""
        self._closed = True
        if self._again is not None:
            self._again.cancel()
        process, sock = self._process, self._socket
        if process is None or sock is None:
            return
        self._flush()
        loop = asyncio.get_running_loop()
        loop.remove_reader(sock.fileno())
        loop.remove_writer(sock.fileno())
        await asyncio.to_thread(_hand_over, sock, self._waiting)
        self._process = self._socket = None
        try:
            await asyncio.to_thread(process.wait, EXIT_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)

    # --- putting

    def open(self, opening: Open, listener: Listener) -> int:
        """Begin a side; returns its channel. What is said of it goes to ``listener``."""
        channel = next(self._numbers)
        if not self._channels:
            self._heard_s = time.monotonic()
        self._channels[channel] = (opening.side, listener)
        self.put(What.OPEN, channel, opening.started_s, msgspec.json.encode(opening))
        if self._socket is None:
            asyncio.get_running_loop().call_soon(self._lose, [channel])
        return channel

    def forget(self, channel: int) -> None:
        """Hear no more of a side."""
        self._channels.pop(channel, None)

    def put(self, what: What, channel: int, now_s: float, body: bytes | memoryview = b"") -> None:
        """Hand something on, in order, without waiting."""
        buffer = self._buffer
        if not buffer and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_S, self._flush)
        buffer += HEAD.pack(len(body), what, channel, now_s)
        buffer += body
        if len(buffer) > GATHER_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not self._buffer:
            return
        gathered, self._buffer = memoryview(self._buffer), bytearray()
        if self._socket is None:
            return
        stands_still = bool(self._channels) and time.monotonic() - self._heard_s > PATIENCE_S
        if stands_still or self._waiting_bytes > MOST_BYTES:
            logger.error("recording.process_behind", extra={"bytes": self._waiting_bytes})
            self._end()
            return
        if self._waiting:
            self._waiting.append(gathered)
            self._waiting_bytes += len(gathered)
            return
        rest = _send(self._socket, gathered)
        if rest:
            self._waiting, self._waiting_bytes = [rest], len(rest)
            asyncio.get_running_loop().add_writer(self._socket.fileno(), self._writable)

    def _writable(self) -> None:
        if self._socket is None:
            return
        while self._waiting:
            first = self._waiting[0]
            rest = _send(self._socket, first)
            self._waiting_bytes -= len(first) - len(rest)
            if rest:
                self._waiting[0] = rest
                return
            del self._waiting[0]
        asyncio.get_running_loop().remove_writer(self._socket.fileno())

    # --- hearing

    def _readable(self) -> None:
        if self._socket is None:
            return
        try:
            data = self._socket.recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end()
            return
        self._heard_s = time.monotonic()
        for told in self._lines.feed(data):
            if not isinstance(told, ToldAlive) and told.channel in self._channels:
                side, listener = self._channels[told.channel]
                listener.told(side, told)

    def _end(self) -> None:
        """The process is gone or of no use: say so to all who recorded, and start another."""
        sock, process = self._socket, self._process
        if sock is None or process is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(sock.fileno())
        loop.remove_writer(sock.fileno())
        sock.close()
        process.kill()
        # In a thread: one that stands in the kernel, on a disk that hangs, dies only when the disk answers.
        loop.run_in_executor(None, _wait_for, process)
        self._socket = self._process = None
        self._waiting, self._waiting_bytes = [], 0
        self._buffer = bytearray()
        self._lose([*self._channels])
        if not self._closed:
            self._again = loop.call_later(AGAIN_AFTER_S, self.start)

    def _lose(self, channels: list[int]) -> None:
        listeners = [self._channels[channel][1] for channel in channels if channel in self._channels]
        for listener in listeners:
            listener.lost()


def _wait_for(process: subprocess.Popen[bytes]) -> None:
    logger.error("recording.process_ended", extra={"status": process.wait()})


def _send(sock: socket.socket, data: memoryview) -> memoryview:
    """Send what the socket takes; returns the rest. A broken socket is found by whoever reads from it."""
    try:
        return data[sock.send(data) :]
    except BlockingIOError:
        return data
    except OSError:
        return data[len(data) :]


def _hand_over(sock: socket.socket, waiting: list[memoryview]) -> None:
    """Send all that waits, and close."""
    with sock:
        sock.settimeout(EXIT_WITHIN_S)
        try:
            for data in waiting:
                sock.sendall(data)
        except OSError:
            logger.warning("recording.rest_lost")
