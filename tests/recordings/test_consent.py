from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidState
from recordings import consent
from recordings.consent import ANSWER_WITHIN, AskedAlready, Consent, Phase
from recordings.consent_steps import (
    Agrees,
    Ask,
    Attach,
    Begin,
    Breaks,
    Chats,
    Closes,
    Detach,
    Effect,
    Ends,
    Event,
    Finish,
    Kept,
    Lapses,
    Leaves,
    Loses,
    Mark,
    Opens,
    Pauses,
    Refuses,
    Resumes,
    Sees,
    Tell,
    Terms,
    Why,
    Write,
)
from recordings.states import Ending, Side

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LATER = NOW + ANSWER_WITHIN
TERMS = Terms(2, "id", "0" * 64)
CLIENT, COUNSELOR = Side.CLIENT, Side.COUNSELOR

WAYS: dict[Phase, list[Event]] = {
    Phase.OFF: [],
    Phase.ASKED: [Agrees(COUNSELOR, TERMS)],
    Phase.STARTING: [Agrees(COUNSELOR, TERMS), Agrees(CLIENT, TERMS)],
    Phase.ON: [Agrees(COUNSELOR, TERMS), Agrees(CLIENT, TERMS), Kept(1)],
    Phase.PAUSED: [Agrees(COUNSELOR, TERMS), Agrees(CLIENT, TERMS), Kept(1), Pauses(CLIENT)],
}

# What the table in the module's docstring says, with the client as the one who acts.
TABLE: list[tuple[Event, str]] = [
    (Agrees(CLIENT, TERMS), "ASKED STARTING STARTING ON PAUSED"),
    (Refuses(CLIENT), "OFF ASKED OFF OFF OFF"),
    (Refuses(COUNSELOR), "OFF OFF OFF OFF OFF"),
    (Pauses(CLIENT), "- - - PAUSED PAUSED"),
    (Resumes(CLIENT), "- - - ON ON"),
    (Resumes(COUNSELOR), "- - - ON PAUSED"),
    (Loses(CLIENT), "OFF ASKED STARTING PAUSED PAUSED"),
    (Sees(CLIENT), "OFF ASKED STARTING ON PAUSED"),
    (Closes(CLIENT), "OFF ASKED OFF OFF OFF"),
    (Closes(COUNSELOR), "OFF OFF OFF OFF OFF"),
    (Opens(CLIENT), "OFF ASKED STARTING ON PAUSED"),
    (Kept(1), "OFF ASKED ON ON PAUSED"),
    (Kept(7), "OFF ASKED STARTING ON PAUSED"),
    (Leaves(CLIENT), "OFF OFF OFF OFF OFF"),
    (Lapses(), "OFF ASKED STARTING ON PAUSED"),
    (Chats(), "OFF OFF OFF OFF OFF"),
    (Breaks(Ending.DISK), "OFF OFF OFF OFF OFF"),
    (Ends(), "OFF OFF OFF OFF OFF"),
]


def reach(phase: Phase) -> Consent:
    machine = Consent()
    for event in WAYS[phase]:
        machine.apply(event, NOW)
    assert machine.phase is phase
    return machine


def kinds(effects: list[Effect]) -> list[type[Any]]:
    return [type(effect) for effect in effects]


@pytest.mark.parametrize(
    ("phase", "event", "after"),
    [(phase, event, after) for event, row in TABLE for phase, after in zip(Phase, row.split(), strict=True)],
)
def test_every_pair_moves_as_the_table_says(phase: Phase, event: Event, after: str) -> None:
    machine = reach(phase)
    before = (dict(machine.granted), set(machine.off_record), machine.asked)
    if after == "-":
        with pytest.raises(InvalidState):
            machine.apply(event, NOW)
        assert (machine.phase, dict(machine.granted), set(machine.off_record), machine.asked) == (
            phase,
            *before,
        )
    else:
        machine.apply(event, NOW)
        assert machine.phase is Phase[after]


def test_both_agree_and_nothing_is_attached_before_the_rows_are_kept() -> None:
    machine = Consent()
    assert kinds(machine.apply(Agrees(COUNSELOR, TERMS), NOW)) == [Write, Ask, Tell]
    assert machine.asked is CLIENT
    assert kinds(machine.apply(Agrees(CLIENT, TERMS), NOW)) == [Write, Ask, Begin, Tell]
    assert machine.apply(Kept(1), NOW) == [Attach(), Tell()]


