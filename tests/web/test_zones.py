"""Time zones as people choose them."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from web import zones


def test_every_choice_is_a_zone_and_stands_there_once() -> None:
    names = [name for _, some in zones.choices() for name, _ in some]
    assert len(names) == len(set(names)) > 300
    assert names[:4] == list(zones.HERE)
    assert {"Europe/Berlin", "America/New_York", "Australia/Lord_Howe"} <= set(names)
    assert all(zones.find(name) == ZoneInfo(name) for name in names)


@pytest.mark.parametrize(
    "name", ["", "Mars/Olympus", "../../etc/passwd", "/etc/passwd", "Asia", "a\0b", "x" * 100, "é"]
)
def test_what_is_no_zone_is_none(name: str) -> None:
    assert zones.find(name) is None


def test_a_zone_is_shown_by_its_place() -> None:
    assert zones.shown("America/Argentina/Buenos_Aires") == "Buenos Aires"
    assert zones.shown("UTC") == "UTC"
