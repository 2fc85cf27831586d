"""What a call is made with, its states, and how it says no."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from core.errors import TeduhError
from media.description import VoiceProfile
from signaling.server_messages import IceServer


class Refused(TeduhError):
    """A request that cannot be granted now; nothing was changed."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class CallState(enum.StrEnum):
    """The state of a session on the wire."""

    WAITING = "waiting"
    ACTIVE = "active"
    INTERRUPTED = "interrupted"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class CallTerms:
    """What does not change during a call."""

    session: str
    leg_tag: str
    recording: str = "off"
    grace_s: float = 600.0
    heartbeat_s: float = 2.0
    heartbeat_chat_s: float = 15.0
    heartbeat_risk_s: float = 5.0
    """In chat, of who may be in danger. A ping with its answer is 210 bytes of IP: 101 kB an hour more."""
    max_minutes: int | None = None
    ice_servers: tuple[IceServer, ...] = ()
    turned_on: frozenset[str] = frozenset()
    voice: VoiceProfile = field(default_factory=VoiceProfile)

    @property
    def may_be_recorded(self) -> bool:
        """Whether somebody may ask for a recording: media must then be what a recording can hold."""
        return self.recording == "ask"
