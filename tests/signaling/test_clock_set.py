"""A wall clock that is set in the middle of a session, by an hour or by years: what waits, waits as long."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from core.clock import Leaps, moved
from media.codecs import Mode
from signaling import events as ev
from signaling.participant import Seat
from signaling.protocol import Reason
from signaling.server_messages import Error
from signaling.terms import Refused
from tests.fakes import FakeClock
from tests.signaling.conftest import House
from tests.signaling.rig import A, B, Rig

SET = [timedelta(hours=-1), timedelta(hours=1), timedelta(days=3_650)]


def clock_set(rig: Rig, by: timedelta) -> None:
    rig.now += by
    rig.call.clock_set(by)


def test_a_clock_that_was_set_is_noticed_once() -> None:
    clock = FakeClock()
    leaps = Leaps(clock)
    clock.advance(3_600)
    assert leaps.since() == timedelta(0)
    clock.put_back(0.9)
    assert leaps.since() == timedelta(0), "what is slewed is not set"
    clock.put_back(3_600)
    assert leaps.since() == timedelta(seconds=-3_600.9)
    clock.advance(5)
    assert leaps.since() == timedelta(0)
    assert moved(None, timedelta(1)) is None


@pytest.mark.parametrize("by", SET)
def test_an_ice_restart_is_refused_for_two_seconds_and_no_longer(by: timedelta) -> None:
    rig = Rig()
    rig.meet()
    rig.apply(ev.AsksRestart(A, fresh=False))
    rig.answer(A)
    clock_set(rig, by)
    with pytest.raises(Refused, match="two seconds"):
        rig.apply(ev.AsksRestart(A, fresh=False))
    rig.now += timedelta(seconds=2)
    rig.apply(ev.AsksRestart(A, fresh=False))


@pytest.mark.parametrize("by", SET)
def test_an_offer_waits_ten_seconds_for_its_answer(by: timedelta) -> None:
    rig = Rig()
    rig.join(A)
    clock_set(rig, by)
    rig.now += timedelta(seconds=9)
    rig.apply(ev.Tick())
    assert not [one for one in rig.sent[A] if isinstance(one, Error)]
    rig.now += timedelta(seconds=1)
    assert rig.call.next_deadline is not None
    assert rig.call.next_deadline <= rig.now
    rig.apply(ev.Tick())
    assert [one.code for one in rig.sent[A] if isinstance(one, Error)] == ["negotiation_timeout"]


@pytest.mark.parametrize("by", SET)
def test_a_choice_of_a_person_stands_twenty_seconds(by: timedelta) -> None:
    rig = Rig()
    rig.meet()
    rig.apply(ev.WishesMode(A, Mode.VOICE, Reason.USER))
    clock_set(rig, by)
    rig.now += timedelta(seconds=19)
    with pytest.raises(Refused):
        rig.apply(ev.WishesMode(B, Mode.CHAT, Reason.NETWORK))
    rig.now += timedelta(seconds=1)
    rig.apply(ev.WishesMode(B, Mode.CHAT, Reason.NETWORK))


@pytest.mark.parametrize("by", SET)
def test_a_place_is_kept_for_the_grace_time(by: timedelta) -> None:
    rig = Rig(grace_s=600.0)
    rig.meet()
    rig.lose(A)
    clock_set(rig, by)
    rig.now += timedelta(seconds=599)
    rig.apply(ev.Tick())
    assert rig.call.place(A).is_kept  # type: ignore[union-attr]  # it is of this call
    rig.now += timedelta(seconds=1)
    rig.apply(ev.Tick())
    assert not rig.call.place(A).is_kept  # type: ignore[union-attr]  # it is of this call


@pytest.mark.parametrize("by", SET)
async def test_the_clockwork_notices_it_and_a_newcomer_is_asked_for_as_long(
    house: House, by: timedelta
) -> None:
    session = await house.session()
    client, _ = await house.pair(session)
    await client.ask("restart")
    await client.vanish()
    await asyncio.sleep(0.05)
    newcomer = await house.enter(session, 0)
    await newcomer.get("peer", state="waiting")
    house.clock.set_by(by)
    house.hub.tick()
    house.clock.advance(50)
    house.hub.tick()
    live = house.hub._lives.get(session.id)
    assert live is not None
    assert live.call.places[0].seat is Seat.LOST, "nobody's grace time is over"
    assert len(live.call._door.held) == 1
    house.clock.advance(11)
    house.hub.tick()
    assert await newcomer.closed() == 4403
