"""The process that records: ``python -m recordings.taping FD`` with its end of a pair of sockets.

It has no setting, no database and no secret key: it gets packets, and public keys to seal them to. When the
server is gone it finishes what it has and ends; then the logs lack their last record, and what is stored of
them is called ``not_complete``.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import sys
import time
from queue import SimpleQueue
from typing import Final

import msgspec

from core.dumps import forbid_dumps
from recordings.events import Failure
from recordings.intake import Intake
from recordings.wire import HEAD, REPORT, Open, Told, ToldAlive, ToldClosed, ToldFailed, ToldWant, What, tell
from recordings.writing import End, Writing

logger = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 0.05
ALIVE_EVERY_S: Final = 1.0
READ_BYTES: Final = 512 * 1024
POLITE: Final = 5
"""Calls come first: the relay's process gets the processor before this one."""
END_WITHIN_S: Final = 9.0
_HEAD_BYTES: Final = HEAD.size
_PACKET: Final = What.PACKET.value


class Channel:
    """One side that is being recorded."""

    __slots__ = ("intake", "over", "writing")

    def __init__(self, intake: Intake, writing: Writing) -> None:
        self.intake, self.writing = intake, writing
        self.over = False


class Worker:
    """Reads frames, and does what they say."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._told = SimpleQueue[Told | ToldAlive]()
        self._channels: dict[int, Channel] = {}

    def run(self) -> None:
        """Work until the server closes its end."""
        looked_s = said_s = 0.0
        place, held = memoryview(bytearray(READ_BYTES)), 0
        while True:
            ready, _, _ = select.select([self._socket], [], [], LOOK_EVERY_S)
            if ready:
                size = self._recv_into(place[held:])
                if not size:
                    break
                came = place[: held + size]
                rest = came[self._feed(came) :]
                held = len(rest)
                place[:held] = rest
            now_s = time.monotonic()
            if now_s - looked_s < LOOK_EVERY_S:
                continue
            looked_s = now_s
            self._look(now_s)
            if self._channels and now_s - said_s >= ALIVE_EVERY_S:
                said_s = now_s
                self._told.put(ToldAlive())
            self._tell()
        for number, channel in self._channels.items():
            try:
                self._end(channel, End.CUT_OFF)
            except Exception:
                logger.exception("recording.side_failed")
                self._fail(number, channel, Failure.INTERNAL)
        until_s = time.monotonic() + END_WITHIN_S
        for channel in self._channels.values():
            channel.writing.join(max(0.0, until_s - time.monotonic()))

    def _recv_into(self, place: memoryview) -> int:
        try:
            return self._socket.recv_into(place)
        except ConnectionError:
            return 0

    def _feed(self, data: memoryview) -> int:
        """Take whole frames; returns where what is not whole yet begins."""
        at, end, channels = 0, len(data), self._channels
        while end - at >= _HEAD_BYTES:
            size, what, number, now_s = HEAD.unpack_from(data, at)
            begin = at + _HEAD_BYTES
            if end - begin < size:
                break
            at = begin + size
            body = bytes(data[begin:at])
            channel = channels.get(number)
            if channel is None:
                if what == What.OPEN:
                    self._open(number, msgspec.json.decode(body, type=Open))
                continue
            if channel.over:
                continue  # It has failed, and that was told.
            try:
                if what == _PACKET:
                    channel.intake.packet(body, now_s)
                else:
                    self._do(channel, what, body)
            except Exception:
                # A fault of ours: it is this side's, and the others go on.
                logger.exception("recording.side_failed")
                self._fail(number, channel, Failure.INTERNAL)
        return at

    def _do(self, channel: Channel, what: int, body: bytes) -> None:
        intake = channel.intake
        match what:
            case What.REPORT:
                intake.report(*REPORT.unpack(body))
                return
            case What.PAUSE:
                intake.pause()
            case What.RESUME:
                intake.resume()
            case What.CLOSE:
                self._end(channel, End.COMPLETE)
        self._write(channel)

    def _open(self, number: int, opening: Open) -> None:
        self._channels[number] = Channel(Intake(opening.started_s), Writing(number, opening, self._told.put))

    def _look(self, now_s: float) -> None:
        for number, channel in [*self._channels.items()]:
            if not channel.writing.is_alive():
                del self._channels[number]
                self._told.put(ToldClosed(number))
            elif not channel.over and channel.writing.fault(now_s):
                self._fail(number, channel, Failure.DISK_FAILED)
            elif not channel.over:
                self._look_after(number, channel, now_s)

    def _look_after(self, number: int, channel: Channel, now_s: float) -> None:
        try:
            channel.intake.look(now_s)
        except Exception:
            logger.exception("recording.side_failed")
            self._fail(number, channel, Failure.INTERNAL)
            return
        self._write(channel)
        if channel.intake.wants_key_frame(now_s):
            self._told.put(ToldWant(number))

    def _write(self, channel: Channel) -> None:
        for piece in channel.intake.take_pieces():
            channel.writing.put(piece)

    def _end(self, channel: Channel, how: End) -> None:
        if not channel.over:
            channel.over = True
            channel.intake.close()
            self._write(channel)
            channel.writing.put(how)

    def _fail(self, number: int, channel: Channel, reason: Failure) -> None:
        """Give a side up: what is on the disk stays, what waits is dropped."""
        channel.over = True
        self._told.put(ToldFailed(number, reason))
        channel.writing.put(End.CUT_OFF)

    def _tell(self) -> None:
        """Say to the server what there is to say; the threads of the logs say theirs to the queue."""
        if self._told.empty():
            return
        lines = [tell(self._told.get()) for _ in range(self._told.qsize())]
        with contextlib.suppress(OSError):  # It is gone; the next reading finds that out too.
            self._socket.sendall(b"".join(lines))


def main() -> None:
    """Run on the socket that was handed over."""
    forbid_dumps()
    # Who stops the server stops its group too; this one ends when it has written what the server sent.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.nice(POLITE)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    with socket.socket(fileno=int(sys.argv[1])) as sock:
        Worker(sock).run()


if __name__ == "__main__":
    main()
