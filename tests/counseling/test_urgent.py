"""The steps of an urgent call, hour by hour, whoever is there."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from accounts.roles import Role
from core.errors import InvalidState
from core.ids import UserId
from counseling import urgent
from counseling.roster import Duty, Roster
from counseling.urgent import Around, Course, Event, Kind, State, Step

JAKARTA = ZoneInfo("Asia/Jakarta")
MONDAY = datetime(2026, 3, 2, 0, 0, tzinfo=JAKARTA)
RINA, BUDI, TARI, SARI = (UserId(f"u_{name}") for name in ("rina", "budi", "tari", "sari"))
NIGHT, DAY = Duty(BUDI, TARI), Duty(TARI, None)
BOTH = Around(fitting=(RINA, SARI), duty=NIGHT)


def run(
    around: Callable[[datetime], Around], raised: datetime, seconds: int, *, looks: range | None = None
) -> list[tuple[int, Step]]:
    """Look each second, do what is due, and give what was done when, in seconds."""
    course, story = Course(raised, State.CALLING), []
    for second in looks or range(seconds + 1):
        now = raised + timedelta(seconds=second)
        for step in urgent.steps(course, around(now), now):
            story.append((second, step))
            state = urgent.after(course.state, Event.TELL) if step.kind in urgent.TELLS else course.state
            course = replace(course, state=state, done=course.done | {step})
    return story


def said(story: list[tuple[int, Step]]) -> list[tuple[int, str, str | None]]:
    return [(at, step.kind.value, step.person) for at, step in story]


def test_all_who_fit_are_called_at_once_then_duty_deputy_and_the_truth() -> None:
    assert said(run(lambda _: BOTH, MONDAY, 359)) == [
        (0, "counselor", RINA),
        (0, "counselor", SARI),
        (60, "duty", BUDI),
        (180, "deputy", TARI),
        (300, "counselor", RINA),
        (300, "counselor", SARI),
        (300, "duty", BUDI),
        (300, "deputy", TARI),
        (300, "tell_silence", None),
    ]


def test_with_no_counselor_to_call_the_duty_person_is_called_at_once() -> None:
    assert said(run(lambda _: Around(duty=NIGHT), MONDAY, 299)) == [(0, "duty", BUDI), (180, "deputy", TARI)]


def test_with_nobody_at_all_the_client_is_told_at_once_and_later_hours_are_called() -> None:
    comes = MONDAY + timedelta(minutes=20)
    story = run(lambda now: Around(duty=NIGHT if now >= comes else None), MONDAY, 20 * 60)
    assert said(story) == [
        (0, "tell_nobody", None),
        (1200, "duty", BUDI),
        (1200, "deputy", TARI),
    ], "told once, and tried on"


def test_with_counselors_and_nobody_on_duty_the_client_is_told_after_a_minute() -> None:
    story = run(lambda _: Around(fitting=(RINA,)), MONDAY, 400)
    assert said(story) == [
        (0, "counselor", RINA),
        (60, "tell_nobody", None),
        (300, "counselor", RINA),
    ]


def test_one_counselor_who_is_busy_and_becomes_free_is_called_then() -> None:
    free = MONDAY + timedelta(seconds=100)
    story = run(lambda now: Around(fitting=(RINA,) if now >= free else (), duty=DAY), MONDAY, 299)
    assert said(story) == [(0, "duty", TARI), (100, "counselor", RINA)]


def test_whom_the_client_will_not_talk_to_is_passed_over_in_silence() -> None:
    around = replace(BOTH, barred=frozenset({SARI, BUDI}))
    assert said(run(lambda _: around, MONDAY, 299)) == [(0, "counselor", RINA), (60, "duty", TARI)]
    only = Around(duty=Duty(BUDI, None), barred=frozenset({BUDI}))
    assert said(run(lambda _: only, MONDAY, 10)) == [(0, "tell_nobody", None)]


def test_the_duty_of_the_next_hour_is_called_too() -> None:
    held = Roster(JAKARTA, {(0, 0): Duty(BUDI, None), (0, 1): Duty(TARI, SARI)}, {})
    raised = MONDAY + timedelta(minutes=58)
    story = run(lambda now: Around(fitting=(RINA,), duty=held.on_duty(now)), raised, 299)
    assert said(story) == [
        (0, "counselor", RINA),
        (60, "duty", BUDI),
        (120, "duty", TARI),
        (180, "deputy", SARI),
    ]


WEEK = {
    (day, hour): Duty(BUDI, TARI) if hour < 8 else Duty(TARI, None)
    for day, hour in itertools.product(range(7), range(24))
    if not (day == 6 and 8 <= hour < 20)
}


@pytest.mark.parametrize("hour", range(168))
@pytest.mark.parametrize("fitting", [(), (RINA,)], ids=["nobody", "one"])
def test_each_hour_of_a_week_ends_in_an_answerable_call_or_in_the_truth(
    hour: int, fitting: tuple[UserId, ...]
) -> None:
    """At 60 s the duty of that hour was called, at 180 s its deputy, by 300 s the truth was told."""
    held = Roster(JAKARTA, WEEK, {})
    raised = MONDAY + timedelta(hours=hour, minutes=10)
    duty = held.on_duty(raised)
    story = said(run(lambda now: Around(fitting, held.on_duty(now)), raised, 300))
    by = {second: {(kind, who) for at, kind, who in story if at <= second} for second in (0, 60, 180, 300)}
    assert {("counselor", who) for who in fitting} <= by[0]
    if duty is None:
        assert not any(kind in {"duty", "deputy"} for kind, _ in by[300])
        assert ("tell_nobody", None) in by[60 if fitting else 0]
    else:
        assert ("duty", duty.person) in by[60 if fitting else 0]
        assert (("deputy", duty.deputy) in by[180]) is (duty.deputy is not None)
        assert not any(kind.startswith("tell") for kind, _ in by[180])
        assert ("tell_silence", None) in by[300]


@given(
    looks=some.lists(some.integers(0, 1_500), min_size=1, max_size=40).map(sorted),
    fitting=some.sets(some.sampled_from([RINA, SARI, BUDI])),
    duty=some.sampled_from([None, NIGHT, DAY]),
)
def test_whatever_stands_still_between_no_step_is_done_twice_and_none_is_lost(
    looks: list[int], fitting: set[UserId], duty: Duty | None
) -> None:
    around = Around(tuple(sorted(fitting)), duty)
    course, story = Course(MONDAY, State.CALLING), []
    for second in looks:
        now = MONDAY + timedelta(seconds=second)
        for step in urgent.steps(course, around, now):
            assert step not in course.done
            story.append(step)
            state = State.TOLD if step.kind in urgent.TELLS else course.state
            course = replace(course, state=state, done=course.done | {step})
        assert urgent.steps(course, around, now) == ()
        assert {step.person for step in story if step.kind is Kind.COUNSELOR} == fitting
        if duty is not None and second >= 60:
            assert any(step.kind is Kind.DUTY for step in story)
        if second >= 300:
            assert course.state is State.TOLD
    assert len([step for step in story if step.kind in urgent.TELLS]) <= 1


@pytest.mark.parametrize("state", [State.ANSWERED, State.GONE])
def test_who_was_answered_or_has_gone_is_called_for_no_more(state: State) -> None:
    assert urgent.steps(Course(MONDAY, state), BOTH, MONDAY + timedelta(hours=1)) == ()


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("event", list(Event))
def test_every_pair_is_in_the_table_or_changes_nothing(state: State, event: Event) -> None:
    if (state, event) in urgent.TABLE:
        assert urgent.after(state, event) is urgent.TABLE[state, event]
    else:
        with pytest.raises(InvalidState):
            urgent.after(state, event)


@pytest.mark.parametrize(
    ("state", "person", "roles", "sees"),
    [
        (State.CALLING, RINA, {Role.COUNSELOR}, True),
        (State.CALLING, BUDI, {Role.COUNSELOR}, True),
        (State.CALLING, TARI, {Role.SUPERVISOR}, True),
        (State.CALLING, UserId("u_other"), {Role.COUNSELOR}, False),
        (State.CALLING, UserId("u_other"), {Role.SUPERVISOR}, True),
        (State.CALLING, RINA, {Role.ADMIN}, False),
        (State.CALLING, UserId("u_barred"), {Role.SUPERVISOR}, False),
        (State.TOLD, UserId("u_other"), {Role.COUNSELOR}, True),
        (State.TOLD, UserId("u_barred"), {Role.COUNSELOR}, False),
        (State.ANSWERED, RINA, {Role.COUNSELOR, Role.SUPERVISOR}, False),
        (State.GONE, RINA, {Role.COUNSELOR}, False),
    ],
)
def test_on_whose_pages_it_sounds(state: State, person: UserId, roles: set[Role], sees: bool) -> None:
    around = replace(BOTH, barred=frozenset({UserId("u_barred")}))
    assert urgent.concerns(Course(MONDAY, state), around, person, roles) is sees


def test_who_was_called_once_sees_it_to_the_end() -> None:
    course = Course(datetime.now(UTC), State.CALLING, frozenset({Step(Kind.DUTY, SARI, 0)}))
    assert urgent.concerns(course, Around(), SARI, {Role.COUNSELOR})


def missed(course: Course, person: UserId, now: datetime) -> Course:
    """What is written down when somebody answered and did not come."""
    answered = urgent.after(course.state, Event.ANSWER)
    step = Step(Kind.MISSED, person, course.turn(now) + 1)
    return replace(course, state=urgent.after(answered, Event.MISS), done=course.done | {step})


def due(course: Course, around: Around, now: datetime) -> list[tuple[str, str | None]]:
    return [(step.kind.value, step.person) for step in urgent.steps(course, around, now)]


def done(course: Course, around: Around, now: datetime) -> Course:
    return replace(course, done=course.done | set(urgent.steps(course, around, now)))


def test_who_answered_and_did_not_come_is_followed_by_the_others_and_duty_at_once() -> None:
    course = done(Course(MONDAY, State.CALLING), BOTH, MONDAY)
    late = MONDAY + timedelta(seconds=5) + urgent.COMES_WITHIN
    again = missed(course, RINA, late)
    assert late - MONDAY < urgent.DUTY_AFTER
    assert due(again, BOTH, late) == [("counselor", SARI), ("duty", BUDI)]
    again = done(again, BOTH, late)
    assert due(again, BOTH, late) == [], "each once"
    assert due(again, BOTH, MONDAY + urgent.DEPUTY_AFTER) == [("deputy", TARI)]
    assert again.missed == (RINA,)
    assert urgent.concerns(again, BOTH, RINA, {Role.COUNSELOR}), "who is late may come all the same"


def test_a_duty_person_who_answered_and_did_not_come_is_followed_by_the_deputy_at_once() -> None:
    around = Around(duty=NIGHT)
    course = done(Course(MONDAY, State.CALLING), around, MONDAY)
    late = MONDAY + urgent.COMES_WITHIN
    assert due(missed(course, BUDI, late), around, late) == [("duty", TARI)]


def test_where_only_who_did_not_come_is_left_the_client_is_told_and_they_are_called_again_later() -> None:
    around = Around(fitting=(RINA,))
    course = done(Course(MONDAY, State.CALLING), around, MONDAY)
    again = missed(course, RINA, late := MONDAY + urgent.DUTY_AFTER)
    assert due(again, around, late) == [("tell_nobody", None)]
    assert ("counselor", RINA) in due(again, around, MONDAY + urgent.AGAIN_EVERY)


def test_a_client_who_was_told_is_told_anew_after_somebody_did_not_come() -> None:
    course = Course(MONDAY, State.CALLING)
    now = MONDAY + urgent.TELL_AFTER
    course = replace(done(course, BOTH, now), state=State.TOLD)
    again = missed(course, RINA, now + urgent.COMES_WITHIN)
    assert ("tell_silence", None) in due(again, BOTH, now + urgent.COMES_WITHIN)


def test_what_is_said_in_a_talk_calls_its_counselor_then_duty_and_tells_the_client_nothing() -> None:
    around = Around(fitting=(RINA,), duty=NIGHT, in_talk=True)
    assert said(run(lambda _: around, MONDAY, 299)) == [
        (0, "counselor", RINA),
        (60, "duty", BUDI),
        (180, "deputy", TARI),
    ]
    assert not any(step.kind in urgent.TELLS for _, step in run(lambda _: around, MONDAY, 700))
    course = done(Course(MONDAY, State.CALLING), around, MONDAY)
    roles = {Role.COUNSELOR, Role.SUPERVISOR}
    assert [urgent.concerns(course, around, one, roles) for one in (RINA, BUDI, SARI)] == [True, False, False]
    course = done(course, around, MONDAY + urgent.DUTY_AFTER)
    assert [urgent.concerns(course, around, one, roles) for one in (RINA, BUDI, SARI)] == [True, True, False]
