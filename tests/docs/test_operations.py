"""docs/operations.md against the program: every setting, every metric, every rule."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from core.config import Config, read_config, variables
from core.shapes import Outside
from tests.docs.conftest import ROOT
from tests.e2e.server import Server

TEXT = (ROOT / "docs" / "operations.md").read_text()
RULES = ROOT / "docs" / "nftables.conf"
SOURCES = "".join(
    path.read_text() for name in ("media", "signaling", "web") for path in (ROOT / name).glob("*.py")
)

# Sends to the media port what is media, what is not, and what is too long; says what came in.
PROBE = """
import socket
inbox = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
inbox.bind(("127.0.0.1", 3478))
inbox.settimeout(0.2)
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for size, first in ((20, 0), (60, 22), (1200, 144), (1500, 255), (20, 5), (20, 100), (1501, 144), (0, 0)):
    sender.sendto(bytes([first]) * size, ("127.0.0.1", 3478))
came = []
try:
    while True:
        data = inbox.recv(2048)
        came.append((len(data), data[0]))
except TimeoutError:
    print(came)
"""


def settings_table() -> dict[str, list[str]]:
    """The rows of the settings' table: unit, default, meaning, by variable."""
    rows = re.findall(r"^\| `(TEDUH_[A-Z_]+)` \|(.*)\|$", TEXT, re.MULTILINE)
    return {name: [cell.strip() for cell in cells.split(" | ")] for name, cells in rows}


def test_the_table_holds_every_setting_in_order_with_its_unit() -> None:
    table = settings_table()
    assert set(table) == set(variables())
    assert {name: cells[0] for name, cells in table.items()} == variables()


@pytest.mark.parametrize("field", dataclasses.fields(Config), ids=lambda field: field.name)
def test_the_table_says_the_default(field: dataclasses.Field[object]) -> None:
    said = settings_table()[field.metadata["variable"]][1]
    default = field.default
    if isinstance(default, bool) or not isinstance(default, int):
        words: dict[object, tuple[str, ...]] = {
            None: ("none", "off", "found out", "`master.key`"),
            False: ("`0`",),
            True: ("`1`",),
            (): ("none", "found out"),
            frozenset(): ("none",),
            Outside(): ("none",),
        }
        if default in words:
            assert said.startswith(words[default])
            return
    if default == "":
        assert said.startswith(("`http://localhost:8080`", "SQLite"))
    elif isinstance(default, tuple):
        assert said == f"`{','.join(default)}`"
    else:
        assert said == f"`{default}`"


def test_every_setting_that_the_documents_show_is_one() -> None:
    deployed = [path for path in (ROOT / "deploy").rglob("*") if path.is_file()]
    for document in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *deployed):
        assert set(re.findall(r"\bTEDUH_[A-Z_]+\b", document.read_text())) <= set(variables()), document.name


def test_the_shown_media_addresses_are_read() -> None:
    shown = re.findall(r"^    (TEDUH_MEDIA_ADDRESSES)=(.+)$", TEXT, re.MULTILINE)
    assert len(shown) == 3
    assert [len(read_config({name: value}).media_addresses) for name, value in shown] == [1, 1, 2]


def test_the_shown_turn_credential_is_read(tmp_path: Path) -> None:
    lines = re.search(r'^    user=.*\n    credential=.*\n    echo "TEDUH_ICE_SERVERS.*$', TEXT, re.MULTILINE)
    assert lines is not None
    subprocess.run(["bash", "-euc", lines[0]], cwd=tmp_path, check=True)
    (turn,) = read_config({}, tmp_path / ".env").ice_servers
    assert turn.urls == ("turns:turn.example.org:443?transport=tcp",)
    assert turn.username is not None
    assert re.fullmatch(r"\d{10}:teduh", turn.username)
    assert turn.credential is not None
    assert len(turn.credential) == 28


def test_every_metric_that_is_named_is_counted_somewhere() -> None:
    named = re.findall(r"`teduh_(?:media|calls)_([a-z_]+)`", TEXT)
    assert len(named) > 10
    for name in named:
        assert f'"{name}"' in SOURCES, name


def test_every_event_that_is_named_is_logged_somewhere() -> None:
    section = TEXT.partition("constant `event`")[2].partition("\n\n")[0]
    named = re.findall(r"`([a-z]+\.[a-z_]+)`", section)
    assert len(named) == 4
    for name in named:
        assert f'"{name}"' in SOURCES, name


def test_the_shown_backup_is_a_whole_database(server: Server, tmp_path: Path) -> None:
    shown = re.search(r"^ +python3 (-c .*VACUUM INTO.*)$", TEXT, re.MULTILINE)
    assert shown is not None
    (tmp_path / "var").symlink_to(server.data_dir)
    subprocess.run(["bash", "-c", f"{sys.executable} {shown[1]}"], cwd=tmp_path, check=True)
    with contextlib.closing(sqlite3.connect(tmp_path / "backup.db")) as backup:
        (keys,) = backup.execute("SELECT count(*) FROM api_keys").fetchone()
    assert keys >= 1


def test_the_rules_and_the_default_port_agree() -> None:
    assert f"define media_port = {read_config({}).media_port}" in RULES.read_text()


def test_the_rules_let_media_in_and_nothing_else() -> None:
    """Loaded twice into a network of the test's own, where only root may do that."""
    if os.geteuid() != 0:
        return
    nft = shutil.which("nft") or "/usr/sbin/nft"
    subprocess.run([nft, "-c", "-f", str(RULES)], check=True)
    script = f'ip link set lo up && {nft} -f "{RULES}" && {nft} -f "{RULES}" && exec {sys.executable} -c "$0"'
    came = subprocess.run(
        ["unshare", "--net", "bash", "-euc", script, PROBE], check=True, capture_output=True, text=True
    )
    assert came.stdout.strip() == str([(20, 0), (60, 22), (1200, 144)])
