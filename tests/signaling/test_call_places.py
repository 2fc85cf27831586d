"""The call as a pure machine: who sits in a place, who wants it, and when it is free."""

from __future__ import annotations

from datetime import timedelta

import pytest

from signaling import events as ev
from signaling.protocol import CloseCode, WireState
from signaling.server_messages import Ended, Peer
from signaling.terms import Refused
from tests.signaling.rig import NOW, A, B, Rig


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
