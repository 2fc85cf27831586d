"""The packet path: SRTP off, observe, SRTP on, out. No await, no copy, no log line.

One long-lived buffer; packets are received into its places, changed there, and sent from there. At
least ``SRTP_SLACK`` bytes stay free behind each, because the two legs may have different SRTP
profiles and a packet may grow.
"""

from __future__ import annotations

import logging
import struct
from collections import Counter
from collections.abc import Callable

from media.codecs import Kind
from media.dtls import SRTP_SLACK, allocate, srtcp_protect, srtcp_unprotect, srtp_protect, srtp_unprotect
from media.events import MediaEvent, StreamsChanged
from media.inbox import PLACE_BYTES, PLACES
from media.keyframes import begins_key_frame
from media.leg import AUDIO_TYPES, MAX_STREAMS, VIDEO_TYPES, Leg
from media.observe import Stream
from media.paths import Path
from media.rtcp import SenderReport, read_reports
from media.sinks import Sink

logger = logging.getLogger(__name__)

RTP_HEADER = 12
BUFFER_BYTES = PLACES * PLACE_BYTES
OWN_BYTES = 64
_VOICE = Kind.AUDIO

_HEADER = struct.Struct("!xBHII")  # marker and payload type, sequence number, time stamp, SSRC


class Forwarder:
    """Turns an authentic packet of one leg into a packet for its peer, in the shared buffer."""

    def __init__(self, counters: Counter[str], tell: Callable[[MediaEvent], None]) -> None:
        self.buffer, self.view, self.length = allocate(BUFFER_BYTES)
        # Apart, so that an event handled in the middle of a batch may send.
        self._own_buffer, self._own_view, self._own_length = allocate(OWN_BYTES + SRTP_SLACK)
        self.counters = counters
        self._tell = tell

    def rtp(  # noqa: C901, PLR0911, PLR0912  # the packet path: a call for each step would cost what the step does
        self, path: Path, at: int, size: int, now: float
    ) -> Path | None:
        """Take the SRTP packet of ``size`` bytes at ``at``; return where to send what it became.

        The packet for the peer stands at the same place; ``length[0]`` is its size. None: nothing
        is to be sent.
        """
        leg = path.leg
        rx = leg.rx
        if rx is None or size < RTP_HEADER:
            self.counters["early"] += 1
            return None
        length = self.length
        length[0] = size
        packet = self.buffer + at
        if srtp_unprotect(rx, packet, length):
            self.counters["refused"] += 1
            leg.refusals += 1
            return None
        marked_type, sequence, timestamp, ssrc = _HEADER.unpack_from(self.view, at)
        payload_type = marked_type & 127
        path.heard_at = path.selected_at = leg.heard_at = now
        leg.refusals = 0
        leg.bytes_up += size + path.overhead
        stream = leg.streams.get(ssrc)
        if stream is None:
            stream = self._new_stream(leg, ssrc, payload_type, sequence)
            if stream is None:
                return None
        is_voice = payload_type in AUDIO_TYPES
        if is_voice is not (stream.kind is _VOICE):
            # No browser does that; what is counted here and not sent on would be the receiver's loss.
            self.counters["other_kind"] += 1
            return None
        stream.packet(sequence, timestamp, now)
        if is_voice:
            leg.last_audio_at = now
        peer = leg.peer
        if peer is None or payload_type not in leg.allowed:
            return None
        if stream.cleared is not peer and not self._clear(stream, leg, peer):
            return None
        sink = leg.sink
        if sink is not None:
            try:
                sink.rtp(self.view[at : at + length[0]], stream.kind, now)
            except Exception:
                logger.exception("media.sink_failed", extra={"leg": leg.id})
                self._take_off(leg)
        if leg.key_frames_due and stream.kind is Kind.VIDEO:
            self._look_for_key_frame(leg, at, payload_type)
        out = peer.out
        if out is None or peer.tx is None:
            return None
        if srtp_protect(peer.tx, packet, length):
            self.counters["unprotectable"] += 1
            return None
        peer.bytes_down += length[0] + out.overhead
        peer.sent_at = now
        return out

    def _new_stream(self, leg: Leg, ssrc: int, payload_type: int, sequence: int) -> Stream | None:
        stream = leg.add_stream(ssrc, payload_type, sequence)
        if stream is None:
            self.counters["excess_streams"] += 1
            return None
        if ssrc not in leg.answered.audio + leg.answered.video:
            stream.last_at = leg.heard_at
            self._tell(StreamsChanged(leg.id, leg.learned()))
        return stream

    def _clear(self, stream: Stream, leg: Leg, peer: Leg) -> bool:
        if not peer.clear_source(stream.ssrc, leg.id):
            self.counters["reused_ssrc"] += 1
            return False
        stream.cleared = peer
        return True

    def _look_for_key_frame(self, leg: Leg, at: int, payload_type: int) -> None:
        if begins_key_frame(self.view[at : at + self.length[0]], payload_type):
            leg.key_frames_due.clear()

    def _tap_report(self, sink: Sink, leg: Leg, report: SenderReport, now: float) -> None:
        try:
            sink.sender_report(report, now)
        except Exception:
            logger.exception("media.sink_failed", extra={"leg": leg.id})
            self._take_off(leg)

    def _take_off(self, leg: Leg) -> None:
        """Take a sink off that raised: the call goes on without it."""
        leg.sink = None
        self.counters["sinks_failed"] += 1

    def rtcp(self, path: Path, at: int, size: int, now: float) -> Path | None:
        """Take the SRTCP packet of ``size`` bytes at ``at``; the same contract as ``rtp``."""
        leg = path.leg
        if leg.rx is None or size < RTP_HEADER:
            self.counters["early"] += 1
            return None
        length = self.length
        length[0] = size
        packet = self.buffer + at
        if srtcp_unprotect(leg.rx, packet, length):
            self.counters["refused"] += 1
            return None
        path.heard_at = path.selected_at = leg.heard_at = now
        leg.bytes_up += size + path.overhead
        peer = leg.peer
        self._read_reports(leg, peer, at, now)
        if peer is None or peer.out is None or peer.tx is None or not leg.allowed:
            return None
        sender = int.from_bytes(self.view[at + 4 : at + 8], "big")
        if sender not in leg.rtcp_ssrcs:
            if len(leg.rtcp_ssrcs) >= MAX_STREAMS or sender == peer.ssrc:
                self.counters["excess_streams"] += 1
                return None
            leg.rtcp_ssrcs.add(sender)
        if srtcp_protect(peer.tx, packet, length):
            self.counters["unprotectable"] += 1
            return None
        peer.bytes_down += length[0] + peer.out.overhead
        peer.sent_at = now
        return peer.out

    def _read_reports(self, leg: Leg, peer: Leg | None, at: int, now: float) -> None:
        for report in read_reports(self.view[at : at + self.length[0]]):
            if isinstance(report, SenderReport):
                stream = leg.streams.get(report.ssrc)
                if stream is not None:
                    stream.sender_report(report, now)
                    if leg.sink is not None and peer is not None:
                        self._tap_report(leg.sink, leg, report, now)
            elif peer is not None and report.ssrc in peer.streams:
                back_at = leg.back_at if leg.interrupted_at is None else now
                rtt_ms = peer.streams[report.ssrc].receiver_report(report, now, back_at=back_at)
                if rtt_ms is not None:
                    leg.measured(rtt_ms, report.delay / 65_536, now)

    def own_rtcp(self, leg: Leg, data: bytes, now: float) -> None:
        """Send RTCP of the server's own to a connected leg (its SSRC is in no answer)."""
        if leg.out is None or leg.tx is None:
            return
        length = self._own_length
        self._own_view[: len(data)] = data
        length[0] = len(data)
        if srtcp_protect(leg.tx, self._own_buffer, length):
            self.counters["unprotectable"] += 1
            return
        if leg.out.send(self._own_view[: length[0]]):
            leg.bytes_down += length[0] + leg.out.overhead
        leg.sent_at = now

    def send_alone(self, out: Path, at: int) -> None:
        """Send the packet that stands at ``at`` over a path that takes one at a time (TCP)."""
        packet = self.view[at : at + self.length[0]]
        self.counters["forwarded"] += 1
        if not out.send(packet, video=packet[1] & 127 in VIDEO_TYPES):
            self.counters["unsent"] += 1
