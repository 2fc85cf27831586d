from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from core.ids import new_user_id
from counseling.credentials import read_credentials
from counseling.entry import (
    Entry,
    Licence,
    Practice,
    blank,
    fingerprint,
    missing_proofs,
    practice_done,
    wrong_in,
)
from counseling.expiry import due_warning
from counseling.matchable import Standing, Why, has_card, takes_minors, why_not
from counseling.verification import State
from tests.counseling.conftest import LICENCE, PRACTICE, TODAY

CREDENTIALS = read_credentials()
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ENTRY = Entry(
    user=new_user_id(),
    state=State.VERIFIED,
    submitted_at=NOW,
    created_at=NOW,
    changed_at=NOW,
    warned_days=None,
    licence=LICENCE,
    practice=PRACTICE,
)
FINE = Standing(entry=ENTRY, working=True, ethics_signed=2, ethics_needed=2, supervised=False)
DAY = timedelta(days=1)


def changed(
    *, licence: dict[str, Any] | None = None, entry: dict[str, Any] | None = None, **standing: Any
) -> Standing:
    made = dataclasses.replace(
        ENTRY, **{"licence": dataclasses.replace(LICENCE, **(licence or {}))} | (entry or {})
    )
    return dataclasses.replace(FINE, **{"entry": made} | standing)


@pytest.mark.parametrize(
    ("standing", "why"),
    [
        (FINE, []),
        (changed(working=False), [Why.CLOSED]),
        *[
            (changed(entry={"state": state}), [Why.UNVERIFIED])
            for state in State
            if state is not State.VERIFIED
        ],
        (changed(licence={"kind": "wizard"}), [Why.KIND_UNKNOWN]),
        (changed(licence={"kind": ""}, entry={"state": State.DRAFT}), [Why.UNVERIFIED]),
        (changed(licence={"valid_until": TODAY}), []),
        (changed(licence={"valid_until": TODAY - DAY}), [Why.EXPIRED]),
        (changed(licence={"valid_until": None}), []),
        (changed(ethics_signed=None), [Why.ETHICS_UNSIGNED]),
        (changed(ethics_signed=1), [Why.ETHICS_OLD]),
        (changed(ethics_signed=3), []),
        (changed(licence={"kind": "trainee"}), [Why.NO_SUPERVISOR]),
        (changed(licence={"kind": "trainee"}, supervised=True), []),
        (changed(entry={"away_from": TODAY}), [Why.AWAY]),
        (changed(entry={"away_until": TODAY}), [Why.AWAY]),
        (changed(entry={"away_from": TODAY - DAY, "away_until": TODAY + DAY}), [Why.AWAY]),
        (changed(entry={"away_from": TODAY + DAY}), []),
        (changed(entry={"away_until": TODAY - DAY}), []),
        (changed(caseload=2), []),
        (changed(caseload=3), [Why.FULL]),
        (
            changed(
                working=False,
                licence={"kind": "trainee", "valid_until": TODAY - DAY},
                entry={"state": State.PENDING, "away_from": TODAY},
                ethics_signed=None,
                caseload=9,
            ),
            [
                Why.CLOSED,
                Why.UNVERIFIED,
                Why.EXPIRED,
                Why.ETHICS_UNSIGNED,
                Why.NO_SUPERVISOR,
                Why.AWAY,
                Why.FULL,
            ],
        ),
    ],
)
def test_all_reasons_are_given_in_one_order(standing: Standing, why: list[Why]) -> None:
    assert list(why_not(standing, CREDENTIALS, today=TODAY)) == why


