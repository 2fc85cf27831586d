"""Every word of the pages stands in both catalogues, and none stands there for nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from web.pages.room import SCRIPT_TEXTS
from web.render import LANGUAGES, MissingText, make_renderer, preferred, read_catalogue

WEB = Path(__file__).parents[2] / "web"
TEMPLATES = sorted((WEB / "templates").rglob("*.html"))
MODULES = sorted((WEB / "static" / "js").rglob("*.js"))
PROGRAMS = sorted(
    path
    for floor in ("web", "accounts", "counseling", "recordings")
    for path in (WEB.parent / floor).rglob("*.py")
)

ASKED = re.compile(r"""_\(\s*['"]([a-z_0-9.-]+)['"]\s*[),]""")
IN_MODULE = re.compile(r"""['"`]([a-z]+\.[a-z_]+)['"`]""")
NAMED = re.compile(r"""['"`]([a-z_0-9]+(?:\.[a-z_0-9-]+)+)['"`]""")
# Keys that are put together: t(`gone.${why}`) in a module, _("error." ~ kind) in a template, f"role.{role}".
BEGUN = re.compile(r"""['"`]([a-z_0-9]+\.[a-z_0-9.-]*)(?:\$?\{|['"`]\s*(?:~|\+))""")
ENDED = re.compile(r"(nav\.\w+)\.what|(control\.\w+)_name")


def asked_for() -> set[str]:
    """The keys that templates ask for as they are, and the room's modules name."""
    found: set[str] = set()
    for path in TEMPLATES:
        found.update(ASKED.findall(path.read_text(encoding="utf-8")))
    for path in MODULES:
        for key in IN_MODULE.findall(path.read_text(encoding="utf-8")):
            if key.startswith(tuple(f"{prefix}." for prefix in SCRIPT_TEXTS)):
                found.add(key)
    return found


def in_use(key: str, named: set[str], begun: tuple[str, ...]) -> bool:
    """Whether a key is named somewhere, or may be put together from what is."""
    ended = ENDED.fullmatch(key)
    stem = (ended[1] or ended[2]) if ended else key
    return key in named or stem in named or key.startswith(begun)


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
    sources = [path.read_text(encoding="utf-8") for path in (*TEMPLATES, *MODULES, *PROGRAMS)]
    named = {key for source in sources for key in NAMED.findall(source)}
    begun = tuple({start for source in sources for start in BEGUN.findall(source)})
    assert {key for key in read_catalogue("id") if not in_use(key, named, begun)} == set()


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
