"""A program, ``python -m accounts.paper``: makes the PDF of a proof from JSON on its input.

Apart from the server, which holds the media port: laying out pages takes half a second of Python, and fpdf2
brings readers of fonts and pictures along. The JSON and every text are attached byte for byte, so that
hashes can be checked. The fonts are those that every reader has (ISO 32000-1, 9.6.2.2), so only the letters
of ``prose.PRINTED`` can be shown. This file owns fpdf2.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec
from fpdf import FPDF, XPos, YPos
from fpdf.fonts import TextStyle

from accounts import prose

NICENESS: Final = 10
_INK: Final = (28, 38, 34)
_QUIET: Final = (86, 98, 92)
_SIZE: Final = 10
_LEADING: Final = 1.3
_STYLES: Final = {
    "h1": TextStyle(font_style="B", font_size_pt=15, color=_INK, t_margin=1, b_margin=2),
    "h2": TextStyle(font_style="B", font_size_pt=11.5, color=_INK, t_margin=3, b_margin=1),
    "h3": TextStyle(font_style="B", font_size_pt=_SIZE, color=_INK, t_margin=3, b_margin=1),
    "p": TextStyle(t_margin=1, b_margin=1),
    "ul": TextStyle(t_margin=0, b_margin=1),
    "ol": TextStyle(t_margin=0, b_margin=1),
    "li": TextStyle(l_margin=4, t_margin=1),
}


class Row(msgspec.Struct, frozen=True):
    """A row of the ledger."""

    id: str
    kind: str
    event: str
    version: int
    locale: str
    sha256: str
    at: str
    page: str


class Shown(msgspec.Struct, frozen=True):
    """A text that was shown."""

    kind: str
    version: int
    locale: str
    sha256: str
    body: str


class Content(msgspec.Struct, frozen=True):
    """What is read of ``accounts.proof.content``."""

    person: str
    made_at: datetime
    key_id: str
    standing: dict[str, str]
    entries: list[Row]
    texts: list[Shown]


class Asked(msgspec.Struct, frozen=True):
    """What comes in. ``json`` is the proof as it is attached; ``words`` are texts by their key."""

    json: str
    words: dict[str, str]
    language: str


def main() -> None:
    """Read what is asked for, write the PDF."""
    os.nice(NICENESS)
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Asked)
    sys.stdout.buffer.write(layout(asked))


def layout(asked: Asked) -> bytes:
    """Make the PDF."""
    proof, words = msgspec.json.decode(asked.json, type=Content), asked.words
    pdf = _Paper(words["proof.page"])
    pdf.set_lang(asked.language)
    pdf.set_title(words["proof.title"])
    pdf.set_creation_date(proof.made_at)
    pdf.add_page()
    _say_all(pdf, proof, words)
    for text in proof.texts:
        pdf.add_page()
        name = words[f"consent.{text.kind}"]
        line = words["proof.text"].format(name=name, version=text.version, locale=text.locale)
        pdf.line_of(line, quiet=True)
        pdf.line_of(f"SHA-256 {text.sha256}", quiet=True, fixed=True, gap=2)
        pdf.prose(text.body)
        file = f"{text.kind}-{text.version}.{text.locale}.md"
        pdf.attach(file, text.body.encode(), "text/markdown", proof.made_at)
    pdf.attach("proof.json", asked.json.encode(), "application/json", proof.made_at)
    return bytes(pdf.output())


def _say_all(pdf: _Paper, proof: Content, words: Mapping[str, str]) -> None:
    pdf.line_of(words["proof.title"], size=16, bold=True, gap=2)
    pdf.line_of(words["proof.what"], gap=3)
    pdf.fact(words["proof.person"], proof.person)
    pdf.fact(words["proof.made"], f"{proof.made_at:%Y-%m-%d %H:%M:%S} UTC")
    pdf.fact(words["proof.key"], proof.key_id)
    pdf.line_of(words["proof.standing"], size=12, bold=True, before=5, gap=1)
    for kind, standing in proof.standing.items():
        pdf.fact(words[f"consent.{kind}"], words[f"standing.{standing}"])
    pdf.line_of(words["proof.entries"], size=12, bold=True, before=5, gap=1)
    if not proof.entries:
        pdf.line_of(words["proof.none"])
    for row in proof.entries:
        name, way = words[f"consent.{row.kind}"], words[f"consent.was_{row.event}"]
        pdf.line_of(f"{name}: {way}", bold=True, before=2)
        pdf.line_of(words["proof.row"].format(**msgspec.structs.asdict(row)), quiet=True)
        pdf.line_of(f"SHA-256 {row.sha256}", quiet=True, fixed=True)


class _Paper(FPDF):
    """A4 pages with a number at the foot."""

    def __init__(self, page_word: str) -> None:
        super().__init__()
        self.core_fonts_encoding = prose.PRINTED
        self._page_word = page_word
        self.set_margins(20, 18, 20)
        self.set_auto_page_break(auto=True, margin=20)

    def footer(self) -> None:
        """Number the page; fpdf2 calls it."""
        self.set_y(-14)
        self._font(size=8, quiet=True)
        self.cell(0, 5, f"{self._page_word} {self.page_no()}", align="R")

    def line_of(
        self,
        words: str,
        *,
        size: float = _SIZE,
        bold: bool = False,
        quiet: bool = False,
        fixed: bool = False,
        before: float = 0,
        gap: float = 0,
    ) -> None:
        """Write a paragraph; ``before`` and ``gap`` in mm."""
        self.ln(before)
        self._font(size=size - 2 if fixed else size, bold=bold, quiet=quiet, fixed=fixed)
        self.multi_cell(0, size * 0.5, words, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)
        self.ln(gap)

    def fact(self, name: str, value: str) -> None:
        """Write a name and its value beside it."""
        self._font(quiet=True)
        self.cell(48, 5.5, name)
        self._font()
        self.multi_cell(0, 5.5, value, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def prose(self, body: str) -> None:
        """Write Markdown."""
        html = prose.as_html(body).replace(">\n<", "><")
        for tag in ("p", "ul", "ol"):
            html = html.replace(f"<{tag}>", f'<{tag} line-height="{_LEADING}">')
        self._font()
        self.write_html(
            html,
            font_family="helvetica",
            tag_styles=_STYLES,
            li_prefix_color=_QUIET,
            ul_bullet_char="\u2022",
        )

    def attach(self, name: str, content: bytes, kind: str, at: datetime) -> None:
        """Attach a file."""
        self.embed_file(bytes=content, basename=name, mime_type=kind, creation_date=at, modification_date=at)

    def _font(
        self, *, size: float = _SIZE, bold: bool = False, quiet: bool = False, fixed: bool = False
    ) -> None:
        self.set_font("courier" if fixed else "helvetica", style="B" if bold else "", size=size)
        self.set_text_color(*(_QUIET if quiet else _INK))


if __name__ == "__main__":
    main()