def test_who_agreed_beforehand_is_not_asked_again() -> None:
    machine = Consent()
    assert machine.apply(Agrees(CLIENT, TERMS, prepared=True), NOW) == [
        Write(CLIENT, granted=True, terms=TERMS, why=Why.PREPARED),
        Tell(),
    ]
    assert (machine.asked, machine.deadline) == (COUNSELOR, None)
    assert Begin(1) in machine.apply(Agrees(COUNSELOR, TERMS), NOW)


@pytest.mark.parametrize("side", Side)
def test_a_no_and_no_answer_look_the_same(side: Side) -> None:
    def told(*events: Event, at: datetime = NOW) -> tuple[list[Effect], bool]:
        machine = Consent()
        machine.apply(Agrees(side, TERMS), NOW)
        effects: list[Effect] = []
        for event in events:
            effects += machine.apply(event, at)
        return effects, machine.may_agree(side)

    quiet = Tell(only=side.other)
    assert told(Refuses(side.other)) == ([quiet], False), "whoever asked is told nothing"
    after = told(Refuses(side.other), Lapses(), at=LATER)
    assert after[0].pop(0) == quiet
    no = told(Lapses(), at=LATER)
    assert no == after == told(Leaves(side.other))
    assert no == ([Write(side, granted=False, terms=TERMS, why=Why.UNANSWERED), Tell()], False)


def test_nobody_is_asked_twice_after_a_no() -> None:
    machine = reach(Phase.ASKED)
    machine.apply(Refuses(CLIENT), NOW)
    assert machine.apply(Refuses(CLIENT), NOW) == []
    with pytest.raises(AskedAlready):
        machine.apply(Agrees(CLIENT, TERMS), NOW)
    machine.apply(Lapses(), LATER)
    for side in Side:
        assert not machine.may_agree(side)
        with pytest.raises(AskedAlready):
            machine.apply(Agrees(side, TERMS), NOW)
    assert (machine.phase, machine.granted) == (Phase.OFF, {})


@pytest.mark.parametrize("side", Side)
def test_a_withdrawal_takes_the_sinks_off_first_and_leaves_the_other_consent(side: Side) -> None:
    machine = reach(Phase.ON)
    reason = consent.WITHDRAWN[side]
    assert machine.apply(Refuses(side), NOW) == [
        Detach(),
        Write(side, granted=False, terms=TERMS, why=Why.WITHDREW, said=True),
        Finish(reason),
        Tell(reason),
    ]
    effects = machine.apply(Agrees(side, TERMS), NOW)
    assert Begin(2) in effects
    assert machine.apply(Kept(1), NOW) == []
    assert Attach() in machine.apply(Kept(2), NOW)


def test_what_was_withdrawn_meanwhile_is_not_attached() -> None:
    machine = reach(Phase.STARTING)
    effects = machine.apply(Refuses(CLIENT), NOW)
    assert kinds(effects) == [Write, Finish, Tell]
    assert machine.apply(Kept(1), NOW) == []


def test_both_off_the_record_both_have_to_come_back() -> None:
    machine = reach(Phase.ON)
    assert kinds(machine.apply(Pauses(CLIENT), NOW)) == [Detach, Mark, Tell]
    assert kinds(machine.apply(Pauses(COUNSELOR), NOW)) == [Mark, Tell]
    assert kinds(machine.apply(Resumes(CLIENT), NOW)) == [Mark, Tell]
    assert machine.apply(Resumes(CLIENT), NOW) == []
    assert kinds(machine.apply(Resumes(COUNSELOR), NOW)) == [Mark, Attach, Tell]


def test_whose_line_is_lost_is_as_off_the_record() -> None:
    machine = reach(Phase.ON)
    assert machine.apply(Loses(CLIENT), NOW) == [Detach(), Tell()]
    assert kinds(machine.apply(Pauses(COUNSELOR), NOW)) == [Mark, Tell]
    assert kinds(machine.apply(Resumes(COUNSELOR), NOW)) == [Mark, Tell]
    assert machine.apply(Sees(CLIENT), NOW) == [Attach(), Tell()]


