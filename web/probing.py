"""The probe of a client's line before a session: a few seconds of real media through the relay and back.

A browser gets two legs of its own, which the relay pairs: what it sends on the one comes back on the other,
over the very port, transport and code that a session uses. The page reads round trip, loss and bytes from its
own statistics; the server keeps nothing of it. One probe for each person, few at once, seconds each.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web as http

from accounts.throttle import Throttle
from core.errors import InvalidInput, NotFound, TooMany
from core.ids import UserId
from media.codecs import FIRST_OFFER, Mode
from media.description import Answer, InvalidAnswer, OfferRequest
from media.events import LegId, Streams
from web.services import SERVICES, Media

MOST: Final = 20
LASTS_S: Final = 20.0
AGAIN_S: Final = 120.0
"""Or two computers of anybody's could send to each other through the relay for ever."""
AT_ONCE: Final = 3.0


@dataclass(slots=True)
class Probe:
    """One running probe: the leg that takes and the leg that gives back."""

    id: str
    person: UserId
    out: LegId
    back: LegId
    timer: asyncio.TimerHandle


@dataclass(slots=True)
class Prober:
    """Runs probes; ``close`` ends all of them."""

    legs: Media
    asking: Throttle = field(default_factory=lambda: Throttle(1 / AGAIN_S, AT_ONCE))
    _running: dict[UserId, Probe] = field(default_factory=dict)

    def begin(self, person: UserId, now_s: float) -> tuple[Probe, str]:
        """Open both legs; gives the offer of the one to send on. A former probe of this person ends.

        Raises ``TooMany`` for who asks again and again, and when too many run.
        """
        self.asking.spend(person, now_s)
        self.end(person)
        if len(self._running) >= MOST:
            raise TooMany("Too many lines are being tried just now.", retry_after_s=LASTS_S)
        number = secrets.token_hex(8)
        out, back = LegId(f"probe_{number}_out"), LegId(f"probe_{number}_back")
        timer = asyncio.get_running_loop().call_later(LASTS_S, self.end, person)
        probe = self._running[person] = Probe(number, person, out, back, timer)
        for leg in (out, back):
            self.legs.open_leg(leg)
        return probe, self.legs.offer(out, _request(1))

    def sends(self, person: UserId, number: str, sdp: str) -> str:
        """Take the answer of the sending side; gives the offer of the one that gives it back.

        Raises ``NotFound`` when the probe is over, ``InvalidInput``.
        """
        probe = self._own(person, number)
        streams = self._answer(probe.out, sdp).streams
        return self.legs.offer(probe.back, _request(1, streams=streams))

    def receives(self, person: UserId, number: str, sdp: str) -> None:
        """Take the answer of the receiving side: from now on what is sent comes back."""
        probe = self._own(person, number)
        self._answer(probe.back, sdp)
        self.legs.pair(probe.out, probe.back)
        self.legs.forward(probe.out, audio=True, video=True)
        self.legs.forward(probe.back, audio=False, video=False)

    def end(self, person: UserId) -> None:
        """End somebody's probe. Idempotent."""
        probe = self._running.pop(person, None)
        if probe is None:
            return
        probe.timer.cancel()
        for leg in (probe.out, probe.back):
            self.legs.close_leg(leg)

    def close(self) -> None:
        """End all probes. Idempotent."""
        for person in list(self._running):
            self.end(person)

    def _answer(self, leg: LegId, sdp: str) -> Answer:
        try:
            return self.legs.answer(leg, sdp)
        except InvalidAnswer as error:
            raise InvalidInput(str(error)) from None

    def _own(self, person: UserId, number: str) -> Probe:
        probe = self._running.get(person)
        if probe is None or probe.id != number:
            raise NotFound("There is no such probe.")
        return probe


def _request(negotiation: int, *, streams: Streams | None = None) -> OfferRequest:
    return OfferRequest(
        negotiation=negotiation,
        mode=Mode.VIDEO,
        payload_types=FIRST_OFFER,
        peer=None if streams is None else "probe",
        streams=streams or Streams(),
    )


PROBER: Final = http.AppKey("prober", Prober)


def setup(app: http.Application) -> None:
    """Add the prober; what runs ends with the server."""
    prober = app[PROBER] = Prober(app[SERVICES].media)

    async def close(_app: http.Application) -> None:
        prober.close()

    app.on_shutdown.append(close)
