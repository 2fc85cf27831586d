"""Keys in memory do not get onto the disk by a crash."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from core.config import Config

ROOT = Path(__file__).parents[2]
PROGRAM = """
import ctypes, resource, sys
from core.dumps import forbid_dumps
if sys.argv[1] == "forbidden":
    forbid_dumps()
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE)[0])
"""


@pytest.mark.parametrize(("how", "dumpable"), [("forbidden", "0"), ("as it comes", "1")])
def test_the_kernel_is_told_to_dump_nothing(how: str, dumpable: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], cwd=ROOT, capture_output=True, text=True, check=True
    )
    said, limit = done.stdout.split()
    assert said == dumpable
    assert how != "forbidden" or limit == "0"


def test_a_running_command_cannot_be_dumped() -> None:
    program = (
        "import ctypes, resource, core.config\n"
        "from web import main\n"
        "def config():\n"
        "    print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"
        "    raise SystemExit\n"
        "main.config_from_here = config\n"
        "main.main(['migrate'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "0\n"


@pytest.mark.parametrize("module", ["recordings.taping", "web.worker"])
def test_processes_that_see_media_cannot_be_dumped(module: str) -> None:
    program = (
        "import ctypes, importlib, os, pickle, sys\n"
        "from core.config import Config\n"
        "def nice(_by):\n"
        "    print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"
        "    raise SystemExit\n"
        "os.nice = nice\n"
        "importlib.import_module(sys.argv[1]).main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, module],
        cwd=ROOT,
        input=pickle.dumps(Config()),
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"0\n"


def test_the_process_that_seals_an_export_cannot_be_dumped() -> None:
    program = (
        "import ctypes\n"
        "from recordings.bundle import confine\n"
        "confine()\n"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "0\n"
