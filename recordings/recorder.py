"""The recorder of one session, as the server sees it: two sinks, off the record and on again, and the end.

It does nothing with a packet but hand it on (``recordings/desk.py``); the work is done in a process of its
own, so that a picture being sealed or a slow disk never holds up a call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from core.agefile import Recipient
from media.codecs import Kind
from media.rtcp import SenderReport
from media.sinks import Sink
from recordings.desk import Desk
from recordings.events import Failed, Failure, Grew, KeyFrameWanted, RecorderEvent
from recordings.sides import Side
from recordings.wire import REPORT, Open, Told, ToldClosed, ToldGrew, ToldWant, What

logger = logging.getLogger(__name__)

CLOSE_WITHIN_S: Final = 10.0


class Recorder:
    """Records the sides whose sinks are asked for. All but ``close`` is synchronous and cheap.

    ``directory`` is ``<TEDUH_DATA_DIR>/recordings``; ``recipient`` is the public half of the recording's key;
    ``now_s`` is the zero of its timeline, monotonic seconds as in every other call and in the packet path.
    ``on_event`` is called in the loop, and must not raise.
    """

    def __init__(
        self,
        recording_id: str,
        directory: Path,
        recipient: Recipient,
        *,
        on_event: Callable[[RecorderEvent], None],
        desk: Desk,
        now_s: float,
    ) -> None:
        self.recording_id = recording_id
        self._directory = directory
        self._recipient = recipient
        self._on_event = on_event
        self._desk = desk
        self._started_s = now_s
        self._sinks: dict[Side, SideSink] = {}
        self._closing: dict[int, asyncio.Future[None]] = {}
        self._paused = self._over = self._failed = False

    def sink(self, side: Side) -> Sink:
        """Return the sink of a side, always the same one; its log begins with the first call."""
        sink = self._sinks.get(side)
        if sink is None:
            sink = self._sinks[side] = SideSink(self._desk)
            if not self._over:
                opening = Open(
                    self.recording_id, side, str(self._directory), str(self._recipient), self._started_s
                )
                sink.channel = self._desk.open(opening, self)
            sink.paused = self._over or self._paused
        return sink

    def pause(self, now_s: float) -> None:
        """Go off the record: nothing of what comes from now on is kept."""
        self._paused = True
        for sink in self._open_sinks():
            sink.paused = True
            self._desk.put(What.PAUSE, sink.channel, now_s)

    def resume(self, now_s: float) -> None:
        """Go on with the record; the time in between stays empty."""
        self._paused = False
        for sink in self._open_sinks():
            sink.paused = False
            self._desk.put(What.RESUME, sink.channel, now_s)

    async def close(self) -> None:
        """End both logs; when this returns all is on the disk, and told. Idempotent.

        Whoever calls has taken the sinks off before. A disk that takes longer than 10 s counts as failed.
        """
        self._stop()
        waiting = [future for future in self._closing.values() if not future.done()]
        if waiting:
            _, late = await asyncio.wait(waiting, timeout=CLOSE_WITHIN_S)
            if late:
                self._report(Failure.DISK_FAILED)

    # --- what the desk hands on

    def told(self, side: Side, told: Told) -> None:
        """Take what the recording process says of one of the sides."""
        match told:
            case ToldGrew():
                self._on_event(Grew(side, told.records, told.head, told.size_bytes, told.until_ms))
            case ToldWant():
                if not self._over:
                    self._on_event(KeyFrameWanted(side))
            case ToldClosed():
                self._done(told.channel)
            case _:
                self._report(Failure(told.reason))
                self._stop()

    def lost(self) -> None:
        """The recording process is gone, and with it what was not yet on the disk."""
        self._report(Failure.INTERNAL)
        self._stop()
        for channel in self._closing:
            self._done(channel)

    def _open_sinks(self) -> list[SideSink]:
        return [] if self._over else [*self._sinks.values()]

    def _stop(self) -> None:
        """Take nothing more, and have both logs ended; once."""
        if self._over:
            return
        self._over = True
        loop = asyncio.get_running_loop()
        for sink in self._sinks.values():
            sink.paused = True
            self._closing[sink.channel] = loop.create_future()
            self._desk.put(What.CLOSE, sink.channel, loop.time())

    def _done(self, channel: int) -> None:
        self._desk.forget(channel)
        future = self._closing.get(channel)
        if future is not None and not future.done():
            future.set_result(None)

    def _report(self, reason: Failure) -> None:
        """Say once that something is missing."""
        if not self._failed:
            self._failed = True
            logger.error("recording.failed", extra={"recording": self.recording_id, "reason": reason.value})
            self._on_event(Failed(reason))


class SideSink:
    """Hands the packets of one side to the desk, unless it is off the record."""

    __slots__ = ("_desk", "channel", "paused")

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.channel = 0
        self.paused = False

    def rtp(self, packet: memoryview, kind: Kind, now_s: float) -> None:  # noqa: ARG002  # the number says it
        """Take one packet."""
        if not self.paused:
            self._desk.put(What.PACKET, self.channel, now_s, packet)

    def sender_report(self, report: SenderReport, now_s: float) -> None:
        """Take one sender report."""
        if not self.paused:
            body = REPORT.pack(report.ssrc, report.middle, report.rtp_time)
            self._desk.put(What.REPORT, self.channel, now_s, body)
