"""Crisis lines: public numbers for the worst hour, when they are open, and whether anybody checked.

An empty list shows the suggestions that ship (``data/crisis_lines.toml``), marked as not checked. A line that
nobody checked for 30 days is marked too, and the admins are told. The page's words need a clinician's
sign-off: it holds for exactly these words, named by their SHA-256, and lapses when they change.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices, people
from accounts.audit import Audit
from accounts.people import Person
from accounts.roles import Role
from core.errors import InvalidState, NotFound
from core.ids import new_id
from counseling.duty_tables import CrisisLineRow, CrisisSignoffRow

SHIPPED: Final = Path(__file__).parent / "data" / "crisis_lines.toml"
CHECK_WITHIN: Final = timedelta(days=30)
TELL_AGAIN_AFTER: Final = timedelta(days=7)
MAX_LINES: Final = 30
MAX_NUMBERS: Final = 4
EVERY_DAY: Final = "1111111"
NUMBER: Final = re.compile(r"\+?[0-9]{2,15}(?:,[0-9]{1,6})?")
"""Digits to dial; behind a comma what is dialled once the call is answered."""


@dataclass(frozen=True, slots=True)
class Line:
    """One crisis line. Minutes are local; from 0 to 0 is the whole day. A suggestion has no id."""

    id: str
    name: str
    numbers: tuple[str, ...]
    about_id: str
    about_en: str
    days: str
    opens_minute: int
    closes_minute: int
    languages: tuple[str, ...]
    owner: str
    source: str
    checked_at: datetime | None = None
    violence: bool = False
    """Whether it helps against violence at home."""

    @property
    def always(self) -> bool:
        """Whether it is open around the clock."""
        return self.days == EVERY_DAY and self.opens_minute == self.closes_minute

    def about(self, language: str) -> str:
        """Say whom it is for."""
        return self.about_en if language == "en" else self.about_id


@dataclass(frozen=True, slots=True)
class Signoff:
    """A clinician's word for the texts."""

    clinician: str
    at: datetime


def is_open(line: Line, at: datetime, zone: ZoneInfo) -> bool:
    """Whether somebody should answer at a moment. A night goes on into the next day."""
    local = at.astimezone(zone)
    today, yesterday = line.days[local.weekday()] == "1", line.days[local.weekday() - 1] == "1"
    minute = local.hour * 60 + local.minute
    if line.opens_minute == line.closes_minute:
        return today
    if line.opens_minute < line.closes_minute:
        return today and line.opens_minute <= minute < line.closes_minute
    return (today and minute >= line.opens_minute) or (yesterday and minute < line.closes_minute)


def is_stale(line: Line, now: datetime) -> bool:
    """Whether it was not checked within 30 days."""
    return line.checked_at is None or now - line.checked_at > CHECK_WITHIN


def ordered(lines: Sequence[Line], at: datetime, zone: ZoneInfo) -> list[tuple[Line, bool]]:
    """Put those open at a moment first, else in the order of fallback; each with whether it is open."""
    marked = [(line, is_open(line, at, zone)) for line in lines]
    return sorted(marked, key=lambda one: not one[1])


def against_violence(lines: Sequence[tuple[Line, bool]]) -> list[tuple[Line, bool]]:
    """Put those that help against violence at home first, else in the same order."""
    return sorted(lines, key=lambda one: not one[0].violence)


def suggestions(path: Path = SHIPPED) -> list[Line]:
    """Read the lines that ship."""
    found = tomllib.loads(path.read_text(encoding="utf-8"))["line"]
    return [_suggestion(one) for one in found]


async def every(db: AsyncSession) -> list[Line]:
    """List the operator's own lines in the order of fallback."""
    rows = await db.scalars(select(CrisisLineRow).order_by(CrisisLineRow.position, CrisisLineRow.id))
    return [_line(row) for row in rows]


async def shown(db: AsyncSession) -> list[Line]:
    """List what the crisis page shows: the operator's lines, or what ships while there are none."""
    return await every(db) or suggestions()


