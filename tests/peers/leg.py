"""One leg of the peer: from an offer to decrypted packets, as a browser's RTCPeerConnection does it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.peers.checks import Checks, Credentials, Nomination
from tests.peers.dtls import Certificate, DtlsClient, HandshakeFailed, SrtpProfile
from tests.peers.links import Link, open_link
from tests.peers.rtp import is_rtcp
from tests.peers.sdp import AnswerLine, Candidate, Offer, read_offer, write_answer
from tests.peers.srtp import SrtpContexts, SrtpError

FIRST_CHECKS_S = 0.05
CHECKS_S = 2.5
ALL_PROFILES = (
    SrtpProfile.AEAD_AES_256_GCM,
    SrtpProfile.AEAD_AES_128_GCM,
    SrtpProfile.AES128_CM_SHA1_80,
)


@dataclass(frozen=True, slots=True)
class LegSettings:
    """How a peer behaves: which path it takes, which profiles it knows, what it answers.

    ``ssrcs`` are listed in the answer only with ``list_ssrcs``. ``media_port`` picks the candidates
    of that port alone (to go through one of several proxies), None takes the first that fits.
    """

    transport: str = "udp"
    ip_version: int = 4
    media_port: int | None = None
    profiles: tuple[SrtpProfile, ...] = ALL_PROFILES
    nomination: Nomination = Nomination.ALWAYS
    payload_types: frozenset[int] = frozenset({111, 96, 97})
    direction: str = "sendrecv"
    list_ssrcs: bool = True
    audio_ssrcs: tuple[int, ...] = ()
    video_ssrcs: tuple[int, ...] = ()
    checks_s: float = CHECKS_S

    def fits(self, candidate: Candidate) -> bool:
        """Whether this peer would try the candidate."""
        return (
            candidate.transport == self.transport
            and candidate.ip_version == self.ip_version
            and self.media_port in (None, candidate.port)
        )


@dataclass(slots=True)
class Received:
    """What came out of SRTP, oldest first, and what did not."""

    rtp: list[bytes] = field(default_factory=list)
    rtcp: list[bytes] = field(default_factory=list)
    undecryptable: int = 0


class Leg:
    """A peer connection. ``on_rtp`` is called with each decrypted RTP packet, beside ``received``."""

    def __init__(self, certificate: Certificate, settings: LegSettings) -> None:
        self.settings = settings
        self.certificate = certificate
        self.received = Received()
        self.offer: Offer | None = None
        self.link: Link | None = None
        self.dtls: DtlsClient | None = None
        self.srtp: SrtpContexts | None = None
        self.keep_packets = True
        self.on_rtp: Callable[[bytes], None] | None = None
        self.connected = asyncio.Event()
        self.arrived = asyncio.Event()
        self.checked = asyncio.Event()
        self.failure: str | None = None
        self._local = Credentials.fresh()
        self._checks: Checks | None = None
        self._tie_breaker = secrets.randbits(64)
        self._number = secrets.randbits(62)
        self._timer: asyncio.TimerHandle | None = None
        self._checking: asyncio.Task[None] | None = None

    def take(self, sdp: str) -> str:
        """Take an offer, first or later; returns the answer. Call ``start()`` after sending it."""
        offer = read_offer(sdp)
        before, self.offer = self.offer, offer
        if before is not None and before.ufrag != offer.ufrag:
            self._local = Credentials.fresh()
        lines = {line.mid: self._answer_line(offer, line.kind) for line in offer.lines}
        return write_answer(
            offer,
            lines,
            ufrag=self._local.ufrag,
            pwd=self._local.pwd,
            fingerprint=self.certificate.fingerprint(),
            number=self._number,
        )

    def _answer_line(self, offer: Offer, kind: str) -> AnswerLine:
        line = offer.line(kind)
        direction = "inactive" if line.direction == "inactive" else self.settings.direction
        numbers = tuple(pt for pt in line.payload_types if pt in self.settings.payload_types)
        ssrcs = self.settings.audio_ssrcs if kind == "audio" else self.settings.video_ssrcs
        if not self.settings.list_ssrcs or direction in ("inactive", "recvonly"):
            ssrcs = ()
        return AnswerLine(direction, numbers, ssrcs)

    async def start(self) -> None:
        """Open the path of the newest offer if it is not there yet, and begin to check it."""
        assert self.offer is not None
        remote = Credentials(self.offer.ufrag, self.offer.pwd)
        if self.link is None:
            self.link = await open_link(self._candidate(), self._receive)
        self._begin_checks(remote)

    async def rebind(self, *, nomination: Nomination | None = None, transport: str | None = None) -> None:
        """Go on from a new local port, as after a NAT lost its binding, or over ``transport``."""
        assert self.offer is not None
        old = self.link
        candidate = self._candidate(transport)
        self.link = await open_link(candidate, self._receive)
        if old is not None:
            old.close()
        self._begin_checks(Credentials(self.offer.ufrag, self.offer.pwd), nomination)

    def _candidate(self, transport: str | None = None) -> Candidate:
        assert self.offer is not None
        for candidate in self.offer.candidates:
            if transport is not None and candidate.transport != transport:
                continue
            if transport is not None or self.settings.fits(candidate):
                return candidate
        raise LookupError(f"no candidate fits {self.settings} in {self.offer.candidates}")

    def _begin_checks(self, remote: Credentials, nomination: Nomination | None = None) -> None:
        self.checked.clear()
        self._checks = Checks(
            local=self._local,
            remote=remote,
            nomination=nomination or self.settings.nomination,
            tie_breaker=self._tie_breaker,
        )
        if self._checking is not None:
            self._checking.cancel()
        self._checking = asyncio.get_running_loop().create_task(self._check(self._checks))

    async def _check(self, checks: Checks) -> None:
        while True:
            if self.link is not None:
                self.link.send(checks.request())
            await asyncio.sleep(self.settings.checks_s if checks.succeeded else FIRST_CHECKS_S)

    def check_now(self) -> None:
        """Send one Binding request out of turn."""
        if self._checks is not None and self.link is not None:
            self.link.send(self._checks.request())

    @property
    def checks_succeeded(self) -> int:
        """How many checks of the present path and credentials were answered."""
        return 0 if self._checks is None else self._checks.succeeded

    def _receive(self, data: bytes) -> None:
        if not data:
            return
        if data[0] < 4:
            if self._checks is not None and self._checks.response(data):
                self.checked.set()
                self._begin_dtls()
        elif 19 < data[0] < 64:
            if self.dtls is not None:
                self._handshake(data)
        elif 127 < data[0] < 192 and self.srtp is not None:
            self._unprotect(data)

    def _begin_dtls(self) -> None:
        assert self.offer is not None
        if self.dtls is None:
            self.dtls = DtlsClient(
                self.certificate,
                profiles=self.settings.profiles,
                fingerprint=self.offer.fingerprint,
            )
            self._send_all(self.dtls.start())
            self._arm()

    def _handshake(self, data: bytes) -> None:
        assert self.dtls is not None
        try:
            self._send_all(self.dtls.feed(data))
        except HandshakeFailed as error:
            self.failure = str(error)
            return
        if self.dtls.keys is not None and self.srtp is None:
            self.srtp = SrtpContexts(self.dtls.keys)
            self.connected.set()
        self._arm()

    def _arm(self) -> None:
        assert self.dtls is not None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        wait_s = self.dtls.timeout_s()
        if wait_s is not None:
            self._timer = asyncio.get_running_loop().call_later(wait_s + 0.001, self._on_timer)

    def _on_timer(self) -> None:
        assert self.dtls is not None
        self._send_all(self.dtls.on_timer())
        self._arm()

    def _unprotect(self, data: bytes) -> None:
        assert self.srtp is not None
        try:
            if is_rtcp(data):
                self.received.rtcp.append(self.srtp.unprotect_rtcp(data))
            else:
                packet = self.srtp.unprotect(data)
                if self.keep_packets:
                    self.received.rtp.append(packet)
                if self.on_rtp is not None:
                    self.on_rtp(packet)
        except SrtpError:
            self.received.undecryptable += 1
            return
        self.arrived.set()

    def send_rtp(self, packet: bytes) -> None:
        """Encrypt and send one RTP packet. The leg must be connected."""
        assert self.srtp is not None
        assert self.link is not None
        self.link.send(self.srtp.protect(packet))

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send one RTCP compound. The leg must be connected."""
        assert self.srtp is not None
        assert self.link is not None
        self.link.send(self.srtp.protect_rtcp(packet))

    def send_datagram(self, datagram: bytes) -> None:
        """Send bytes as they are, for tests of bad input."""
        assert self.link is not None
        self.link.send(datagram)

    def _send_all(self, datagrams: list[bytes]) -> None:
        assert self.link is not None
        for datagram in datagrams:
            self.link.send(datagram)

    async def close(self, *, silently: bool = False) -> None:
        """Stop checking and close the path; ``silently`` without the DTLS goodbye. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.gather(self._checking, return_exceptions=True)
            self._checking = None
        if self.dtls is not None and self.link is not None and not silently:
            self._send_all(self.dtls.close())
        if self.link is not None:
            self.link.close()
