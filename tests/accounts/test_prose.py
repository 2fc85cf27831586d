from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts import prose
from accounts.prose import Change, Fault

GOOD = "# Judul\n\n" + "".join(f"## {heading}\n\nIsi.\n\n" for heading in prose.HEADINGS["id"])
GOOD = prose.tidy(GOOD)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (GOOD, None),
        ("", Fault.EMPTY),
        (" \n\n ", Fault.EMPTY),
        (GOOD + "a" * prose.MAX_CHARS, Fault.LONG),
        (GOOD + "日本", Fault.LETTERS),
        (GOOD + "\x00", Fault.LETTERS),
        (GOOD + "a\tb", Fault.LETTERS),
        (GOOD + "\u202egnol", Fault.LETTERS),
        ("Judul\n" + GOOD, Fault.TITLE),
        ("#Judul\n" + GOOD.partition("\n")[2], Fault.TITLE),
        (GOOD.replace("## Hukum dan izin", "Hukum dan izin"), Fault.HEADINGS),
        (GOOD + "\n## Lagi\n", Fault.HEADINGS),
        (GOOD + "\n# Lagi\n", Fault.HEADINGS),
        (GOOD.replace("## Hukum dan izin", "## Hukum"), Fault.HEADINGS),
        (GOOD + "\n### Rincian\n\n- satu\n- dua \u2013 \u201ctiga\u201d\n", None),
    ],
)
def test_a_text_has_a_title_and_the_three_headings(body: str, expected: Fault | None) -> None:
    assert prose.fault(body, locale="id") is expected


def test_headings_in_another_order_or_language_do_not_fit() -> None:
    turned = prose.HEADINGS["id"][::-1]
    body = "# Judul\n\n" + "\n\n".join(f"## {heading}" for heading in turned) + "\n"
    assert prose.fault(body, locale="id") is Fault.HEADINGS
    assert prose.fault(GOOD, locale="en") is Fault.HEADINGS


@pytest.mark.parametrize(
    "typed",
    [
        "<script>alert(1)</script>",
        "<b onclick=alert(1)>x</b>",
        "a <img src=x onerror=alert(1)> b",
        "![gambar](https://example.org/x.png)",
        "[klik](javascript:alert(1))",
        "<https://example.org/>",
        "[a]: https://example.org\n\n[a]",
        "<div>\n\nx\n\n</div>",
    ],
)
def test_what_was_typed_as_html_or_a_link_is_shown_as_typed(typed: str) -> None:
    html = prose.as_html(typed)
    for tag in ("<script", "<b ", "<img", "<a", "<div"):
        assert tag not in html


def test_headings_lists_and_emphasis_become_html() -> None:
    html = prose.as_html("# A\n\n## B\n\n- *satu*\n- **dua**\n\n1. tiga\n")
    for tag in ("<h1>A</h1>", "<h2>B</h2>", "<ul>", "<em>satu</em>", "<strong>dua</strong>", "<ol>"):
        assert tag in html


@given(st.text())
def test_tidying_twice_changes_nothing_more(typed: str) -> None:
    once = prose.tidy(typed)
    assert prose.tidy(once) == once
    assert "\r" not in once


@given(st.lists(st.sampled_from(["satu", "dua", " ", "\n", "tiga"])), st.lists(st.sampled_from("abc \n")))
def test_the_parts_of_a_change_make_both_texts(before: list[str], after: list[str]) -> None:
    old, new = "".join(before), "".join(after)
    parts = prose.changes(old, new)
    assert "".join(part.words for part in parts if part.change is not Change.ADDED) == old
    assert "".join(part.words for part in parts if part.change is not Change.REMOVED) == new
    assert all(part.words for part in parts)
