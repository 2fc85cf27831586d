"""The Markdown of texts that people agree to: what may stand in it, its HTML, and what changed.

Plain on purpose: headings, paragraphs, lists, emphasis. No HTML, no picture and no link: what somebody
agrees to is all on the page, and what they saw is all in the proof. This file owns markdown-it.
"""

from __future__ import annotations

import difflib
import enum
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from markdown_it import MarkdownIt

LOCALES: Final = ("id", "en")
"""Every version stands in all of these; the first is the service's own."""

HEADINGS: Final = {
    "id": ("Hubungan kita", "Kerahasiaan dan batasnya", "Hukum dan izin"),
    "en": ("Our relationship", "Confidentiality and its limits", "Law and licence"),
}
"""The three parts of informed consent after the NBCC: relationship, confidentiality, law and licence."""

MAX_CHARS: Final = 16_000
PRINTED: Final = "cp1252"
"""The letters that a PDF's own fonts have (ISO 32000-1, D.2): all of Indonesian and English."""

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).disable(
    ["html_block", "html_inline", "image", "link", "autolink", "reference", "fence", "code", "entity"]
)
_TITLE = re.compile(r"# (?P<title>\S.*)")
_WORDS = re.compile(r"\S+\s*|\s+")


class Fault(enum.StrEnum):
    """What is wrong with a text; the value is the end of a key of the catalogues."""

    EMPTY = "empty"
    LONG = "long"
    LETTERS = "letters"
    TITLE = "title"
    HEADINGS = "headings"


class Change(enum.StrEnum):
    """What became of a part of a text."""

    SAME = "same"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Part:
    """Some words, and whether they are new, gone, or as before."""

    change: Change
    words: str


def tidy(typed: str) -> str:
    """Give typed text one kind of line end, no tab, no space at line ends, and one line end at its end.

    To be done once, before hashing: from then on its bytes stay as they are.
    """
    lines = typed.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.expandtabs(4).rstrip() for line in lines).strip("\n") + "\n"


def fault(body: str, *, locale: str) -> Fault | None:
    """Say what is wrong with a text in a language; None when it may be published."""
    if not body.strip():
        return Fault.EMPTY
    if len(body) > MAX_CHARS:
        return Fault.LONG
    if not is_printable(body):
        return Fault.LETTERS
    if not title_of(body):
        return Fault.TITLE
    tokens = _MARKDOWN.parse(body)
    headings = [
        (token.tag, following.content)
        for token, following in itertools.pairwise(tokens)
        if token.type == "heading_open" and token.tag in {"h1", "h2"}
    ]
    wanted = [("h1", title_of(body)), *(("h2", heading) for heading in HEADINGS[locale])]
    return None if headings == wanted else Fault.HEADINGS


def is_printable(text: str) -> bool:
    """Whether the PDF of a proof can show every letter."""
    try:
        text.encode(PRINTED)
    except UnicodeEncodeError:
        return False
    return all(character == "\n" or (character.isprintable() or character == "\xa0") for character in text)


def title_of(body: str) -> str:
    """Give the title, which is the first line; empty when there is none."""
    found = _TITLE.fullmatch(body.partition("\n")[0])
    return found["title"].strip() if found else ""


def without_title(body: str) -> str:
    """Give the text below its title, for a page that shows the title itself."""
    return body.partition("\n")[2]


def as_html(body: str) -> str:
    """Make HTML. Whatever was typed as HTML is shown as it was typed."""
    html: str = _MARKDOWN.render(body)
    return html


def changes(before: str, after: str) -> list[Part]:
    """Compare two texts word by word; neighbours of the same fate come as one part.

    Words that stand everywhere are no anchors (difflib's ``autojunk``): without that, a text of one word
    repeated would take seconds.
    """
    old, new = _WORDS.findall(before), _WORDS.findall(after)
    return list(_joined(_compared(old, new)))


def _compared(old: list[str], new: list[str]) -> Iterator[Part]:
    matcher = difflib.SequenceMatcher(None, old, new)
    for what, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if what == "equal":
            yield Part(Change.SAME, "".join(new[new_from:new_to]))
            continue
        yield Part(Change.REMOVED, "".join(old[old_from:old_to]))
        yield Part(Change.ADDED, "".join(new[new_from:new_to]))


def _joined(parts: Iterator[Part]) -> Iterator[Part]:
    last: Part | None = None
    for part in parts:
        if not part.words:
            continue
        if last is not None and last.change is part.change:
            last = Part(part.change, last.words + part.words)
            continue
        if last is not None:
            yield last
        last = part
    if last is not None:
        yield last
