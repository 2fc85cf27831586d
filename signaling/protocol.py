"""What both directions of the session protocol, v1, have in common. PROTOCOL.md is its page.

The messages themselves stand in ``signaling/client_messages.py`` and ``signaling/server_messages.py``.
"""

from __future__ import annotations

import enum
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from media.ladder import Picture

SUBPROTOCOL = "teduh.v1"
TICKET_PREFIX = "teduh.ticket."
MAX_FRAME_BYTES = 64 * 1024
MAX_CHAT_CHARS = 4_000
MAX_RELAY_BYTES = 4 * 1024
MAX_ECHO_BYTES = 256

Ref = Annotated[str, Meta(min_length=1, max_length=64)]
Name = Annotated[str, Meta(max_length=128)]
Short = Annotated[str, Meta(max_length=32)]


class CloseCode(enum.IntEnum):
    """Why the server closes a WebSocket."""

    NORMAL = 1000
    TOO_BIG = 1009
    RESTART = 1012
    MALFORMED = 4400
    UNAUTHENTICATED = 4401
    NOT_YOUR_PLACE = 4403
    NO_SESSION = 4404
    HEARTBEAT_LOST = 4408
    CONTINUED_ELSEWHERE = 4409
    ENDED = 4410
    TOO_MANY = 4429


class WireState(enum.StrEnum):
    """The state of a participant as the other one is told it."""

    ABSENT = "absent"
    WAITING = "waiting"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    INTERRUPTED = "interrupted"
    LEFT = "left"


class Reason(enum.StrEnum):
    """Who or what asked for a mode."""

    USER = "user"
    NETWORK = "network"
    DATA = "data"


class PictureBy(enum.StrEnum):
    """Why a picture is as it is: a person chose it, the line asks for it, or a data budget does."""

    USER = "user"
    LINE = "line"
    DATA = "data"


class MediaState(msgspec.Struct, frozen=True):
    """What a side says it is sending. ``picture`` is its step, ``by`` who or what chose that.

    ``receive`` is the largest picture that it wants to be sent. Left out: nothing is said of it.
    """

    audio: bool
    video: bool
    picture: Picture | UnsetType = UNSET
    by: PictureBy | UnsetType = UNSET
    receive: Picture | UnsetType = UNSET
