"""What a bench prints: the machine, the versions, the command, and a table of figures with targets."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shlex
import ssl
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("aiohttp", "aiortc", "pylibsrtp", "cryptography", "msgspec", "sqlalchemy")


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a report. ``met`` None: there is no target, or the run was void."""

    what: str
    measured: str
    target: str = ""
    met: bool | None = None

    @property
    def verdict(self) -> str:
        """One word for the last column."""
        return "" if self.met is None else "met" if self.met else "MISSED"


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of all lie; the largest for 1. Raises ValueError without any."""
    if not values:
        raise ValueError("there is nothing to take a percentile of")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    rows = ["| what | measured | target | |", "| --- | --- | --- | --- |"]
    rows += [f"| {one.what} | {one.measured} | {one.target} | {one.verdict} |" for one in figures]
    return "\n".join(rows)


def machine() -> str:
    """Processor, number of cores and kernel."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    cores = len(os.sched_getaffinity(0))
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{model}, {cores} cores, {memory_gib:.0f} GiB, Linux {platform.release()}"


def versions() -> str:
    """Python, OpenSSL and the packages on the packet's way, and the revision that was measured."""
    found = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    return ", ".join(
        [f"teduh {_revision()}", f"Python {platform.python_version()}", ssl.OPENSSL_VERSION, *found]
    )


def _revision() -> str:
    try:
        said = subprocess.run(
            ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return importlib.metadata.version("teduh")
    return said.stdout.strip()


def command() -> str:
    """How this bench was called."""
    name = Path(sys.argv[0]).stem
    return shlex.join(["python", "-m", f"bench.{name}", *sys.argv[1:]])


def publish(title: str, figures: Sequence[Figure], *notes: str) -> None:
    """Print the whole report."""
    load = os.getloadavg()
    print(f"\n## {title}\n")
    print(f"- machine: {machine()}; load average at the end {load[0]:.2f}")
    print(f"- versions: {versions()}")
    print(f"- command: `{command()}`")
    for note in notes:
        print(f"- {note}")
    print(f"\n{table(figures)}\n", flush=True)
