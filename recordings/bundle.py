"""Puts both sides of a recording into one file and seals it: a program of its own, shut in.

Each side comes in through a pipe, the sealed file goes out through standard output, and how far it is, in
milliseconds of the recording, through standard error. Nothing is decoded: packets are put from one container
into another. Before a byte is read the process gives up the network, new files and sockets, and most of
memory and time: what it reads was once sent by strangers. It owns PyAV.

    python -m recordings.bundle age1… FD [FD]
"""

from __future__ import annotations

import contextlib
import ctypes
import heapq
import os
import pkgutil
import resource
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from typing import Any, BinaryIO, Final

import av

from core.agefile import Recipient, Writer
from core.dumps import forbid_dumps

MEMORY_BYTES: Final = 1_000_000_000
CPU_S: Final = 1_800
NEW_USER: Final = 0x10000000
NEW_NETWORK: Final = 0x40000000
TOLD_EACH_MS: Final = 5_000
OPTIONS: Final = {"protocol_whitelist": "file,pipe"}


class _Out:
    """What PyAV writes to: a file that is only ever written on."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def write(self, data: bytes) -> int:
        """Seal a piece."""
        self._writer.write(data)
        return len(data)


def bundle(sources: Sequence[BinaryIO], writer: Writer, told: Callable[[int], None]) -> None:
    """Put WebM files that share a timeline into one Matroska file, in the order of time."""
    given = [av.open(source, "r", format="matroska", options=OPTIONS) for source in sources]
    with av.open(_Out(writer), "w", format="matroska", options=OPTIONS) as made:
        streams = {}
        length = _length(max(one.duration or 0 for one in given))
        for number, one in enumerate(given):
            for stream in one.streams:
                copied = streams[number, stream.index] = made.add_stream_from_template(stream)
                # What cannot go back to its head writes the Duration that it finds here, and none without.
                copied.metadata["DURATION"] = length
        last_ms = 0
        for at_ms, number, packet in heapq.merge(*(_packets(n, one) for n, one in enumerate(given))):
            index = packet.value.stream.index
            packet.value.stream = streams[number, index]
            made.mux_one(packet.value)
            if at_ms - last_ms >= TOLD_EACH_MS:
                last_ms = at_ms
                told(at_ms)
    for one in given:
        one.close()


def _length(us: int) -> str:
    """Write a length as Matroska's tag DURATION has it."""
    seconds, rest = divmod(us, av.time_base)
    return f"{seconds // 3_600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:06}000"


class _Packet:
    """A packet, which is never compared: of two at one time any may be first."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:  # noqa: ANN401  # PyAV's own type
        self.value = value

    def __lt__(self, _other: object) -> bool:
        return False


def _packets(number: int, container: Any) -> Iterator[tuple[int, int, _Packet]]:  # noqa: ANN401  # as above
    for packet in container.demux():
        if packet.dts is not None:
            yield int(packet.dts * packet.time_base * 1_000), number, _Packet(packet)


def _load() -> None:
    """Load all of PyAV, which otherwise loads what it needs when it needs it: later no file can be opened."""
    for module in pkgutil.walk_packages(av.__path__, "av."):
        if not module.name.endswith("__main__"):
            import_module(module.name)


def confine() -> None:
    """Take from this process what it does not need. What is open stays; nothing can be opened any more."""
    os.nice(10)
    with contextlib.suppress(OSError, AttributeError):
        # Where the system lets it: a network of its own, with nobody in it.
        ctypes.CDLL(None, use_errno=True).unshare(NEW_USER | NEW_NETWORK)
    forbid_dumps()  # now, for new rights may make a process one that is dumped again (prctl(2))
    for what, limit in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 0),
    ):
        resource.setrlimit(what, (limit, limit))


def main(arguments: list[str]) -> int:
    """Bundle what comes in."""
    recipient = Recipient.parse(arguments[0])
    sources = [os.fdopen(int(number), "rb") for number in arguments[1:]]
    writer = Writer(sys.stdout.buffer.write, [recipient])
    _load()
    confine()
    bundle(sources, writer, lambda ms: print(ms, file=sys.stderr, flush=True))  # noqa: T201  # a program speaks
    writer.close()
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
