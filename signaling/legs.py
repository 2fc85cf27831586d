"""The legs of a call's two places: opened, offered, retired, replaced. Pure.

A place has one current leg and at most one old leg, which carries media until its successor is
connected. A leg that fails or is not answered is replaced at once, after that ever later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from media.codecs import Mode
from media.description import OfferRequest
from media.events import LegId
from signaling import events as ev
from signaling.effects import Effect, KeyFrame, MakeOffer, OfferClosed, OpenLeg, RecordEvent, Send
from signaling.leg import Leg, PathEvent
from signaling.pairing import Pairing
from signaling.participant import Place
from signaling.server_messages import Error
from signaling.terms import CallTerms, Refused

OLD_LEG_FOR = timedelta(seconds=10)
RESTART_EVERY = timedelta(seconds=2)
RETRY_AFTER_S = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)


@dataclass(slots=True)
class Legs:
    """The legs of both places. ``wanted``: the session has, or had, media."""

    places: tuple[Place, Place]
    pairing: Pairing
    terms: CallTerms
    wanted: bool
    _made: int = 0

    def deadlines(self) -> Iterator[datetime]:
        """Say when ``tick`` is needed."""
        for place in self.places:
            if place.old_leg is not None and place.old_leg.close_at is not None:
                yield place.old_leg.close_at
            if place.is_here and place.leg is None and place.retry_at is not None:
                yield place.retry_at
            if place.is_here and place.leg is not None and place.leg.negotiation.deadline is not None:
                yield place.leg.negotiation.deadline

    def tick(self, place: Place, now: datetime) -> list[Effect]:
        """Close an old leg whose time is over, and give up on an offer that nobody answered."""
        effects: list[Effect] = []
        old = place.old_leg
        if old is not None and old.close_at is not None and now >= old.close_at:
            place.old_leg = None
            effects += self.pairing.drop(old)
        leg = place.leg
        if place.is_here and leg is not None and leg.negotiation.is_due(now):
            effects += self._time_out(place, leg, now)
        return effects

    def restart(self, place: Place, now: datetime, *, fresh: bool) -> list[Effect]:
        """Want an offer with new ICE credentials, or make room for a fresh leg."""
        if place.restarted_at is not None and now - place.restarted_at < RESTART_EVERY:
            raise Refused("too_soon", "at most one restart in two seconds")
        if not self.wanted:
            raise Refused("no_leg", "this session has no media yet")
        place.restarted_at = now
        if place.leg is None or fresh:
            place.retry_at = None
            return [RecordEvent("ice_restart", place.id, {"fresh": True}), *self.retire(place, now)]
        place.leg.negotiation.restart_wanted = True
        return [RecordEvent("ice_restart", place.id)]

    def answered(self, event: ev.Answered) -> list[Effect]:
        """Take the answer to the open offer of a place's current leg."""
        place, leg = self._owner(event.leg)
        if place is None or leg is None or leg is not place.leg:
            return []
        leg.take(event.answer)
        return [OfferClosed(place.id)]

    def up(self, event: ev.LegUp) -> list[Effect]:
        """Note that DTLS is up."""
        _, leg = self._owner(event.leg)
        if leg is not None:
            leg.observe(PathEvent.CONNECTED)
        return []

    def lost(self, event: ev.LegLost, now: datetime) -> list[Effect]:
        """Note that a leg is gone or spent; its successor follows."""
        place, leg = self._owner(event.leg)
        if place is None or leg is None:
            return []
        effects: list[Effect] = [RecordEvent("leg_lost", place.id, {"reason": event.reason})]
        if leg is place.old_leg:
            place.old_leg = None
            return effects + self.pairing.drop(leg, closed=event.closed)
        if not event.closed:
            return effects + self.retire(place, now)
        place.leg = None
        self._fail(place, now)
        return [*effects, *self.pairing.drop(leg, closed=True), OfferClosed(place.id)]

    def path(self, event: ev.LegSilent | ev.LegBack) -> list[Effect]:
        """Note that packets are missing, or come again; then the pictures start anew."""
        place, leg = self._owner(event.leg)
        if place is None or leg is None:
            return []
        back = isinstance(event, ev.LegBack)
        leg.observe(PathEvent.RESUMED if back else PathEvent.INTERRUPTED)
        effects: list[Effect] = []
        if back:
            both = (self.pairing.carrier(p) for p in self.places)
            effects += [KeyFrame(one.id) for one in both if one and self.pairing.passes_video(one.id)]
        return effects

    def streams_seen(self, event: ev.StreamsSeen) -> list[Effect]:
        """Note the SSRCs that packets showed."""
        _, leg = self._owner(event.leg)
        if leg is not None:
            leg.streams = event.streams
        return []

    def empty(self, place: Place) -> list[Effect]:
        """Take away what a place has while somebody sits there."""
        effects: list[Effect] = []
        for leg in place.legs:
            effects += self.pairing.drop(leg)
        place.leg = place.old_leg = None
        place.connection = place.media = place.retry_at = None
        return effects

    def _time_out(self, place: Place, leg: Leg, now: datetime) -> list[Effect]:
        leg.negotiation.time_out()
        place.leg = None
        self._fail(place, now)
        text = "no answer came in time; a new leg follows"
        return [
            Send(place.id, Error(code="negotiation_timeout", message=text)),
            OfferClosed(place.id),
            *self.pairing.drop(leg),
            RecordEvent("negotiation_timeout", place.id),
        ]

    def _fail(self, place: Place, now: datetime) -> None:
        """Say when the next leg may be tried: at once, then ever later."""
        wait_s = RETRY_AFTER_S[min(place.failures, len(RETRY_AFTER_S) - 1)]
        place.failures += 1
        place.retry_at = now + timedelta(seconds=wait_s)

    def open(self, now: datetime) -> list[Effect]:
        """Open a leg for everybody who is here without one."""
        effects: list[Effect] = []
        for place in self.places:
            wanted = self.wanted and place.is_here and place.leg is None
            if wanted and (place.retry_at is None or now >= place.retry_at):
                self._made += 1
                place.leg = Leg(LegId(f"l_{self.terms.leg_tag}{self._made}"))
                place.retry_at = None
                effects.append(OpenLeg(place.leg.id, place.id))
        return effects

    def retire(self, place: Place, now: datetime) -> list[Effect]:
        """Make room for a new leg; the former one carries media until that is connected."""
        leg = place.leg
        if leg is None:
            return []
        carries = leg is self.pairing.carrier(place)
        place.leg = None
        effects: list[Effect] = [OfferClosed(place.id)]
        if not carries:
            return effects + self.pairing.drop(leg)
        leg.negotiation.close()
        leg.close_at = now + OLD_LEG_FOR
        place.old_leg = leg
        return effects

    def offers(self, mode: Mode, now: datetime) -> list[Effect]:
        """Make the offers that ought to be made now."""
        effects: list[Effect] = []
        for place in self.places:
            leg = place.leg
            if leg is None or not place.is_here or not leg.negotiation.is_idle:
                continue
            content = self.pairing.content(place, mode)
            if not leg.negotiation.wants(content):
                continue
            restart = leg.negotiation.restart_wanted
            number = leg.negotiation.offer(content, now)
            request = OfferRequest(
                negotiation=number,
                mode=content.mode,
                payload_types=content.payload_types,
                peer=content.peer,
                streams=content.streams,
                restart=restart,
                inactive=content.inactive,
                voice=self.terms.voice,
                recordable=self.terms.may_be_recorded,
            )
            effects.append(MakeOffer(place.id, leg.id, request))
        return effects

    def _owner(self, leg_id: LegId) -> tuple[Place | None, Leg | None]:
        for place in self.places:
            for leg in place.legs:
                if leg.id == leg_id:
                    return place, leg
        return None, None