def test_what_is_kept_while_a_line_is_lost_waits_for_it() -> None:
    machine = reach(Phase.STARTING)
    machine.apply(Loses(CLIENT), NOW)
    assert machine.apply(Kept(1), NOW) == [Tell()]
    assert machine.apply(Sees(CLIENT), NOW) == [Attach(), Tell()]


@pytest.mark.parametrize("event", [Chats(), Breaks(Ending.DISK), Breaks(Ending.DATABASE)])
def test_a_failure_and_writing_end_both_consents(event: Event) -> None:
    machine = reach(Phase.ON)
    effects = machine.apply(event, NOW)
    assert kinds(effects) == [Detach, Write, Write, Finish, Tell]
    assert machine.granted == {}
    assert machine.may_agree(CLIENT)


def test_the_end_of_the_session_takes_nothing_back() -> None:
    assert kinds(reach(Phase.ON).apply(Ends(), NOW)) == [Detach, Finish]
    assert kinds(reach(Phase.PAUSED).apply(Ends(), NOW)) == [Finish]
    assert reach(Phase.ASKED).apply(Ends(), NOW) == []


@pytest.mark.parametrize("side", Side)
def test_a_side_that_closes_takes_its_consent_back(side: Side) -> None:
    closed = reach(Phase.ON)
    by_a_word = reach(Phase.ON).apply(Refuses(side), NOW)
    # What was recorded before stands: of that nobody has said anything.
    assert closed.apply(Closes(side), NOW) == [
        replace(one, said=False) if isinstance(one, Write) else one for one in by_a_word
    ]
    with pytest.raises(AskedAlready):
        closed.apply(Agrees(side, TERMS), NOW)
    closed.apply(Opens(side), NOW)
    assert Begin(2) in closed.apply(Agrees(side, TERMS), NOW)


def test_a_side_that_closes_while_it_is_asked_says_no_and_nobody_sees_it() -> None:
    machine = reach(Phase.ASKED)
    assert machine.apply(Closes(CLIENT), NOW) == [Tell(only=CLIENT)]
    assert machine.apply(Closes(CLIENT), NOW) == []
    assert machine.apply(Lapses(), LATER) == [
        Write(COUNSELOR, granted=False, terms=TERMS, why=Why.UNANSWERED, only=COUNSELOR),
        Tell(only=COUNSELOR),
    ]


def test_an_answer_awaited_from_the_preparation_has_all_the_time() -> None:
    machine = Consent()
    machine.apply(Agrees(CLIENT, TERMS, prepared=True), NOW)
    assert machine.apply(Lapses(), NOW + timedelta(days=1)) == []
    assert machine.apply(Leaves(COUNSELOR), NOW) == []
    assert machine.apply(Refuses(COUNSELOR), NOW) == [Ask(open=True), Tell(only=COUNSELOR)]
    assert CLIENT in machine.granted, "nobody tells them"


SIDES = st.sampled_from(list(Side))
EVENTS = st.one_of(
    st.builds(Agrees, SIDES, st.just(TERMS), st.booleans()),
    st.builds(Refuses, SIDES),
    st.builds(Pauses, SIDES),
    st.builds(Resumes, SIDES),
    st.builds(Leaves, SIDES),
    st.builds(Loses, SIDES),
    st.builds(Sees, SIDES),
    st.builds(Closes, SIDES),
    st.builds(Opens, SIDES),
    st.builds(Kept, st.integers(1, 6)),
    st.just(Lapses()),
    st.just(Chats()),
    st.builds(Breaks, st.sampled_from([Ending.DISK, Ending.DATABASE, Ending.INTERNAL])),
    st.just(Ends()),
)


