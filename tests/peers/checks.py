"""ICE checks of a controlling agent facing an ICE-lite server (RFC 8445): pure, bytes in and out."""

from __future__ import annotations

import enum
import secrets
from dataclasses import dataclass

from aioice import stun


class Nomination(enum.Enum):
    """When USE-CANDIDATE is said: in each check, only in the first, or never."""

    ALWAYS = "always"
    ONCE = "once"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The user fragment and password of one side."""

    ufrag: str
    pwd: str

    @classmethod
    def fresh(cls) -> Credentials:
        """New random ones (RFC 8445, 5.3)."""
        return cls(secrets.token_hex(4), secrets.token_hex(16))


class Checks:
    """Makes Binding requests and recognises their answers; one object for each link."""

    def __init__(
        self, *, local: Credentials, remote: Credentials, nomination: Nomination, tie_breaker: int
    ) -> None:
        self._local = local
        self._remote = remote
        self._nomination = nomination
        self._tie_breaker = tie_breaker
        self._waiting: dict[bytes, bool] = {}
        self._nominated = False
        self.succeeded = 0

    def request(self) -> bytes:
        """A Binding request to send now."""
        message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        message.attributes["USERNAME"] = f"{self._remote.ufrag}:{self._local.ufrag}"
        message.attributes["PRIORITY"] = 1_853_693_695
        message.attributes["ICE-CONTROLLING"] = self._tie_breaker
        nominate = self._nomination is Nomination.ALWAYS or (
            self._nomination is Nomination.ONCE and not self._nominated
        )
        if nominate:
            message.attributes["USE-CANDIDATE"] = None
        message.add_message_integrity(self._remote.pwd.encode())
        self._waiting[message.transaction_id] = nominate
        return bytes(message)

    def response(self, data: bytes) -> bool:
        """Whether ``data`` is a genuine success response to one of our requests."""
        try:
            message = stun.parse_message(data)
        except ValueError:
            return False
        if message.message_class is not stun.Class.RESPONSE:
            return False
        nominated = self._waiting.pop(message.transaction_id, None)
        if nominated is None or not message.check_message_integrity(self._remote.pwd.encode()):
            return False
        self._nominated = self._nominated or nominated
        self.succeeded += 1
        return True
