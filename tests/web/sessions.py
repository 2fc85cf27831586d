"""Sessions that have had a bad quarter of an hour, for the tests of pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from accounts.people import Person
from core.ids import ApiKeyId, ParticipantId, UserId
from media.codecs import Mode
from signaling import directory, records, summaries
from signaling.directory import NewParticipant, Recording, Role, SessionRecord
from signaling.records import EventRecord, ModeRecord, QualitySample, Record, StateRecord

SECONDS = 900


async def make_session(
    db: AsyncSession,
    *,
    client: Person | None,
    counselor: Person | None,
    now: datetime,
    owner: ApiKeyId | None = None,
) -> SessionRecord:
    """Make a session of two people, or of a program's."""
    made = await directory.create(
        db,
        mode=Mode.VIDEO,
        recording=Recording.OFF,
        participants=[
            NewParticipant(Role.COUNSELOR, "Bima" if counselor is None else counselor.name, _id(counselor)),
            NewParticipant(Role.CLIENT, "Sekar" if client is None else client.name, _id(client)),
        ],
        owner=owner,
        starts_at=None,
        max_minutes=None,
        now=now,
    )
    return made.session


def _id(person: Person | None) -> UserId | None:
    return None if person is None else person.id


def place_of(session: SessionRecord, role: Role) -> ParticipantId:
    """Name the place of a role."""
    return next(place.id for place in session.participants if place.role is role)


async def bad_quarter(db: AsyncSession, session: SessionRecord, *, began_at: datetime) -> datetime:
    """Write down a quarter of an hour in which the client's line was bad; give when it ended."""
    client, counselor = place_of(session, Role.CLIENT), place_of(session, Role.COUNSELOR)
    rows: list[Record] = [StateRecord(session.id, "active", began_at=began_at)]
    for number in range(SECONDS // 10):
        at = began_at + timedelta(seconds=10 * (number + 1))
        bad = 30 <= number < 42
        rows.append(
            QualitySample(
                participant_id=client,
                at=at,
                grade="poor" if bad else "good",
                mos=2.4 if bad else 4.2,
                rtt_ms=620.0 if bad else 84.0,
                loss_up_pct=14.5 if bad else 0.2,
                loss_down_pct=1.0,
                jitter_ms=9.0,
                bytes_up=200_000 * (number + 1),
                bytes_down=210_000 * (number + 1),
                height=None if number > 45 else 360,
                network="cellular",
                transport="udp",
                ip_version=6,
            )
        )
        rows.append(
            QualitySample(
                participant_id=counselor,
                at=at,
                grade="good",
                mos=4.3,
                rtt_ms=22.0,
                loss_up_pct=0.0,
                loss_down_pct=0.0,
                jitter_ms=2.0,
                bytes_up=210_000 * (number + 1),
                bytes_down=200_000 * (number + 1),
                height=720,
                network="ethernet",
                transport="udp",
                ip_version=4,
            )
        )
    for at_s, who, kind, detail in STORY:
        place = client if who == "client" else counselor if who == "counselor" else None
        rows.append(EventRecord(session.id, place, kind, detail, began_at + timedelta(seconds=at_s)))
    ended_at = began_at + timedelta(seconds=SECONDS)
    rows += [
        ModeRecord(session.id, "voice", "network"),
        records.ended(session.id, reason="done", now=ended_at),
    ]
    await records.write(db, rows)
    return ended_at


STORY: list[tuple[float, str, str, dict[str, Any]]] = [
    (0.0, "", "mode", {"mode": "video", "reason": "began"}),
    (0.5, "client", "path_changed", {"transport": "udp", "ip_version": 6, "first": True}),
    (304, "client", "grade", {"from": "good", "to": "poor", "kind": "loss", "direction": "up"}),
    (310, "client", "picture", {"step": "less", "by": "line"}),
    (318, "client", "picture", {"step": "small", "by": "line"}),
    (326, "client", "picture", {"step": "paused", "by": "line"}),
    (360, "client", "interrupted", {"gap_ms": 1_200, "kind": "cut", "direction": "both"}),
    (366.4, "client", "resumed", {"gap_ms": 7_600, "kind": "cut", "direction": "up"}),
    (380, "client", "mode", {"mode": "voice", "reason": "network"}),
    (430, "client", "grade", {"from": "poor", "to": "good"}),
    (600, "counselor", "socket_lost", {}),
    (601, "counselor", "socket_resumed", {"gap_ms": 1_000}),
    (700, "client", "budget", {"mb": 50}),
    (899, "client", "left", {}),
]


async def sum_up_all(db: AsyncSession, *, now: datetime) -> None:
    """Do what the job does with sessions that have ended."""
    for one in await summaries.pending(db, now=now, most=1_000):
        await summaries.sum_up(db, session_id=one, now=now)