async def adopt(db: AsyncSession, audit: Audit, *, actor: Person, now: datetime) -> None:
    """Copy what ships into an empty list; a list that is not empty stays as it is."""
    if await db.scalar(select(func.count()).select_from(CrisisLineRow)):
        return
    for line in suggestions():
        await add(db, audit, line=replace(line, owner=actor.name), actor=actor, now=now)


async def add(db: AsyncSession, audit: Audit, *, line: Line, actor: Person, now: datetime) -> Line:
    """Add a line at the end. Raises ``InvalidState``."""
    _check(line)
    last = await db.scalar(select(func.max(CrisisLineRow.position)))
    if await db.scalar(select(func.count()).select_from(CrisisLineRow)) == MAX_LINES:
        raise InvalidState("There are as many lines as there may be.")
    made = replace(line, id=new_id("l"), checked_at=None)
    db.add(
        CrisisLineRow(
            id=made.id,
            position=0 if last is None else last + 1,
            checked_by=None,
            checked_at=None,
            told_at=None,
            created_at=now,
            changed_at=now,
            **_values(made),
        )
    )
    await db.flush()
    await _written_down(db, audit, "crisis:add", made, actor=actor, now=now)
    return made


async def change(db: AsyncSession, audit: Audit, *, line: Line, actor: Person, now: datetime) -> None:
    """Change a line; it must be checked anew when the number or the hours are other ones."""
    _check(line)
    before = await get(db, number=line.id)
    values = _values(line)
    if (before.numbers, before.days, before.opens_minute, before.closes_minute) != (
        line.numbers,
        line.days,
        line.opens_minute,
        line.closes_minute,
    ):
        values |= {"checked_at": None, "checked_by": None, "told_at": None}
    await db.execute(
        update(CrisisLineRow).where(CrisisLineRow.id == line.id).values(changed_at=now, **values)
    )
    await _written_down(db, audit, "crisis:change", line, actor=actor, now=now)


async def remove(db: AsyncSession, audit: Audit, *, number: str, actor: Person, now: datetime) -> None:
    """Delete a line. Raises ``NotFound``."""
    line = await get(db, number=number)
    await db.execute(delete(CrisisLineRow).where(CrisisLineRow.id == number))
    await _written_down(db, audit, "crisis:remove", line, actor=actor, now=now)


async def raise_up(db: AsyncSession, audit: Audit, *, number: str, actor: Person, now: datetime) -> None:
    """Put a line one place further up. Raises ``NotFound``."""
    lines = await every(db)
    line = await get(db, number=number)
    place = [one.id for one in lines].index(number)
    if place > 0:
        lines[place - 1], lines[place] = lines[place], lines[place - 1]
    for position, one in enumerate(lines):
        await db.execute(update(CrisisLineRow).where(CrisisLineRow.id == one.id).values(position=position))
    await _written_down(db, audit, "crisis:order", line, actor=actor, now=now)


async def checked(db: AsyncSession, audit: Audit, *, number: str, actor: Person, now: datetime) -> None:
    """Record that somebody called and it was as it says. Raises ``NotFound``."""
    line = await get(db, number=number)
    await db.execute(
        update(CrisisLineRow)
        .where(CrisisLineRow.id == number)
        .values(checked_at=now, checked_by=actor.id, told_at=None)
    )
    await _written_down(db, audit, "crisis:check", line, actor=actor, now=now)


async def get(db: AsyncSession, *, number: str) -> Line:
    """Look a line up. Raises ``NotFound``."""
    row = (
        await db.scalars(
            select(CrisisLineRow).where(CrisisLineRow.id == number).execution_options(populate_existing=True)
        )
    ).one_or_none()
    if row is None:
        raise NotFound("There is no such line.")
    return _line(row)


