"""When is silence a lost line? Only against what is expected (relay.md, "Notices silence")."""

from __future__ import annotations

AUDIO_RECENT_S = 5.0
# Two DTX intervals of 400 ms (RFC 6716, 2.1.9 with libopus' comfort packets) and what jitter may add.
# Where packets are lost two in a row may be: there it is three.
AUDIO_SILENCE_S = 1.0
LOSSY_AUDIO_SILENCE_S = 1.4
LOSSY_PCT = 2.0
ANY_SILENCE_S = 15.0
# From who sends no voice, as in chat, only checks come: from Firefox up to 5.9 s apart.
QUIET_MS = 6_500


def silence_limit_s(
    *, expects_audio: bool, last_audio_at: float | None, loss_pct: float | None, now: float
) -> float:
    """Return after how many seconds without an authentic packet a leg counts as interrupted.

    ``expects_audio``: this side has not announced that it stopped sending, and its peer is there to
    hear it. ``last_audio_at``: when its last audio packet came, None for never. ``loss_pct``: what was
    lost of its packets lately, None where nobody knows.
    """
    if not expects_audio or last_audio_at is None or now - last_audio_at > AUDIO_RECENT_S:
        return ANY_SILENCE_S
    return LOSSY_AUDIO_SILENCE_S if (loss_pct or 0.0) > LOSSY_PCT else AUDIO_SILENCE_S
