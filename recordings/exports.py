"""Taking a recording out: asked by a supervisor, decided by somebody else, sealed to one recipient.

    ASKED ── approve ──> APPROVED ── begin ──> MAKING ── finish ──> READY ── expire ──> GONE
      └──── refuse ───> REFUSED      ▲           │ └──── fail ────> FAILED
                                     └── again ──┘
    ASKED, APPROVED, MAKING, READY and FAILED ── withdraw ──> GONE

``again`` is after a crash. What is made lies sealed to the recipient's age key, and is never anywhere as a
plain file. It is withdrawn when the recording may not be opened any more, or not by who asked, and expires
after ``KEPT``. The grant that it was asked under may end: the approval stands for it.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices, people
from accounts.audit import Audit
from accounts.grants import Grant, fit_purpose
from accounts.people import Person
from accounts.roles import Permission, Role
from core.agefile import AgeError, Recipient
from core.errors import Forbidden, InvalidInput, InvalidState, Misfit, NotFound
from core.ids import UserId, new_id
from core.sealing import seal, unseal
from recordings.review_tables import RecordingExportRow
from recordings.reviews import Recording

KEPT: Final = timedelta(days=7)
MAX_NAME_CHARS: Final = 100


class State(enum.StrEnum):
    """How far an export is."""

    ASKED = "asked"
    REFUSED = "refused"
    APPROVED = "approved"
    MAKING = "making"
    READY = "ready"
    FAILED = "failed"
    GONE = "gone"


class Event(enum.Enum):
    """What happens to an export."""

    APPROVE = "approve"
    REFUSE = "refuse"
    BEGIN = "begin"
    AGAIN = "again"
    FINISH = "finish"
    FAIL = "fail"
    EXPIRE = "expire"
    WITHDRAW = "withdraw"


TABLE: Final[dict[tuple[State, Event], State]] = {
    (State.ASKED, Event.APPROVE): State.APPROVED,
    (State.ASKED, Event.REFUSE): State.REFUSED,
    (State.APPROVED, Event.BEGIN): State.MAKING,
    (State.MAKING, Event.AGAIN): State.APPROVED,
    (State.MAKING, Event.FINISH): State.READY,
    (State.MAKING, Event.FAIL): State.FAILED,
    (State.READY, Event.EXPIRE): State.GONE,
    **{
        (state, Event.WITHDRAW): State.GONE
        for state in (State.ASKED, State.APPROVED, State.MAKING, State.READY, State.FAILED)
    },
}


def after(state: State, event: Event) -> State:
    """Say what follows. Raises ``InvalidState`` for a pair that the table does not have."""
    found = TABLE.get((state, event))
    if found is None:
        raise InvalidState(f"{event.value} while {state.value}")
    return found


@dataclass(frozen=True, slots=True)
class Export:
    """One export. ``whom`` and ``purpose`` are empty where the client was forgotten."""

    id: str
    recording: str
    asker: UserId | None
    decider: UserId | None
    recipient: str
    whom: str
    purpose: str
    state: State
    asked_at: datetime
    changed_at: datetime
    size_bytes: int | None


async def ask(
    db: AsyncSession,
    audit: Audit,
    grant: Grant,
    *,
    recording: Recording,
    recipient: str,
    whom: str,
    purpose: str,
    now: datetime,
) -> str:
    """Ask for an export; gives its id. Raises ``InvalidInput`` for a key that is none, or too few words."""
    grant.require(Permission.REVIEW_RECORDINGS, recording.client, now, object_id=recording.id)
    if recording.client is None:
        raise Forbidden("This is not open to you.")
    try:
        fitting = str(Recipient.parse(recipient.strip()))
    except AgeError:
        raise InvalidInput("This is no age key.", [Misfit("/recipient", "an age1… key")]) from None
    name = " ".join(whom.split())
    if not 0 < len(name) <= MAX_NAME_CHARS:
        raise InvalidInput("Say for whom it is.", [Misfit("/whom", "1 to 100 characters")])
    told = json.dumps({"whom": name, "purpose": fit_purpose(purpose)}).encode()
    number = new_id("x")
    key = await audit.subjects.key_of(db, subject=recording.client)
    db.add(
        RecordingExportRow(
            id=number,
            recording_id=recording.id,
            asker_id=grant.person,
            decider_id=None,
            recipient=fitting,
            told=seal(key, told, about=_about(number)),
            state=State.ASKED.value,
            asked_at=now,
            decided_at=None,
            changed_at=now,
            size_bytes=None,
        )
    )
    await db.flush()
    admins = [one.id for one in await people.with_role(db, role=Role.ADMIN) if one.id != grant.person]
    await notices.post_all(db, users=admins, kind="export_asked", once=True, now=now)
    await _written_down(db, audit, "export:ask", recording, grant.person, now=now)
    return number


async def decide(
    db: AsyncSession,
    audit: Audit,
    *,
    export: Export,
    recording: Recording,
    person: Person,
    approves: bool,
    now: datetime,
) -> None:
    """Approve or refuse, as somebody else than who asked. Raises ``Forbidden``, ``InvalidState``."""
    if not person.may(Permission.DECIDE_EXPORT) or person.id == export.asker:
        raise Forbidden("Somebody else decides on this.")
    row = await _taken(db, audit, export.id)
    row.state = after(State(row.state), Event.APPROVE if approves else Event.REFUSE).value
    row.decider_id, row.decided_at, row.changed_at = person.id, now, now
    await db.flush()
    tag = "export:approve" if approves else "export:refuse"
    await _written_down(db, audit, tag, recording, person.id, now=now)


async def move(
    db: AsyncSession,
    audit: Audit,
    *,
    export: str,
    recording: Recording,
    event: Event,
    size_bytes: int | None = None,
    now: datetime,
) -> None:
    """Let something happen to an export; that it was made stands in the audit. Raises ``InvalidState``."""
    row = await _taken(db, audit, export)
    row.state = after(State(row.state), event).value
    row.changed_at = now
    row.size_bytes = size_bytes if event is Event.FINISH else None
    await db.flush()
    if event is Event.FINISH:
        await _written_down(db, audit, "export:make", recording, None, now=now)


def check_fetch(export: Export, person: Person) -> None:
    """Raise ``NotFound`` for all but who asked for it, and when there is none."""
    if export.asker != person.id or export.state is not State.READY:
        raise NotFound("There is no such file.")


async def fetched(
    db: AsyncSession, audit: Audit, *, export: Export, recording: Recording, person: Person, now: datetime
) -> None:
    """Write down that who asked for it took it. Raises ``NotFound`` as ``check_fetch``."""
    check_fetch(export, person)
    await _written_down(db, audit, "export:fetch", recording, person.id, now=now)


async def find(db: AsyncSession, audit: Audit, *, export: str, recording: Recording) -> Export:
    """Look an export of a recording up. Raises ``NotFound``."""
    row = await _row(db, export)
    if row.recording_id != recording.id:
        raise NotFound("There is no such export.")
    return (await _opened(db, audit, [row], recording))[0]


async def whose(db: AsyncSession, *, export: str) -> str:
    """Say which recording an export is of. Raises ``NotFound``."""
    return (await _row(db, export)).recording_id


async def of_recording(db: AsyncSession, audit: Audit, *, recording: Recording) -> list[Export]:
    """List the exports of a recording, the newest first."""
    rows = await db.scalars(
        select(RecordingExportRow)
        .where(RecordingExportRow.recording_id == recording.id)
        .order_by(RecordingExportRow.asked_at.desc(), RecordingExportRow.id)
        .execution_options(populate_existing=True)
    )
    return await _opened(db, audit, rows.all(), recording)


async def in_states(db: AsyncSession, *, states: Sequence[State]) -> list[tuple[str, str, State, datetime]]:
    """List exports in some states, the oldest first: id, recording, state, since when."""
    wanted: ColumnElement[bool] = RecordingExportRow.state.in_([state.value for state in states])
    rows = await db.scalars(
        select(RecordingExportRow)
        .where(wanted)
        .order_by(RecordingExportRow.asked_at, RecordingExportRow.id)
        .execution_options(populate_existing=True)
    )
    return [(row.id, row.recording_id, State(row.state), row.changed_at) for row in rows]


async def _taken(db: AsyncSession, audit: Audit, export: str) -> RecordingExportRow:
    """Have an export to oneself, to change it."""
    await audit.hold(db)
    return await _row(db, export)


async def _row(db: AsyncSession, export: str) -> RecordingExportRow:
    row = await db.get(RecordingExportRow, export, populate_existing=True)
    if row is None:
        raise NotFound("There is no such export.")
    return row


async def _opened(
    db: AsyncSession, audit: Audit, rows: Sequence[RecordingExportRow], recording: Recording
) -> list[Export]:
    subjects = [] if recording.client is None else [recording.client]
    keys = await audit.subjects.keys_of(db, subjects=subjects)
    key = None if recording.client is None else keys.get(recording.client)
    found = []
    for row in rows:
        told = {"whom": "", "purpose": ""}
        if key is not None:
            told = json.loads(unseal(key, row.told, about=_about(row.id)))
        found.append(
            Export(
                row.id,
                row.recording_id,
                None if row.asker_id is None else UserId(row.asker_id),
                None if row.decider_id is None else UserId(row.decider_id),
                row.recipient,
                told["whom"],
                told["purpose"],
                State(row.state),
                row.asked_at,
                row.changed_at,
                row.size_bytes,
            )
        )
    return found


async def _written_down(
    db: AsyncSession, audit: Audit, tag: str, recording: Recording, actor: UserId | None, *, now: datetime
) -> None:
    await audit.append(db, tag=tag, actor=actor, subject=recording.client, object_id=recording.id, now=now)


def _about(export: str) -> str:
    return f"recording_exports:{export}:told"
