"""Whose line it was, of tables of cases."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from signaling.directory import Role
from signaling.gaps import Blame, Gap
from signaling.quality_summary import SideQuality
from signaling.quality_verdict import Verdict, verdict

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def side(*, good: int = 0, poor: int = 0, gap_ms: int = 0, kind: str = "cut") -> SideQuality:
    gaps = (Gap(AT, gap_ms, Blame("up", kind), returned=True),) if gap_ms else ()
    grades = {word: count for word, count in (("good", good), ("poor", poor)) if count}
    return SideQuality(None, None, None, None, None, None, grades, gaps, {}, 0, 0, 0, 0, None)


@pytest.mark.parametrize(
    ("client", "counselor", "stood_ms", "said"),
    [
        (side(), side(), 0, Verdict.UNKNOWN),
        (side(good=90), side(good=90), 0, Verdict.NOBODY),
        (side(good=90, gap_ms=900), side(good=90), 0, Verdict.NOBODY),
        (side(good=360, gap_ms=4_000), side(good=360), 0, Verdict.NOBODY),
        (side(good=360), side(good=360, gap_ms=72_000), 0, Verdict.COUNSELOR),
        (side(good=360, gap_ms=7_000, kind="browser_closed"), side(good=360), 0, Verdict.NOBODY),
        (side(good=88, poor=2), side(good=90), 0, Verdict.CLIENT),
        (side(good=90), side(good=90, gap_ms=20_000), 0, Verdict.COUNSELOR),
        (side(good=80, poor=10), side(good=86, poor=4), 0, Verdict.CLIENT),
        (side(good=80, poor=10), side(good=80, poor=10), 0, Verdict.BOTH),
        (side(gap_ms=30_000), side(), 0, Verdict.CLIENT),
        (
            side(good=90, gap_ms=20_000, kind="server"),
            side(good=90, gap_ms=20_000, kind="server"),
            20_000,
            Verdict.SERVER,
        ),
        (side(good=60, poor=30), side(good=90), 5_000, Verdict.CLIENT),
    ],
)
def test_whose_line_it_was(client: SideQuality, counselor: SideQuality, stood_ms: int, said: Verdict) -> None:
    assert verdict({Role.CLIENT: client, Role.COUNSELOR: counselor}, stood_ms=stood_ms) is said
