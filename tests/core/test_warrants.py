"""Leave to open one recording's key: signed, for one recording, in its time."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from core.warrants import LASTS_AT_MOST, Checker, Purpose, Warrant, WarrantRefused, Warrants

NOW = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
WARRANTS = Warrants(bytes(32))
CHECKER = Checker(WARRANTS.public)


def issue(**changed: object) -> Warrant:
    warrant = WARRANTS.issue(recording_id="r_1", viewer="u_1", purpose=Purpose.REVIEW, now=NOW)
    return dataclasses.replace(warrant, **changed)  # type: ignore[arg-type]  # a table of cases


def why(warrant: Warrant, *, now: datetime = NOW, recording_id: str = "r_1") -> str:
    with pytest.raises(WarrantRefused) as refused:
        CHECKER.check(warrant, recording_id=recording_id, now=now)
    return refused.value.why


def test_a_warrant_holds_until_its_end() -> None:
    CHECKER.check(issue(), recording_id="r_1", now=NOW)
    CHECKER.check(issue(), recording_id="r_1", now=NOW + timedelta(minutes=14, seconds=59))
    assert why(issue(), now=NOW + timedelta(minutes=15)) == "expired"


def test_a_warrant_is_for_its_recording_alone() -> None:
    assert why(issue(), recording_id="r_2") == "other_recording"


@pytest.mark.parametrize(
    "changed",
    [
        {"recording_id": "r_2"},
        {"viewer": "u_2"},
        {"purpose": Purpose.EXPORT},
        {"expires_at": NOW + timedelta(hours=20)},
        {"signature": bytes(64)},
        {"signature": b""},
    ],
)
def test_no_field_of_a_warrant_can_be_changed(changed: dict[str, object]) -> None:
    warrant = issue(**changed)
    assert why(warrant, recording_id=warrant.recording_id) == "forged"


def test_another_servers_warrant_does_not_hold() -> None:
    other = Warrants(b"x" * 32).issue(recording_id="r_1", viewer="u_1", purpose=Purpose.REVIEW, now=NOW)
    assert why(other) == "forged"


def test_no_warrant_lasts_longer_than_a_day() -> None:
    with pytest.raises(ValueError, match="not for days"):
        WARRANTS.issue(
            recording_id="r_1",
            viewer="u_1",
            purpose=Purpose.REVIEW,
            now=NOW,
            lasts=LASTS_AT_MOST + timedelta(seconds=1),
        )
    early = WARRANTS.issue(
        recording_id="r_1",
        viewer="u_1",
        purpose=Purpose.REVIEW,
        now=NOW + timedelta(hours=2),
        lasts=LASTS_AT_MOST,
    )
    assert why(early) == "too_long"


def test_only_people_look() -> None:
    assert {one for one in Purpose if not one.is_work} == {Purpose.REVIEW, Purpose.EXPORT}


def test_an_end_without_a_zone_is_refused_and_not_guessed() -> None:
    """On a host in UTC it was signed all the same, and fell over the comparison behind that."""
    assert why(issue(expires_at=(NOW + timedelta(minutes=15)).replace(tzinfo=None))) == "no_zone"
