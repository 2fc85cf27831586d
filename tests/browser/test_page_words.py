"""Every word of the pages stands in both catalogues, and none stands there for nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from web.pages.room import SCRIPT_TEXTS
from web.render import LANGUAGES, MissingText, make_renderer, preferred, read_catalogue

WEB = Path(__file__).parents[2] / "web"
TEMPLATES = sorted((WEB / "templates").glob("*.html"))
MODULES = sorted((WEB / "static" / "js").rglob("*.js"))

IN_TEMPLATE = re.compile(r"""_\(\s*['"]([a-z_.]+)['"]\s*[),]""")
IN_MODULE = re.compile(r"""['"`]([a-z]+\.[a-z_]+)['"`]""")
# Keys that are put together: `t(`gone.${why}`)` in a module, `_("error." ~ kind)` in a template.
MADE = re.compile(
    r"""(gone\.\w+|refusal\.(both|mic|camera|do)_\w+|mode\.\w+_by_(me|other|line)|control\.\w+_name|"""
    r"""state\.broken_(own|their|weak)(_more)?|state\.say_\w+|say\.device_\w+|error\.\w+\.\w+)"""
)


def asked_for() -> set[str]:
    """The keys that stand in templates and modules as they are."""
    found: set[str] = set()
    for path in TEMPLATES:
        found.update(IN_TEMPLATE.findall(path.read_text(encoding="utf-8")))
    for path in MODULES:
        for key in IN_MODULE.findall(path.read_text(encoding="utf-8")):
            if key.startswith(tuple(f"{prefix}." for prefix in SCRIPT_TEXTS)):
                found.add(key)
    return found


def places(text: str) -> list[str]:
    """The `{name}` places of a text, sorted."""
    return sorted(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_key_that_is_asked_for_has_a_text(language: str) -> None:
    assert asked_for() - read_catalogue(language).keys() == set()


def test_both_languages_say_the_same_things() -> None:
    indonesian, english = (read_catalogue(language) for language in LANGUAGES)
    assert indonesian.keys() == english.keys()
    assert {key for key in indonesian if places(indonesian[key]) != places(english[key])} == set()


def test_no_text_is_left_over() -> None:
    kept = {key for key in read_catalogue("id") if not MADE.fullmatch(key)}
    assert kept - asked_for() == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_are_whole(language: str) -> None:
    for key, text in read_catalogue(language).items():
        assert text == text.strip(), key
        assert "..." not in text, key
        assert "<" not in text, key


def test_an_unknown_key_is_an_error_and_not_an_empty_text() -> None:
    with pytest.raises(MissingText):
        make_renderer().text("id", "no.such_key")


@pytest.mark.parametrize(
    ("header", "chosen", "expected"),
    [
        ("", None, "id"),
        ("*", None, "id"),
        ("de-DE, fr;q=0.5", None, "id"),
        ("en-GB,en;q=0.9", None, "en"),
        ("en;q=0.4, id;q=0.8", None, "id"),
        ("in-ID", None, "id"),
        ("en", "id", "id"),
        ("id", "en", "en"),
        ("en", "../../etc", "en"),
        ("en;q=nonsense, id", None, "id"),
        ("en;q=0", None, "id"),
    ],
)
def test_the_language_is_the_readers(header: str, chosen: str | None, expected: str) -> None:
    assert preferred(header, chosen) == expected


def test_a_text_cannot_leave_its_json_element() -> None:
    renderer = make_renderer()
    html = renderer.environment.from_string("{{ value | data_json }}").render(
        value={"a": "</script><script>alert(1)</script>&"}
    )
    assert "<" not in html
    assert "&" not in html