class Model:
    """The sinks as the effects alone say, the consents as the ledger alone says."""

    def __init__(self) -> None:
        self.attached = False
        self.open: int | None = None
        self.committed: set[int] = set()
        self.ledger: dict[Side, bool] = {}
        self.off: set[Side] = set()
        self.unseen: set[Side] = set()
        self.closed: set[Side] = set()

    def take(self, event: Event, effects: list[Effect]) -> None:
        assert Detach() not in effects[1:], "before anything else"
        for effect in effects:
            self._do(effect)
        if isinstance(event, Kept) and event.attempt == self.open:
            self.committed.add(event.attempt)
        if isinstance(event, Loses):
            self.unseen.add(event.side)
        if isinstance(event, Sees):
            self.unseen.discard(event.side)
        if isinstance(event, Closes):
            self.closed.add(event.side)
        if isinstance(event, Opens):
            self.closed.discard(event.side)
        if isinstance(event, Ends):
            self.ledger.clear()
        assert not [side for side in self.closed if self.ledger.get(side)], "whoever is closed has said no"

    def _do(self, effect: Effect) -> None:
        match effect:
            case Attach() | Detach():
                assert self.attached is isinstance(effect, Detach)
                self.attached = isinstance(effect, Attach)
            case Write():
                assert self.ledger.get(effect.side, False) is not effect.granted, "each once"
                self.ledger[effect.side] = effect.granted
            case Begin():
                assert self.open is None
                self.open = effect.attempt
            case Finish():
                assert self.open is not None
                self.open = None
                self.off.clear()
            case Mark():
                assert (effect.side in self.off) is not effect.off
                (self.off.add if effect.off else self.off.discard)(effect.side)
            case Ask() | Tell():
                pass

    def should_be_attached(self) -> bool:
        both = all(self.ledger.get(side, False) for side in Side)
        return (
            both
            and not self.off
            and not self.unseen
            and self.open is not None
            and self.open in self.committed
        )


@settings(max_examples=1_000, deadline=None)
@given(st.lists(st.tuples(EVENTS, st.integers(0, 200)), max_size=40))
def test_no_order_of_events_attaches_without_both_consents(story: list[tuple[Event, int]]) -> None:
    machine, model, now = Consent(), Model(), NOW
    for event, seconds in story:
        now += timedelta(seconds=seconds)
        with contextlib.suppress(InvalidState):
            model.take(event, machine.apply(event, now))
        assert model.attached == model.should_be_attached()


# What may happen to two people of whom the client never agrees; the counselor does what they like.
UNANSWERED = st.one_of(
    st.just(Agrees(COUNSELOR, TERMS)),
    st.builds(Refuses, SIDES),
    st.builds(Pauses, SIDES),
    st.builds(Resumes, SIDES),
    st.builds(Leaves, SIDES),
    st.builds(Loses, SIDES),
    st.builds(Sees, SIDES),
    st.just(Lapses()),
    st.just(Chats()),
    st.builds(Breaks, st.sampled_from([Ending.DISK, Ending.DATABASE])),
)


def as_told(machine: Consent, event: Event, now: datetime, side: Side) -> tuple[list[Effect], bool]:
    """Give what is done and told of an event as one side may see it, and what that side may do then."""
    try:
        effects = machine.apply(event, now)
    except InvalidState:
        return [], machine.may_agree(side)
    seen = [one for one in effects if not isinstance(one, Write | Tell) or one.only in (None, side)]
    return [replace(one, only=None) if isinstance(one, Write | Tell) else one for one in seen], (
        machine.may_agree(side)
    )


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(UNANSWERED, st.integers(0, 200)), max_size=30))
def test_who_asks_cannot_tell_a_no_beforehand_from_any_other(story: list[tuple[Event, int]]) -> None:
    heard, refused, now = Consent(), Consent(), NOW
    refused.apply(Closes(CLIENT), NOW)
    for event, seconds in story:
        now += timedelta(seconds=seconds)
        assert as_told(refused, event, now, COUNSELOR) == as_told(heard, event, now, COUNSELOR)
        assert refused.phase is heard.phase


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(UNANSWERED, st.integers(0, 200)), max_size=30))
def test_nothing_reaches_whoever_said_no_beforehand(story: list[tuple[Event, int]]) -> None:
    machine, now = Consent(), NOW
    machine.apply(Closes(CLIENT), NOW)
    for event, seconds in story:
        now += timedelta(seconds=seconds)
        effects, may_agree = as_told(machine, event, now, CLIENT)
        assert not may_agree
        assert not [one for one in effects if isinstance(one, Write | Tell)]
