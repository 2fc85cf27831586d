"""Every pure machine, every pair of state and event: those in the table move, the others change nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from core.errors import InvalidState
from core.ids import ParticipantId
from media.codecs import Mode
from media.events import LegId
from signaling import connection, negotiation, participant, takeover
from signaling import leg as legs
from signaling.client_messages import Chat, ClientMessage, Hello, Ping
from signaling.connection import Connection, Refusal
from signaling.leg import Leg
from signaling.negotiation import Content, Negotiation
from signaling.participant import ConnectionId, Place
from signaling.protocol import CloseCode
from signaling.takeover import Takeover

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def make_takeover(state: takeover.State) -> Takeover:
    return Takeover("t", ConnectionId(1), ParticipantId("p"), (), "", "", "", NOW, state)


def make_place(state: participant.Seat) -> Place:
    return Place(ParticipantId("p"), "client", "", state)


def apply_negotiation(machine: Negotiation, event: negotiation.Event) -> None:
    match event:
        case negotiation.Event.OFFER:
            machine.offer(Content(mode=Mode.VIDEO, peer=None), NOW)
        case negotiation.Event.ANSWER:
            machine.answer()
        case negotiation.Event.TIMEOUT:
            machine.time_out()
        case negotiation.Event.CLOSE:
            machine.close()


def make_negotiation(state: negotiation.State) -> Negotiation:
    return Negotiation(state=state, offered=Content(mode=Mode.VIDEO, peer=None))


Machine = tuple[Any, Any, dict[Any, Any], Callable[[Any], Any], Callable[[Any, Any], None], str]

MACHINES: list[Machine] = [
    (
        connection.State,
        connection.Event,
        connection.TABLE,
        lambda state: Connection(0.0, state),
        lambda machine, event: machine.apply(event),
        "state",
    ),
    (
        takeover.State,
        takeover.Event,
        takeover.TABLE,
        make_takeover,
        lambda machine, event: machine.step(event),
        "state",
    ),
    (
        participant.Seat,
        participant.SeatEvent,
        participant.TABLE,
        make_place,
        lambda machine, event: machine.step(event),
        "seat",
    ),
    (
        negotiation.State,
        negotiation.Event,
        negotiation.TABLE,
        make_negotiation,
        apply_negotiation,
        "state",
    ),
]


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine[0].__module__.split(".")[-1])
def test_every_pair_is_in_the_table_or_raises_and_changes_nothing(machine: Machine) -> None:
    states, events, table, make, apply, name = machine
    for state, event in itertools.product(states, events):
        one = make(state)
        if (state, event) in table:
            apply(one, event)
            assert getattr(one, name) is table[state, event]
        else:
            with pytest.raises(InvalidState):
                apply(one, event)
            assert getattr(one, name) is state


@pytest.mark.parametrize(("path", "event"), [*itertools.product(legs.Path, legs.PathEvent)])
def test_a_path_takes_every_event(path: legs.Path, event: legs.PathEvent) -> None:
    one = Leg(LegId("l"), path)
    one.observe(event)
    assert one.path is legs.TABLE[path, event]


@pytest.mark.parametrize(
    ("state", "message", "verdict"),
    [
        (connection.State.OPENED, Hello(), None),
        (connection.State.OPENED, Ping(), Refusal(close=CloseCode.UNAUTHENTICATED)),
        (connection.State.OPENED, Chat(ref="1", text="a"), Refusal(close=CloseCode.UNAUTHENTICATED)),
        (connection.State.HELD, Hello(), Refusal(error="held")),
        (connection.State.HELD, Ping(), None),
        (connection.State.HELD, Chat(ref="1", text="a"), Refusal(error="held")),
        (connection.State.SEATED, Hello(), Refusal(error="already_here")),
        (connection.State.SEATED, Ping(), None),
        (connection.State.SEATED, Chat(ref="1", text="a"), None),
        (connection.State.CLOSED, Ping(), Refusal()),
    ],
)
def test_what_becomes_of_a_message(
    state: connection.State, message: ClientMessage, verdict: Refusal | None
) -> None:
    assert Connection(0.0, state).verdict(message) == verdict


def test_a_hello_is_late_after_five_seconds() -> None:
    assert not Connection(10.0).hello_is_late(14.9)
    assert Connection(10.0).hello_is_late(15.0)
    assert not Connection(10.0, connection.State.SEATED).hello_is_late(60.0)


def test_a_hello_that_came_is_not_late_however_long_the_database_takes() -> None:
    machine = Connection(10.0)
    assert machine.spend(200, 11.0)
    assert not machine.hello_is_late(60.0)


def test_the_budget_is_120_at_once_and_20_a_second() -> None:
    one = Connection(0.0)
    assert sum(one.spend(0, 1.0) for _ in range(200)) == 120
    one = Connection(0.0)
    assert all(one.spend(0, second / 20) for second in range(2_000))


def test_large_messages_cost_more() -> None:
    one = Connection(0.0)
    assert sum(one.spend(64 * 1024, 1.0) for _ in range(20)) == 7
