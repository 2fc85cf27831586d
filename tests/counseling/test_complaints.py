from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from accounts import grants, notices, people
from accounts.audit import Audit, Filter
from accounts.codes import Codes, shown
from accounts.grants import Grant
from accounts.people import Person
from accounts.roles import Permission, Role
from core.db import Database
from core.errors import Forbidden, InvalidState, NotFound
from core.ids import UserId
from counseling import complaint_lists, complaints
from counseling.complaint_lists import Measure, Place
from counseling.complaints import Complaint, Complaints, NewFile, State, Topic, Unanswered
from counseling.duty_tables import ComplaintRow, EvidenceRow
from tests.fakes import FakeClock

MASTER = bytes(range(32))


class House:
    """A service with a client and an officer."""

    def __init__(self, database: Database, clock: FakeClock) -> None:
        self.database, self.clock = database, clock
        self.audit = Audit(MASTER)
        self.complaints = Complaints(MASTER, Codes(MASTER), self.audit)

    async def person(self, *roles: Role) -> Person:
        async with self.database.sessions.begin() as db:
            if not roles:
                return await people.create_client(
                    db, name="Daun", language="id", adult=True, now=self.clock.now()
                )
            return await people.create_staff(
                db, name="Staff", language="id", roles=roles, now=self.clock.now()
            )

    async def file(
        self, user: UserId | None, *, once: str = "once", files: list[NewFile] | None = None
    ) -> Complaint:
        async with self.database.sessions.begin() as db:
            return await self.complaints.file(
                db,
                receipt=self.complaints.receipt_for(once),
                user=user,
                language="id",
                topic=Topic.BOUNDARY,
                text="Konselor meminta nomor saya.",
                files=files or [],
                days=7,
                now=self.clock.now(),
            )

    async def grant(self, officer: Person, complaint: str) -> Grant:
        async with self.database.sessions.begin() as db:
            return await grants.give(
                db,
                self.audit,
                person=officer,
                permission=Permission.HANDLE_COMPLAINTS,
                subject=None,
                object_id=complaint,
                purpose="read",
                now=self.clock.now(),
            )


@pytest.fixture
def house(database: Database, clock: FakeClock) -> House:
    return House(database, clock)


@pytest.mark.parametrize("known", [True, False])
async def test_a_complaint_goes_its_whole_way(house: House, known: bool) -> None:
    client, officer = await house.person(), await house.person(Role.OFFICER)
    made = await house.file(client.id if known else None, files=[NewFile("image/png", b"gambar")])
    assert (made.state, made.known, made.files) == (State.FILED, known, 1)
    receipt = shown(house.complaints.receipt_for("once"))
    grant = await house.grant(officer, made.id)
    house.clock.advance(3600)
    grant = await house.grant(officer, made.id)
    async with house.database.sessions.begin() as db:
        opened, inside = await house.complaints.open(db, grant, complaint=made.id, now=house.clock.now())
        assert (opened.state, inside.text) == (State.OPENED, "Konselor meminta nomor saya.")
        (evidence,) = inside.evidence
        assert (evidence.kind, evidence.size_bytes) == ("image/png", 6)
        file = await house.complaints.file_of(
            db, grant, complaint=made.id, evidence=evidence.id, now=house.clock.now()
        )
        assert file == NewFile("image/png", b"gambar")
        with pytest.raises(InvalidState):
            await house.complaints.close(db, complaint=made.id, officer=officer, now=house.clock.now())
        await house.complaints.answer(
            db, grant, complaint=made.id, text="Terima kasih.", officer=officer, now=house.clock.now()
        )
    async with house.database.sessions.begin() as db:
        found = await house.complaints.by_receipt(db, typed=f" {receipt.lower()} ")
        assert found is not None
        assert (found[0].state, found[1].answer) == (State.ANSWERED, "Terima kasih.")
        assert [len(await house.complaints.own(db, user=client.id))] == [1 if known else 0]
        told = [one.kind for one in await notices.inbox(db, user=client.id)]
        assert told == (["complaint_answered"] if known else [])
        assert [one.kind for one in await notices.inbox(db, user=officer.id)] == ["complaint_new"]
        await house.complaints.close(db, complaint=made.id, officer=officer, now=house.clock.now())
        with pytest.raises(InvalidState):
            await house.complaints.answer(
                db, grant, complaint=made.id, text="x", officer=officer, now=house.clock.now()
            )
        assert [one.state for one in (await complaint_lists.closed(db)).complaints] == [State.CLOSED]
        assert (await complaint_lists.waiting(db)).complaints == []


