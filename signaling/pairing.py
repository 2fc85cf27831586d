"""Two places and the media between them: what each is offered, and what flows. Pure.

The pairing compares what ought to be with what was last said and returns the difference as
effects, so it may be asked after every event. A *link* is the pair of legs between which packets
flow. It is made when both current legs are up and both have answered offers with the other's
SSRCs; it outlives later negotiations, and a successor leg replaces it when that one is ready.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

from media.codecs import FIRST_OFFER, KIND_OF, OPUS, RED, RTX_TYPES, Kind, Mode, common
from media.events import LegId, Streams
from signaling.effects import CloseLeg, Effect, Expect, Forward, KeyFrame, Pair, Send
from signaling.leg import Leg
from signaling.negotiation import KINDS_OF_MODE, Content
from signaling.participant import Place, Seat
from signaling.protocol import WireState
from signaling.server_messages import Error

_NOTHING = (False, False)


@dataclass(slots=True)
class Agreement:
    """The numbers that two legs are offered once both are up, narrowed at most once."""

    legs: tuple[LegId, LegId]
    numbers: tuple[int, ...]
    narrowed: bool = False


@dataclass(slots=True)
class Pairing:
    """The media between places ``a`` and ``b``; ``turned_on`` are the operator's extra codecs."""

    a: Place
    b: Place
    turned_on: frozenset[str] = frozenset()
    link: tuple[LegId, LegId] | None = None
    _agreement: Agreement | None = None
    _complained: bool = False
    _forwarded: dict[LegId, tuple[bool, bool]] = field(default_factory=dict)
    _expected: dict[LegId, tuple[bool, bool]] = field(default_factory=dict)

    def other(self, place: Place) -> Place:
        """Return the other place."""
        return self.b if place is self.a else self.a

    # --- what each side is offered

    def content(self, place: Place, mode: Mode) -> Content:
        """Say what the current leg of a place ought to be offered now."""
        other = self.other(place)
        leg = place.leg
        last = leg.negotiation.offered if leg is not None else None
        numbers = last.payload_types if last is not None else FIRST_OFFER
        streams = last.streams if last is not None else Streams()
        kinds = self._kinds(place.leg, other.leg, mode)
        both_up = self._both_up()
        if both_up is not None:
            numbers = self._numbers(both_up)
            kinds &= _playable(numbers)
            streams = _sent(both_up[1] if leg is both_up[0] else both_up[0])
        return Content(
            mode=_mode_of(kinds),
            inactive=KINDS_OF_MODE[_mode_of(kinds)] - kinds,
            peer=other.id,
            payload_types=_ordered(_listable(numbers), twice=place.twice),
            streams=Streams(
                streams.audio if Kind.AUDIO in kinds else (),
                streams.video if Kind.VIDEO in kinds else (),
            ),
        )

    def _kinds(self, leg: Leg | None, other: Leg | None, mode: Mode) -> frozenset[Kind]:
        kinds = KINDS_OF_MODE[mode]
        for one in (leg, other):
            if one is not None:
                kinds -= one.rejected
        return kinds

    def _both_up(self) -> tuple[Leg, Leg] | None:
        a, b = self.a.leg, self.b.leg
        if a is None or b is None or not a.is_up or not b.is_up:
            return None
        return a, b

    def _numbers(self, legs: tuple[Leg, Leg]) -> tuple[int, ...]:
        """Return the numbers for both: what both can receive, without what one left out."""
        a, b = legs
        ids = (a.id, b.id)
        agreement = self._agreement
        if agreement is None or agreement.legs != ids:
            self._agreement = agreement = Agreement(ids, self._wanted(a, b))
            self._complained = False
        elif not agreement.narrowed and _at_rest(a) and _at_rest(b):
            wanted = self._wanted(a, b)
            agreement.narrowed = wanted != agreement.numbers
            agreement.numbers = wanted
        return agreement.numbers

    def _wanted(self, a: Leg, b: Leg) -> tuple[int, ...]:
        able = common((self.a.codecs, self.b.codecs), turned_on=self.turned_on)
        return _without(able, a.left_out | b.left_out)

    # --- what flows

    def connect(self, mode: Mode) -> list[Effect]:
        """Make the link when both sides are ready, or say that they have no codec in common."""
        both = self._both_up()
        if both is None or not (_at_rest(both[0]) and _at_rest(both[1])):
            return []
        effects: list[Effect] = []
        if Kind.AUDIO in KINDS_OF_MODE[mode] and OPUS.payload_type not in self._numbers(both):
            effects += self._complain()
        for place in (self.a, self.b):
            leg = place.leg
            if leg is None or leg.negotiation.answered != self.content(place, mode):
                return effects
        ids = (both[0].id, both[1].id)
        if self.link == ids or (mode is not Mode.CHAT and not self.content(self.a, mode).kinds):
            return effects
        self.link = ids
        effects.append(Pair(*ids))
        for place in (self.a, self.b):
            place.failures = 0
            if place.old_leg is not None:
                effects += self.drop(place.old_leg)
                place.old_leg = None
        return effects

    def _complain(self) -> list[Effect]:
        if self._complained:
            return []
        self._complained = True
        error = Error(code="no_common_codec", message="the two sides have no voice codec in common")
        return [Send(self.a.id, error), Send(self.b.id, error)]

    def drop(self, leg: Leg, *, closed: bool = False) -> list[Effect]:
        """Forget a leg and close it, unless the relay has done so (``closed``)."""
        leg.negotiation.close()
        self._forwarded.pop(leg.id, None)
        self._expected.pop(leg.id, None)
        effects: list[Effect] = []
        if self.link is not None and leg.id in self.link:
            self.link = None
            effects += self._stop_all()
        if not closed:
            effects.append(CloseLeg(leg.id))
        return effects

    def _stop_all(self) -> list[Effect]:
        """Nothing flows without a link."""
        effects: list[Effect] = [
            Forward(leg, audio=False, video=False)
            for leg, kinds in self._forwarded.items()
            if kinds != _NOTHING
        ]
        self._forwarded.clear()
        return effects

    def carrier(self, place: Place) -> Leg | None:
        """Return the leg of a place that is in the link."""
        if self.link is None:
            return None
        return next((leg for leg in place.legs if leg.id in self.link), None)

    def flow(self, mode: Mode) -> list[Effect]:
        """Turn on and off which kinds pass, by the mode and by what both sides have answered."""
        a, b = self.carrier(self.a), self.carrier(self.b)
        if a is None or b is None:
            return []
        effects: list[Effect] = []
        for sender, receiver in ((a, b), (b, a)):
            kinds = {kind for kind in KINDS_OF_MODE[mode] if sender.sends(kind) and receiver.receives(kind)}
            wanted = (Kind.AUDIO in kinds, Kind.VIDEO in kinds)
            before = self._forwarded.get(sender.id, _NOTHING)
            if wanted != before:
                self._forwarded[sender.id] = wanted
                effects.append(Forward(sender.id, audio=wanted[0], video=wanted[1]))
                if wanted[1] and not before[1]:
                    effects.append(KeyFrame(sender.id))
        return effects

    def passes_video(self, leg: LegId) -> bool:
        """Whether video of this leg is passed on."""
        return self._forwarded.get(leg, _NOTHING)[1]

    def expectations(self, mode: Mode) -> list[Effect]:
        """Tell the relay what each side is sending: what it said, while its peer is connected."""
        effects: list[Effect] = []
        for place in (self.a, self.b):
            leg = place.leg
            if leg is None:
                continue
            sending = self.view(self.other(place), mode) is WireState.CONNECTED and self.link is not None
            kinds = KINDS_OF_MODE[mode]
            media = place.media
            wanted = (
                sending and Kind.AUDIO in kinds and media is not None and media.audio,
                sending and Kind.VIDEO in kinds and media is not None and media.video,
            )
            if wanted != self._expected.get(leg.id, _NOTHING):
                self._expected[leg.id] = wanted
                effects.append(Expect(leg.id, audio=wanted[0], video=wanted[1]))
        return effects

    # --- how it looks

    def view(self, subject: Place, mode: Mode) -> WireState:
        """Say which state of ``subject`` the other side is told."""
        observer = self.other(subject)
        if not subject.is_kept:
            return WireState.ABSENT if subject.seat is Seat.ABSENT else WireState.LEFT
        carrier = self.carrier(subject) if mode is not Mode.CHAT else None
        if carrier is not None and observer.leg is not None and observer.leg is self.carrier(observer):
            return WireState.INTERRUPTED if carrier.is_silent else WireState.CONNECTED
        if subject.seat is Seat.LOST:
            return WireState.INTERRUPTED
        if not observer.is_kept:
            return WireState.WAITING
        return WireState.CONNECTED if mode is Mode.CHAT else WireState.CONNECTING


