"""The quality record of a session for programs: a summary, the whole, and the whole as CSV. Pure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from core.clock import rfc3339
from signaling.directory import ParticipantRecord
from signaling.quality_record import QualityRecord
from signaling.records import QualitySample
from web import api_schemas as schema

COLUMNS = (
    "participant",
    "at",
    "rtt_ms",
    "loss_up_pct",
    "loss_down_pct",
    "jitter_ms",
    "bytes_up",
    "bytes_down",
    "transport",
    "ip_version",
)
INTERRUPTED = "interrupted"


def summary(record: QualityRecord, participants: Sequence[ParticipantRecord]) -> schema.QualitySummary:
    """Sum up each side: means of what is known, the largest byte counts, how often it broke off."""
    return schema.QualitySummary({place.id: _side(record, place) for place in participants})


def _side(record: QualityRecord, place: ParticipantRecord) -> schema.SideSummary:
    samples = [one for one in record.samples if one.participant_id == place.id]
    broke_off = [one for one in record.events if (one.participant_id, one.kind) == (place.id, INTERRUPTED)]
    return schema.SideSummary(
        rtt_ms=_mean(one.rtt_ms for one in samples),
        loss_up_pct=_mean(one.loss_up_pct for one in samples),
        loss_down_pct=_mean(one.loss_down_pct for one in samples),
        jitter_ms=_mean(one.jitter_ms for one in samples),
        bytes_up=max((one.bytes_up for one in samples), default=0),
        bytes_down=max((one.bytes_down for one in samples), default=0),
        interruptions=len(broke_off),
    )


def whole(session: str, record: QualityRecord, participants: Sequence[ParticipantRecord]) -> schema.Quality:
    """Write everything that is known."""
    events = [
        schema.Event(event.participant_id, event.at, event.kind, dict(event.detail))
        for event in record.events
    ]
    return schema.Quality(session, summary(record, participants), list(map(_sample, record.samples)), events)


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
    rest = {name: getattr(one, name) for name in COLUMNS[1:]}
    return schema.Sample(participant=one.participant_id, **rest)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 2) if known else None
