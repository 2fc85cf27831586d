"""A recorder with its process and a directory, packets to hand it, and what it told."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from core.agefile import Identity, decrypt
from media.codecs import Kind
from media.sinks import Sink
from recordings.container import Codec
from recordings.desk import Desk
from recordings.events import Grew, RecorderEvent
from recordings.finalize import Finalized, finalize
from recordings.log import Chain
from recordings.recorder import Recorder
from recordings.sides import Side, log_path
from tests.recordings.coded import pictures, voice
from tests.recordings.playing import Played, play
from tests.recordings.sending import Sender, Sent

NAME, OTHER = "r_" + "a" * 20, "r_" + "b" * 20
KEY = Identity.generate()


class Booth:
    """A desk, a recorder and what it told."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.desk = Desk()
        self.events: list[tuple[float, RecorderEvent]] = []
        self.started_s = time.monotonic()
        self.recorder = self.record(NAME)

    def record(self, name: str, *, on_event: Callable[[RecorderEvent], None] | None = None) -> Recorder:
        return Recorder(
            name,
            self.directory,
            KEY.recipient,
            on_event=on_event or (lambda event: self.events.append((time.monotonic(), event))),
            desk=self.desk,
            now_s=self.started_s,
        )

    def told(self, kind: type[RecorderEvent]) -> list[RecorderEvent]:
        return [event for _, event in self.events if isinstance(event, kind)]

    def chain(self, side: Side = Side.CLIENT) -> Chain:
        """The chain as a database would have it."""
        last = [event for event in self.told(Grew) if isinstance(event, Grew) and event.side is side][-1]
        assert isinstance(last, Grew)
        return Chain(last.records, last.head)

    def log(self, side: Side = Side.CLIENT, name: str = NAME) -> Path:
        return log_path(self.directory, name, side)

    def finalize(
        self, side: Side = Side.CLIENT, *, expected: Chain | None = None
    ) -> tuple[Finalized, Played]:
        out = self.directory / f"{side}.webm.age"
        made = finalize(
            self.log(side),
            recording_id=NAME,
            side=side,
            identity=KEY,
            recipient=KEY.recipient,
            out=out,
            expected=expected,
        )
        return made, play(decrypt(out.read_bytes(), [KEY]))


@contextlib.asynccontextmanager
async def booth(directory: Path) -> AsyncIterator[Booth]:
    made = Booth(directory)
    made.desk.start()
    try:
        yield made
    finally:
        await made.desk.close()


def both(seconds: float, **changes: object) -> list[Sent]:
    """A talk of so many seconds, in order."""
    sender = Sender(**changes)  # type: ignore[arg-type]  # names are checked at run time
    sent = sender.voice(voice(int(50 * seconds))) + sender.pictures(
        Codec.VP8, pictures(Codec.VP8, int(30 * seconds), keys=15)
    )
    return sorted(sent, key=lambda one: one.at_s)


def hand(sink: Sink, one: Sent, now_s: float) -> None:
    kind = Kind.AUDIO if one.data[1] & 127 == 111 else Kind.VIDEO
    sink.rtp(memoryview(bytearray(one.data)), kind, now_s)


def at_once(made: Booth, sink: Sink, sent: list[Sent]) -> None:
    """As if it had come at its time, without waiting for it."""
    for one in sent:
        hand(sink, one, made.started_s + one.at_s)


async def in_time(made: Booth, sink: Sink, sent: list[Sent], *, until_s: float = 99.0) -> None:
    """Each packet when it is due."""
    start_s = time.monotonic()
    for one in sent:
        if one.at_s > until_s:
            return
        wait_s = start_s + one.at_s - time.monotonic()
        if wait_s > 0.002:
            await asyncio.sleep(wait_s)
        hand(sink, one, time.monotonic())
