"""The quality record of a session for programs: a summary, the whole, and the samples as CSV. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import msgspec

from core.clock import rfc3339
from core.ids import ParticipantId
from signaling.directory import SessionRecord
from signaling.quality_record import QualityRecord
from signaling.quality_summary import SideQuality, Spread, side_quality
from signaling.records import QualitySample
from web import api_schemas as schema

VALUES: Final = msgspec.structs.fields(schema.Sample)[1:]
COLUMNS: Final = ("participant", *(field.name for field in VALUES))

Sides = Mapping[ParticipantId, SideQuality]


def sides(session: SessionRecord, record: QualityRecord, *, now: datetime) -> Sides:
    """Sum up both sides; a session that goes on, up to now."""
    until = session.ended_at or now
    return {place.id: side_quality(record, place.id, until=until) for place in session.participants}


def summary(found: Sides, record: QualityRecord) -> schema.QualitySummary:
    """Write the summary of each side."""
    return schema.QualitySummary(
        {
            participant: _side(side, [one for one in record.samples if one.participant_id == participant])
            for participant, side in found.items()
        }
    )


def _side(side: SideQuality, samples: Iterable[QualitySample]) -> schema.SideSummary:
    samples = list(samples)
    return schema.SideSummary(
        rtt_ms=_mean(one.rtt_ms for one in samples),
        loss_up_pct=_mean(one.loss_up_pct for one in samples),
        loss_down_pct=_mean(one.loss_down_pct for one in samples),
        jitter_ms=_mean(one.jitter_ms for one in samples),
        bytes_up=side.bytes_up,
        bytes_down=side.bytes_down,
        interruptions=len(side.gaps),
        gaps_ms=side.gaps_ms,
        longest_gap_ms=side.longest_gap_ms,
        causes=dict(side.causes),
        grades=dict(side.grades),
        steps_down=side.steps_down,
        freezes=side.freezes,
        network=side.network,
        percentiles=schema.Spreads(
            rtt_ms=_spread(side.rtt_ms),
            loss_pct=_spread(side.loss_pct),
            loss_up_pct=_spread(side.loss_up_pct),
            loss_down_pct=_spread(side.loss_down_pct),
            jitter_ms=_spread(side.jitter_ms),
            mos=_spread(side.mos),
        ),
    )


def whole(session: str, found: Sides, record: QualityRecord) -> schema.Quality:
    """Write everything that is known, in the order of time."""
    drops = [
        schema.Drop(
            participant, gap.began_at, gap.gap_ms, gap.cause.direction, gap.cause.kind, returned=gap.returned
        )
        for participant, side in found.items()
        for gap in side.gaps
    ]
    events = [
        schema.Event(event.participant_id, event.at, event.kind, dict(event.detail))
        for event in record.events
    ]
    return schema.Quality(
        session=session,
        summary=summary(found, record),
        drops=sorted(drops, key=lambda drop: drop.began_at),
        samples=[_sample(one) for one in record.samples],
        events=events,
    )


def as_csv(record: QualityRecord) -> str:
    """Write the samples as CSV (RFC 4180) with a header line; an unknown value is empty."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for one in record.samples:
        rest = [getattr(one, name) for name in COLUMNS[2:]]
        writer.writerow([one.participant_id, rfc3339(one.at), *rest])
    return text.getvalue()


def _sample(one: QualitySample) -> schema.Sample:
    return schema.Sample(one.participant_id, *(getattr(one, name) for name in COLUMNS[1:]))


def _spread(one: Spread | None) -> schema.Spread | None:
    return None if one is None else schema.Spread(one.p5, one.p50, one.p95)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 2) if known else None
