"""The links of each place: every one has its words, which are put together from parts in the templates."""

from __future__ import annotations

import pytest

from web.pages.navigation import STAFF_ALSO, WAYS
from web.render import LANGUAGES, read_catalogue


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_way_says_what_is_behind_it(language: str) -> None:
    texts = read_catalogue(language)
    wanted = {words for way in (*WAYS, *STAFF_ALSO) for words in (way.words, f"{way.words}.what")}
    assert wanted - set(texts) == set()
