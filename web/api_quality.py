"""The quality record of a session for programs: a summary, the whole, and the samples as CSV. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Final

import msgspec

from core.clock import rfc3339
from signaling.quality_record import QualityRecord
from signaling.quality_report import Report
from signaling.quality_summary import SideQuality, Spread
from signaling.records import QualitySample
from web import api_schemas as schema

VALUES: Final = msgspec.structs.fields(schema.Sample)[1:]
COLUMNS: Final = ("participant", *(field.name for field in VALUES))


def summary(report: Report) -> schema.QualitySummary:
    """Write the summary of each side."""
    samples = report.record.samples
    return schema.QualitySummary(
        {
            participant: _side(side, [one for one in samples if one.participant_id == participant])
            for participant, side in report.sides.items()
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


def whole(report: Report) -> schema.Quality:
    """Write everything that is known, in the order of time."""
    return schema.Quality(
        session=report.session.id,
        verdict=report.verdict.value,
        ended_why=None if report.why is None else report.why.value,
        summary=summary(report),
        drops=[
            schema.Drop(
                participant,
                gap.began_at,
                gap.gap_ms,
                gap.cause.direction,
                gap.cause.kind,
                returned=gap.returned,
            )
            for participant, gap in report.drops
        ],
        samples=[_sample(one) for one in report.record.samples],
        events=[
            schema.Event(event.participant_id, event.at, event.kind, dict(event.detail))
            for event in report.record.events
        ],
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