async def test_nothing_of_it_lies_open_and_the_audit_names_no_complainer(house: House) -> None:
    client, officer = await house.person(), await house.person(Role.OFFICER)
    made = await house.file(client.id, files=[NewFile("image/png", b"gambar")])
    await house.grant(officer, made.id)
    async with house.database.sessions() as db:
        row = (await db.scalars(select(ComplaintRow))).one()
        evidence = (await db.scalars(select(EvidenceRow))).one()
        assert row.text is not None
        assert b"nomor" not in row.text
        assert b"gambar" not in evidence.content
        entries = await house.audit.matching(db, wanted=Filter())
        assert [(entry.tag, entry.subject) for entry in entries] == [
            ("grant:give", None),
            ("complaint:file", None),
        ]
        assert client.id not in {entry.actor for entry in entries}


async def test_only_an_officer_gets_a_grant_and_only_for_the_one(house: House) -> None:
    client, officer = await house.person(), await house.person(Role.OFFICER)
    made, other = await house.file(client.id), await house.file(None, once="other")
    for role in (Role.ADMIN, Role.COUNSELOR, Role.SUPERVISOR):
        with pytest.raises(Forbidden):
            await house.grant(await house.person(role), made.id)
    grant = await house.grant(officer, made.id)
    async with house.database.sessions.begin() as db:
        with pytest.raises(Forbidden):
            await house.complaints.open(db, grant, complaint=other.id, now=house.clock.now())
        with pytest.raises(NotFound):
            await house.complaints.file_of(
                db, grant, complaint=made.id, evidence="e_x", now=house.clock.now()
            )


async def test_an_officer_who_is_in_the_line_handles_nothing(house: House) -> None:
    both = await house.person(Role.OFFICER, Role.COUNSELOR)
    made = await house.file(None)
    grant = await house.grant(both, made.id)
    async with house.database.sessions.begin() as db:
        with pytest.raises(Forbidden):
            await house.complaints.answer(
                db, grant, complaint=made.id, text="x", officer=both, now=house.clock.now()
            )
        with pytest.raises(Forbidden):
            await house.complaints.close(db, complaint=made.id, officer=both, now=house.clock.now())


@pytest.mark.parametrize(
    "typed", ["", "x", "0000-0000-0000-0000", "0" * 15, "0" * 17, "UUUU-0000-0000-0000", "ü" * 16]
)
async def test_a_code_that_is_none_of_ours_opens_nothing(house: House, typed: str) -> None:
    await house.file(None)
    async with house.database.sessions() as db:
        assert await house.complaints.by_receipt(db, typed=typed) is None


async def test_the_promise_is_measured_and_late_ones_are_told_once(house: House) -> None:
    officer = await house.person(Role.OFFICER)
    first, second = await house.file(None), await house.file(None, once="b")
    await house.file(None, once="c")
    for complaint, hours in ((first, 10), (second, 8 * 24)):
        house.clock.advance(hours * 3600)
        grant = await house.grant(officer, complaint.id)
        async with house.database.sessions.begin() as db:
            await house.complaints.answer(
                db, grant, complaint=complaint.id, text="x", officer=officer, now=house.clock.now()
            )
    async with house.database.sessions.begin() as db:
        assert await complaint_lists.measure(db, now=house.clock.now()) == Measure(
            2, 1, 1, 1, (10 + 10 + 192) / 2
        )
        listed = (await complaint_lists.waiting(db)).complaints
        assert [one.answered_at is not None for one in listed] == [False, True, True]
        assert [one.is_late(house.clock.now()) for one in listed].count(True) == 2
        assert [await complaint_lists.tell_late(db, now=house.clock.now()) for _ in range(2)] == [1, 0]
        newest = (await notices.inbox(db, user=officer.id))[0]
        assert (newest.kind, newest.places) == ("complaint_late", {"count": "1"})


