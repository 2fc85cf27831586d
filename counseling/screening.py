"""Screening: what answers come to, and the hints for the counselor who has the talk.

A score is a hint and no diagnosis; clients are not shown one. Hints open with a grant for one talk, which
the client sees among who opened what. A counselor whom a client came to from another one sees only what was
answered since, unless the client lets them see more (``talks.share_history``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import grants, people
from accounts.audit import Audit
from accounts.grants import Grant
from accounts.people import Person
from accounts.roles import Permission
from core.errors import NotFound
from counseling import acceptances, intake
from counseling.acceptances import Acceptance
from counseling.instruments import Band, Instrument, Translation
from counseling.intake import Concerns, History, Items, Safety, Saved
from counseling.talks import Talk
from counseling.triage import Answers, Score
from counseling.way_tables import TalkRow

AFTERWARDS: Final = timedelta(hours=24)
"""How long after a talk its counselor may still look: to write down what was agreed."""


@dataclass(frozen=True, slots=True)
class Result:
    """One instrument's answers. ``band`` is None unless all items were answered.

    ``answers`` pairs each item's words with those of the choice; None for one left out. ``acceptance`` is
    None for words that need none.
    """

    instrument: Instrument
    translation: Translation
    acceptance: Acceptance | None
    score: Score
    band: Band | None
    answers: tuple[tuple[str, str | None], ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Hints:
    """All that a counselor sees. ``older`` says that there is more, from before, that the client keeps."""

    concerns: tuple[str, ...] = ()
    history: History | None = None
    safety: tuple[Safety, datetime] | None = None
    results: tuple[Result, ...] = ()
    older: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing was answered."""
        return not (self.concerns or self.history or self.safety or self.results)


def score(instrument: Instrument, items: Items) -> Score:
    """Add the points up; what was left out counts nothing."""
    given = [one for one in items.answers if one is not None]
    at = instrument.flag_item
    flagged = at is not None and at <= len(items.answers) and bool(items.answers[at - 1])
    return Score(sum(given), len(given), instrument.length, flagged, instrument.flag)


def answers_of(
    saved: Mapping[str, Saved],
    instruments: Mapping[str, Instrument],
    *,
    since: datetime | None,
    now: datetime,
) -> Answers:
    """Say in triage's words what a client answered lately.

    "Are you safe now?" counts where it was answered at ``since``, when this walk-in began, or later.
    """
    fresh = {step: one for step, one in saved.items() if one.is_fresh(now)}
    concerns, safety = fresh.get(intake.CONCERNS), fresh.get(intake.SAFETY)
    is_now = safety is not None and (since is None or safety.at >= since)
    return Answers(
        safe_now=safety.content.answer
        if safety is not None and is_now and isinstance(safety.content, Safety)
        else None,
        scores={
            step: score(instruments[step], one.content)
            for step, one in fresh.items()
            if isinstance(one.content, Items)
            and step in instruments
            and intake.knows(instruments[step], one.content)
        },
        concerns=frozenset(concerns.content.marked)
        if concerns is not None and isinstance(concerns.content, Concerns)
        else frozenset(),
    )


async def ask_for(
    db: AsyncSession, audit: Audit, *, counselor: Person, talk: Talk, purpose: str, now: datetime
) -> Grant:
    """Give the counselor of a talk a grant for its hints, or the one they have. Raises ``NotFound``.

    ``purpose`` is in words that the client will read.
    """
    client = await people.find(db, user=talk.client)
    over = talk.ended_at is not None and now - talk.ended_at > AFTERWARDS
    if talk.counselor != counselor.id or over or client is None or client.is_leaving:
        raise NotFound("There is no such talk.")
    permission, subject = Permission.SEE_HINTS, talk.client
    held = await grants.current(
        db, audit, person=counselor, permission=permission, subject=subject, now=now, object_id=talk.id
    )
    return held or await grants.give(
        db,
        audit,
        person=counselor,
        permission=permission,
        subject=subject,
        purpose=purpose,
        now=now,
        object_id=talk.id,
    )


async def hints_of(
    db: AsyncSession,
    grant: Grant,
    audit: Audit,
    *,
    talk: Talk,
    instruments: Mapping[str, Instrument],
    now: datetime,
) -> Hints:
    """Open what the client of a talk answered, for its counselor."""
    every = await intake.opened(db, grant, audit, client=talk.client, talk=talk.id, now=now)
    since = None if talk.shares_history else await _last_with_others(db, talk)
    saved = {step: one for step, one in every.items() if since is None or one.at > since}
    accepted = await acceptances.acceptances(db)
    concerns, history = (saved.get(step) for step in (intake.CONCERNS, intake.HISTORY))
    safety = saved.get(intake.SAFETY)
    return Hints(
        concerns=concerns.content.marked if concerns and isinstance(concerns.content, Concerns) else (),
        history=history.content if history and isinstance(history.content, History) else None,
        safety=(safety.content, safety.at) if safety and isinstance(safety.content, Safety) else None,
        results=tuple(
            _result(instruments[step], one.content, accepted, one.at)
            for step, one in sorted(saved.items())
            if isinstance(one.content, Items)
            and step in instruments
            and intake.knows(instruments[step], one.content)
        ),
        older=len(saved) < len(every),
    )


def _result(instrument: Instrument, items: Items, accepted: Mapping[str, Acceptance], at: datetime) -> Result:
    words = next(one for one in instrument.translations.values() if one.digest == items.digest)
    found = score(instrument, items)
    padded = [*items.answers, *[None] * (instrument.length - len(items.answers))]
    said = [None if one is None else words.choices[instrument.points.index(one)] for one in padded]
    return Result(
        instrument,
        words,
        accepted.get(words.digest),
        found,
        instrument.band(found.points) if found.complete else None,
        tuple(zip(words.items, said, strict=True)),
        at,
    )


async def _last_with_others(db: AsyncSession, talk: Talk) -> datetime | None:
    """Say when the client last talked with another counselor before; None for never."""
    rows = await db.execute(
        select(TalkRow.begun_at, TalkRow.ended_at).where(
            TalkRow.client_id == talk.client,
            TalkRow.counselor_id != talk.counselor,
            TalkRow.begun_at < talk.begun_at,
        )
    )
    return max((ended or begun for begun, ended in rows), default=None)
