"""The operator's program in examples/ works, is short, and is what the README shows."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.docs.conftest import ROOT
from tests.e2e.server import Server

EXAMPLE = ROOT / "examples" / "make_session.py"


def run_example(server: Server, folder: Path) -> list[tuple[str, str]]:
    """Make a key by the command, run the program with it; gives roles and links."""
    key_file = folder / "key.json"
    key_file.write_text(server.command("api-key", "create", "clinic", "--json"))
    command = [sys.executable, str(EXAMPLE), server.url, str(key_file)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    lines = [line.split(" ") for line in printed.splitlines()]
    return [(role, link) for role, link in lines]


def test_the_program_makes_a_session_whose_two_links_open_two_places(server: Server, tmp_path: Path) -> None:
    links = run_example(server, tmp_path)
    assert [role for role, _ in links] == ["client", "counselor"]
    places = [open_link(server, link) for _, link in links]
    assert [place["role"] for place in places] == ["client", "counselor"]
    assert places[0]["session"] == places[1]["session"]
    assert places[0]["mode"] == "video"


def open_link(server: Server, link: str) -> dict[str, str]:
    """Open a join link as its page does."""
    page, _, code = link.partition("#")
    assert page == f"{server.url}/join"
    request = urllib.request.Request(
        f"{server.url}/api/v1/place",
        json.dumps({"code": code}).encode(),
        {"Content-Type": "application/json", "Origin": server.url},
    )
    with urllib.request.urlopen(request) as answer:
        place: dict[str, str] = json.load(answer)
    return place


def test_the_program_has_at_most_thirty_lines() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 30


def test_the_readme_shows_the_program_as_it_is() -> None:
    assert f"```python\n{EXAMPLE.read_text()}```" in (ROOT / "README.md").read_text()
