"""What watching costs: CPU for each packet, CPU for each session, and memory for ten minutes of it.

    python -m bench.observe [--rounds 9] [--sessions 50] [--seconds 60]

The packet: the relay's count of one (``Stream.packet``) against a call that does nothing, both over the
same packets of a call (voice every 20 ms, a picture's frame of six packets every 40 ms), in turns; the
median of the differences counts. The session: a hub with this many sessions, whose sockets lead nowhere and
whose legs are the relay's own with counters that grow, ticks as in life; then the same ticks with nobody
watching. The processor time of the process counts, with the rows and events written to SQLite in it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import msgspec
from sqlalchemy import func, select

from accounts.tokens import Tokens
from bench.report import Figure, publish
from core.db import Base, Database
from media.codecs import Mode
from media.dtls import generate_certificate
from media.events import LegId, LegSample, PathChanged, Transport
from media.leg import Leg
from media.observe import Stream
from media.ring import SECONDS, Ring, Second
from media.rtcp import ReportBlock, SenderReport
from media.watch import Watch
from signaling import directory
from signaling.directory import NewParticipant, Recording, Role
from signaling.hub import Hub, SignalingSettings
from signaling.quality_watch import QualityWatch
from signaling.tables import QualityRow
from signaling.wire import Comer, Wire
from tests.signaling.conftest import MovableClock
from tests.signaling.relay import FakeRelay

PACKET_LIMIT_US = 1.0
CORE_LIMIT = 0.001
RING_LIMIT_BYTES = 100_000
VOICE, PICTURE = 1, 2
PACKETS_A_SECOND = {VOICE: 50, PICTURE: 150}


class Unseen(Stream):
    """A stream that counts nothing."""

    __slots__ = ()

    def packet(self, sequence: int, timestamp: int, now: float) -> None:
        """Leave it."""


def packets(seconds: int) -> Iterator[tuple[int, int, int, float]]:
    """SSRC, sequence number, time stamp and arrival of a call's packets, in order."""
    voice, picture = itertools.count(), itertools.count()
    for tick in range(50 * seconds):
        now = tick * 0.02
        yield VOICE, next(voice) & 0xFFFF, tick * 960, now + 0.001 * (tick % 3)
        if tick % 2 == 0:
            for _ in range(6):
                yield PICTURE, next(picture) & 0xFFFF, tick * 1_800, now + 0.002


def one_round(kind: Callable[[int, int, int], Stream], sent: list[tuple[int, int, int, float]]) -> float:
    """Microseconds of CPU for each packet."""
    streams = {VOICE: kind(VOICE, 111, 0), PICTURE: kind(PICTURE, 96, 0)}
    began_s = time.process_time()
    for ssrc, sequence, timestamp, now in sent:
        streams[ssrc].packet(sequence, timestamp, now)
    return (time.process_time() - began_s) / len(sent) * 1e6


def per_packet(rounds: int) -> list[float]:
    """What counting adds, one figure for each pair of rounds."""
    sent = list(packets(200))
    for kind in (Stream, Unseen):
        one_round(kind, sent[:5_000])
    return [one_round(Stream, sent) - one_round(Unseen, sent) for _ in range(rounds)]


