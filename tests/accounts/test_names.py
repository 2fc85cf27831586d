"""Names are made of kind words, and people seldom share one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from accounts import names, people
from accounts.people import MAX_NAME_CHARS
from core.db import Database

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.mark.parametrize("language", ["id", "en"])
def test_there_are_thousands_and_all_are_short(language: str) -> None:
    words = names.words_of(language)
    assert len(set(words.things)) == len(words.things)
    assert len(set(words.manners)) == len(words.manners)
    assert len(words.things) * len(words.manners) > 3_000
    assert max(map(len, words.things)) + max(map(len, words.manners)) < MAX_NAME_CHARS / 2


def test_another_language_gets_indonesian_names() -> None:
    assert names.words_of("jv") == names.words_of("id")


async def test_a_new_name_is_nobodys_and_not_the_last_one(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = names.Words(("Embun", "Senja"), ("Tenang", "Teduh"), thing_first=True)
    monkeypatch.setattr(names, "words_of", lambda _language: small)
    monkeypatch.setattr(names, "DRAWN", 100)
    async with database.sessions.begin() as db:
        for name in ("Embun Tenang", "Embun Teduh"):
            await people.create_client(db, name=name, language="id", adult=True, now=NOW)
        assert await names.new_name(db, language="id", but="Senja Teduh") == "Senja Tenang"


async def test_when_all_are_taken_a_number_follows(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = names.Words(("Embun",), ("Tenang",), thing_first=True)
    monkeypatch.setattr(names, "words_of", lambda _language: only)
    async with database.sessions.begin() as db:
        await people.create_client(db, name="Embun Tenang", language="id", adult=True, now=NOW)
        name = await names.new_name(db, language="id")
    assert name.startswith("Embun Tenang ")
    assert 2 <= int(name.rsplit(" ", 1)[1]) <= 100
