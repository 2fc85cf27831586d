"""How lines were over many sessions: by hour, network, medium and counselor, and why sessions ended. Pure.

Groups under ``tallies.SMALLEST`` are kept back, with another one where a total would give one away.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from core.ids import SessionId, UserId
from core.percentiles import nearest_rank
from counseling.tallies import SMALLEST, Tally, tally
from signaling.directory import Role
from signaling.summaries import Summary

UNKNOWN: Final = "unknown"
NO_COUNSELOR: Final = ""


@dataclass(frozen=True, slots=True)
class Figures:
    """Some sessions. Values are medians over both sides of each; None where nothing was measured.

    ``broke_pct`` is how many of a hundred sessions broke at least once; ``gaps_s`` and ``mb`` are per hour
    of talk: how long a side could not be reached, and what both sides' data came to.
    """

    sessions: int
    broke_pct: float
    gaps_s: float
    mos: float | None
    rtt_ms: float | None
    loss_pct: float | None
    mb: float


@dataclass(frozen=True, slots=True)
class Group:
    """One group; ``figures`` None: kept back."""

    word: str
    figures: Figures | None


@dataclass(frozen=True, slots=True)
class Trends:
    """One period. ``hours`` are of the day, in their order; ``networks`` are the clients'.

    ``causes`` counts sessions by `role.direction_kind`, each in as many as it had; ``ended`` by
    ``summaries.EndedWhy``.
    """

    all: Figures | None
    hours: tuple[Group, ...]
    networks: tuple[Group, ...]
    media: tuple[Group, ...]
    counselors: tuple[Group, ...]
    ended: Tally
    causes: Tally


Sides = Sequence[Summary]


def trends(rows: Iterable[Summary], *, hour_of: Callable[[datetime], int]) -> Trends:
    """Make out the trends of these summaries. ``hour_of`` gives the hour of a day in the service's zone."""
    found: defaultdict[SessionId, list[Summary]] = defaultdict(list)
    for row in rows:
        found[row.session_id].append(row)
    sessions = list(found.values())
    causes = Counter(
        f"{side.role.value}.{cause}" for sides in sessions for side in sides for cause in side.causes
    )
    return Trends(
        all=_figures(sessions) if len(sessions) >= SMALLEST else None,
        hours=tuple(
            sorted(_groups(sessions, lambda one: f"{hour_of(one[0].hour):02}"), key=lambda g: g.word)
        ),
        networks=_groups(sessions, _network),
        media=_groups(sessions, lambda one: one[0].medium.value),
        counselors=_groups(sessions, lambda one: _counselor(one) or NO_COUNSELOR),
        ended=tally(Counter(sides[0].ended_why.value for sides in sessions)),
        causes=tally(causes),
    )


def _network(sides: Sides) -> str:
    return next((one.network for one in sides if one.role is Role.CLIENT), None) or UNKNOWN


def _counselor(sides: Sides) -> UserId | None:
    return sides[0].counselor_id


def _groups(sessions: Sequence[Sides], word_of: Callable[[Sides], str]) -> tuple[Group, ...]:
    groups: defaultdict[str, list[Sides]] = defaultdict(list)
    for one in sessions:
        groups[word_of(one)].append(one)
    shown = tally({word: len(some) for word, some in groups.items()})
    return tuple(
        Group(row.word, None if row.count is None else _figures(groups[row.word])) for row in shown.rows
    )


def _figures(sessions: Sequence[Sides]) -> Figures:
    sides = [side for one in sessions for side in one]
    hours = sum(one[0].minutes for one in sessions) / 60
    broke = sum(any(side.interruptions for side in one) for one in sessions)
    gaps_s = sum(side.gaps_ms for side in sides) / 1000
    mb = sum(side.bytes for side in sides) / 1e6
    return Figures(
        sessions=len(sessions),
        broke_pct=100 * broke / len(sessions),
        gaps_s=gaps_s / hours if hours else 0.0,
        mos=_median(side.mos_p50 for side in sides),
        rtt_ms=_median(side.rtt_p50_ms for side in sides),
        loss_pct=_median(side.loss_p95_pct for side in sides),
        mb=mb / hours if hours else 0.0,
    )


def _median(values: Iterable[float | None]) -> float | None:
    known = sorted(value for value in values if value is not None)
    return nearest_rank(known, 0.5) if known else None
