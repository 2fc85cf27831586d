"""What settings of more than one value are made of; ``core/settings.py`` reads them from text."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK_NAMES = frozenset({"localhost", "ip6-localhost"})


@dataclass(frozen=True, slots=True)
class MediaAddress:
    """An address that browsers send media to; ``port`` None is the media port itself."""

    address: str
    port: int | None = None

    def __str__(self) -> str:
        """Write it as it is set."""
        if self.port is None:
            return self.address
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server that browsers are told of (RTCIceServer of the WebRTC API)."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


@dataclass(frozen=True, slots=True)
class Tls:
    """Certificate and key files in PEM; both None is a certificate of our own making."""

    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class QualityLimits:
    """What a line may be at most (loss in percent, round trip in ms) and at least (MOS) to pass."""

    loss_pct: float
    rtt_ms: float
    mos: float

    def __str__(self) -> str:
        """Write it as it is set."""
        return f"{self.loss_pct:g},{self.rtt_ms:g},{self.mos:g}"


FAIR = QualityLimits(loss_pct=3.0, rtt_ms=300.0, mos=3.6)
POOR = QualityLimits(loss_pct=8.0, rtt_ms=700.0, mos=3.1)
"""Beyond any of these a line is fair, and poor."""


@dataclass(frozen=True, slots=True)
class Outside:
    """Where checkpoints of the audit go, so that who has this server cannot change them there."""

    directory: Path | None = None
    addresses: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Write it as it is set."""
        letters = [f"mailto:{','.join(self.addresses)}"] if self.addresses else []
        return ", ".join([*([str(self.directory)] if self.directory else []), *letters])


@dataclass(frozen=True, slots=True)
class Smtp:
    """A mail server. ``tls`` is TLS from the first byte (``smtps://``); else STARTTLS."""

    host: str
    port: int
    username: str | None = None
    password: str | None = None
    tls: bool = False

    @property
    def is_near(self) -> bool:
        """Whether it runs on this machine, so that nothing goes over a line."""
        return is_loopback(self.host)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A page of another program that is told something, and the secret that we sign with."""

    url: str
    secret: str = field(repr=False)


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine and nobody else."""
    if host.lower() in LOOPBACK_NAMES or host.lower().endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class KeysAt:
    """Where the keys that wrap recordings' keys are: exactly one of the three."""

    directory: Path | None = None
    socket: Path | None = None
    """Of ``teduh keyd``."""
    vault: str | None = None
    """The URL of a Transit engine in HashiCorp Vault or OpenBao."""

    def __str__(self) -> str:
        """Write it as it is set."""
        if self.socket is not None:
            return f"unix:{self.socket}"
        return f"vault+{self.vault}" if self.vault is not None else str(self.directory)
