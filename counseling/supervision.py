"""Who supervises whom, from a day to a day, both in it; without a last day until further notice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, and_, delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from accounts.people import Person
from accounts.roles import Permission, Role
from core.errors import Forbidden, InvalidInput, InvalidState, NotFound
from core.ids import UserId, new_id
from counseling.register_tables import SupervisionRow


class Twice(InvalidState):
    """This supervisor is assigned to this counselor on some of these days already."""

    code = "twice"


@dataclass(frozen=True, slots=True)
class Supervision:
    """One assignment."""

    id: str
    supervisor: UserId
    counselor: UserId
    from_day: date
    until_day: date | None

    def holds(self, day: date) -> bool:
        """Whether it holds on a day."""
        return self.from_day <= day and (self.until_day is None or day <= self.until_day)


async def assign(
    db: AsyncSession,
    audit: Audit,
    *,
    person: Person,
    supervisor: Person,
    counselor: Person,
    from_day: date,
    until_day: date | None,
    now: datetime,
) -> Supervision:
    """Assign a supervisor to a counselor. Raises ``Forbidden``, ``InvalidInput``, ``Twice``."""
    if not person.may(Permission.VERIFY_COUNSELOR):
        raise Forbidden("Supervisors are assigned by an admin.")
    if supervisor.id == counselor.id or not supervisor.may(Permission.SEE_SUPERVISED):
        raise InvalidInput("A supervisor is somebody else with that role.")
    if Role.COUNSELOR not in counselor.roles:
        raise InvalidInput("Only a counselor has a supervisor.")
    if until_day is not None and until_day < from_day:
        raise InvalidInput("The last day is before the first.")
    overlapping = select(SupervisionRow.id).where(
        SupervisionRow.supervisor_id == supervisor.id,
        SupervisionRow.counselor_id == counselor.id,
        or_(SupervisionRow.until_day.is_(None), SupervisionRow.until_day >= from_day),
    )
    if until_day is not None:
        overlapping = overlapping.where(SupervisionRow.from_day <= until_day)
    if await db.scalar(overlapping.limit(1)):
        raise Twice("This supervisor is assigned on some of these days already.")
    row = SupervisionRow(
        id=new_id("v"),
        supervisor_id=supervisor.id,
        counselor_id=counselor.id,
        from_day=from_day,
        until_day=until_day,
        assigned_by=person.id,
        assigned_at=now,
    )
    db.add(row)
    await db.flush()
    detail = {
        "supervisor": supervisor.id,
        "from": from_day.isoformat(),
        "until": "" if until_day is None else until_day.isoformat(),
    }
    await audit.append(
        db,
        tag="supervision:assign",
        actor=person.id,
        subject=counselor.id,
        object_id=row.id,
        detail=detail,
        now=now,
    )
    return _supervision(row)


async def end(
    db: AsyncSession, audit: Audit, *, person: Person, counselor: UserId, supervision: str, today: date,
    now: datetime,
) -> None:  # fmt: skip
    """End an assignment at once: yesterday was its last day. Ended before, it stays as it is."""
    if not person.may(Permission.VERIFY_COUNSELOR):
        raise Forbidden("Supervisors are assigned by an admin.")
    row = await db.get(SupervisionRow, supervision)
    if row is None or row.counselor_id != counselor:
        raise NotFound("There is no such assignment.")
    if row.until_day is not None and row.until_day < today:
        return
    row.until_day = today - timedelta(days=1)
    await db.flush()
    detail = {"supervisor": row.supervisor_id}
    await audit.append(
        db,
        tag="supervision:end",
        actor=person.id,
        subject=counselor,
        object_id=row.id,
        detail=detail,
        now=now,
    )


async def of_counselor(db: AsyncSession, *, counselor: UserId) -> list[Supervision]:
    """List all assignments to a counselor, the newest first."""
    return await _listed(db, SupervisionRow.counselor_id == counselor)


async def of_supervisor(db: AsyncSession, *, supervisor: UserId, day: date) -> list[Supervision]:
    """List whom somebody supervises on a day."""
    return await _listed(db, SupervisionRow.supervisor_id == supervisor, _holds(day))


async def supervisors(
    db: AsyncSession, *, counselors: Sequence[UserId], day: date
) -> dict[UserId, set[UserId]]:
    """Say who supervises each of these counselors on a day; who has nobody is left out."""
    found = await db.execute(
        select(SupervisionRow.counselor_id, SupervisionRow.supervisor_id).where(
            SupervisionRow.counselor_id.in_(counselors), _holds(day)
        )
    )
    by_counselor: dict[UserId, set[UserId]] = {}
    for counselor, supervisor in found:
        by_counselor.setdefault(UserId(counselor), set()).add(UserId(supervisor))
    return by_counselor


async def erase(db: AsyncSession, *, user: UserId, now: datetime) -> None:  # noqa: ARG001  # as erasers are
    """Delete a person's assignments, on either side."""
    await db.execute(
        delete(SupervisionRow).where(
            or_(SupervisionRow.supervisor_id == user, SupervisionRow.counselor_id == user)
        )
    )


async def _listed(db: AsyncSession, *which: ColumnElement[bool]) -> list[Supervision]:
    found = await db.scalars(
        select(SupervisionRow).where(*which).order_by(SupervisionRow.from_day.desc(), SupervisionRow.id)
    )
    return [_supervision(row) for row in found]


def _holds(day: date) -> ColumnElement[bool]:
    return and_(
        SupervisionRow.from_day <= day,
        or_(SupervisionRow.until_day.is_(None), SupervisionRow.until_day >= day),
    )


def _supervision(row: SupervisionRow) -> Supervision:
    return Supervision(
        row.id, UserId(row.supervisor_id), UserId(row.counselor_id), row.from_day, row.until_day
    )
