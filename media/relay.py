"""The relay: legs and pairs; what comes in on one goes out on the other. Commands in, events out.

It knows no person, no session and no table. All commands but ``start``, ``bind`` and ``close`` are
synchronous and cheap; events are told synchronously, and whoever takes them must not raise.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.errors import NotFound
from media.checks import Checks
from media.codecs import Mode
from media.description import Answer, Endpoint, InvalidAnswer, OfferRequest, read_answer, write_offer
from media.dtls import HandshakeFailed, generate_certificate
from media.events import (
    LegConnected,
    LegFailed,
    LegId,
    LegSample,
    MediaEvent,
)
from media.forwarding import Forwarder
from media.leg import AUDIO_TYPES, VIDEO_TYPES, Leg
from media.paths import Path
from media.sinks import Sink
from media.tcp import TcpConnection, TcpListener
from media.udp import UdpSocket
from media.watch import TICK_S, Watch

logger = logging.getLogger(__name__)

PORT_TRIES = 20
COUNTED = (
    "bad_checks",
    "dtls_dropped",
    "early",
    "excess_streams",
    "forwarded",
    "internal_errors",
    "other_kind",
    "oversized",
    "receive_errors",
    "refused",
    "reused_ssrc",
    "sinks_failed",
    "tcp_refused",
    "unknown_source",
    "unprotectable",
    "unsent",
)
"""What has not happened yet is told as 0: Prometheus sees no growth where a series only begins."""


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """Where the relay listens and what its offers name.

    ``bind`` are local addresses, one socket each; ``port`` 0 picks a free one; ``advertise`` are the
    (address, port) pairs of the candidates, where port 0 stands for the port really bound.
    """

    bind: tuple[str, ...] = ("127.0.0.1",)
    port: int = 0
    advertise: tuple[tuple[str, int], ...] = (("127.0.0.1", 0),)


class Relay:
    """The transparent RTP translator (RFC 7667, 3.2) on one UDP and TCP port."""

    def __init__(self, config: RelayConfig, *, on_event: Callable[[MediaEvent], None]) -> None:
        self._config = config
        self._on_event = on_event
        self._counts: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
        self._legs: dict[LegId, Leg] = {}
        self._forwarder = Forwarder(self._counts, self._tell)
        self._checks = Checks(self._counts, self._tell)
        self._watch = Watch(self._forwarder, self._tell)
        self._certificate = generate_certificate()
        self._sockets: dict[str, UdpSocket] = {}
        self._listener: TcpListener | None = None
        self._advertised = config.advertise
        self._timer: asyncio.TimerHandle | None = None
        self.port = config.port

    # --- the port --------------------------------------------------------------------------

    async def start(self) -> None:
        """Bind the port at every address. Raises ``OSError`` when it is taken."""
        self._listener = TcpListener(self)
        await self.bind(self._config.bind)
        self._timer = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    async def bind(self, hosts: Sequence[str]) -> None:
        """Listen at these local addresses too; one that is already bound is left as it is."""
        for host in hosts:
            if host not in self._sockets:
                await self._bind_one(host)

    async def _bind_one(self, host: str) -> None:
        if self._listener is None:
            raise RuntimeError("The relay must be started first.")
        for tries_left in reversed(range(PORT_TRIES if not self.port else 1)):
            udp = UdpSocket(host, self.port, self._forwarder, self)
            try:
                await self._listener.listen(host, udp.port)
            except OSError:
                udp.close()
                if not tries_left:
                    raise
                continue
            self.port = udp.port
            self._sockets[host] = udp
            udp.start()
            logger.info("media.bound", extra={"port": udp.port, "receive_buffer_bytes": udp.buffer_bytes})
            return

    @property
    def ready(self) -> bool:
        """Whether the media port is open."""
        return bool(self._sockets)

    def advertise(self, addresses: Sequence[tuple[str, int]]) -> None:
        """Name these (address, port) pairs in the offers to come; port 0 is the port really bound."""
        self._advertised = tuple(addresses)

    async def close(self) -> None:
        """Close every leg, then the port. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
        for leg in [*self._legs]:
            self.close_leg(leg)
        if self._listener is not None:
            self._listener.close()
        for udp in self._sockets.values():
            udp.close()
        self._sockets.clear()

    # --- commands --------------------------------------------------------------------------

    def open_leg(self, leg: LegId) -> None:
        """Make a leg. It costs little until its answer comes."""
        made = Leg(leg, self._certificate, time.monotonic())
        self._legs[leg] = made
        self._checks.add(made)

    def offer(self, leg: LegId, request: OfferRequest) -> str:
        """Return the SDP of an offer. Raises ``NotFound`` for a leg that is closed."""
        found = self._leg(leg)
        if request.restart:
            self._checks.renew(found, time.monotonic())
        if not found.fingerprints:
            found.dtls.prefer_short_tags(prefer=request.mode is Mode.VOICE)
        credentials = found.newest
        addresses = tuple((host, port or self.port) for host, port in self._advertised)
        endpoint = Endpoint(
            found.number, credentials.ufrag, credentials.pwd, self._certificate.fingerprint, addresses
        )
        return write_offer(endpoint, request)

    def answer(self, leg: LegId, sdp: str) -> Answer:
        """Take the answer to the last offer; the first one starts the DTLS handshake.

        Raises ``InvalidAnswer`` (also when the certificate changed within a leg) and ``NotFound``.
        """
        found = self._leg(leg)
        answer = read_answer(sdp)
        if found.fingerprints and answer.fingerprints != found.fingerprints:
            raise InvalidAnswer("The certificate of a leg cannot change: ask for a fresh leg by restart.")
        found.answered = answer.streams
        if not found.fingerprints:
            found.fingerprints = answer.fingerprints
            found.dtls.start(answer.fingerprints, time.monotonic())
            held, found.held = found.held, []
            for datagram in held:
                self._feed(found, datagram)
        return answer

    def pair(self, a: LegId, b: LegId) -> None:
        """Let packets flow between two legs, as far as ``forward`` allows each."""
        first, second = self._leg(a), self._leg(b)
        for leg, other in ((first, second), (second, first)):
            if leg.peer is not other:
                self._unpair(leg)
        first.peer, second.peer = second, first
        # A sign of life is owed more often behind a peer.
        first.look_at = second.look_at = time.monotonic()

    def unpair(self, leg: LegId) -> None:
        """Stop the flow between a leg and its peer, both ways."""
        found = self._legs.get(leg)
        if found is not None:
            self._unpair(found)

    def _unpair(self, leg: Leg) -> None:
        if leg.peer is not None:
            leg.peer.peer, leg.peer = None, None
        leg.marks.clear()

    def forward(self, leg: LegId, *, audio: bool, video: bool) -> None:
        """Say which kinds from this leg are passed on; the others are dropped at once, whole."""
        found = self._leg(leg)
        allowed = (AUDIO_TYPES if audio else frozenset()) | (VIDEO_TYPES if video else frozenset())
        if not audio or not found.allowed & AUDIO_TYPES:
            found.last_audio_at = None
        found.allowed = allowed

    def expect(self, leg: LegId, *, audio: bool, video: bool) -> None:  # noqa: ARG002  # video is not watched for silence
        """Say what this side says it is sending, so that a mute is not taken for a lost line."""
        self._leg(leg).expect_audio(due=audio, now=time.monotonic())

    def tap(self, leg: LegId, sink: Sink | None) -> None:
        """Show what this leg may send to its peer to a sink as well; None takes it off, at once.

        Raises ``NotFound`` for a leg that is closed, unless it is to be taken off: then it is off.
        """
        if sink is not None:
            self._leg(leg).sink = sink
        elif leg in self._legs:
            self._legs[leg].sink = None

    def request_key_frame(self, leg: LegId) -> None:
        """Ask this leg's video sender for a key frame, again after 0.5 and 1.5 s unless one passed."""
        self._watch.want_key_frame(self._leg(leg), time.monotonic())

    def sample(self, leg: LegId, *, take: bool = False) -> LegSample:
        """Say what was seen of a leg in the last ten seconds; ``take`` its last second, each time once."""
        return self._watch.sample(self._leg(leg), time.monotonic(), take=take)

    def close_leg(self, leg: LegId) -> None:
        """End a leg: the pair, then its paths, then DTLS. Idempotent."""
        found = self._legs.pop(leg, None)
        if found is None:
            return
        found.sink = None
        self._unpair(found)
        found.rx = found.tx = None
        found.dtls.close()
        self._checks.remove(found)

    def counters(self) -> dict[str, int]:
        """Return what was counted since the start, and how many legs and sockets there are."""
        connections = len(self._listener.connections) if self._listener is not None else 0
        receive = min((udp.buffer_bytes for udp in self._sockets.values()), default=0)
        return {
            **self._counts,
            "legs": len(self._legs),
            "tcp_connections": connections,
            "receive_buffer_bytes": receive,
        }

    def _leg(self, leg: LegId) -> Leg:
        found = self._legs.get(leg)
        if found is None:
            raise NotFound("There is no such leg.")
        return found

    # --- doing -----------------------------------------------------------------------------

    def _feed(self, leg: Leg, datagram: bytes) -> None:
        """Let DTLS take a datagram, and do what follows: the leg is up, or it is over."""
        try:
            leg.dtls.feed(datagram)
        except HandshakeFailed as error:
            self._fail(leg, str(error))
        except Exception:
            self._counts["internal_errors"] += 1
            logger.exception("media.handshake_failed", extra={"leg": leg.id})
            self._fail(leg, "internal")
        if leg.dtls.ended:
            self._fail(leg, "closed by the other side")
        elif not leg.connected and leg.dtls.rx is not None:
            leg.rx, leg.tx, leg.connected = leg.dtls.rx, leg.dtls.tx, True
            leg.heard_at = time.monotonic()
            self._tell(LegConnected(leg.id))

    def _fail(self, leg: Leg, reason: str) -> None:
        """Close a leg that cannot go on, and tell what it has carried."""
        if leg.id in self._legs:
            leg.settle()
            self.close_leg(leg.id)
            self._tell(LegFailed(leg.id, reason, leg.bytes_up, leg.bytes_down))

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(TICK_S, self._tick)
        now = time.monotonic()
        for leg in [leg for leg in self._legs.values() if leg.look_at <= now]:
            try:
                self._checks.expire(leg, now)
                leg.dtls.look(now)
                self._watch.look(leg, now)
            except HandshakeFailed as error:
                self._fail(leg, str(error))
            except Exception:
                self._counts["internal_errors"] += 1
                logger.exception("media.tick_failed", extra={"leg": leg.id})

    def _tell(self, event: MediaEvent) -> None:
        try:
            self._on_event(event)
        except Exception:
            self._counts["internal_errors"] += 1
            logger.exception("media.event_failed", extra={"kind": type(event).__name__})

    # --- what the sockets hand up ----------------------------------------------------------

    def udp_check(self, local: UdpSocket, source: bytes, data: bytes, now: float) -> None:
        """Take a STUN datagram."""
        self._checks.udp(local, source, data, now)

    def dtls_datagram(self, path: Path, data: bytes) -> None:
        """Take a DTLS datagram from a path with a valid check; hold it until the answer came."""
        leg = path.leg
        leg.bytes_up += len(data) + path.overhead
        if leg.fingerprints:
            self._feed(leg, data)
        elif not leg.hold(data):
            self._counts["dtls_dropped"] += 1

    def tcp_frame(self, connection: TcpConnection, data: memoryview) -> None:
        """Take one frame of an ICE-TCP connection."""
        now = time.monotonic()
        try:
            self._tcp_frame(connection, data, now)
        except Exception:
            self._counts["internal_errors"] += 1
            logger.exception("media.receive_failed")

    def _tcp_frame(self, connection: TcpConnection, data: memoryview, now: float) -> None:
        path, size = connection.path, len(data)
        first = data[0] if size > 1 else 255
        if first < 4:
            self._checks.tcp(connection, bytes(data), now)
        elif path is None:
            self._counts["unknown_source"] += 1
        elif 19 < first < 64:
            self.dtls_datagram(path, bytes(data))
        elif 127 < first < 192:
            forwarder = self._forwarder
            forwarder.view[:size] = data
            take = forwarder.rtcp if 191 < data[1] < 224 else forwarder.rtp
            out = take(path, 0, size, now)
            if out is not None:
                forwarder.send_alone(out, 0)

    def count(self, what: str) -> None:
        """Count one thing that was dropped."""
        self._counts[what] += 1
