"""A leg: one participant's DTLS-SRTP association with the relay, its paths and its streams."""

from __future__ import annotations

import secrets
from typing import Any

from media.codecs import BY_PAYLOAD_TYPE, KIND_OF, RTX_TYPES, Kind
from media.dtls import Certificate, DtlsSession
from media.events import LegId, Seen, Streams
from media.ice import Credentials, make_credentials
from media.observe import Stream, Totals, Window
from media.paths import Path
from media.sinks import Sink

MAX_STREAMS = 8
MAX_PATHS = 16
HELD_DATAGRAMS = 8
HELD_BYTES = 16 * 1024
MAX_RETURNS = 32
# A receiver that misses 2^15 packets of an SSRC can never decrypt it again (RFC 3711, 3.3.1).
MAX_MISSED = 1 << 14
OLD_CREDENTIALS_S = 10.0
REFUSALS_SPENT = 200
MAX_RTTS = 8
HELD_LONG_S = 2.5
RTT_LASTS_S = 6.0
# Who hears nothing stops speaking a second later: what was sent by then has not reached them.
SAID_MS = 1_000

AUDIO_TYPES = frozenset(number for number, kind in KIND_OF.items() if kind is Kind.AUDIO)
VIDEO_TYPES = frozenset(number for number, kind in KIND_OF.items() if kind is Kind.VIDEO)