async def tell_stale(db: AsyncSession, *, now: datetime) -> list[str]:
    """Tell the admins which lines nobody checked, of each at most once a week; gives their names."""
    due = [
        row
        for row in await db.scalars(select(CrisisLineRow).order_by(CrisisLineRow.position))
        if is_stale(_line(row), now)
        and now - row.created_at > timedelta(days=1)
        and (row.told_at is None or now - row.told_at > TELL_AGAIN_AFTER)
    ]
    if not due:
        return []
    admins = [person.id for person in await people.with_role(db, role=Role.ADMIN)]
    names = ", ".join(row.name for row in due)
    await notices.post_all(db, users=admins, kind="crisis_stale", places={"names": names}, now=now)
    for row in due:
        row.told_at = now
    await db.flush()
    return [row.name for row in due]


async def signoff(db: AsyncSession, *, digest: str) -> Signoff | None:
    """Say who signed off the texts with this digest; None when nobody did."""
    row = await db.get(CrisisSignoffRow, digest)
    return None if row is None else Signoff(row.clinician, row.at)


async def sign_off(
    db: AsyncSession, audit: Audit, *, digest: str, clinician: str, actor: Person, now: datetime
) -> None:
    """Record a clinician's word for the texts with this digest; a second one takes the first one's place."""
    await db.execute(delete(CrisisSignoffRow).where(CrisisSignoffRow.digest == digest))
    db.add(CrisisSignoffRow(digest=digest, clinician=clinician, at=now, recorded_by=actor.id))
    await db.flush()
    await audit.append(
        db,
        tag="crisis:sign",
        actor=actor.id,
        subject=None,
        object_id=digest[:16],
        detail={"clinician": clinician, "sha256": digest},
        now=now,
    )


async def _written_down(
    db: AsyncSession, audit: Audit, tag: str, line: Line, *, actor: Person, now: datetime
) -> None:
    detail = {"name": line.name, "numbers": " ".join(line.numbers)}
    await audit.append(db, tag=tag, actor=actor.id, subject=None, object_id=line.id, detail=detail, now=now)


def _check(line: Line) -> None:
    if not 1 <= len(line.numbers) <= MAX_NUMBERS or not all(map(NUMBER.fullmatch, line.numbers)):
        raise InvalidState("A number holds digits alone, with a comma before an extension.")
    if not re.fullmatch("[01]{7}", line.days) or "1" not in line.days:
        raise InvalidState("A line is open on at least one day.")
    if not all(0 <= minute < 24 * 60 for minute in (line.opens_minute, line.closes_minute)):
        raise InvalidState("A minute lies within a day.")


def _values(line: Line) -> dict[str, Any]:
    return {
        "name": line.name,
        "numbers": list(line.numbers),
        "about_id": line.about_id,
        "about_en": line.about_en,
        "days": line.days,
        "opens_minute": line.opens_minute,
        "closes_minute": line.closes_minute,
        "languages": list(line.languages),
        "owner": line.owner,
        "source": line.source,
        "violence": line.violence,
    }


def _line(row: CrisisLineRow) -> Line:
    return Line(
        row.id,
        row.name,
        tuple(row.numbers),
        row.about_id,
        row.about_en,
        row.days,
        row.opens_minute,
        row.closes_minute,
        tuple(row.languages),
        row.owner,
        row.source,
        row.checked_at,
        row.violence,
    )


def _suggestion(one: dict[str, Any]) -> Line:
    opens, closes = (int(one[name][:2]) * 60 + int(one[name][3:]) for name in ("opens", "closes"))
    return Line(
        "",
        one["name"],
        tuple(one["numbers"]),
        one["about_id"],
        one["about_en"],
        one["days"],
        opens,
        closes,
        tuple(one["languages"]),
        "",
        one["source"],
        violence=one.get("violence", False),
    )


def dial(number: str) -> str:
    """Write a number for a ``tel:`` link (RFC 3966); a comma is a pause, as phones take it."""
    return "tel:" + number


def spoken(numbers: Iterable[str]) -> list[tuple[str, str]]:
    """Take numbers apart: what is dialled first, and the extension behind the pause (empty for none)."""
    return [(number.partition(",")[0], number.partition(",")[2]) for number in numbers]