class Nowhere:
    """A socket that takes everything and keeps the last offers."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    async def send_str(self, text: str) -> None:
        """Keep it."""
        self.texts.append(text)

    async def ping(self, mark: bytes) -> None:
        """Leave it unanswered: what comes by it is not measured here."""

    async def close(self, **_how: object) -> None:
        """Nothing is open."""


class Counting(FakeRelay):
    """A relay whose legs are real and whose packets are only counted."""

    def __init__(self) -> None:
        super().__init__()
        self.legs: dict[LegId, Leg] = {}
        self.watch = Watch(None, lambda _event: None)  # type: ignore[arg-type]  # nothing is forwarded
        self._certificate = generate_certificate()

    def open_leg(self, leg: LegId) -> None:
        """Make a leg that is up."""
        super().open_leg(leg)
        self.legs[leg] = Leg(leg, self._certificate, 0.0)
        self.legs[leg].connected = True
        self.on_event(PathChanged(leg, Transport.UDP, 4, first=True))

    def pair(self, a: LegId, b: LegId) -> None:
        """Join two."""
        super().pair(a, b)
        self.legs[a].peer, self.legs[b].peer = self.legs[b], self.legs[a]

    def sample(self, leg: LegId, *, take: bool = False) -> LegSample:
        """Look as the relay does."""
        return self.watch.sample(self.legs[leg], self.now, take=take)

    now = 0.0

    def second(self, now: float) -> None:
        """Let each leg have sent and heard for a second."""
        self.now = now
        for leg in self.legs.values():
            leg.heard_at = leg.last_audio_at = now
            leg.bytes_up += 100_000
            leg.bytes_down += 100_000
            for ssrc, count in PACKETS_A_SECOND.items():
                stream = leg.streams.get(ssrc)
                if stream is None:
                    stream = leg.streams[ssrc] = Stream(ssrc, 111 if ssrc == VOICE else 96, 1)
                stream.highest += count
                stream.received += count
                stream.low, stream.high = 4_800.0, 5_200.0
                middle = int(now) & 0xFFFF
                stream.sender_report(SenderReport(ssrc, middle, 0), now - 0.04)
                block = ReportBlock(ssrc, 0, stream.highest, 30, middle, 0)
                rtt_ms = stream.receiver_report(block, now)
                if rtt_ms is not None and leg.peer is not None:
                    leg.peer.rtt_ms = rtt_ms
                    leg.peer.rtts_ms.append(rtt_ms)
            leg.window.add(leg.totals(now))


class Unwatched(QualityWatch):
    """Nobody looks."""

    def look(self, *_live: object, **_now: object) -> None:
        """Leave it."""


async def seat(hub: Hub, tokens: Tokens, clock: MovableClock, session: directory.SessionRecord) -> None:
    """Bring both of a session to ``connected``."""
    sockets = [Nowhere() for _ in session.participants]
    wires = []
    for number, (socket, place) in enumerate(zip(sockets, session.participants, strict=True)):
        wire = Wire(
            hub.next_connection(),
            socket,  # type: ignore[arg-type]  # it has what a wire uses
            cut=lambda: None,
            device="",
            comer=Comer(),
            now_s=clock.monotonic(),
        )
        hub.opened(wire)
        wires.append((wire, asyncio.ensure_future(wire.write())))
        token = tokens.issue_place(
            participant=place.id,
            session=session.id,
            role=place.role.value,
            now=clock.now(),
            expires=clock.now() + timedelta(hours=2),
        )
        await say(hub, wire, {"type": "hello", "token": token, "codecs": ["audio/opus", "video/VP8"]})
        await say(hub, wire, {"type": "ping", "t": number})
    for _ in range(2):
        await asyncio.sleep(0)
        for (wire, _), socket in zip(wires, sockets, strict=True):
            await asyncio.sleep(0.001)
            await answer(hub, wire, socket)
    for (wire, writing), socket in zip(wires, sockets, strict=True):
        media = {"type": "media", "ref": "m", "audio": True, "video": True}
        await say(hub, wire, media)
        socket.texts.clear()
        writing.add_done_callback(lambda task: task.exception())


async def say(hub: Hub, wire: Wire, message: dict[str, Any]) -> None:
    """Hand a message in, as the endpoint does."""
    await hub.hearing.received(wire, msgspec.json.encode(message).decode())


async def answer(hub: Hub, wire: Wire, socket: Nowhere) -> None:
    """Answer the offers that came."""
    messages = [msgspec.json.decode(text) for text in socket.texts]
    socket.texts.clear()
    for offer in (one for one in messages if one["type"] == "offer"):
        fields = {"leg": offer["leg"], "negotiation": offer["negotiation"]}
        sdp = f"answer {1_000 * wire.id}"
        await say(
            hub,
            wire,
            {"type": "answer", "ref": f"{offer['leg']}{offer['negotiation']}", "sdp": sdp, **fields},
        )


async def ticks(hub: Hub, relay: Counting, clock: MovableClock, seconds: int) -> float:
    """Seconds of CPU that the clockwork and the writing take in so many seconds of life."""
    used_s = 0.0
    for _ in range(seconds):
        relay.second(clock.monotonic())
        began_s = time.process_time()
        for _ in range(2):
            clock.advance(0.5)
            hub.tick()
            # The wires empty their queues in these turns.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await hub._journal.flush(within_s=5.0)  # noqa: SLF001  # what is written counts
        used_s += time.process_time() - began_s
    return used_s


async def per_session(sessions: int, seconds: int) -> tuple[float, float, int]:
    """CPU share of a core for each session, watched and not, and how many rows were kept."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/teduh.db")
        async with database.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        relay, clock, tokens = Counting(), MovableClock(), Tokens(b"0" * 32)
        hub = Hub(db=database.sessions, clock=clock, relay=relay, settings=SignalingSettings(), tokens=tokens)
        relay.on_event = hub.on_media_event
        hub._journal.start()  # noqa: SLF001  # the clockwork is this bench's own
        for _ in range(sessions):
            async with database.sessions.begin() as db:
                created = await directory.create(
                    db,
                    mode=Mode.VIDEO,
                    recording=Recording.OFF,
                    participants=[NewParticipant(Role.CLIENT, "a"), NewParticipant(Role.COUNSELOR, "b")],
                    owner=None,
                    starts_at=None,
                    max_minutes=None,
                    now=clock.now(),
                )
            await seat(hub, tokens, clock, created.session)
        connected = sum(leg.peer is not None for leg in relay.legs.values())
        if connected != 2 * sessions:
            raise RuntimeError(f"{connected} of {2 * sessions} legs are paired")
        await ticks(hub, relay, clock, 12)
        watched_s = await ticks(hub, relay, clock, seconds)
        hub._watch.__class__ = Unwatched  # noqa: SLF001  # the same hub, and nobody looks
        bare_s = await ticks(hub, relay, clock, seconds)
        async with database.sessions() as db:
            kept = (await db.execute(select(func.count()).select_from(QualityRow))).scalar_one()
        await hub.close()
        await database.close()
    return watched_s / seconds / sessions, bare_s / seconds / sessions, kept


