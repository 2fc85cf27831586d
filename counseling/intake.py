"""The intake: what a client tells while waiting, each step kept by itself, sealed under their key.

Every step and every question can be left out, changed, and deleted by the client. The steps are concerns,
a short history, one for each instrument, and "are you safe now?", which is asked when something points to
harm. A client reads their own; a counselor reads hints (``screening.py``), with a grant.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from accounts.grants import Grant
from accounts.roles import Permission
from core.db import insert_into
from core.ids import UserId
from core.sealing import seal, unseal
from counseling.instruments import Instrument
from counseling.intake_tables import IntakeAnswerRow
from counseling.triage import Safe

CONCERNS: Final = "concerns"
HISTORY: Final = "history"
SAFETY: Final = "safety"
FRESH: Final = timedelta(days=14)
"""For so long a step counts as answered; questionnaires ask about the last two weeks."""
RETENTION: Final = timedelta(days=90)
MAX_WORDS_CHARS: Final = 1000


class Before(enum.StrEnum):
    """An answer about what was before."""

    NO = "no"
    YES = "yes"
    NOW = "now"


class Concerns(msgspec.Struct, frozen=True, tag="concerns"):
    """What was marked; nothing marked is an answer too."""

    marked: tuple[str, ...] = ()


class History(msgspec.Struct, frozen=True, tag="history"):
    """Talked to somebody before; in treatment; in the client's own words. None and empty are left out."""

    talked: Before | None = None
    treated: Before | None = None
    words: str = ""


class Items(msgspec.Struct, frozen=True, tag="items"):
    """Answers to items so far, in points; None for one left out. ``digest`` names the words asked in."""

    digest: str
    answers: tuple[int | None, ...] = ()


class Safety(msgspec.Struct, frozen=True, tag="safety"):
    """The answer to "are you safe now?"."""

    answer: Safe


class Skipped(msgspec.Struct, frozen=True, tag="skipped"):
    """A step that was left out as a whole."""


Content = Concerns | History | Items | Safety | Skipped
_DECODER: Final = msgspec.json.Decoder(Content)


@dataclass(frozen=True, slots=True)
class Saved:
    """One step as it was kept, and when."""

    step: str
    content: Content
    at: datetime

    def is_fresh(self, now: datetime) -> bool:
        """Whether it still counts as answered."""
        return now - self.at < FRESH


class Progress(enum.StrEnum):
    """How far a step is."""

    OPEN = "open"
    BEGUN = "begun"
    DONE = "done"
    SKIPPED = "skipped"


def progress(
    step: str, saved: Mapping[str, Saved], instruments: Mapping[str, Instrument], now: datetime
) -> Progress:
    """Say how far a step is; what was answered long ago, or in other words, is open again."""
    found = saved.get(step)
    if found is None or not found.is_fresh(now):
        return Progress.OPEN
    if isinstance(found.content, Skipped):
        return Progress.SKIPPED
    if not isinstance(found.content, Items):
        return Progress.DONE
    instrument = instruments[step]
    if not knows(instrument, found.content):
        return Progress.OPEN
    return Progress.DONE if len(found.content.answers) >= instrument.length else Progress.BEGUN


def knows(instrument: Instrument, items: Items) -> bool:
    """Whether these answers are to the words and in the points that the instrument has now."""
    return items.digest in {one.digest for one in instrument.translations.values()} and set(
        items.answers
    ) <= {*instrument.points, None}


def with_item(items: Items, number: int, answer: int | None) -> Items:
    """Put an answer to the ``number``-th item, from 1; those before it that were passed by are left out."""
    answers = [*items.answers, *[None] * (number - len(items.answers))]
    answers[number - 1] = answer
    return msgspec.structs.replace(items, answers=tuple(answers))


async def own(db: AsyncSession, audit: Audit, *, client: UserId) -> Mapping[str, Saved]:
    """Read all steps of a client, for that client."""
    return await _read(db, audit, client)


async def opened(
    db: AsyncSession, grant: Grant, audit: Audit, *, client: UserId, talk: str, now: datetime
) -> Mapping[str, Saved]:
    """Read all steps of a client, for the counselor who has the talk."""
    grant.require(Permission.SEE_HINTS, client, now, object_id=talk)
    return await _read(db, audit, client)


async def save(
    db: AsyncSession,
    audit: Audit,
    *,
    client: UserId,
    step: str,
    content: Content,
    done: bool = True,
    now: datetime,
) -> None:
    """Keep a step, in place of what it held. What is ``done`` is written down; single items are not."""
    key = await audit.subjects.key_of(db, subject=client)
    values = {"sealed": seal(key, msgspec.json.encode(content), about=_about(client, step)), "at": now}
    await db.execute(
        insert_into(db, IntakeAnswerRow)
        .values(client_id=client, step=step, **values)
        .on_conflict_do_update(index_elements=["client_id", "step"], set_=values)
    )
    if done:
        await audit.append(
            db, tag="intake:answer", actor=client, subject=client, detail={"step": step}, now=now
        )


async def forget_step(db: AsyncSession, *, client: UserId, step: str) -> None:
    """Delete one step, to be asked anew."""
    await db.execute(
        delete(IntakeAnswerRow).where(IntakeAnswerRow.client_id == client, IntakeAnswerRow.step == step)
    )


async def remove(db: AsyncSession, audit: Audit, *, client: UserId, now: datetime) -> None:
    """Delete all that a client answered, at their wish."""
    await db.execute(delete(IntakeAnswerRow).where(IntakeAnswerRow.client_id == client))
    await audit.append(db, tag="intake:remove", actor=client, subject=client, now=now)


async def prune(db: AsyncSession, *, now: datetime) -> None:
    """Delete what was not changed for ``RETENTION``."""
    await db.execute(delete(IntakeAnswerRow).where(IntakeAnswerRow.at < now - RETENTION))


async def _read(db: AsyncSession, audit: Audit, client: UserId) -> Mapping[str, Saved]:
    rows = (await db.scalars(select(IntakeAnswerRow).where(IntakeAnswerRow.client_id == client))).all()
    if not rows:
        return {}
    key = await audit.subjects.key_of(db, subject=client)
    return {
        row.step: Saved(
            row.step, _DECODER.decode(unseal(key, row.sealed, about=_about(client, row.step))), row.at
        )
        for row in rows
    }


def _about(client: UserId, step: str) -> str:
    return f"intake_answers:{client}:{step}"
