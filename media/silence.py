"""When is silence a lost line? Only against what is expected (relay.md, "Notices silence")."""

from __future__ import annotations

AUDIO_RECENT_S = 5.0
# Three DTX intervals of 400 ms (RFC 6716, 2.1.9 with libopus' comfort packets).
AUDIO_SILENCE_S = 1.2
ANY_SILENCE_S = 15.0


def silence_limit_s(*, expects_audio: bool, last_audio_at: float | None, now: float) -> float:
    """Return after how many seconds without an authentic packet a leg counts as interrupted.

    ``expects_audio``: this side has not announced that it stopped sending, and its peer is there to
    hear it. ``last_audio_at``: when its last audio packet came, None for never.
    """
    if expects_audio and last_audio_at is not None and now - last_audio_at <= AUDIO_RECENT_S:
        return AUDIO_SILENCE_S
    return ANY_SILENCE_S
