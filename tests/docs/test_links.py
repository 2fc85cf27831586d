"""Links and commands in the documents lead to something that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.conftest import ROOT

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_of_ours_leads_to_a_file(document: Path) -> None:
    text = document.read_text()
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", text) + re.findall(r'src="([^"]+)"', text)
    for link in links:
        if "://" not in link:
            assert (document.parent / link).exists(), link


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_of_ours_that_is_named_is_there(document: Path) -> None:
    folders = "core|accounts|media|signaling|web|migrations|scripts|tests|deploy"
    for name in re.findall(rf"`((?:{folders})/[A-Za-z0-9_./]*)`", document.read_text()):
        assert (ROOT / name).exists(), name


def test_every_make_target_that_is_named_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for document in DOCUMENTS:
        named = set(re.findall(r"^    make ([a-z]+)", document.read_text(), re.MULTILINE))
        assert named <= targets, document.name
