"""Who is there, who left, and whose line broke; and going on by telephone."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from media.codecs import Mode
from signaling import effects as fx
from signaling import events as ev
from signaling.presence import Presence
from signaling.server_messages import SessionChanged
from signaling.terms import Refused
from tests.signaling.rig import A, B, Rig


def silent(rig: Rig) -> None:
    rig.apply(ev.LegSilent(rig.leg_of[A], 1200))


def test_a_silent_line_is_a_drop_until_it_is_heard_again() -> None:
    rig = Rig()
    assert rig.call.presence(A) is Presence.ABSENT
    rig.meet()
    assert rig.call.presence(A) is Presence.THERE
    silent(rig)
    assert rig.call.presence(A) is Presence.GONE
    assert rig.call.presence(B) is Presence.THERE
    rig.apply(ev.LegBack(rig.leg_of[A], 3000))
    assert rig.call.presence(A) is Presence.THERE


def test_a_lost_socket_alone_is_no_drop_while_media_flows() -> None:
    rig = Rig()
    rig.meet()
    rig.lose(A)
    assert rig.call.presence(A) is Presence.THERE
    silent(rig)
    assert rig.call.presence(A) is Presence.GONE


def test_who_did_not_come_back_in_time_is_gone_still() -> None:
    rig = Rig(grace_s=600)
    rig.meet()
    silent(rig)
    rig.lose(A)
    rig.pass_time(601)
    assert rig.call.presence(A) is Presence.GONE
    rig.join(A)
    assert rig.call.presence(A) is Presence.THERE


@pytest.mark.parametrize(("quickly", "presence"), [(False, Presence.LEFT), (True, Presence.QUICK)])
def test_leaving_is_no_drop_even_from_a_broken_line(quickly: bool, presence: Presence) -> None:
    rig = Rig()
    rig.meet()
    rig.lose(A)
    silent(rig)
    rig.apply(ev.Leaves(A, quickly=quickly))
    assert rig.call.presence(A) is presence
    rig.join(A)
    assert rig.call.presence(A) is Presence.THERE


def test_in_chat_a_lost_socket_is_a_drop() -> None:
    rig = Rig(Mode.CHAT)
    rig.meet()
    rig.lose(A)
    assert rig.call.presence(A) is Presence.GONE


def test_a_dropped_session_goes_on_by_telephone_until_both_are_back() -> None:
    rig = Rig()
    rig.meet()
    with pytest.raises(Refused):
        rig.apply(ev.Phones(B))
    silent(rig)
    effects = rig.apply(ev.Phones(B))
    assert fx.RecordEvent("phone", B) in effects
    told = [message for message in rig.sent[B] if isinstance(message, SessionChanged)]
    assert told[-1].phone is True
    assert rig.apply(ev.Phones(B)) == [], "said once"
    rig.apply(ev.LegBack(rig.leg_of[A], 60_000))
    told = [message for message in rig.sent[B] if isinstance(message, SessionChanged)]
    assert told[-1].phone is UNSET
