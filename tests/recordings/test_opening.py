"""A recording opens to a supervisor only while everything that is asked for holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from recordings.opening import Closed, Facts, why_closed
from recordings.states import State

NOW = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
OPEN = Facts(State.STORED, NOW, closed=False, client_consents=True, released=True)


def test_it_opens_when_all_of_it_holds() -> None:
    assert why_closed(OPEN, assigned=True, now=NOW) is None


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"closed": True}, Closed.WITHDRAWN),
        ({"client_consents": False}, Closed.NO_CONSENT),
        ({"released": False}, Closed.NOT_RELEASED),
        ({"open_from": NOW + timedelta(microseconds=1)}, Closed.TOO_EARLY),
        ({"open_from": None}, Closed.NOT_THERE),
        *(({"state": state}, Closed.NOT_THERE) for state in State if state is not State.STORED),
    ],
)
def test_it_is_closed_when_one_thing_is_missing(change: dict[str, Any], why: Closed) -> None:
    assert why_closed(replace(OPEN, **change), assigned=True, now=NOW) is why


def test_it_is_closed_to_the_supervisor_of_somebody_else() -> None:
    assert why_closed(OPEN, assigned=False, now=NOW) is Closed.NOT_THEIRS
