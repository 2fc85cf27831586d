"""What the relay tells the program above it: plain values, nothing alive inside.

Together with the methods of ``media.relay.Relay`` this is the whole seam, so that the relay can
later run in a process of its own (relay.md, "Where this goes next").
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import NewType

LegId = NewType("LegId", str)


class Transport(enum.StrEnum):
    """How a path carries datagrams: UDP, or TCP with RFC 4571 framing."""

    UDP = "udp"
    TCP = "tcp"


@dataclass(frozen=True, slots=True)
class Streams:
    """The SSRCs one side sends with: ``(media,)`` for audio, ``(media, rtx)`` for video."""

    audio: tuple[int, ...] = ()
    video: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LegConnected:
    """DTLS is up. Told once for each leg."""

    leg: LegId


@dataclass(frozen=True, slots=True)
class LegFailed:
    """The handshake failed, timed out, or showed another fingerprint, or the other side closed.

    The leg is closed. ``bytes_*`` are all it ever carried, IP headers counted.
    """

    leg: LegId
    reason: str
    bytes_up: int = 0
    bytes_down: int = 0


@dataclass(frozen=True, slots=True)
class PathChanged:
    """Media now goes over another path; ``first`` for the first one. Addresses are not told.

    ``moved``: it comes from another address than before. ``renewed``: the page asked for it, by an ICE
    restart; otherwise it is the network that changed under the page.
    """

    leg: LegId
    transport: Transport
    ip_version: int
    first: bool
    moved: bool = False
    renewed: bool = False


@dataclass(frozen=True, slots=True)
class StreamsChanged:
    """Packets showed SSRCs that the last answer did not list: offer them to the other side."""

    leg: LegId
    streams: Streams


@dataclass(frozen=True, slots=True)
class LegInterrupted:
    """Packets that were expected have been missing for ``gap_ms``."""

    leg: LegId
    gap_ms: int


@dataclass(frozen=True, slots=True)
class LegResumed:
    """Authentic packets arrive again after ``gap_ms`` without any."""

    leg: LegId
    gap_ms: int


@dataclass(frozen=True, slots=True)
class LegSpent:
    """The leg must be replaced by a fresh one: its SRTP contexts cannot go on."""

    leg: LegId
    reason: str


MediaEvent = LegConnected | LegFailed | PathChanged | StreamsChanged | LegInterrupted | LegResumed | LegSpent


@dataclass(frozen=True, slots=True)
class Seen:
    """Counters of one leg since it began, and what its last second was like; for the monitor's seconds.

    ``*_down`` are of the peer's streams, as this side's reports tell. ``transits_ms``: the least and the
    greatest transit of its voice (their zero means nothing but for one ``voice``). ``rtts_ms``
    are the round trips measured since the last look. ``stalled_ms``: for so long it has reported that nothing
    reaches it. ``gap_lost`` is the share that it missed while its line was
    cut, told once. ``unsaid_ms``: since
    its last voice, though more was announced; None when none is due. ``hears``: it has reported what was
    sent to it since then.
    """

    at: float
    expected_up: int = 0
    lost_up: int = 0
    expected_down: int = 0
    lost_down: int = 0
    packets_up: int = 0
    packets_down: int = 0
    jitter_down_ms: float | None = None
    voice: int | None = None
    transits_ms: tuple[float, float] | None = None
    rtts_ms: tuple[float, ...] = ()
    stalled_ms: int | None = None
    gap_lost: float | None = None
    unsaid_ms: int | None = None
    hears: bool = False


@dataclass(frozen=True, slots=True)
class LegSample:
    """What the relay saw of one leg, rates over the last 10 s.

    ``up`` is from the participant to the server, ``down`` the other way. ``bytes_*`` count IP
    headers and everything since the leg began. None means not known yet; ``seen`` is given to the one
    who looks each second.
    """

    leg: LegId
    rtt_ms: float | None
    jitter_ms: float | None
    kbps_up: float
    kbps_down: float
    bytes_up: int
    bytes_down: int
    silent_ms: int | None
    transport: Transport | None
    ip_version: int | None
    seen: Seen | None = None
