"""What comes over a socket: decoded, asked whether it is legal now, and given to whoever handles it.

What is not of the protocol is answered here, and nothing that a page sends raises out of here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from core.clock import Clock, rfc3339
from signaling.client_messages import ClientMessage, Hello, MalformedMessage, Ping, UnknownType, decode
from signaling.connection import State
from signaling.dispatch import Asked, Doer, handle
from signaling.lives import Lives
from signaling.protocol import MAX_ECHO_BYTES, CloseCode
from signaling.server_messages import Error, Pong, ServerMessage
from signaling.wire import Wire


@dataclass(slots=True)
class Hearing:
    """The frames of all connections. ``close`` ends one by our own decision, ``hello`` lets one in."""

    clock: Clock
    lives: Lives
    doer: Doer
    close: Callable[[Wire, CloseCode], None]
    hello: Callable[[Wire, Hello], Awaitable[None]]
    count: int = 0
    """How many frames came since the start."""

    async def received(self, wire: Wire, text: str) -> None:
        """Take a text frame. Raises nothing."""
        wire.alive(self.clock.monotonic())
        self.count += 1
        if not wire.is_open:
            return
        if not wire.machine.spend(len(text), self.clock.monotonic()):
            self.close(wire, CloseCode.TOO_MANY)
            return
        try:
            message = decode(text)
        except MalformedMessage as error:
            self.malformed(wire, str(error))
            return
        except UnknownType as error:
            self._unknown(wire, error)
            return
        refusal = wire.machine.verdict(message)
        if refusal is None:
            await self._legal(wire, message)
        elif refusal.close is not None:
            self.close(wire, refusal.close)
        elif refusal.error is not None:
            text = "this is not the time for that"
            self._say(wire, Error(code=refusal.error, message=text, ref=_ref(message)))

    def malformed(self, wire: Wire, text: str) -> None:
        """Answer what is not a message of the protocol: an error, then 4400."""
        self._say(wire, Error(code="malformed", message=text))
        self.close(wire, CloseCode.MALFORMED)

    def _unknown(self, wire: Wire, error: UnknownType) -> None:
        if wire.machine.state is State.OPENED:
            self.close(wire, CloseCode.UNAUTHENTICATED)
        elif error.ref is None:
            self._say(wire, Error(code=error.code, message=str(error)))
        else:
            self._say(wire, Error(code=error.code, message=str(error), ref=error.ref))

    async def _legal(self, wire: Wire, message: ClientMessage) -> None:
        match message:
            case Hello():
                await self.hello(wire, message)
            case Ping():
                self._pong(wire, message)
            case _:
                live = self.lives.get(wire.session)
                if live is not None and wire.participant is not None:
                    now, now_s = self.clock.now(), self.clock.monotonic()
                    await handle(Asked(self.doer, live, wire.participant, now, now_s), message)

    def _pong(self, wire: Wire, message: Ping) -> None:
        if len(bytes(message.t)) > MAX_ECHO_BYTES:
            self.malformed(wire, "t is longer than 256 bytes")
            return
        pong = Pong(t=message.t, server_time=rfc3339(self.clock.now()) or "")
        self._say(wire, pong)

    def _say(self, wire: Wire, message: ServerMessage) -> None:
        """Say something to one connection: numbered once it is seated."""
        live = self.lives.get(wire.session)
        if wire.machine.state is State.SEATED and live is not None and wire.participant is not None:
            self.doer.send(live, wire.participant, message)
        else:
            wire.send_unnumbered(message)


def _ref(message: ClientMessage) -> str:
    return str(getattr(message, "ref", ""))