def ring_bytes() -> int:
    """What both lines of a session take once their rings are full."""
    gc.collect()
    tracemalloc.start()
    rings = (Ring(), Ring())
    for at_s in range(SECONDS + 100):
        for ring in rings:
            ring.add(
                Second(at_s, 200, 200, 90_000, 90_000, 200, 1, 200, 1, 5, 5, 40, 50, 3, 20, 10, 60, 1, 900)
            )
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return taken


async def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--rounds", type=int, default=9)
    asked.add_argument("--sessions", type=int, default=50)
    asked.add_argument("--seconds", type=int, default=60)
    options = asked.parse_args()
    taken = ring_bytes()
    adds = per_packet(options.rounds)
    watched, bare, kept = await per_session(options.sessions, options.seconds)
    adds_us, monitor = statistics.median(adds), watched - bare
    publish(
        "Observation",
        [
            Figure(
                "CPU that counting a packet adds to a call that does nothing, median",
                f"{adds_us:.2f} µs ({min(adds):.2f} to {max(adds):.2f}; {options.rounds} pairs)",
                f"at most {PACKET_LIMIT_US:.0f} µs",
                adds_us <= PACKET_LIMIT_US,
            ),
            Figure(
                f"CPU of the monitor for each session, of one core, {options.sessions} video sessions",
                f"{monitor:.3%} ({watched:.3%} watched, {bare:.3%} unwatched; {kept} rows kept)",
                f"at most {CORE_LIMIT:.1%}",
                monitor <= CORE_LIMIT,
            ),
            Figure(
                "memory of ten minutes of seconds, both lines of a session",
                f"{taken / 1000:.1f} kB",
                f"at most {RING_LIMIT_BYTES / 1000:.0f} kB",
                taken <= RING_LIMIT_BYTES,
            ),
        ],
        "rows and events are written to SQLite in the same processor time; nothing is sent over a network",
    )


if __name__ == "__main__":
    asyncio.run(main())
