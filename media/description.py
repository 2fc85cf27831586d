"""Session descriptions: the one offer template, and the defensive reading of answers.

The server always offers (signaling.md, "Media negotiation"); nobody's numbers are ever rewritten.
"""

from __future__ import annotations

import enum
import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from core.errors import TeduhError
from media.codecs import BY_PAYLOAD_TYPE, FIRST_OFFER, KIND_OF, Codec, Kind, Mode
from media.events import Streams

MAX_ANSWER_CHARS = 64 * 1024
MAX_FINGERPRINTS = 8

_KINDS = tuple(Kind)

FEEDBACK_VIDEO = ("goog-remb", "ccm fir", "nack", "nack pli")
MID_EXTENSION = 1
ABS_SEND_TIME_EXTENSION = 2
TRANSPORT_WIDE_EXTENSION = 3
AUDIO_LEVEL_EXTENSION = 4
ORIENTATION_EXTENSION = 13
ABS_SEND_TIME_URI = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
TRANSPORT_WIDE_URI = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"


class InvalidAnswer(TeduhError):
    """The answer is not a description that fits the offer."""

    code = "invalid_answer"


class Direction(enum.StrEnum):
    """The direction attribute of an m-line (RFC 8866, 6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class VoiceProfile:
    """How Opus is to be sent in voice mode: bit/s and ms of each packet (RFC 7587, 6.1)."""

    bitrate_bps: int = 24_000
    ptime_ms: int = 40


@dataclass(frozen=True, slots=True)
class OfferRequest:
    """What one offer says.

    ``payload_types`` are the numbers to list, in order; ``peer`` is the other participant's id (cname and
    msid), None while nobody else is there; ``streams`` are the other side's SSRCs. ``restart`` asks for new
    ICE credentials; ``inactive`` are kinds that stay inactive though the mode has them, because a line of
    theirs was answered with port 0. ``recordable``: pictures are to come upright, since a recording has no
    place for how each one was held.
    """

    negotiation: int
    mode: Mode
    payload_types: tuple[int, ...] = FIRST_OFFER
    peer: str | None = None
    streams: Streams = field(default_factory=Streams)
    restart: bool = False
    inactive: frozenset[Kind] = frozenset()
    voice: VoiceProfile = field(default_factory=VoiceProfile)
    recordable: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What a leg adds to every offer: its credentials, its fingerprint and its candidates."""

    number: int
    ufrag: str
    pwd: str
    fingerprint: str
    addresses: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class AnsweredLine:
    """One m-line of an answer. ``rejected``: port 0, out for both until a new leg."""

    direction: Direction
    payload_types: tuple[int, ...]
    ssrcs: tuple[int, ...]
    rejected: bool

    @property
    def active(self) -> bool:
        """Whether media may flow either way."""
        return not self.rejected and self.direction is not Direction.INACTIVE

    @property
    def sends(self) -> bool:
        """Whether the answerer may send."""
        return not self.rejected and self.direction in (Direction.SENDRECV, Direction.SENDONLY)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as read: what each line says, and the certificate that DTLS must show."""

    audio: AnsweredLine
    video: AnsweredLine
    fingerprints: tuple[tuple[str, str], ...]

    @property
    def payload_types(self) -> tuple[int, ...]:
        """All numbers that were answered, audio first."""
        return self.audio.payload_types + self.video.payload_types

    @property
    def streams(self) -> Streams:
        """The SSRCs that the answer listed for the lines that send."""
        return Streams(
            self.audio.ssrcs[:1] if self.audio.sends else (),
            self.video.ssrcs[:2] if self.video.sends else (),
        )


def write_offer(endpoint: Endpoint, request: OfferRequest) -> str:
    """Return the offer as SDP text (RFC 8866, RFC 8829) with CRLF line ends.

    Both m-lines are always there, bundled, never port 0; what the mode leaves out is
    ``inactive``. Transport-wide feedback, abs-send-time and the audio level stand only in video mode: in
    voice they would be 8 bytes of each packet (RFC 8285, 4.3), and a receiver hears the level by itself.
    """
    lines = [
        "v=0",
        f"o=- {endpoint.number} {request.negotiation} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        "a=group:BUNDLE 0 1",
        "a=extmap-allow-mixed",
        "a=msid-semantic: WMS *",
    ]
    for mid, kind in enumerate(_KINDS):
        lines += _media_lines(mid, kind, endpoint, request)
    return "\r\n".join(lines) + "\r\n"


def _media_lines(mid: int, kind: Kind, endpoint: Endpoint, request: OfferRequest) -> list[str]:
    video_mode = request.mode is Mode.VIDEO
    active = (
        video_mode or (request.mode is Mode.VOICE and kind is Kind.AUDIO)
    ) and kind not in request.inactive
    numbers = tuple(number for number in request.payload_types if KIND_OF.get(number) is kind)
    lines = [
        f"m={kind} 9 UDP/TLS/RTP/SAVPF {' '.join(map(str, numbers))}",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        f"a=ice-ufrag:{endpoint.ufrag}",
        f"a=ice-pwd:{endpoint.pwd}",
        "a=ice-options:ice2",
        f"a=fingerprint:sha-256 {endpoint.fingerprint}",
        "a=setup:actpass",
        f"a=mid:{mid}",
        f"a={Direction.SENDRECV if active else Direction.INACTIVE}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        *_candidates(endpoint.addresses),
        f"a=extmap:{MID_EXTENSION} urn:ietf:params:rtp-hdrext:sdes:mid",
    ]
    if video_mode:
        lines += [
            f"a=extmap:{ABS_SEND_TIME_EXTENSION} {ABS_SEND_TIME_URI}",
            f"a=extmap:{TRANSPORT_WIDE_EXTENSION} {TRANSPORT_WIDE_URI}",
        ]
    if kind is Kind.AUDIO and video_mode:
        lines.append(f"a=extmap:{AUDIO_LEVEL_EXTENSION} urn:ietf:params:rtp-hdrext:ssrc-audio-level")
    elif kind is Kind.VIDEO and not request.recordable:
        # Without it a sender turns each picture before it codes it (3GPP TS 26.114, 7.4.5).
        lines.append(f"a=extmap:{ORIENTATION_EXTENSION} urn:3gpp:video-orientation")
    lines += _codec_lines(numbers, request.mode, request.voice)
    if kind is Kind.AUDIO and request.mode is Mode.VOICE:
        lines += [f"a=ptime:{request.voice.ptime_ms}", f"a=maxptime:{request.voice.ptime_ms}"]
    if active and request.peer is not None:
        ssrcs = request.streams.audio if kind is Kind.AUDIO else request.streams.video
        lines += _stream_lines(kind, request.peer, ssrcs)
    return lines


@functools.lru_cache(maxsize=8)
def _candidates(addresses: tuple[tuple[str, int], ...]) -> tuple[str, ...]:
    """One UDP host and one passive TCP candidate (RFC 6544) for each advertised address."""
    lines = []
    for index, (host, port) in enumerate(addresses):
        # RFC 8445, 5.1.2.1: type preference 126 (host) and 90 for TCP, local preference by order.
        local = 65535 - index
        udp = (126 << 24) + (local << 8) + 255
        tcp = (90 << 24) + (local << 8) + 255
        lines += [
            f"a=candidate:{2 * index + 1} 1 udp {udp} {host} {port} typ host",
            f"a=candidate:{2 * index + 2} 1 tcp {tcp} {host} {port} typ host tcptype passive",
        ]
    return (*lines, "a=end-of-candidates")


@functools.lru_cache(maxsize=64)
def _codec_lines(numbers: tuple[int, ...], mode: Mode, voice: VoiceProfile) -> tuple[str, ...]:
    """What stands for each payload type of an m-line, in their order."""
    return tuple(line for number in numbers for line in _codec(BY_PAYLOAD_TYPE[number], number, mode, voice))


def _codec(codec: Codec, number: int, mode: Mode, voice: VoiceProfile) -> list[str]:
    if number == codec.rtx:
        return [f"a=rtpmap:{number} rtx/90000", f"a=fmtp:{number} apt={codec.payload_type}"]
    channels = f"/{codec.channels}" if codec.channels > 1 else ""
    lines = [f"a=rtpmap:{number} {codec.name}/{codec.clock_rate}{channels}"]
    if mode is Mode.VIDEO:
        lines.append(f"a=rtcp-fb:{number} transport-cc")
    if codec.kind is Kind.VIDEO:
        lines += [f"a=rtcp-fb:{number} {feedback}" for feedback in FEEDBACK_VIDEO]
    fmtp = codec.fmtp or _opus_fmtp(mode, voice) if codec.kind is Kind.AUDIO else codec.fmtp
    if fmtp:
        lines.append(f"a=fmtp:{number} {fmtp}")
    return lines


def _opus_fmtp(mode: Mode, voice: VoiceProfile) -> str:
    """RFC 7587, 6.1: both browsers obey these for what they send."""
    common = "minptime=10;useinbandfec=1;usedtx=1"
    if mode is not Mode.VOICE:
        return common
    return f"{common};stereo=0;sprop-stereo=0;maxaveragebitrate={voice.bitrate_bps}"


def _stream_lines(kind: Kind, peer: str, ssrcs: Sequence[int]) -> list[str]:
    """List the other side's SSRCs (RFC 5576), the same names over every reload."""
    lines = [f"a=msid:{peer} {kind}"]
    if len(ssrcs) > 1:
        lines.append(f"a=ssrc-group:FID {ssrcs[0]} {ssrcs[1]}")
    for ssrc in ssrcs:
        lines += [f"a=ssrc:{ssrc} cname:{peer}", f"a=ssrc:{ssrc} msid:{peer} {kind}"]
    return lines


