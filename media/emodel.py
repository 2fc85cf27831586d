"""How good a voice sounds, by the E-model (ITU-T G.107, 06/2015). Pure; equation numbers are its own.

Everything that a network does not change stands at the Recommendation's defaults (Table 2), so only
delay and loss move the rating R: 93.2 for a perfect line, 70 where some are dissatisfied, 60 where many
are. Echo is left out (TELR infinite, as in the curve of G.114): browsers cancel it.

Opus has no entry in G.113. Its impairment comes from M. Alahmadi, P. Pocta and H. Melvin, "An Adaptive
Bitrate Switching Algorithm for Speech Applications in Context of WebRTC", ACM TOMM 17(4), 2021,
doi:10.1145/3458751, on the scale of G.107 (narrowband): Ie 2.03, Bpl 15.95 for random loss, at 11 kbit/s,
the highest rate that was measured on this scale. Our 12 to 24 kbit/s sound better and carry in-band FEC,
so the rating is a careful one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# G.107, Table 2: loudness ratings and noise in dB, delays in ms.
_SLR, _RLR, _STMR, _DS, _DR = 8.0, 2.0, 15.0, 3.0, 3.0
_WEPL, _QDU = 110.0, 1.0
_NC, _NFOR, _PS, _PR = -70.0, -64.0, 35.0, 35.0
# G.107, Table 1: the default class of delay sensitivity.
LEAST_FELT_DELAY_MS = 100.0
_ST = 1.0

# One frame of 20 ms and the encoder's look-ahead of 6.5 ms (RFC 6716, 2). Voice mode's frames of 40 and 60 ms
# take 20 and 40 ms more, which this leaves out: 0.1 and 0.2 of MOS on a way of 200 ms.
CODEC_DELAY_MS = 26.5
WORST_MOS = 1.0


@dataclass(frozen=True, slots=True)
class Codec:
    """What a codec costs: ``ie`` without loss, ``bpl`` how well it bears loss (G.113)."""

    ie: float
    bpl: float


OPUS = Codec(ie=2.03, bpl=15.95)


def _noise() -> float:
    """All noise, as one circuit noise at the 0 dBr point (7-3 to 7-7)."""
    olr = _SLR + _RLR
    pre = _PR + 10 * math.log10(1 + 10 ** ((10 - (_STMR + _DR)) / 10))
    parts = (
        _NC,
        _PS - _SLR - _DS - 100 + 0.004 * (_PS - olr - _DS - 14) ** 2,
        _RLR - 121 + pre + 0.008 * (pre - 35) ** 2,
        _NFOR + _RLR,
    )
    return 10 * math.log10(sum(math.pow(10, part / 10) for part in parts))


def _simultaneous(noise: float, signal: float) -> float:
    """Is: what happens together with the voice (7-8 to 7-17); without echo STMRo is STMR."""
    olr = _SLR + _RLR
    loud = (olr + 0.2 * (64 + noise - _RLR)) / 8
    too_loud: float = 20 * ((1 + loud**8) ** (1 / 8) - loud)
    sidetone: float = (
        12 * (1 + ((_STMR - 13) / 6) ** 8) ** (1 / 8)
        - 28 * (1 + ((_STMR + 1) / 19.4) ** 35) ** (1 / 35)
        - 13 * (1 + ((_STMR - 3) / 33) ** 13) ** (1 / 13)
        + 29
    )
    q = 37 - 15 * math.log10(_QDU)
    g = 1.07 + 0.258 * q + 0.0602 * q**2
    y = (signal - 100) / 15 + 46 / 8.4 - g / 9
    z = 46 / 30 - g / 40
    quantizing = 15 * math.log10(1 + math.pow(10, y) + math.pow(10, z))
    return too_loud + sidetone + quantizing


def _listener_echo(signal: float) -> float:
    """Idle for a loop without delay (7-25, 7-26)."""
    rle = 10.5 * (_WEPL + 7)
    return (signal - rle) / 2 + math.sqrt((signal - rle) ** 2 / 4 + 169)


def _best() -> float:
    noise = _noise()
    signal = 15 - 1.5 * (_SLR + noise)
    return signal - _simultaneous(noise, signal) - _listener_echo(signal)


BEST_RATING = _best()


def delay_impairment(delay_ms: float) -> float:
    """Idd: what it costs that an answer comes late (7-27, 7-28); nothing up to 100 ms one way."""
    if delay_ms <= LEAST_FELT_DELAY_MS:
        return 0.0
    x = math.log2(delay_ms / LEAST_FELT_DELAY_MS)
    power = 6 * _ST
    late = math.pow(1 + math.pow(x, power), 1 / power)
    very_late = math.pow(1 + math.pow(x / 3, power), 1 / power)
    return 25 * (late - 3 * very_late + 2)


def loss_impairment(loss_pct: float, *, codec: Codec = OPUS, burst_ratio: float = 1.0) -> float:
    """Ie,eff: what codec and lost packets cost (7-29). ``burst_ratio`` is 1 for random loss."""
    return codec.ie + (95 - codec.ie) * loss_pct / (loss_pct / burst_ratio + codec.bpl)


def rating(*, delay_ms: float, loss_pct: float, codec: Codec = OPUS, burst_ratio: float = 1.0) -> float:
    """R, from mouth to ear: ``delay_ms`` one way, ``loss_pct`` of the packets (7-1)."""
    lost = loss_impairment(loss_pct, codec=codec, burst_ratio=burst_ratio)
    return BEST_RATING - delay_impairment(delay_ms) - lost


def mos_of(rating: float) -> float:
    """The mean opinion score that goes with a rating (Annex B, B-4), 1.0 to 4.5."""
    if rating <= 0:
        return WORST_MOS
    if rating >= 100:
        return 4.5
    # Under R = 6.5 the polynomial falls below the worst score there is.
    return max(WORST_MOS, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)


def voice_mos(*, delay_ms: float, loss_pct: float) -> float:
    """Score Opus over a line: ``delay_ms`` is the network's and the jitter buffer's, one way."""
    return mos_of(rating(delay_ms=delay_ms + CODEC_DELAY_MS, loss_pct=loss_pct))
