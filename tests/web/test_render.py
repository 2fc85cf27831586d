"""How times and languages are written for people."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from web.render import say_language, say_time

AT = datetime(2026, 3, 2, 9, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "language", "said"),
    [
        ("Asia/Jakarta", "id", "2 Mar 2026, 16.05 WIB"),
        ("Asia/Jakarta", "en", "2 Mar 2026, 16:05 WIB"),
        ("Asia/Makassar", "en", "2 Mar 2026, 17:05 WITA"),
        ("Asia/Jayapura", "en", "2 Mar 2026, 18:05 WIT"),
        ("UTC", "id", "2 Mar 2026, 09.05 UTC"),
        ("Asia/Tokyo", "en", "2 Mar 2026, 18:05 +0900"),
    ],
)
def test_a_time_names_its_zone_as_people_there_do(zone: str, language: str, said: str) -> None:
    assert say_time(AT, language=language, zone=zone) == said


@pytest.mark.parametrize(
    ("code", "language", "said"),
    [
        ("id", "id", "Indonesia"),
        ("id", "en", "Indonesian"),
        ("jv", "id", "Jawa"),
        ("xx", "en", "xx"),
        ("not a code", "en", "not a code"),
    ],
)
def test_a_language_has_a_name_in_another(code: str, language: str, said: str) -> None:
    assert say_language(code, language=language) == said