_DIRECTIONS = {direction.value: direction for direction in Direction}
# The lines of an answer that say something to us; an answer has a hundred others.
_LINE = re.compile(
    rf"^(?:(m)=|a=(mid|ssrc|ssrc-group|setup|fingerprint|rtcp-mux|{'|'.join(_DIRECTIONS)})(?::|\s*$))(.*)",
    re.MULTILINE,
)
_NUMBER = re.compile("[0-9]{1,10}")


@dataclass(slots=True)
class _Section:
    """One m-line while it is being read."""

    kind: Kind
    port: int
    payload_types: list[int]
    direction: Direction = Direction.SENDRECV
    mid: str = ""
    ssrcs: list[int] = field(default_factory=list)
    pairs: list[tuple[int, int]] = field(default_factory=list)
    rtcp_mux: bool = False


def read_answer(sdp: str) -> Answer:
    """Read an answer to one of our offers; candidates and everything else unknown is skipped.

    Raises ``InvalidAnswer`` with a sentence that says what does not fit. Read here and not by
    ``aiortc.sdp``, which raises many kinds of errors on such input and parses every candidate.
    """
    if len(sdp) > MAX_ANSWER_CHARS:
        raise InvalidAnswer("The answer is longer than 64 KiB.")
    if sdp.partition("\n")[0].strip() != "v=0":
        raise InvalidAnswer("The answer does not begin with v=0.")
    sections: list[_Section] = []
    setups: set[str] = set()
    fingerprints: dict[str, None] = {}
    for media, name, value in _LINE.findall(sdp):
        if media:
            if len(sections) == len(_KINDS):
                raise InvalidAnswer("The answer has more m-lines than the offer.")
            sections.append(_read_media_line(value, _KINDS[len(sections)]))
        elif name == "setup":
            setups.add(value.strip())
        elif name == "fingerprint":
            fingerprints[value.strip()] = None
        elif sections:
            _read_attribute(sections[-1], name, value.strip())
    if len(sections) != len(_KINDS):
        raise InvalidAnswer("The answer needs one audio and one video m-line, in this order.")
    return Answer(_finish(sections[0]), _finish(sections[1]), _read_certificates(setups, [*fingerprints]))


