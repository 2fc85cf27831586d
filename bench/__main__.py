"""``make bench``: every bench, one after another, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

BENCHES = (
    "page",
    "pages",
    "join",
    "forward",
    "latency",
    "recording",
    "seek",
    "voice200",
    "memory",
    "observe",
    "flood",
    "first_frame",
    "voice_data",
    "coming_back",
    "faults",
    "quarter",
    "audit_verify",
    "append",
    "enumeration",
    "logins",
    "campus",
    "matching",
    "waiting",
    "keeping",
    "way",
)


def main() -> int:
    """Run those that are named, or all; the exit status is 1 when one of them broke."""
    named = sys.argv[1:] or BENCHES
    unknown = set(named) - set(BENCHES)
    if unknown:
        print(f"There is no {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}.", file=sys.stderr)
        return 2
    broken = [name for name in named if subprocess.call([sys.executable, "-m", f"bench.{name}"])]
    if broken:
        print(f"These broke off: {', '.join(broken)}.", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
