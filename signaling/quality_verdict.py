"""Whose line a session had trouble with: of both sides' gaps and poor moments, in one word. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from media.diagnosis import Trouble
from signaling.directory import Role
from signaling.quality_summary import SideQuality

SAMPLE_MS: Final = 10_000
SHARE: Final = 2 / 3
"""Of all trouble, so that it is one side's."""
FEW_MS: Final = 1_000
FEW_PCT: Final = 2.0
FEW_GAPS_MS: Final = 5_000
"""A silence is felt whatever the length of the talk: so much of it is somebody's line."""


class Verdict(enum.StrEnum):
    """Whose line it was."""

    NOBODY = "nobody"
    """Both lines were good nearly all the time."""
    CLIENT = "client"
    COUNSELOR = "counselor"
    BOTH = "both"
    SERVER = "server"
    """Our own server stood still."""
    UNKNOWN = "unknown"
    """Nothing was measured."""


def verdict(sides: Mapping[Role, SideQuality], *, stood_ms: int) -> Verdict:
    """Say whose line it was. ``stood_ms`` is how long our own server stood still."""
    if not any(side.grades for side in sides.values()) and not any(side.gaps for side in sides.values()):
        return Verdict.UNKNOWN
    trouble = {role: trouble_ms(side) for role, side in sides.items()}
    samples = max(sum(side.grades.values()) for side in sides.values())
    total = sum(trouble.values())
    if max(stood_ms, *map(away_ms, sides.values())) > max(FEW_MS, total):
        return Verdict.SERVER
    broken = sum(
        gap.gap_ms
        for side in sides.values()
        for gap in side.gaps
        if gap.cause.kind not in (Trouble.SERVER, Trouble.BROWSER_CLOSED)
    )
    if broken <= FEW_GAPS_MS and total <= max(FEW_MS, samples * SAMPLE_MS * FEW_PCT / 100):
        return Verdict.NOBODY
    for role, one in trouble.items():
        if one >= SHARE * total:
            return Verdict(role.value)
    return Verdict.BOTH


def trouble_ms(side: SideQuality) -> int:
    """How long a side could not be reached or was poor; what our server did is not its line's."""
    return broken_ms(side) + SAMPLE_MS * side.grades.get("poor", 0)


def broken_ms(side: SideQuality) -> int:
    """How long a side could not be reached for its own line's sake."""
    return sum(gap.gap_ms for gap in side.gaps if gap.cause.kind != Trouble.SERVER)


def away_ms(side: SideQuality) -> int:
    """How long a side could not be reached for our server's sake."""
    return sum(gap.gap_ms for gap in side.gaps if gap.cause.kind == Trouble.SERVER)
