"""One lean participant: WebSocket, ICE checks, DTLS and SRTP on one connected UDP socket.

It knows signaling.md, not the server's code. What costs time under load is kept short: a packet
that arrives is counted by its header, and one in 64 is also decrypted.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import secrets
import socket
import time
from dataclasses import dataclass, field

import aiohttp
from aioice import stun
from OpenSSL import SSL
from pylibsrtp import Session

from bench import packets
from bench.dtls import Handshake, Identity
from bench.schedule import AUDIO_BYTES, VIDEO_BYTES

CHECK_S = 2.5
RETRANSMIT_S = 0.1
RECEIVE_BUFFER = 1 << 20
CODECS = ["audio/opus", "video/VP8"]
AUDIO_PAYLOAD = bytes(AUDIO_BYTES)
VIDEO_PAYLOAD = b"\x10\x01" + bytes(VIDEO_BYTES - 2)


@dataclass(slots=True)
class Arrivals:
    """What came of one SSRC. Sequence numbers are counted on past 65,535."""

    first: int
    highest: int
    count: int = 1

    def saw(self, seq: int) -> None:
        step = (seq - self.highest) & 0xFFFF
        if step < 0x8000:
            self.highest += step
        self.count += 1

    @property
    def missing(self) -> int:
        """Packets between the first and the highest that did not come."""
        return self.highest - self.first + 1 - self.count


@dataclass(slots=True)
class Counts:
    """What a peer sent and got while the load ran."""

    sent: int = 0
    received: int = 0
    refused: int = 0
    undecryptable: int = 0
    streams: dict[int, Arrivals] = field(default_factory=dict)


class Peer:
    """A participant. ``join`` returns when DTLS is up; ``met`` is set when the other is connected."""

    def __init__(self, url: str, token: str, identity: Identity, context: SSL.Context) -> None:
        self._url = url
        self._token = token
        self._identity = identity
        self._handshake = Handshake(context)
        self._ufrag = secrets.token_hex(4)
        self._pwd = secrets.token_hex(12)
        self._remote: tuple[str, str] | None = None
        self._connected: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._refs = itertools.count(1)
        self._tasks: list[asyncio.Task[None]] = []
        self._reports: dict[int, tuple[int, float]] = {}
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._tx: Session | None = None
        self._rx: Session | None = None
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        self.udp.settimeout(0)
        self.met = asyncio.Event()
        self.lost = ""
        self.counts = Counts()
        self.offer_sdp = ""
        self.offered_s = 0.0
        self.audio_ssrc = secrets.randbits(31) | 1
        self.video_ssrc = secrets.randbits(31) | 1
        self._audio_seq = secrets.randbits(14)
        self._video_seq = secrets.randbits(14)
        self._wide = 0
        self._audio_sent = 0
        self._video_sent = 0

    # --- joining -----------------------------------------------------------------------------

    async def join(self, http: aiohttp.ClientSession) -> float:
        """Say hello and return the seconds from there until DTLS was connected."""
        self._socket = await http.ws_connect(
            f"{self._url}/api/v1/signal", protocols=["teduh.v1"], max_msg_size=0
        )
        began_s = time.perf_counter()
        await self._say({"type": "hello", "token": self._token, "codecs": CODECS})
        self._tasks.append(asyncio.create_task(self._listen()))
        self._tasks.append(asyncio.create_task(self._check()))
        await asyncio.wait_for(self._connected, 20)
        return time.perf_counter() - began_s

    async def _say(self, message: dict[str, object]) -> None:
        if self._socket is None:
            raise RuntimeError("the socket is not open")
        await self._socket.send_str(json.dumps(message))

    async def _listen(self) -> None:
        if self._socket is None:
            raise RuntimeError("the socket is not open")
        async for frame in self._socket:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                break
            message = json.loads(frame.data)
            if message["type"] == "offer":
                await self._answer(message)
            elif message["type"] == "peer":
                if message["state"] == "connected":
                    self.met.set()
                else:
                    self.met.clear()
            elif message["type"] == "error":
                self.lost = message["code"]
        self.lost = self.lost or f"socket closed {self._socket.close_code}"

    async def _answer(self, offer: dict[str, object]) -> None:
        sdp = str(offer["sdp"])
        first = self._remote is None
        if first:
            self.offer_sdp = sdp
            self.offered_s = time.perf_counter()
            self._remote = (_attribute(sdp, "ice-ufrag"), _attribute(sdp, "ice-pwd"))
            self.udp.connect(_udp_candidate(sdp))
            asyncio.get_running_loop().add_reader(self.udp.fileno(), self._readable)
            self._send_check()
        await self._say(
            {
                "type": "answer",
                "ref": f"r{next(self._refs)}",
                "leg": offer["leg"],
                "negotiation": offer["negotiation"],
                "sdp": self._answer_to(sdp),
            }
        )
        if first:
            self._send_all(self._handshake.advance())
            self._tasks.append(asyncio.create_task(self._retransmit()))

    def _answer_to(self, offer: str) -> str:
        lines = ["v=0", f"o=- {self.audio_ssrc} 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1"]
        for mid, section in enumerate(re.split(r"(?m)^m=", offer)[1:]):
            kind, numbers, mapping, ssrc = (
                ("audio", "111", "a=rtpmap:111 opus/48000/2", self.audio_ssrc)
                if mid == 0
                else ("video", "96", "a=rtpmap:96 VP8/90000", self.video_ssrc)
            )
            active = "a=inactive" not in section
            lines += [
                f"m={kind} 9 UDP/TLS/RTP/SAVPF {numbers}",
                "c=IN IP4 0.0.0.0",
                f"a=mid:{mid}",
                "a=sendrecv" if active else "a=inactive",
                "a=rtcp-mux",
                "a=rtcp-rsize",
                f"a=ice-ufrag:{self._ufrag}",
                f"a=ice-pwd:{self._pwd}",
                f"a=fingerprint:sha-256 {self._identity.fingerprint}",
                "a=setup:active",
                mapping,
                *re.findall(r"(?m)^a=extmap:[^\r\n]*", section),
            ]
            if active:
                lines.append(f"a=ssrc:{ssrc} cname:bench")
        return "\r\n".join(lines) + "\r\n"

    async def _check(self) -> None:
        """Ask for consent as browsers do (RFC 7675)."""
        while True:
            await asyncio.sleep(CHECK_S * (0.8 + 0.4 * secrets.randbelow(1000) / 1000))
            if self._remote is not None:
                self._send_check()

    def _send_check(self) -> None:
        if self._remote is None:
            raise RuntimeError("no offer came")
        ufrag, pwd = self._remote
        request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
        request.attributes["USERNAME"] = f"{ufrag}:{self._ufrag}"
        request.attributes["PRIORITY"] = 1853824767
        request.attributes["ICE-CONTROLLING"] = 1
        request.attributes["USE-CANDIDATE"] = None
        request.add_message_integrity(pwd.encode())
        request.add_fingerprint()
        self._send_all([bytes(request)])

    async def _retransmit(self) -> None:
        while not self._handshake.connected:
            await asyncio.sleep(RETRANSMIT_S)
            self._send_all(self._handshake.retransmit())

    def _send_all(self, datagrams: list[bytes]) -> None:
        for datagram in datagrams:
            try:
                self.udp.send(datagram)
            except (BlockingIOError, ConnectionRefusedError):
                self.counts.refused += 1

    # --- media -------------------------------------------------------------------------------

    def send_audio(self) -> None:
        """Send one voice packet."""
        self._audio_seq = seq = (self._audio_seq + 1) & 0xFFFF
        self._audio_sent += 1
        self._protect(packets.audio_packet(seq, self._audio_sent * 960, self.audio_ssrc, AUDIO_PAYLOAD))

    def send_video(self, burst: int) -> None:
        """Send the packets of one video frame."""
        for left in reversed(range(burst)):
            self._video_seq = seq = (self._video_seq + 1) & 0xFFFF
            self._wide = (self._wide + 1) & 0xFFFF
            self._video_sent += 1
            stamp = self._video_sent * 1500
            self._protect(
                packets.video_packet(seq, stamp, self.video_ssrc, self._wide, VIDEO_PAYLOAD, last=not left)
            )

    def _protect(self, packet: bytes) -> None:
        tx = self._tx
        if tx is None:
            raise RuntimeError("DTLS is not up")
        try:
            self.udp.send(tx.protect(packet))
            self.counts.sent += 1
        except (BlockingIOError, ConnectionRefusedError):
            self.counts.refused += 1

    def send_reports(self) -> None:
        """Send what a browser's RTCP says each second: reports of what is sent and received."""
        if self._tx is None:
            return
        now = time.monotonic()
        said = packets.sender_report(
            self.audio_ssrc, self._audio_sent * 960, self._audio_sent, self._audio_sent * AUDIO_BYTES
        )
        if self._video_sent:
            said += packets.sender_report(
                self.video_ssrc, self._video_sent * 1500, self._video_sent, self._video_sent * VIDEO_BYTES
            )
        for ssrc, (middle, at) in self._reports.items():
            stream = self.counts.streams.get(ssrc)
            if stream is not None:
                said += packets.receiver_report(self.audio_ssrc, ssrc, stream.highest, middle, now - at)
        self._send_all([self._tx.protect_rtcp(said)])

    def _readable(self) -> None:
        for _ in range(32):
            try:
                datagram = self.udp.recv(2048)
            except (BlockingIOError, ConnectionRefusedError):
                return
            first = datagram[0]
            if 127 < first < 192:
                if 192 <= datagram[1] <= 223:
                    self._take_rtcp(datagram)
                else:
                    self._take_rtp(datagram)
            elif 19 < first < 64 and not self._handshake.connected:
                self._take_dtls(datagram)

    def _take_dtls(self, datagram: bytes) -> None:
        self._send_all(self._handshake.advance(datagram))
        if self._handshake.connected and not self._connected.done():
            said = f"a=fingerprint:sha-256 {self._handshake.fingerprint()}"
            if said.lower() not in self.offer_sdp.lower():
                self._connected.set_exception(RuntimeError("the server's certificate is not the offered one"))
                return
            self._tx, self._rx = self._handshake.sessions()
            self._connected.set_result(None)

    def _take_rtp(self, datagram: bytes) -> None:
        counts = self.counts
        counts.received += 1
        seq = (datagram[2] << 8) | datagram[3]
        ssrc = int.from_bytes(datagram[8:12], "big")
        stream = counts.streams.get(ssrc)
        if stream is None:
            counts.streams[ssrc] = Arrivals(seq, seq)
        else:
            stream.saw(seq)
        if seq & 63 == 0 and self._rx is not None:
            try:
                self._rx.unprotect(datagram)
            except Exception:  # noqa: BLE001  # pylibsrtp has one error for every reason; all count
                counts.undecryptable += 1

    def _take_rtcp(self, datagram: bytes) -> None:
        if self._rx is None:
            return
        plain = self._rx.unprotect_rtcp(datagram)
        at = 0
        while at + 28 <= len(plain):
            if plain[at + 1] == 200:
                ssrc = int.from_bytes(plain[at + 4 : at + 8], "big")
                self._reports[ssrc] = (int.from_bytes(plain[at + 10 : at + 14], "big"), time.monotonic())
            at += 4 * (int.from_bytes(plain[at + 2 : at + 4], "big") + 1)

    def restart_counts(self) -> None:
        """Begin to count."""
        self.counts = Counts()

    async def close(self) -> None:
        """Leave: stop the tasks, close both sockets."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        asyncio.get_running_loop().remove_reader(self.udp.fileno())
        self.udp.close()
        if self._socket is not None:
            await self._socket.close()


def _attribute(sdp: str, name: str) -> str:
    found = re.search(rf"(?m)^a={name}:(\S+)", sdp)
    if found is None:
        raise RuntimeError(f"the offer has no {name}")
    return found[1]


def _udp_candidate(sdp: str) -> tuple[str, int]:
    found = re.search(r"(?m)^a=candidate:\S+ 1 udp \d+ (\d+\.\d+\.\d+\.\d+) (\d+) ", sdp, re.IGNORECASE)
    if found is None:
        raise RuntimeError("the offer has no UDP candidate of IPv4")
    return found[1], int(found[2])
