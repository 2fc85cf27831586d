"""Where consents stand is a pure function of the rows: properties, with hypothesis."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.standing import ADULTS_ONLY, ConsentState, Entry, Standing, off_for, state_of
from accounts.texts import CONSENTS, Kind, Numbers
from core.ids import UserId

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
USER = UserId("u_" + "a" * 20)


def entry(number: int, kind: Kind, *, given: bool, version: int = 1) -> Entry:
    return Entry(number, f"c_{number}", USER, kind, given, version, "id", "0" * 64, AT, "/me/consents")


NUMBERS = st.fixed_dictionaries(
    {
        kind: st.tuples(st.integers(1, 5), st.integers(1, 5)).map(lambda two: Numbers(max(two), min(two)))
        for kind in Kind
    }
)
LEDGER = st.lists(st.tuples(st.sampled_from(CONSENTS), st.booleans(), st.integers(1, 5)), max_size=30).map(
    lambda rows: [entry(number, kind, given=way, version=n) for number, (kind, way, n) in enumerate(rows)]
)


@pytest.mark.parametrize(
    ("rows", "material", "expected"),
    [
        ([], 1, Standing.OPEN),
        ([(True, 1)], 1, Standing.GIVEN),
        ([(True, 1)], 2, Standing.REREAD),
        ([(True, 2)], 2, Standing.GIVEN),
        ([(True, 3)], 2, Standing.GIVEN),
        ([(True, 1), (False, 1)], 1, Standing.WITHDRAWN),
        ([(True, 1), (False, 1)], 2, Standing.WITHDRAWN),
        ([(True, 1), (False, 1), (True, 1)], 1, Standing.GIVEN),
        ([(True, 1), (True, 2)], 2, Standing.GIVEN),
        ([(True, 1), (True, 2), (False, 2)], 2, Standing.WITHDRAWN),
    ],
)
def test_the_table(rows: list[tuple[bool, int]], material: int, expected: Standing) -> None:
    entries = [entry(number, Kind.SERVICE, given=way, version=n) for number, (way, n) in enumerate(rows)]
    numbers = dict.fromkeys(Kind, Numbers(5, material))
    assert state_of(entries, numbers).consents[Kind.SERVICE].standing is expected


@given(LEDGER, NUMBERS, st.integers())
def test_the_order_in_which_rows_come_changes_nothing(
    rows: list[Entry], numbers: dict[Kind, Numbers], seed: int
) -> None:
    shuffled = list(rows)
    random.Random(seed).shuffle(shuffled)
    assert state_of(shuffled, numbers) == state_of(rows, numbers)


@given(LEDGER, NUMBERS, st.sampled_from(CONSENTS), st.booleans())
def test_one_more_row_touches_its_own_kind_alone(
    rows: list[Entry], numbers: dict[Kind, Numbers], kind: Kind, way: bool
) -> None:
    before = state_of(rows, numbers)
    after = state_of([*rows, entry(len(rows), kind, given=way, version=numbers[kind].current)], numbers)
    assert all(after.consents[one] == before.consents[one] for one in CONSENTS if one is not kind)
    assert after.has(kind) is way


@given(LEDGER, NUMBERS)
def test_only_the_last_row_of_a_kind_counts(rows: list[Entry], numbers: dict[Kind, Numbers]) -> None:
    last = {row.kind: row for row in rows}
    assert state_of(list(last.values()), numbers) == state_of(rows, numbers)


@given(LEDGER, NUMBERS)
def test_consent_is_never_assumed(rows: list[Entry], numbers: dict[Kind, Numbers]) -> None:
    state = state_of(rows, numbers)
    for kind in CONSENTS:
        if state.has(kind):
            last = [row for row in rows if row.kind is kind][-1]
            assert last.given
            assert last.version >= numbers[kind].material


@given(LEDGER, NUMBERS, st.sampled_from(CONSENTS))
def test_a_material_version_asks_again_and_another_does_not(
    rows: list[Entry], numbers: dict[Kind, Numbers], kind: Kind
) -> None:
    numbers = numbers | {kind: Numbers(5, numbers[kind].material)}
    before = state_of(rows, numbers)
    minor = state_of(rows, numbers | {kind: replace(numbers[kind], current=6)})
    major = state_of(rows, numbers | {kind: Numbers(6, 6)})
    assert minor == before
    assert not major.has(kind)
    withdrawn = before.consents[kind].standing is Standing.WITHDRAWN
    assert (major.consents[kind].standing is Standing.WITHDRAWN) is withdrawn


@given(LEDGER, NUMBERS)
def test_under_18_recording_and_research_are_off_whatever_was_written(
    rows: list[Entry], numbers: dict[Kind, Numbers]
) -> None:
    young: ConsentState = state_of(rows, numbers, off=off_for(adult=False))
    grown = state_of(rows, numbers, off=off_for(adult=True))
    assert {kind for kind in CONSENTS if young.consents[kind].standing is Standing.OFF} == ADULTS_ONLY
    assert all(grown.consents[kind].standing is not Standing.OFF for kind in CONSENTS)
    for kind in set(CONSENTS) - ADULTS_ONLY:
        assert young.consents[kind] == grown.consents[kind]