def _at_rest(leg: Leg) -> bool:
    return leg.negotiation.is_idle


def _sent(leg: Leg) -> Streams:
    """The SSRCs of a leg, without those of lines that it answered as not sending."""
    streams = leg.streams
    answered = leg.negotiation.answered
    if answered is None:
        return streams
    return Streams(
        streams.audio if Kind.AUDIO not in answered.kinds or leg.sends(Kind.AUDIO) else (),
        streams.video if Kind.VIDEO not in answered.kinds or leg.sends(Kind.VIDEO) else (),
    )


def _without(numbers: tuple[int, ...], left_out: frozenset[int]) -> tuple[int, ...]:
    """Leave numbers out, and with a codec the retransmissions that stand behind it."""
    kept: list[int] = []
    for number in numbers:
        orphan = number in RTX_TYPES and (not kept or kept[-1] != number - 1)
        if number not in left_out and not orphan:
            kept.append(number)
    return tuple(kept)


@functools.lru_cache(maxsize=64)
def _listable(numbers: tuple[int, ...]) -> tuple[int, ...]:
    """Return numbers for both m-lines: an inactive line lists its kind's first ones (RFC 8866, 5.14)."""
    missing = {KIND_OF[number] for number in FIRST_OFFER} - {KIND_OF[number] for number in numbers}
    return numbers + tuple(number for number in FIRST_OFFER if KIND_OF[number] in missing)


def _ordered(numbers: tuple[int, ...], *, twice: bool) -> tuple[int, ...]:
    """Put RED before Opus, or behind it: browsers send the first voice codec of an offer."""
    if RED.payload_type not in numbers:
        return numbers
    rest = tuple(number for number in numbers if KIND_OF[number] is not Kind.AUDIO)
    voice = (RED.payload_type, OPUS.payload_type)
    return (voice if twice else voice[::-1]) + rest


@functools.lru_cache(maxsize=64)
def _playable(numbers: tuple[int, ...]) -> frozenset[Kind]:
    """The kinds for which a codec is left; RED alone carries nothing without Opus."""
    kinds = {KIND_OF[number] for number in numbers if KIND_OF[number] is Kind.VIDEO}
    if OPUS.payload_type in numbers:
        kinds.add(Kind.AUDIO)
    return frozenset(kinds)


def _mode_of(kinds: frozenset[Kind]) -> Mode:
    """The mode whose offer has these lines active."""
    if Kind.VIDEO in kinds:
        return Mode.VIDEO
    return Mode.VOICE if Kind.AUDIO in kinds else Mode.CHAT