def test_a_card_stays_while_somebody_is_away_or_full() -> None:
    assert has_card(())
    assert has_card((Why.AWAY, Why.FULL))
    assert not any(has_card((why, Why.AWAY)) for why in Why if why not in {Why.AWAY, Why.FULL})


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, {}),
        ({"kind": ""}, {"kind": "missing"}),
        ({"kind": "wizard"}, {"kind": "choice"}),
        ({"licence_number": ""}, {"licence_number": "missing"}),
        ({"kind": "trainee", "licence_number": "", "licence_region": ""}, {}),
        ({"kind": "school_counselor", "valid_until": None, "licence_region": ""}, {}),
        ({"valid_until": None}, {"valid_until": "missing"}),
        ({"valid_until": TODAY}, {}),
        ({"valid_until": TODAY - DAY}, {"valid_until": "past"}),
        ({"valid_until": date(9999, 1, 1)}, {"valid_until": "choice"}),
        ({"degree": ""}, {"degree": "missing"}),
        ({"degree": "sarjana"}, {"degree": "low"}),
        ({"degree": "pangeran"}, {"degree": "choice"}),
        ({"background_checked_on": None}, {"background_checked_on": "missing"}),
        ({"background_checked_on": TODAY + DAY}, {"background_checked_on": "future"}),
        ({"background_checked_on": date(1900, 1, 1)}, {"background_checked_on": "choice"}),
        ({"shown_name": ""}, {"shown_name": "missing"}),
        ({"shown_name": "x" * 81}, {"shown_name": "long"}),
        ({"title": ""}, {}),
    ],
)
def test_what_is_wrong_stands_at_its_field(change: dict[str, Any], wrong: dict[str, str]) -> None:
    assert wrong_in(dataclasses.replace(LICENCE, **change), CREDENTIALS, today=TODAY) == wrong


def test_an_empty_entry_lacks_a_kind_a_name_and_a_degree() -> None:
    assert set(wrong_in(Licence(), CREDENTIALS, today=TODAY)) == {"kind", "shown_name", "degree"}
    assert not practice_done(Practice())
    assert practice_done(PRACTICE)
    assert blank(ENTRY.user, NOW).state is State.DRAFT


def test_each_kind_says_which_proofs_are_missing() -> None:
    kind = CREDENTIALS.kinds["psychologist"]
    assert missing_proofs(kind, []) == ("licence", "degree", "background")
    assert missing_proofs(kind, ["degree", "other", "degree"]) == ("licence", "background")


def test_another_licence_or_proof_is_another_fingerprint() -> None:
    looked = fingerprint(LICENCE, ["f_1", "f_2"])
    assert looked == fingerprint(LICENCE, ["f_2", "f_1"])
    assert looked != fingerprint(LICENCE, ["f_1"])
    assert looked != fingerprint(dataclasses.replace(LICENCE, title="Prof."), ["f_1", "f_2"])


@pytest.mark.parametrize(
    ("left", "warned", "due"),
    [
        (61, None, None),
        (60, None, 60),
        (60, 60, None),
        (31, 60, None),
        (30, 60, 30),
        (8, 30, None),
        (7, 30, 7),
        (0, 7, None),
        (-1, 7, 0),
        (-1, None, 0),
        (-400, 0, None),
        (3, None, 7),
        (20, None, 30),
    ],
)
def test_warnings_come_once_each_and_the_last_alone_after_a_gap(
    left: int, warned: int | None, due: int | None
) -> None:
    assert due_warning(TODAY + left * DAY, today=TODAY, warned=warned) == due


def test_what_never_ends_is_never_warned_of() -> None:
    assert due_warning(None, today=TODAY, warned=None) is None


@pytest.mark.parametrize(
    ("kind", "offered", "taken"),
    [
        ("psychologist", True, True),
        ("psychologist", False, False),
        ("trainee", True, False),
        ("wizard", True, False),
        ("", True, False),
    ],
)
def test_minors_go_to_whose_credential_allows_it_today(kind: str, offered: bool, taken: bool) -> None:
    practice = dataclasses.replace(PRACTICE, minors=offered)
    entry = changed(licence={"kind": kind}, entry={"practice": practice}).entry
    assert takes_minors(entry, CREDENTIALS) is taken
