"""The call as a pure machine: every pair, and the order of a negotiation."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core.errors import InvalidState
from core.ids import UserId
from media.codecs import Kind, Mode
from media.description import Answer, Direction, OfferRequest
from media.events import LegId, Streams
from signaling import effects as fx
from signaling import events as ev
from signaling.beats import Pace
from signaling.call import IN_EVERY_STATE
from signaling.mode import ModeState, Verdict
from signaling.participant import ConnectionId
from signaling.presence import Presence
from signaling.protocol import MediaState, Reason, WireState
from signaling.terms import CallState, Refused
from tests.signaling.relay import answer_to, line
from tests.signaling.rig import CODECS, NOW, A, B, Rig

EVERY_EVENT: list[ev.CallEvent] = [
    ev.Join(A, ConnectionId(9), CODECS, "", "t", "k", "h"),
    ev.SocketLost(ConnectionId(9)),
    ev.Leaves(A),
    ev.AsksRestart(A, fresh=False),
    ev.SaysMedia(A, MediaState(audio=True, video=True)),
    ev.WishesMode(A, Mode.VOICE, Reason.USER),
    ev.LosesDevice(A, "audio"),
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


def test_the_record_did_not_say_what_a_session_began_in() -> None:
    rig = Rig(Mode.VIDEO)
    rig.meet()
    assert rig.noted("mode") == [(None, {"mode": "video", "reason": "began"})]
    rig.apply(ev.LegSilent(rig.leg_of[A], 1_500))
    rig.apply(ev.LegBack(rig.leg_of[A], 1_700))
    rig.apply(ev.WishesMode(A, Mode.VOICE, Reason.NETWORK))
    assert rig.noted("mode")[1:] == [(A, {"mode": "voice", "reason": "network"})]


def test_who_had_left_and_came_in_again_was_gone_in_the_record() -> None:
    rig = Rig(Mode.CHAT)
    rig.meet()
    assert rig.noted("entered") == []
    rig.apply(ev.Leaves(A, quickly=False))
    rig.join(A)
    assert rig.noted("entered") == [(A, {})]


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
    assert rig.noted("ice_restart") == [(A, {}), (A, {"fresh": True})]
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


def test_a_page_that_goes_away_is_gone_at_once_also_when_it_was_muted() -> None:
    rig = Rig()
    rig.meet()
    rig.apply(ev.SaysMedia(A, MediaState(audio=False, video=False)))
    rig.lose(A, page_left=True)
    assert rig.call.view(A) is WireState.INTERRUPTED
    assert rig.call.presence(A) is Presence.GONE
    rig.join(A, key=True)
    assert rig.call.view(A) is WireState.INTERRUPTED, "the page that came back has a leg to make first"
    rig.answer_all()
    assert rig.call.view(A) is WireState.CONNECTED


def test_a_page_that_did_not_go_after_all_is_heard_as_before() -> None:
    rig = Rig()
    rig.meet()
    rig.lose(A, page_left=True)
    rig.join(A, key=True, resume=0)
    assert rig.call.view(A) is WireState.CONNECTED


@pytest.mark.parametrize(("mode", "beat_s"), [(Mode.VIDEO, 2), (Mode.VOICE, 10), (Mode.CHAT, 15)])
def test_voice_that_comes_spares_heartbeats(mode: Mode, beat_s: float) -> None:
    rig = Rig(mode)
    rig.join(A)
    alone = 15 if mode is Mode.CHAT else 2
    assert rig.call.pace(A).every_s == alone, "nothing comes yet"
    rig.join(B)
    rig.answer_all()
    paces = [rig.call.pace(who) for who in (A, B)]
    assert paces == [Pace(beat_s, 2 if mode is Mode.CHAT else beat_s)] * 2
    if mode is not Mode.CHAT:
        rig.apply(ev.LegSilent(rig.leg_of[A], 1_300))
        assert rig.call.pace(A).every_s == alone, "who is silent is asked again"
        assert rig.call.pace(B).every_s == beat_s


@pytest.mark.parametrize(("mode", "beat_s"), [(Mode.VIDEO, 2), (Mode.VOICE, 2), (Mode.CHAT, 5)])
def test_in_chat_a_client_in_danger_is_asked_more_often(mode: Mode, beat_s: float) -> None:
    rig = Rig(mode)
    rig.call.places[0].user = UserId("u_a")
    rig.join(A)
    rig.join(B)
    before = rig.call.pace(B)
    closely = frozenset({UserId("u_a")})
    assert rig.call.pace(A, closely=closely) == Pace(beat_s, 2)
    assert rig.call.pace(B, closely=closely) == before, "the other side pays for nothing"
    assert rig.call.heartbeat_s == (15 if mode is Mode.CHAT else 2), "no page is told that somebody watches"


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
