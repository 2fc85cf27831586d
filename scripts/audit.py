#!/usr/bin/env python3
"""Ask pip-audit whether a pinned package has a known weakness.

A finding fails. A vulnerability service that cannot be reached, or that knows none of the packages,
does not: it is said plainly, for then nothing was checked.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LOCKS = ("runtime.txt", "dev.txt", "s3.txt")
UNREACHABLE = ("ConnectionError", "ConnectTimeout", "ReadTimeout", "ServiceError", "Max retries", "timed out")


def main() -> int:
    """Audit all locks; gives the exit status."""
    folder = Path(__file__).parent.parent / "constraints"
    return max(audit(folder / name) for name in LOCKS)


def audit(lock: Path) -> int:
    """Audit one lock."""
    command = [sys.executable, "-m", "pip_audit", "-r", str(lock), "--disable-pip", "--require-hashes"]
    command += ["--format", "json", "--progress-spinner", "off", "--timeout", "20"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603  # our own words
    except subprocess.TimeoutExpired:
        return say(
            f"pip-audit {lock.name}: NOT CHECKED, the vulnerability service did not answer in time.", 0
        )
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        if any(word in done.stderr for word in UNREACHABLE):
            return say(f"pip-audit {lock.name}: NOT CHECKED, the vulnerability service cannot be reached.", 0)
        return say(f"pip-audit {lock.name} failed:\n{done.stderr}", 1)
    unknown = [one for one in packages if "skip_reason" in one]
    found = [one for one in packages if one.get("vulns")]
    for one in found:
        names = ", ".join(weakness["id"] for weakness in one["vulns"])
        say(f"pip-audit {lock.name}: {one['name']} {one['version']} has {names}", 1)
    if len(unknown) == len(packages):
        return say(f"pip-audit {lock.name}: NOT CHECKED, the vulnerability service knows no package here.", 0)
    checked = len(packages) - len(unknown)
    say(f"pip-audit {lock.name}: {checked} packages checked, {len(unknown)} unknown, {len(found)} weak.", 0)
    return 1 if found else 0


def say(text: str, status: int) -> int:
    """Print a sentence and give the status."""
    print(text, flush=True)  # noqa: T201  # a command speaks
    return status


if __name__ == "__main__":
    sys.exit(main())
