"""The modules' pure deciders, in node; and that all modules fit their types."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run(*words: str) -> None:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_deciders_keep_their_rules() -> None:
    run("node", "--test", "tests/browser/rules")


def test_the_modules_fit_their_types() -> None:
    run("node_modules/.bin/tsc", "--noEmit")
