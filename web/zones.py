"""Time zones as people choose them: those of Indonesia first, then all others by part of the world."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

HERE: Final = ("Asia/Jakarta", "Asia/Pontianak", "Asia/Makassar", "Asia/Jayapura")
PARTS: Final = ("Asia", "Australia", "Europe", "America", "Africa", "Pacific", "Indian", "Atlantic")
MAX_NAME_CHARS: Final = 64

Choices = Sequence[tuple[str, Sequence[tuple[str, str]]]]
"""Parts of the world, each with its zones: (name, as it is shown)."""


def find(name: str) -> ZoneInfo | None:
    """Look a zone up that a browser or a person named; None for none."""
    if not 0 < len(name) <= MAX_NAME_CHARS:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def shown(name: str) -> str:
    """Write a zone as it is shown: its place."""
    return name.rpartition("/")[2].replace("_", " ")


@functools.cache
def choices() -> Choices:
    """List what can be chosen."""
    parts: dict[str, list[tuple[str, str]]] = {part: [] for part in PARTS}
    for name in sorted(available_timezones()):
        part, _, place = name.partition("/")
        if part in parts and name not in HERE:
            parts[part].append((name, place.replace("_", " ").replace("/", ", ")))
    return (("Indonesia", [(name, shown(name)) for name in HERE]), *parts.items())
