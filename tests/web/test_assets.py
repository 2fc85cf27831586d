"""Modules go out without their comments, and are the same modules."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.browser.rooms import ROOT
from web.pages.assets import STATIC, read_assets, without_comments

MODULES = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.js"))


def compiled(scripts: Mapping[str, str], folder: Path) -> dict[str, list[str]]:
    """What the compiler makes of these modules without comments, as words."""
    for name, script in scripts.items():
        path = folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script)
    plain = ["--allowJs", "--noCheck", "--noResolve", "--removeComments", "--target", "esnext"]
    where = ["--module", "esnext", "--rootDir", "in", "--outDir", "out"]
    subprocess.run(
        [ROOT / "node_modules/.bin/tsc", *plain, *where, *(f"in/{name}" for name in scripts)],
        cwd=folder,
        check=True,
        timeout=120,
    )
    return {name: (folder / "out" / name).read_text().split() for name in scripts}


def test_a_module_without_comments_is_the_same_module(tmp_path: Path) -> None:
    served = read_assets().files
    before = {name: (STATIC / name).read_text() for name in MODULES}
    after = {name: served[name].plain.decode() for name in MODULES}
    assert len(before) > 20
    assert sum(map(len, after.values())) < sum(map(len, before.values()))
    assert compiled(before, tmp_path / "before") == compiled(after, tmp_path / "after")


def test_nothing_but_comments_is_left_out_and_no_line_moves() -> None:
    for name in MODULES:
        before, after = (
            (STATIC / name).read_text().split("\n"),
            read_assets().files[name].plain.decode().split("\n"),
        )
        assert len(before) == len(after)
        for line, kept in zip(before, after, strict=True):
            assert kept in (line, "")
            assert kept or line.strip().startswith(("*", "/*", "//")) or not line.strip(), (name, line)


@pytest.mark.parametrize(
    ("script", "kept"),
    [
        ("// one\nlet a; // two\n", "\nlet a; // two\n"),
        ("/** @type {any} */\nlet a;", "\nlet a;"),
        ("/* one\n two */\nlet a;", "\n\nlet a;"),
        ("/** @type {any} */ (a).b();", "/** @type {any} */ (a).b();"),
        ("let a = 1 /* one */;", "let a = 1 /* one */;"),
    ],
)
def test_what_counts_as_a_comment(script: str, kept: str) -> None:
    assert without_comments(script) == kept
