"""The entry of the demo's invented counselor: whoever reads it learns that nobody verified anything.

Only ``web/demo.py`` asks for it, where nobody else can come. It goes when the demo goes (``register.erase``).
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import texts
from accounts.audit import Audit
from accounts.people import Person
from accounts.texts import Kind
from counseling import ethics, hours, rows
from counseling.entry import Licence, Medium, Practice
from counseling.hours import DAYS, Span
from counseling.topics import Marks
from counseling.verification import Event, State

ABOUT: Final = (
    "Ini konselor contoh untuk demo, bukan orang sungguhan. Tidak ada yang diperiksa.\n"
    "An invented counselor for the demo, not a real person. Nothing was verified."
)
NOTE: Final = "demo"
HOURS: Final = (8 * 60, 22 * 60)
GOOD_FOR: Final = timedelta(days=365)
CAPACITY: Final = 50


async def put(
    db: AsyncSession, audit: Audit, *, person: Person, marks: Marks, today: date, now: datetime
) -> None:
    """Fill in the whole entry, unless it stands already and holds; sign the code of ethics as it is now."""
    row = await rows.begun(db, person.id, now)
    signed = {one.version for one in await ethics.signatures(db, user=person.id)}
    current = await texts.current(db, kind=Kind.ETHICS)
    if current.number not in signed:
        text = current.text(person.language)
        await ethics.sign(
            db,
            audit,
            user=person.id,
            version=current.number,
            digest=text.sha256,
            language=text.locale,
            now=now,
        )
    if row.state == State.VERIFIED.value and row.valid_until is not None and row.valid_until > today:
        return
    rows.put_licence(
        row,
        Licence(
            kind="psychologist",
            licence_number="DEMO",
            issuing_body="Demo",
            licence_region="DI Yogyakarta",
            valid_until=today + GOOD_FOR,
            degree="profesi",
            background_checked_on=today,
            shown_name=person.name,
            title="Demo",
        ),
    )
    rows.put_practice(
        row,
        Practice(
            about=ABOUT,
            languages=("id", "en"),
            topics=tuple(marks.topics),
            media=tuple(medium.value for medium in Medium),
            minors=True,
            capacity=CAPACITY,
        ),
    )
    row.hours = hours.pack(Span(day, *HOURS) for day in DAYS)
    row.state, row.submitted_at, row.changed_at = State.VERIFIED.value, now, now
    rows.note(db, person.id, Event.VERIFY, by=person.id, on=today, text=NOTE, now=now)
    await db.flush()
    await audit.append(db, tag="register:verify", actor=None, subject=person.id, detail={"by": NOTE}, now=now)
