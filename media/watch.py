"""What is looked after in time, to a tenth of a second: silence, signs of life, key frames, samples.

A leg is looked at when the first of these may be due if nothing more came or went; packets only
put them off. Whatever else brings one forward says so by ``Leg.look_at``.
"""

from __future__ import annotations

from collections.abc import Callable

from media.events import LegInterrupted, LegResumed, LegSample, LegSpent, MediaEvent
from media.forwarding import Forwarder
from media.leg import MAX_RETURNS, REFUSALS_SPENT, Leg
from media.rtcp import picture_loss, receiver_report
from media.silence import ANY_SILENCE_S, AUDIO_SILENCE_S, silence_limit_s

TICK_S = 0.1
SAMPLE_S = 1.0
# A little over the 400 ms between comfort noise packets, or each of those would cost one of ours.
KEEPALIVE_S = 0.45
WAITING_KEEPALIVE_S = 5.0
# Audio that begins behind a look makes its silence due 1.2 s later at the earliest.
LONGEST_S = 0.5
KEY_FRAME_RETRY_S = (0.0, 0.5, 1.5)


class Watch:
    """Looks after one leg at a time; everything it finds becomes an event or a few bytes of RTCP."""

    def __init__(self, forwarder: Forwarder, tell: Callable[[MediaEvent], None]) -> None:
        self._forwarder = forwarder
        self._tell = tell

    def look(self, leg: Leg, now: float) -> None:
        """Do what is due for this leg, and say when to look again."""
        if not leg.connected:
            return
        self._path(leg, now)
        self._silence(leg, now)
        self._spent(leg)
        if leg.key_frames_due and leg.key_frames_due[0] <= now:
            self.ask_for_key_frame(leg, now)
        # Behind a peer the page expects a packet every 400 ms, so that it can tell its own line.
        keepalive_s = KEEPALIVE_S if leg.peer is not None else WAITING_KEEPALIVE_S
        if now - leg.sent_at >= keepalive_s:
            self._forwarder.own_rtcp(leg, receiver_report(leg.ssrc), now)
        if not leg.window.kept or now - leg.window.kept[-1].at >= SAMPLE_S:
            leg.window.add(leg.totals(now))
        if leg.interrupted_at is None and leg.out is not None:
            leg.look_at = min(
                now + LONGEST_S,
                leg.sent_at + keepalive_s,
                leg.heard_at + AUDIO_SILENCE_S,
                leg.window.kept[-1].at + SAMPLE_S,
                *leg.key_frames_due[:1],
            )

    def _path(self, leg: Leg, now: float) -> None:
        """Stop sending to a path that has been silent for 15 s, and go on when it is heard again."""
        if leg.path is not None:
            leg.out = leg.path if now - leg.path.heard_at < ANY_SILENCE_S else None

    def _silence(self, leg: Leg, now: float) -> None:
        silent_s = now - leg.heard_at
        if leg.interrupted_at is None:
            if silent_s < AUDIO_SILENCE_S:
                return
            limit_s = silence_limit_s(
                expects_audio=leg.expects_audio and now - leg.expects_from >= AUDIO_SILENCE_S,
                last_audio_at=leg.last_audio_at,
                loss_pct=leg.window.loss_up_pct(),
                now=now,
            )
            if silent_s >= limit_s:
                leg.interrupted_at = leg.heard_at
                leg.mark_missed()
                self._tell(LegInterrupted(leg.id, int(silent_s * 1000)))
        elif leg.heard_at > leg.interrupted_at:
            gap_ms = int((leg.heard_at - leg.interrupted_at) * 1000)
            leg.interrupted_at, leg.back_at = None, now
            if leg.missed_too_much():
                self._tell(LegSpent(leg.id, "missed_packets"))
            else:
                self._tell(LegResumed(leg.id, gap_ms))
                self.want_key_frame(leg, now)
                if leg.peer is not None:
                    self.want_key_frame(leg.peer, now)
            leg.marks.clear()

    def _spent(self, leg: Leg) -> None:
        """Tell, once, that a leg cannot go on: too much of it is refused, or too many came and went."""
        if leg.spent:
            return
        many = len(leg.sources) > MAX_RETURNS and leg.returns > MAX_RETURNS
        if many or leg.refusals > REFUSALS_SPENT:
            leg.spent = True
            self._tell(LegSpent(leg.id, "returns" if many else "refused_packets"))

    def want_key_frame(self, leg: Leg, now: float) -> None:
        """Ask for a key frame now, and again after 0.5 and 1.5 s unless one passed."""
        leg.key_frames_due = [now + after for after in KEY_FRAME_RETRY_S]
        leg.look_at = now
        self.ask_for_key_frame(leg, now)

    def ask_for_key_frame(self, leg: Leg, now: float) -> None:
        """Send a PLI to this leg's video sender; does nothing where none is sent."""
        while leg.key_frames_due and leg.key_frames_due[0] <= now:
            leg.key_frames_due.pop(0)
        ssrc = leg.video_ssrc()
        if ssrc is not None:
            self._forwarder.own_rtcp(leg, picture_loss(leg.ssrc, ssrc), now)

    def sample(self, leg: Leg, now: float, *, take: bool) -> LegSample:
        """Say what was seen of this leg; with ``take`` also its time since the last such look."""
        leg.settle()
        up, down = leg.window.kbps()
        return LegSample(
            leg=leg.id,
            rtt_ms=leg.rtt_ms,
            jitter_ms=leg.jitter_ms(),
            kbps_up=up,
            kbps_down=down,
            bytes_up=leg.bytes_up,
            bytes_down=leg.bytes_down,
            silent_ms=int((now - leg.heard_at) * 1000) if leg.connected else None,
            transport=leg.path.transport if leg.path is not None else None,
            ip_version=leg.path.ip_version if leg.path is not None else None,
            seen=leg.seen(now) if take and leg.connected else None,
        )