class Leg:
    """The state of one leg. Times are monotonic seconds; byte counts include IP headers."""

    __slots__ = (
        "allowed",
        "answered",
        "back_at",
        "bytes_down",
        "bytes_up",
        "connected",
        "credentials",
        "dtls",
        "expects_audio",
        "expects_from",
        "fingerprints",
        "heard_at",
        "held",
        "id",
        "interrupted_at",
        "key_frames_due",
        "last_audio_at",
        "look_at",
        "marks",
        "number",
        "out",
        "path",
        "paths",
        "peer",
        "refusals",
        "rtcp_ssrcs",
        "rtt_at",
        "rtt_ms",
        "rtts_ms",
        "rx",
        "said",
        "sent_at",
        "sink",
        "sources",
        "spent",
        "ssrc",
        "streams",
        "tx",
        "window",
    )

    def __init__(self, leg: LegId, certificate: Certificate, now: float) -> None:
        self.id = leg
        self.number = secrets.randbits(31)
        self.ssrc = secrets.randbits(32) | 1
        self.dtls = DtlsSession(certificate, self.send)
        self.rx: Any = None
        self.tx: Any = None
        self.connected = False
        self.fingerprints: tuple[tuple[str, str], ...] = ()
        self.held: list[bytes] = []
        self.credentials: list[Credentials] = [make_credentials(0, now)]
        self.paths: list[Path] = []
        self.path: Path | None = None
        self.out: Path | None = None
        self.peer: Leg | None = None
        self.allowed: frozenset[int] = frozenset()
        self.sink: Sink | None = None
        self.expects_audio = True
        self.expects_from = now
        self.streams: dict[int, Stream] = {}
        self.answered = Streams()
        self.rtcp_ssrcs: set[int] = set()
        # SSRC -> the leg it came from, for as long as the keys towards this receiver live.
        self.sources: dict[int, LegId] = {}
        self.marks: dict[int, int] = {}
        self.heard_at = self.sent_at = now
        self.last_audio_at: float | None = None
        # The highest numbers of what was sent to this side, when it said something last.
        self.said: dict[int, int] = {}
        self.interrupted_at: float | None = None
        # When to ask (again) for a key frame, soonest first; empty when none is wanted.
        self.key_frames_due: list[float] = []
        # When to look after this leg next; see ``Watch``.
        self.look_at = now
        self.refusals = 0
        self.spent = False
        self.bytes_up = self.bytes_down = 0
        self.rtt_ms: float | None = None
        self.rtt_at = float("-inf")
        # Those measured since somebody looked, for the monitor.
        self.rtts_ms: list[float] = []
        self.back_at = float("-inf")
        self.window = Window()

    # --- credentials and paths -------------------------------------------------------------

    @property
    def newest(self) -> Credentials:
        """The credentials of the last offer."""
        return self.credentials[-1]

    def renew_credentials(self, now: float) -> list[Credentials]:
        """Make a new generation; return those that are thereby too old (two are kept)."""
        self.credentials.append(make_credentials(self.newest.generation + 1, now))
        retired, self.credentials = self.credentials[:-2], self.credentials[-2:]
        return retired

    def retire_credentials(self, now: float) -> list[Credentials]:
        """Return and drop the old generation once the path has moved with the new one, and 10 s passed."""
        newest = self.newest
        moved = self.path is not None and self.path.generation == newest.generation
        if len(self.credentials) < 2 or not moved or now - newest.made_at < OLD_CREDENTIALS_S:
            return []
        retired, self.credentials = self.credentials[:-1], [newest]
        return retired

    def add_path(self, path: Path) -> None:
        """Keep a path that an authentic check came over; the one silent longest gives way."""
        self.paths.append(path)
        if len(self.paths) > MAX_PATHS:
            oldest = min(
                (p for p in self.paths if p is not self.path and p is not path), key=lambda p: p.heard_at
            )
            self.drop_path(oldest)
            oldest.forget()

    def drop_path(self, path: Path) -> None:
        """Take a path away from this leg; media stops until a check chooses another."""
        if path in self.paths:
            self.paths.remove(path)
        if self.path is path:
            self.path = self.out = None

    def send(self, data: bytes) -> None:
        """Send a DTLS datagram over the chosen path, if there is one."""
        if self.path is not None:
            self.path.send(data)
            self.bytes_down += len(data) + self.path.overhead

    def count_exchange(self, path: Path, received: int, answered: int) -> None:
        """Count a check and its response as data used."""
        self.bytes_up += received + path.overhead
        self.bytes_down += answered + path.overhead

    def settle(self) -> None:
        """Add what the headers of TCP have cost since the last time."""
        for path in self.paths:
            up, down = path.settle()
            self.bytes_up += up
            self.bytes_down += down

    def hold(self, datagram: bytes) -> bool:
        """Keep a DTLS datagram that came before the answer; False when too many wait."""
        if len(self.held) >= HELD_DATAGRAMS or sum(map(len, self.held)) + len(datagram) > HELD_BYTES:
            return False
        self.held.append(datagram)
        return True

    # --- streams ---------------------------------------------------------------------------

    def add_stream(self, ssrc: int, payload_type: int, sequence: int) -> Stream | None:
        """Take a new SSRC; None when it carries an unknown number or there are too many."""
        if payload_type not in BY_PAYLOAD_TYPE or len(self.streams) >= MAX_STREAMS:
            return None
        stream = self.streams[ssrc] = Stream(ssrc, payload_type, sequence)
        return stream

    def learned(self) -> Streams:
        """Return the SSRCs this side sends with: the last seen of each kind, otherwise what it answered."""
        audio, video, rtx = self.answered.audio, self.answered.video[:1], self.answered.video[1:2]
        for stream in sorted(self.streams.values(), key=lambda stream: stream.last_at):
            if stream.payload_type in RTX_TYPES:
                rtx = (stream.ssrc,)
            elif stream.kind is Kind.VIDEO:
                video = (stream.ssrc,)
            else:
                audio = (stream.ssrc,)
        return Streams(audio, video + rtx if video else ())

    def clear_source(self, ssrc: int, sender: LegId) -> bool:
        """Tell whether this SSRC may be encrypted towards this receiver: no former leg used it."""
        return self.sources.setdefault(ssrc, sender) == sender

    @property
    def returns(self) -> int:
        """How many legs have sent towards this receiver."""
        return len(set(self.sources.values()))

    def video_ssrc(self) -> int | None:
        """Return the SSRC of the video this side sends, None when it sends none."""
        video = self.learned().video
        return video[0] if video else None

    # --- losing and finding ----------------------------------------------------------------

    def mark_missed(self) -> None:
        """Remember where the peer's streams stood when this receiver was last heard."""
        if self.peer is not None:
            self.marks = {ssrc: stream.highest for ssrc, stream in self.peer.streams.items()}

    def missed_too_much(self) -> bool:
        """Whether a stream advanced so far in the meantime that this receiver may not decrypt it."""
        if self.peer is None:
            return False
        return any(
            ssrc in self.peer.streams and self.peer.streams[ssrc].highest - mark >= MAX_MISSED
            for ssrc, mark in self.marks.items()
        )

    # --- what was seen ---------------------------------------------------------------------

    def totals(self, now: float) -> Totals:
        """Sum up the counters of this moment."""
        self.settle()
        streams = self.streams.values()
        sent = [stream.reception for stream in (self.peer.streams.values() if self.peer is not None else ())]
        return Totals(
            at=now,
            expected=sum(stream.expected for stream in streams),
            lost=sum(stream.lost for stream in streams),
            down_expected=sum(one.expected for one in sent),
            down_lost=sum(one.lost for one in sent),
            bytes_up=self.bytes_up,
            bytes_down=self.bytes_down,
        )

    def jitter_ms(self) -> float | None:
        """Return the jitter of the audio as it arrives in ms, None without audio."""
        values = [s.jitter_ms for s in self.streams.values() if s.kind is Kind.AUDIO and s.received > 1]
        return max(values, default=None)

    def seen(self, now: float) -> Seen:
        """Tell the counters, and what came since the last call."""
        totals = self.totals(now)
        voices = [stream for stream in self.streams.values() if stream.kind is Kind.AUDIO]
        voice = max(voices, key=lambda stream: stream.last_at, default=None)
        sent = [*self.peer.streams.values()] if self.peer is not None else []
        reported = [stream for stream in sent if stream.reception.known]
        stalls = [stream.reception.stalled_at for stream in reported if stream.reception.is_fresh(now)]
        gaps = [stream.reception.take_gap() for stream in reported]
        rtts_ms, self.rtts_ms = tuple(self.rtts_ms), []
        unsaid_ms = self._unsaid_ms(now)
        if (unsaid_ms or 0) < SAID_MS:
            self.said = {stream.ssrc: stream.highest for stream in sent}
        return Seen(
            at=now,
            expected_up=totals.expected,
            lost_up=totals.lost,
            expected_down=totals.down_expected,
            lost_down=totals.down_lost,
            packets_up=sum(stream.received + stream.duplicates for stream in self.streams.values()),
            packets_down=sum(stream.received for stream in sent),
            jitter_down_ms=_jitter_down_ms([one for one in reported if one.reception.take_news()]),
            voice=None if voice is None else voice.ssrc,
            transits_ms=None if voice is None else voice.take_transits(),
            rtts_ms=rtts_ms,
            stalled_ms=_stalled_ms(stalls, now),
            gap_lost=_share([gap for gap in gaps if gap is not None]),
            unsaid_ms=unsaid_ms,
            hears=any(one.reception.heard > self.said.get(one.ssrc, one.highest) for one in reported),
        )

    def measured(self, rtt_ms: float, held_s: float, now: float) -> None:
        """Take a round trip; ``held_s`` is how long the other end held the sender report it answers.

        Half of one that was held long is as old as that: it counts only where there is no other.
        """
        if held_s > HELD_LONG_S and now - self.rtt_at < RTT_LASTS_S:
            return
        self.rtt_ms, self.rtt_at = rtt_ms, now
        self.rtts_ms = [*self.rtts_ms[1 - MAX_RTTS :], rtt_ms]

    def expect_audio(self, *, due: bool, now: float) -> None:
        """Say whether this side is to be heard; one that was not has to be told first that it may speak."""
        if due and not self.expects_audio:
            self.expects_from = now
        self.expects_audio = due

    def _unsaid_ms(self, now: float) -> int | None:
        if not self.expects_audio or self.last_audio_at is None:
            return None
        return int((now - max(self.last_audio_at, self.expects_from)) * 1000)


def _jitter_down_ms(streams: list[Stream]) -> float | None:
    """What the way down adds to the jitter of the voice, None without a report of one."""
    added = [s.reception.jitter * 1000 / s.clock_rate - s.jitter_ms for s in streams if s.kind is Kind.AUDIO]
    return max(0.0, *added) if added else None


def _stalled_ms(stalls: list[float | None], now: float) -> int | None:
    """For how long nothing has reached the other end, None unless all its reports say so."""
    known = [since for since in stalls if since is not None]
    return int((now - min(known)) * 1000) if known and len(known) == len(stalls) else None


def _share(gaps: list[tuple[int, int]]) -> float | None:
    """The share that was lost of what was sent meanwhile."""
    expected = sum(sent for sent, _ in gaps)
    return max(0.0, min(1.0, sum(lost for _, lost in gaps) / expected)) if expected > 0 else None