def _read_certificates(setups: set[str], values: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Read the fingerprints, wherever they stood (RFC 8122), and see that the DTLS role fits."""
    if not setups <= {"active"}:
        raise InvalidAnswer("The answer must say a=setup:active: the browser is the DTLS client.")
    if not values:
        raise InvalidAnswer("The answer has no a=fingerprint line.")
    if len(values) > MAX_FINGERPRINTS:
        raise InvalidAnswer("The answer lists too many fingerprints.")
    return tuple(dict.fromkeys(_read_fingerprint(value) for value in values))


def _read_media_line(value: str, kind: Kind) -> _Section:
    fields = value.split()
    if len(fields) < 4 or fields[0] != kind or not fields[1].isascii() or not fields[1].isdigit():
        raise InvalidAnswer(f"The {kind} m-line of the answer is not one.")
    numbers = [int(field) for field in fields[3:64] if field.isascii() and field.isdigit() and len(field) < 4]
    return _Section(kind, int(fields[1][:6]), [n for n in numbers if KIND_OF.get(n) is kind])


def _read_fingerprint(value: str) -> tuple[str, str]:
    fields = value.split()
    if len(fields) != 2 or len(value) > 300:
        raise InvalidAnswer("A fingerprint line of the answer is not one.")
    return fields[0].lower(), fields[1].upper()


def _read_attribute(section: _Section, name: str, value: str) -> None:
    if name == "ssrc":
        ssrc = _read_ssrc(value.partition(" ")[0])
        if ssrc is not None and ssrc not in section.ssrcs and len(section.ssrcs) < 8:
            section.ssrcs.append(ssrc)
    elif name == "ssrc-group":
        semantics, _, rest = value.partition(" ")
        pair = [_read_ssrc(text) for text in rest.split()[:2]] if semantics == "FID" else []
        if len(pair) == 2 and pair[0] is not None and pair[1] is not None:
            section.pairs.append((pair[0], pair[1]))
    elif name == "mid":
        section.mid = value
    elif name == "rtcp-mux":
        section.rtcp_mux = True
    else:
        section.direction = _DIRECTIONS[name]


def _read_ssrc(text: str) -> int | None:
    value = int(text) if _NUMBER.fullmatch(text) else 0
    return value if 0 < value < 1 << 32 else None


def _finish(section: _Section) -> AnsweredLine:
    mid = str(_KINDS.index(section.kind))
    rejected = section.port == 0
    if not rejected and section.mid != mid:
        raise InvalidAnswer(f"The {section.kind} line of the answer must have a=mid:{mid}.")
    if not rejected and not section.rtcp_mux:
        raise InvalidAnswer(f"The {section.kind} line of the answer lacks a=rtcp-mux.")
    ssrcs = section.pairs[0] if section.pairs else tuple(section.ssrcs[:2])
    return AnsweredLine(section.direction, tuple(section.payload_types), ssrcs, rejected)
