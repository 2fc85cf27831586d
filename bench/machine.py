"""What a report must name: the machine, the versions, the command."""

from __future__ import annotations

import os
import platform
import ssl
import subprocess
import sys
from importlib import metadata
from pathlib import Path

PACKAGES = ("aiohttp", "aiortc", "pylibsrtp", "cryptography", "pyOpenSSL")


def describe() -> dict[str, str]:
    """Name processor, kernel, versions and the command that is running."""
    return {
        "machine": f"{_processor()}, {os.cpu_count()} cores, {_memory_gib()} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "packages": ", ".join(f"{name} {metadata.version(name)}" for name in PACKAGES),
        "commit": _commit(),
        "load": f"{os.getloadavg()[0]:.2f} (1 min, when the run began)",
        "command": " ".join(["python -m", _module(), *sys.argv[1:]]),
    }


def _module() -> str:
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    name: str = spec.name if spec is not None else sys.argv[0]
    return name.removesuffix(".__main__")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _memory_gib() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "not a git checkout"
