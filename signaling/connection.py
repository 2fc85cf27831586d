"""One WebSocket as a pure machine: what is legal when, and how much of it.

    state   | HELLO      | PING     | REQUEST      | HOLD | SEAT   | CLOSE
    --------+------------+----------+--------------+------+--------+-------
    OPENED  | OPENED     | -        | -            | HELD | SEATED | CLOSED
    HELD    | -          | HELD     | -            | -    | SEATED | CLOSED
    SEATED  | -          | SEATED   | SEATED       | -    | SEATED | CLOSED
    CLOSED  | -          | -        | -            | -    | -      | CLOSED

``-`` raises ``InvalidState`` and changes nothing. HELLO, PING and REQUEST are what the client
sends; HOLD, SEAT and CLOSE is what the server decides. ``verdict`` says what becomes of a message
that is not legal: an error, or a close code.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from core.errors import InvalidState
from signaling.client_messages import ClientMessage, Hello, Ping
from signaling.protocol import CloseCode

HELLO_WITHIN_S = 5.0
MESSAGES_PER_S = 20.0
BURST = 120.0
BYTES_PER_MESSAGE = 4096


class State(enum.Enum):
    """Where a connection stands."""

    OPENED = "opened"
    HELD = "held"
    SEATED = "seated"
    CLOSED = "closed"


class Event(enum.Enum):
    """What happens to a connection."""

    HELLO = "hello"
    PING = "ping"
    REQUEST = "request"
    HOLD = "hold"
    SEAT = "seat"
    CLOSE = "close"


TABLE: dict[tuple[State, Event], State] = {
    (State.OPENED, Event.HELLO): State.OPENED,
    (State.OPENED, Event.HOLD): State.HELD,
    (State.OPENED, Event.SEAT): State.SEATED,
    (State.OPENED, Event.CLOSE): State.CLOSED,
    (State.HELD, Event.PING): State.HELD,
    (State.HELD, Event.SEAT): State.SEATED,
    (State.HELD, Event.CLOSE): State.CLOSED,
    (State.SEATED, Event.PING): State.SEATED,
    (State.SEATED, Event.REQUEST): State.SEATED,
    (State.SEATED, Event.SEAT): State.SEATED,
    (State.SEATED, Event.CLOSE): State.CLOSED,
    (State.CLOSED, Event.CLOSE): State.CLOSED,
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a message that is not legal gets: an error's code, or a close code."""

    error: str | None = None
    close: CloseCode | None = None


def event_of(message: ClientMessage) -> Event:
    """Tell which event a client's message is."""
    match message:
        case Hello():
            return Event.HELLO
        case Ping():
            return Event.PING
        case _:
            return Event.REQUEST


@dataclass(slots=True)
class Connection:
    """The state of one WebSocket. Times are seconds of the monotonic clock."""

    opened_s: float
    state: State = State.OPENED
    _tokens: float = BURST
    _filled_s: float = field(default=-1.0)

    def apply(self, event: Event) -> None:
        """Take an event. Raises ``InvalidState`` for a pair that the table does not have."""
        after = TABLE.get((self.state, event))
        if after is None:
            raise InvalidState(f"{event.value} while {self.state.value}")
        self.state = after

    def verdict(self, message: ClientMessage) -> Refusal | None:
        """Say what becomes of a message: None when it is legal now."""
        event = event_of(message)
        if (self.state, event) in TABLE:
            return None
        match self.state:
            case State.OPENED:
                return Refusal(close=CloseCode.UNAUTHENTICATED)
            case State.HELD:
                return Refusal(error="held")
            case State.SEATED:
                return Refusal(error="already_here")
            case State.CLOSED:
                return Refusal()

    def hello_is_late(self, now_s: float) -> bool:
        """Tell whether the first message did not come in time; how long it takes us is another matter."""
        waits = self.state is State.OPENED and self._filled_s < 0
        return waits and now_s - self.opened_s >= HELLO_WITHIN_S

    def spend(self, size_bytes: int, now_s: float) -> bool:
        """Take one message of this size from the budget; False when it is too much (4429)."""
        if self._filled_s < 0:
            self._filled_s = now_s
        self._tokens = min(BURST, self._tokens + (now_s - self._filled_s) * MESSAGES_PER_S)
        self._filled_s = now_s
        self._tokens -= 1 + size_bytes / BYTES_PER_MESSAGE
        return self._tokens >= 0
