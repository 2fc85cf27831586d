"""The call as a pure machine: every pair, the order of a negotiation, and random histories."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidState
from core.ids import ParticipantId
from media.codecs import Kind, Mode
from media.description import Answer, Direction, OfferRequest
from media.events import LegId, Streams
from signaling import effects as fx
from signaling import events as ev
from signaling.call import IN_EVERY_STATE, Call
from signaling.mode import ModeState, Verdict
from signaling.participant import ConnectionId, Place
from signaling.protocol import CloseCode, MediaState, Reason, WireState
from signaling.server_messages import Ended, Error, Peer, Welcome
from signaling.terms import CallState, CallTerms, Refused
from tests.signaling.relay import answer_to, line

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
A, B = ParticipantId("p_a"), ParticipantId("p_b")
CODECS = ("audio/opus", "video/VP8")


class Rig:
    """A call with a little world around it: sockets, legs and the latest offers, checked as it goes."""

    def __init__(self, mode: Mode = Mode.VIDEO, **terms: Any) -> None:
        self.call = Call(
            CallTerms(session="s", leg_tag="t", **terms),
            (Place(A, "client", "Melati"), Place(B, "counselor", "Budi")),
            ModeState(mode),
        )
        self.now = NOW
        self.sockets = 0
        self.seated: dict[ParticipantId, ConnectionId] = {}
        self.held: dict[ConnectionId, list[object]] = {}
        self.closed: dict[ConnectionId, CloseCode] = {}
        self.hashes: dict[ParticipantId, str] = {}
        self.open_legs: set[LegId] = set()
        self.leg_of: dict[ParticipantId, LegId] = {}
        self.offers: dict[LegId, OfferRequest] = {}
        self.open_offers: set[LegId] = set()
        self.forwards: dict[LegId, tuple[bool, bool]] = {}
        self.expects: dict[LegId, tuple[bool, bool]] = {}
        self.link: tuple[LegId, LegId] | None = None
        self.sent: dict[ParticipantId, list[Any]] = {A: [], B: []}
        self.asked: str | None = None

    def apply(self, event: ev.CallEvent) -> list[fx.Effect]:
        effects = self.call.apply(event, self.now)
        for effect in effects:
            self.check(effect)
        return effects

    def check(self, effect: fx.Effect) -> None:  # noqa: C901, PLR0912  # one case for each effect
        match effect:
            case fx.SeatIn():
                assert effect.participant not in self.seated, "one seated connection for each place"
                assert effect.connection not in self.closed
                self.held.pop(effect.connection, None)
                self.seated[effect.participant] = effect.connection
                if effect.resume_seq is None:
                    self.sent[effect.participant].clear()
                self.sent[effect.participant].append(effect.welcome)
            case fx.Hold():
                assert effect.connection not in self.seated.values()
                self.held[effect.connection] = []
            case fx.Send():
                assert not isinstance(effect.message, Welcome)
                self.sent[effect.to].append(effect.message)
                if effect.message.__class__.__name__ == "Takeover":
                    self.asked = effect.message.id  # type: ignore[attr-defined]  # told by its name
            case fx.SendHeld():
                self.told_at_the_door(effect)
            case fx.CloseSocket():
                assert effect.connection not in self.closed, "closed once"
                self.closed[effect.connection] = effect.code
                self.held.pop(effect.connection, None)
                self.seated = {p: c for p, c in self.seated.items() if c != effect.connection}
            case fx.OpenLeg():
                self.open_legs.add(effect.leg)
                self.leg_of[effect.participant] = effect.leg
            case fx.CloseLeg():
                assert effect.leg in self.open_legs, "closed once"
                self.open_legs.discard(effect.leg)
                self.open_offers.discard(effect.leg)
                if self.link is not None and effect.leg in self.link:
                    self.link = None
            case fx.MakeOffer():
                assert effect.leg in self.open_legs
                assert effect.leg not in self.open_offers, "one open offer for each leg"
                before = self.offers.get(effect.leg)
                assert effect.request.negotiation == (before.negotiation + 1 if before else 1)
                assert {111, 96} <= set(effect.request.payload_types)
                self.offers[effect.leg] = effect.request
                self.open_offers.add(effect.leg)
            case fx.Pair():
                assert {effect.a, effect.b} <= self.open_legs
                self.link = (effect.a, effect.b)
            case fx.Forward():
                assert effect.leg in self.open_legs
                assert not (effect.audio or effect.video) or (self.link and effect.leg in self.link)
                self.forwards[effect.leg] = (effect.audio, effect.video)
            case fx.Expect():
                assert effect.leg in self.open_legs
                self.expects[effect.leg] = (effect.audio, effect.video)
            case fx.KeyFrame():
                assert effect.leg in self.open_legs
            case _:
                pass

    def told_at_the_door(self, effect: fx.SendHeld) -> None:
        match effect.message:
            case Peer():
                assert effect.message.name is None
                assert effect.message.media is None
                assert effect.message.state is WireState.WAITING
            case message:
                assert isinstance(message, Ended), "a held newcomer is told nothing else"

    # --- what people do

    def join(self, who: ParticipantId, *, key: bool = False, resume: int | None = None) -> ConnectionId:
        self.sockets += 1
        number = self.sockets
        shown = self.call.place(who).seat_hash if key else None  # type: ignore[union-attr]  # it exists
        self.apply(
            ev.Join(
                participant=who,
                connection=ConnectionId(number),
                codecs=CODECS,
                device="",
                takeover_id=f"t{number}",
                fresh_key=f"{who}.{number}",
                fresh_hash=f"h{number}",
                key="k",
                shown=shown,
                resume_seq=resume,
            )
        )
        return ConnectionId(number)

    def lose(self, who: ParticipantId) -> None:
        connection = self.seated.pop(who, None)
        if connection is not None:
            self.apply(ev.SocketLost(connection))

    def answer(self, who: ParticipantId, answer: Answer | None = None, *, up: bool = True) -> None:
        leg = self.leg_of[who]
        assert leg in self.open_offers
        self.open_offers.discard(leg)
        request = self.offers[leg]
        self.apply(ev.Answered(leg, answer or answer_to(request, base=1000 if who == A else 2000)))
        if up and request.negotiation == 1:
            self.apply(ev.LegUp(leg))

    def meet(self) -> None:
        self.join(A)
        self.join(B)
        self.answer_all()

    def answer_all(self) -> None:
        while self.open_offers:
            for who in (A, B):
                if self.leg_of[who] in self.open_offers:
                    self.answer(who)

    def is_linked(self) -> bool:
        return self.link == (self.leg_of[A], self.leg_of[B])

    def pass_time(self, seconds: float) -> list[fx.Effect]:
        self.now += timedelta(seconds=seconds)
        return self.apply(ev.Tick())

    def request(self, who: ParticipantId) -> OfferRequest:
        return self.offers[self.leg_of[who]]

    def codes(self, who: ParticipantId) -> list[str]:
        return [message.code for message in self.sent[who] if isinstance(message, Error)]

    def states(self, who: ParticipantId) -> list[WireState]:
        return [message.state for message in self.sent[who] if isinstance(message, Peer)]


EVERY_EVENT: list[ev.CallEvent] = [
    ev.Join(A, ConnectionId(9), CODECS, "", "t", "k", "h"),
    ev.SocketLost(ConnectionId(9)),
    ev.Leaves(A),
    ev.AsksRestart(A, fresh=False),
    ev.SaysMedia(A, MediaState(audio=True, video=True)),
    ev.WishesMode(A, Mode.VOICE, Reason.USER),
    ev.Answered(LegId("x"), answer_to(OfferRequest(1, Mode.VIDEO))),
    ev.AnswersTakeover(A, "t", admit=True),
    ev.LegUp(LegId("x")),
    ev.LegLost(LegId("x"), "", closed=True),
    ev.LegSilent(LegId("x"), 1),
    ev.LegBack(LegId("x"), 1),
    ev.StreamsSeen(LegId("x"), Streams()),
    ev.Ends("done", None),
    ev.Tick(),
]


@pytest.mark.parametrize("event", EVERY_EVENT, ids=lambda event: type(event).__name__)
def test_ended_is_final(event: ev.CallEvent) -> None:
    rig = Rig()
    rig.meet()
    rig.apply(ev.Ends("done", B))
    if isinstance(event, IN_EVERY_STATE):
        assert rig.call.apply(event, NOW) == []
    else:
        with pytest.raises(InvalidState):
            rig.call.apply(event, NOW)
    assert rig.call.state is CallState.ENDED
    assert rig.open_legs == set()


@pytest.mark.parametrize("event", EVERY_EVENT, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("state", [CallState.WAITING, CallState.ACTIVE, CallState.INTERRUPTED])
def test_every_event_is_legal_before_the_end(state: CallState, event: ev.CallEvent) -> None:
    rig = Rig()
    rig.meet() if state is not CallState.WAITING else rig.join(A)
    if state is CallState.INTERRUPTED:
        rig.apply(ev.LegSilent(rig.leg_of[A], 1_300))
    assert rig.call.state is state
    if isinstance(event, ev.AnswersTakeover):
        with pytest.raises(Refused):
            rig.apply(event)
    else:
        rig.apply(event)


def test_the_two_are_connected_after_two_rounds() -> None:
    rig = Rig()
    rig.join(A)
    assert rig.request(A).streams == Streams()
    rig.answer(A)
    rig.join(B)
    assert rig.states(A) == [WireState.CONNECTING]
    rig.answer(B)
    assert rig.open_offers == {rig.leg_of[A], rig.leg_of[B]}
    assert rig.request(A).streams == Streams((2000,), (2001, 2002))
    rig.answer(A)
    assert not rig.is_linked(), "both have to answer"
    rig.answer(B)
    assert rig.is_linked()
    assert rig.states(A)[-1] is rig.states(B)[-1] is WireState.CONNECTED
    assert rig.call.state is CallState.ACTIVE
    assert set(rig.forwards.values()) == {(True, True)}


def test_voice_stops_video_at_once_and_goes_on_with_audio() -> None:
    rig = Rig()
    rig.meet()
    effects = rig.apply(ev.WishesMode(A, Mode.VOICE, Reason.USER))
    kinds = [type(effect) for effect in effects]
    assert kinds.index(fx.Send) < kinds.index(fx.Forward) < kinds.index(fx.MakeOffer)
    assert set(rig.forwards.values()) == {(True, False)}
    assert rig.request(A).mode is Mode.VOICE
    assert rig.request(A).streams == Streams((2000,), ())
    rig.answer(A)
    rig.answer(B)
    assert rig.open_offers == set()
    assert rig.states(A)[-1] is WireState.CONNECTED


def test_video_comes_back_after_both_answers_and_a_key_frame_is_asked_for() -> None:
    rig = Rig(Mode.VOICE)
    rig.meet()
    rig.apply(ev.WishesMode(A, Mode.VIDEO, Reason.USER))
    rig.answer(A)
    assert set(rig.forwards.values()) == {(True, False)}
    effects: list[fx.Effect] = []
    while rig.open_offers:
        for who in (A, B):
            if rig.leg_of[who] in rig.open_offers:
                leg = rig.leg_of[who]
                rig.open_offers.discard(leg)
                base = 1000 if who == A else 2000
                effects += rig.apply(ev.Answered(leg, answer_to(rig.offers[leg], base=base)))
    assert set(rig.forwards.values()) == {(True, True)}
    assert rig.request(B).streams == Streams((1000,), (1001, 1002))
    assert sum(isinstance(effect, fx.KeyFrame) for effect in effects) == 2


def test_a_chat_session_has_no_offer_until_its_mode_changes() -> None:
    rig = Rig(Mode.CHAT)
    rig.join(A)
    assert rig.call.view(A) is WireState.WAITING
    rig.join(B)
    assert rig.open_legs == set()
    assert rig.call.state is CallState.ACTIVE
    with pytest.raises(Refused):
        rig.apply(ev.AsksRestart(A, fresh=False))
    rig.apply(ev.WishesMode(B, Mode.VOICE, Reason.USER))
    assert len(rig.open_offers) == 2
    assert rig.states(A)[-1] is WireState.CONNECTING


def test_a_user_beats_network_and_data_for_20_seconds() -> None:
    mode = ModeState(Mode.VIDEO)
    assert mode.wish(Mode.VOICE, Reason.USER, NOW) is Verdict.CHANGED
    for reason in (Reason.NETWORK, Reason.DATA):
        assert mode.wish(Mode.CHAT, reason, NOW + timedelta(seconds=19)) is Verdict.HELD
    assert mode.wish(Mode.VOICE, Reason.DATA, NOW) is Verdict.SAME
    assert mode.wish(Mode.VIDEO, Reason.USER, NOW) is Verdict.CHANGED
    assert mode.wish(Mode.CHAT, Reason.NETWORK, NOW + timedelta(seconds=20)) is Verdict.CHANGED


def test_a_number_that_one_leaves_out_is_out_for_both_in_one_more_round() -> None:
    rig = Rig(turned_on=frozenset({"VP9"}))
    red = (*CODECS, "audio/red", "video/VP9")
    for who in (A, B):
        rig.join(who)
        rig.call.place(who).codecs = red  # type: ignore[union-attr]  # it exists
    rig.answer(A)
    rig.answer(B)
    assert rig.request(A).payload_types == (111, 63, 96, 97, 98, 99)
    rig.answer(A)
    rig.answer(B, answer_to(rig.request(B), base=2000, without=frozenset({63, 98})))
    assert rig.request(A).payload_types == rig.request(B).payload_types == (111, 96, 97)
    rig.answer(A)
    rig.answer(B)
    assert rig.open_offers == set()
    assert rig.link is not None


def test_no_common_audio_is_told_to_both() -> None:
    rig = Rig()
    rig.join(A)
    rig.join(B)
    rig.answer(A)
    rig.answer(B, answer_to(rig.request(B), base=2000, without=frozenset({111})))
    for who in (A, B):
        if rig.leg_of[who] in rig.open_offers:
            rig.answer(who)
    assert rig.codes(A) == rig.codes(B) == ["no_common_codec"]


def test_a_rejected_line_is_inactive_for_both() -> None:
    rig = Rig()
    rig.join(A)
    rig.join(B)
    rig.answer(A)
    plain = answer_to(rig.request(B), base=2000)
    rig.answer(B, Answer(plain.audio, line(rejected=True), plain.fingerprints))
    rig.answer_all()
    assert rig.request(A).mode is rig.request(B).mode is Mode.VOICE
    assert set(rig.forwards.values()) == {(True, False)}


def test_a_rejected_voice_leaves_the_picture() -> None:
    rig = Rig()
    rig.join(A)
    rig.join(B)
    rig.answer(A)
    plain = answer_to(rig.request(B), base=2000)
    rig.answer(B, Answer(line(rejected=True), plain.video, plain.fingerprints))
    for _ in range(2):
        for who in (A, B):
            if rig.leg_of[who] in rig.open_offers:
                again = answer_to(rig.request(who), base=2000 if who == B else 1000)
                rig.answer(who, Answer(line(rejected=True), again.video, again.fingerprints))
    for who in (A, B):
        assert (rig.request(who).mode, rig.request(who).inactive) == (Mode.VIDEO, frozenset({Kind.AUDIO}))


def test_a_side_that_only_receives_is_not_forwarded() -> None:
    rig = Rig()
    rig.join(A)
    rig.join(B)
    rig.answer(B)
    for _ in range(2):
        plain = answer_to(rig.request(A), base=1000)
        only = line(Direction.RECVONLY, plain.audio.payload_types)
        rig.answer(A, Answer(only, plain.video, plain.fingerprints))
    rig.answer(B)
    assert rig.forwards[rig.leg_of[A]] == (False, True)
    assert rig.forwards[rig.leg_of[B]] == (True, True)
    assert rig.request(B).streams.audio == ()


def test_no_answer_in_ten_seconds_gets_an_error_and_a_new_leg_ever_later() -> None:
    rig = Rig()
    rig.join(A)
    first = rig.leg_of[A]
    rig.pass_time(9.9)
    assert rig.codes(A) == []
    rig.pass_time(0.1)
    assert rig.codes(A) == ["negotiation_timeout"]
    assert rig.leg_of[A] != first
    rig.pass_time(10)
    assert len(rig.open_legs) == 0, "the second failure waits a second"
    rig.pass_time(1)
    assert len(rig.open_legs) == 1


def test_a_lost_socket_stops_the_clock_of_its_offer() -> None:
    rig = Rig()
    rig.join(A)
    rig.lose(A)
    rig.pass_time(60)
    assert rig.codes(A) == []
    rig.join(A, key=True, resume=1)
    rig.pass_time(9)
    assert rig.codes(A) == []


def test_a_restart_renegotiates_the_same_leg_and_a_fresh_one_makes_another() -> None:
    rig = Rig()
    rig.meet()
    leg = rig.leg_of[A]
    rig.apply(ev.AsksRestart(A, fresh=False))
    assert rig.leg_of[A] == leg
    assert rig.request(A).restart
    with pytest.raises(Refused) as refused:
        rig.apply(ev.AsksRestart(A, fresh=True))
    assert refused.value.code == "too_soon"
    rig.answer(A)
    rig.now += timedelta(seconds=2)
    rig.apply(ev.AsksRestart(A, fresh=True))
    assert rig.leg_of[A] != leg
    assert leg in rig.open_legs, "it carries media until its successor is connected"
    rig.answer_all()
    assert leg not in rig.open_legs
    assert rig.link == (rig.leg_of[A], rig.leg_of[B])


def test_an_old_leg_closes_after_ten_seconds() -> None:
    rig = Rig()
    rig.meet()
    leg = rig.leg_of[A]
    rig.join(A, key=True)
    assert rig.call.view(A) is WireState.CONNECTED, "the other side still hears the old leg"
    rig.answer(A, up=False)
    rig.pass_time(10)
    assert leg not in rig.open_legs
    assert rig.call.view(A) is WireState.CONNECTING


def test_a_socket_that_is_lost_does_not_touch_media() -> None:
    rig = Rig()
    rig.meet()
    rig.lose(A)
    assert rig.call.view(A) is WireState.CONNECTED
    rig.apply(ev.LegSilent(rig.leg_of[A], 1_300))
    assert rig.call.view(A) is WireState.INTERRUPTED
    effects = rig.apply(ev.LegBack(rig.leg_of[A], 2_000))
    assert rig.call.view(A) is WireState.CONNECTED
    assert sum(isinstance(effect, fx.KeyFrame) for effect in effects) == 2


@pytest.mark.parametrize(("mode", "beat_s"), [(Mode.VIDEO, 2), (Mode.VOICE, 10), (Mode.CHAT, 15)])
def test_voice_that_comes_spares_heartbeats(mode: Mode, beat_s: float) -> None:
    rig = Rig(mode)
    rig.join(A)
    alone = 15 if mode is Mode.CHAT else 2
    assert rig.call.beat_s(A) == alone, "nothing comes yet"
    rig.join(B)
    rig.answer_all()
    assert (rig.call.beat_s(A), rig.call.beat_s(B)) == (beat_s, beat_s)
    if mode is not Mode.CHAT:
        rig.apply(ev.LegSilent(rig.leg_of[A], 1_300))
        assert (rig.call.beat_s(A), rig.call.beat_s(B)) == (alone, beat_s), "who is silent is asked again"


def test_what_a_side_sends_is_expected_only_while_its_peer_is_connected() -> None:
    rig = Rig()
    rig.meet()
    rig.apply(ev.SaysMedia(A, MediaState(audio=True, video=True)))
    assert rig.expects[rig.leg_of[A]] == (True, True)
    rig.apply(ev.LegSilent(rig.leg_of[B], 1_300))
    assert rig.expects[rig.leg_of[A]] == (False, False)
    rig.apply(ev.LegBack(rig.leg_of[B], 1_300))
    rig.apply(ev.WishesMode(A, Mode.VOICE, Reason.USER))
    assert rig.expects[rig.leg_of[A]] == (True, False)


def test_new_streams_are_offered_to_the_other_side_alone() -> None:
    rig = Rig()
    rig.meet()
    rig.apply(ev.StreamsSeen(rig.leg_of[A], Streams((7,), (8, 9))))
    assert rig.open_offers == {rig.leg_of[B]}
    assert rig.request(B).streams == Streams((7,), (8, 9))


def test_a_spent_leg_gets_a_successor() -> None:
    rig = Rig()
    rig.meet()
    leg = rig.leg_of[B]
    rig.apply(ev.LegLost(leg, "spent", closed=False))
    assert rig.leg_of[B] != leg


def test_the_grace_time_ends_in_left_and_the_place_is_free() -> None:
    rig = Rig(grace_s=600)
    rig.meet()
    rig.lose(A)
    rig.pass_time(599)
    assert rig.states(B)[-1] is WireState.CONNECTED
    rig.pass_time(1)
    assert rig.states(B)[-1] is WireState.LEFT
    rig.join(A)
    assert A in rig.seated
    again = [m for m in rig.sent[B] if isinstance(m, Peer)][-1]
    assert again.joined_again is True


def test_the_clock_ends_a_session_after_max_minutes() -> None:
    rig = Rig(max_minutes=50)
    rig.meet()
    assert rig.call.next_deadline == NOW + timedelta(minutes=50)
    rig.pass_time(50 * 60)
    assert isinstance(rig.sent[A][-1], Ended)
    assert rig.sent[A][-1].reason == "time_over"
    assert set(rig.closed.values()) == {CloseCode.ENDED}


def test_a_newcomer_is_held_and_the_one_in_the_place_is_asked() -> None:
    rig = Rig()
    rig.meet()
    newcomer = rig.join(A)
    assert newcomer in rig.held
    with pytest.raises(Refused):
        rig.apply(ev.AnswersTakeover(B, f"t{newcomer}", admit=True))
    old = rig.seated[A]
    rig.apply(ev.AnswersTakeover(A, f"t{newcomer}", admit=True))
    assert rig.closed[old] is CloseCode.CONTINUED_ELSEWHERE
    assert rig.seated[A] == newcomer


def test_the_other_side_is_asked_when_nobody_sits_there() -> None:
    rig = Rig()
    rig.meet()
    rig.lose(A)
    newcomer = rig.join(A)
    rig.apply(ev.AnswersTakeover(B, f"t{newcomer}", admit=False))
    assert rig.closed[newcomer] is CloseCode.NOT_YOUR_PLACE


def test_silence_for_60_seconds_means_no() -> None:
    rig = Rig()
    rig.meet()
    newcomer = rig.join(A)
    rig.pass_time(59)
    assert newcomer in rig.held
    second = rig.join(A)
    assert rig.closed[second] is CloseCode.NOT_YOUR_PLACE
    rig.pass_time(1)
    assert rig.closed[newcomer] is CloseCode.NOT_YOUR_PLACE


def test_a_place_that_becomes_free_is_the_newcomers() -> None:
    rig = Rig()
    rig.meet()
    newcomer = rig.join(A)
    rig.apply(ev.Leaves(A))
    assert rig.seated[A] == newcomer


def test_the_right_key_continues_at_once() -> None:
    rig = Rig()
    rig.meet()
    old = rig.seated[A]
    number = rig.join(A, key=True, resume=3)
    assert rig.closed[old] is CloseCode.CONTINUED_ELSEWHERE
    assert rig.seated[A] == number
    assert rig.open_offers == set(), "a resumed socket keeps its leg"


DOINGS = st.tuples(
    st.sampled_from(
        [
            *("join", "key", "resume", "lose", "leave", "restart", "fresh", "media", "mode", "answer"),
            *("timeout", "tick", "minute", "up", "silent", "back", "streams", "failed", "spent"),
            *("admit", "refuse", "end"),
        ]
    ),
    st.sampled_from([A, B]),
    st.sampled_from(list(Mode)),
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(list(Mode)), st.lists(DOINGS, max_size=60))
def test_no_history_breaks_the_rules(mode: Mode, history: list[tuple[str, ParticipantId, Mode]]) -> None:
    rig = Rig(mode, grace_s=90, max_minutes=600)
    for what, who, wanted in history:
        try:
            do(rig, what, who, wanted)
        except Refused:
            continue
        except InvalidState:
            assert rig.call.state is CallState.ENDED or what == "leave"
            continue
        for place in rig.call.places:
            assert place.is_here == (place.id in rig.seated)
        assert set(rig.held) == set(rig.call._door.held)
        known = {leg.id for place in rig.call.places for leg in place.legs}
        assert rig.open_legs == known
        if rig.call.state is CallState.ENDED:
            assert not rig.seated
            assert not rig.held
        elif rig.call.state is CallState.ACTIVE and rig.call.mode.mode is not Mode.CHAT:
            assert rig.link is not None


def do(rig: Rig, what: str, who: ParticipantId, wanted: Mode) -> None:  # noqa: C901, PLR0912  # one case for each doing
    leg = rig.leg_of.get(who, LegId("none"))
    match what:
        case "join":
            rig.join(who)
        case "key":
            rig.join(who, key=True)
        case "resume":
            rig.join(who, key=True, resume=1)
        case "lose":
            rig.lose(who)
        case "leave":
            rig.apply(ev.Leaves(who))
        case "restart" | "fresh":
            rig.apply(ev.AsksRestart(who, fresh=what == "fresh"))
        case "media":
            rig.apply(ev.SaysMedia(who, MediaState(audio=True, video=True)))
        case "mode":
            rig.apply(ev.WishesMode(who, wanted, Reason.USER))
        case "answer":
            if leg in rig.open_offers and leg in rig.open_legs and rig.call.place(who).is_here:  # type: ignore[union-attr]  # it exists
                current = rig.call.place(who).leg  # type: ignore[union-attr]  # it exists
                if current is not None and current.id == leg:
                    rig.answer(who)
        case "timeout":
            rig.pass_time(10)
        case "tick":
            rig.pass_time(1)
        case "minute":
            rig.pass_time(60)
        case "up":
            rig.apply(ev.LegUp(leg))
        case "silent":
            rig.apply(ev.LegSilent(leg, 1_300))
        case "back":
            rig.apply(ev.LegBack(leg, 1_300))
        case "streams":
            rig.apply(ev.StreamsSeen(leg, Streams((5,), (6, 7))))
        case "failed":
            rig.open_legs.discard(leg)
            rig.open_offers.discard(leg)
            if rig.link is not None and leg in rig.link:
                rig.link = None
            rig.apply(ev.LegLost(leg, "failed", closed=True))
        case "spent":
            rig.apply(ev.LegLost(leg, "spent", closed=False))
        case "admit" | "refuse":
            rig.apply(ev.AnswersTakeover(who, rig.asked or "", admit=what == "admit"))
        case "end":
            if wanted is Mode.CHAT:
                rig.apply(ev.Ends("done", who))