async def test_junk_hides_nothing_and_each_is_listed_once(house: House) -> None:
    officer = await house.person(Role.OFFICER)
    made = []
    for number in range(13):
        made.append((await house.file(None, once=f"{number}")).id)
        house.clock.advance(60 if number % 3 == 0 else 0)  # some are due at the same moment
    for number in (2, 7):
        grant = await house.grant(officer, made[number])
        async with house.database.sessions.begin() as db:
            await house.complaints.answer(
                db, grant, complaint=made[number], text="x", officer=officer, now=house.clock.now()
            )
    found: list[str] = []
    after: Place | None = None
    async with house.database.sessions() as db:
        while True:
            page = await complaint_lists.waiting(db, after=after, limit=4)
            found += [one.id for one in page.complaints]
            after = page.after
            if after is None:
                break
    assert sorted(found) == sorted(made)
    assert set(found[-2:]) == {made[2], made[7]}, "what has an answer comes last"
    for number in range(13):
        grant = await house.grant(officer, made[number])
        async with house.database.sessions.begin() as db:
            if number in (2, 7):
                await house.complaints.close(
                    db, complaint=made[number], officer=officer, now=house.clock.now()
                )
            else:
                await house.complaints.close_unanswered(
                    db,
                    grant,
                    complaint=made[number],
                    reason=Unanswered.JUNK,
                    officer=officer,
                    now=house.clock.now(),
                )
        house.clock.advance(number % 2)
    found, after = [], None
    async with house.database.sessions() as db:
        assert (await complaint_lists.waiting(db)).complaints == []
        while True:
            page = await complaint_lists.closed(db, after=after, limit=4)
            found += [one.id for one in page.complaints]
            after = page.after
            if after is None:
                break
    assert sorted(found) == sorted(made)
    assert found[0] in made[-2:]


async def test_closing_without_an_answer_is_written_down_with_its_reason(house: House) -> None:
    officer, other = await house.person(Role.OFFICER), await house.person(Role.OFFICER, Role.COUNSELOR)
    made = await house.file(None)
    grant = await house.grant(officer, made.id)
    for who, error in ((other, Forbidden), (officer, None), (officer, InvalidState)):
        async with house.database.sessions.begin() as db:
            closing = house.complaints.close_unanswered(
                db,
                grant,
                complaint=made.id,
                reason=Unanswered.ELSEWHERE,
                officer=who,
                now=house.clock.now(),
            )
            if error is None:
                await closing
            else:
                with pytest.raises(error):
                    await closing
    async with house.database.sessions() as db:
        (entry,) = await house.audit.matching(db, wanted=Filter(tag="complaint:dismiss"))
        assert (entry.actor, entry.subject, entry.object_id) == (officer.id, None, made.id)


async def test_an_officer_has_one_unread_notice_of_new_ones(house: House) -> None:
    officer = await house.person(Role.OFFICER)
    for number in range(5):
        await house.file(None, once=f"{number}")
    async with house.database.sessions.begin() as db:
        assert await notices.unread(db, user=officer.id) == 1
        await notices.mark_read(db, user=officer.id, until=house.clock.now(), now=house.clock.now())
    await house.file(None, once="later")
    async with house.database.sessions() as db:
        assert await notices.unread(db, user=officer.id) == 1


async def test_erasing_takes_what_it_says_and_leaves_that_it_was(house: House) -> None:
    client = await house.person()
    made = await house.file(client.id, files=[NewFile("image/png", b"gambar")])
    async with house.database.sessions.begin() as db:
        await complaints.erase(db, user=client.id, now=house.clock.now())
        await house.audit.subjects.forget(db, subject=client.id)
    async with house.database.sessions() as db:
        found = await house.complaints.by_receipt(db, typed=house.complaints.receipt_for("once"))
        assert found is not None
        assert (found[0].id, found[0].erased, found[0].known, found[1].text) == (made.id, True, False, None)
        assert (await db.scalars(select(EvidenceRow))).all() == []


async def test_more_files_than_allowed_are_refused(house: House) -> None:
    with pytest.raises(InvalidState):
        await house.file(None, files=[NewFile("image/png", b"x")] * 4)


def test_a_complaint_without_an_answer_is_late_after_its_time(clock: FakeClock) -> None:
    now = clock.now()
    one = Complaint("c", Topic.OTHER, "id", False, now, now + timedelta(days=7), None, None, None, False)
    assert not one.is_late(now + timedelta(days=7))
    assert one.is_late(now + timedelta(days=7, seconds=1))
