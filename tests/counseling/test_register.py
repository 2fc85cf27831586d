from __future__ import annotations

import asyncio
import dataclasses
from datetime import timedelta

import pytest

from accounts.roles import Role
from core.errors import Forbidden, InvalidState, NotFound
from core.ids import new_user_id
from counseling import decisions, queue, register
from counseling.decisions import Overtaken
from counseling.hours import read_day
from counseling.queue import View
from counseling.register import Unfinished
from counseling.uploads import Clean
from counseling.verification import Event, State
from tests.counseling.conftest import LICENCE, PRACTICE, TODAY, Desk

PDF = Clean("application/pdf", b"%PDF-1.7 clean")


async def test_the_whole_way_from_a_blank_entry_to_a_verified_one(desk: Desk) -> None:
    ratna, admin = await desk.make(Role.COUNSELOR), await desk.make(Role.ADMIN, name="Adi")
    async with desk.database.sessions.begin() as db:
        entry = await register.own(
            db,
            user=ratna.id,
            now=desk.clock.now(),
        )
        assert entry.state is State.DRAFT
        assert await register.find(db, user=ratna.id) is None
    with pytest.raises(Unfinished) as error:
        await desk.hand_in(ratna.id)
    assert error.value.steps == ("licence", "practice", "proofs")
    await desk.fill(ratna.id)
    entry = await desk.hand_in(ratna.id)
    assert (entry.state, entry.submitted_at) == (State.PENDING, desk.clock.now())
    entry = await desk.decide(admin, ratna.id)
    assert (entry.state, entry.licence, entry.practice) == (State.VERIFIED, LICENCE, PRACTICE)
    async with desk.database.sessions() as db:
        story = await decisions.of(db, user=ratna.id)
        assert {one.event for one in story} == {Event.VERIFY, Event.HAND_IN}
        verified = next(one for one in story if one.event is Event.VERIFY)
        assert (verified.decided_by, verified.decided_on, verified.note) == (admin.id, TODAY, "STR seen.")
        assert [one.user for one in await queue.verified(db)] == [ratna.id]
        tags = [row.tag for row in await desk.audit.own(db, person=ratna.id)]
    assert tags[:2] == ["register:verify", "register:submit"]
    assert tags.count("proof:add") == 3


@pytest.mark.parametrize(
    "change",
    [
        {"licence_number": "STR-99"},
        {"valid_until": LICENCE.valid_until and LICENCE.valid_until + timedelta(days=365)},
        {"shown_name": "dr. Ratna"},
        {"title": "Prof."},
        {"kind": "clinical_psychologist"},
        {"degree": "doktor"},
    ],
)
async def test_what_is_verified_is_verified_anew_when_it_changes(
    desk: Desk, change: dict[str, object]
) -> None:
    ratna = await desk.verified()
    desk.clock.advance(60)
    async with desk.database.sessions.begin() as db:
        same = await register.change_licence(
            db, desk.audit, user=ratna, licence=LICENCE, now=desk.clock.now()
        )
        assert same.state is State.VERIFIED
        changed = dataclasses.replace(LICENCE, **change)  # type: ignore[arg-type]  # fields by name
        entry = await register.change_licence(
            db, desk.audit, user=ratna, licence=changed, now=desk.clock.now()
        )
    assert (entry.state, entry.licence, entry.submitted_at) == (State.PENDING, changed, desk.clock.now())


async def test_hours_topics_and_days_away_leave_it_verified(desk: Desk) -> None:
    ratna = await desk.verified()
    week = read_day(0, "9-12") + read_day(4, "13-17")
    async with desk.database.sessions.begin() as db:
        practice = dataclasses.replace(PRACTICE, topics=("grief",), recusals=("Fakultas Teknik",))
        await register.change_practice(
            db,
            desk.audit,
            user=ratna,
            practice=practice,
            now=desk.clock.now(),
        )
        await register.change_hours(
            db, desk.audit, user=ratna, week=week, away_from=TODAY, away_until=None, now=desk.clock.now()
        )
    async with desk.database.sessions() as db:
        entry = await register.find(db, user=ratna)
    assert entry is not None
    assert (entry.state, entry.practice, entry.hours) == (State.VERIFIED, practice, week)
    assert entry.away(TODAY + timedelta(days=1000))


async def test_a_proof_taken_away_is_verified_anew(desk: Desk) -> None:
    ratna = await desk.verified()
    async with desk.database.sessions.begin() as db:
        (first, *_) = await desk.proofs.of(db, user=ratna)
        await desk.proofs.remove(
            db,
            user=ratna,
            proof=first.id,
            now=desk.clock.now(),
        )
        entry = await register.find(db, user=ratna)
    assert entry is not None
    assert entry.state is State.PENDING


async def test_a_decision_about_something_else_than_was_seen_is_refused(desk: Desk) -> None:
    ratna, admin = await desk.make(Role.COUNSELOR), await desk.make(Role.ADMIN, name="Adi")
    await desk.fill(ratna.id)
    await desk.hand_in(ratna.id)
    async with desk.database.sessions.begin() as db:
        saw = await decisions.seen(db, user=ratna.id)
        other = dataclasses.replace(LICENCE, licence_number="another")
        await register.change_licence(
            db,
            desk.audit,
            user=ratna.id,
            licence=other,
            now=desk.clock.now(),
        )
    with pytest.raises(Overtaken):
        await desk.decide(admin, ratna.id, saw=saw)
    async with desk.database.sessions() as db:
        entry = await register.find(db, user=ratna.id)
    assert entry is not None
    assert entry.state is State.PENDING


async def test_nobody_verifies_themselves_or_without_the_right(desk: Desk) -> None:
    both = await desk.make(Role.COUNSELOR, Role.ADMIN)
    supervisor = await desk.make(Role.SUPERVISOR)
    admin = await desk.make(Role.ADMIN)
    await desk.fill(both.id)
    cases = (
        (both, both.id, Event.VERIFY, Forbidden),
        (supervisor, both.id, Event.VERIFY, Forbidden),
        (admin, both.id, Event.VERIFY, InvalidState),  # not handed in
        (admin, both.id, Event.HAND_IN, InvalidState),
        (admin, new_user_id(), Event.VERIFY, NotFound),
    )
    for person, user, event, error in cases:
        with pytest.raises(error):
            await desk.decide(person, user, event, saw="")


async def test_lists_are_in_the_order_in_which_they_are_worked_off(desk: Desk) -> None:
    made = []
    for number in range(queue.PAGE + 2):
        person = await desk.make(Role.COUNSELOR)
        made.append(person.id)
        async with desk.database.sessions.begin() as db:
            licence = dataclasses.replace(
                LICENCE, shown_name=f"Konselor {number:02}", valid_until=TODAY + timedelta(days=58 + number)
            )
            await register.change_licence(
                db, desk.audit, user=person.id, licence=licence, now=desk.clock.now()
            )
    async with desk.database.sessions() as db:
        first, more = await queue.page(db, view=View.ALL, today=TODAY)
        second, no_more = await queue.page(db, view=View.ALL, today=TODAY, number=2)
        assert [entry.user for entry in first + second] == made
        assert (more, no_more) == (True, False)
        assert await queue.counts(db, today=TODAY) == {View.PENDING: 0, View.EXPIRING: 0, View.ALL: len(made)}
        assert set(await register.find_all(db, users=made[:3])) == set(made[:3])


async def test_an_erased_counselor_leaves_nothing_behind(desk: Desk) -> None:
    ratna = await desk.verified()
    for _ in range(2):
        async with desk.database.sessions.begin() as db:
            await desk.proofs.erase(
                db,
                user=ratna,
                now=desk.clock.now(),
            )
    async with desk.database.sessions() as db:
        assert await register.find(db, user=ratna) is None
        assert await decisions.of(db, user=ratna) == []
        assert await desk.proofs.of(db, user=ratna) == []


async def test_two_first_steps_at_once_make_one_entry(desk: Desk) -> None:
    ratna = await desk.make(Role.COUNSELOR)

    async def licence() -> None:
        async with desk.database.sessions.begin() as db:
            await register.change_licence(
                db, desk.audit, user=ratna.id, licence=LICENCE, now=desk.clock.now()
            )

    async def practice() -> None:
        async with desk.database.sessions.begin() as db:
            await register.change_practice(
                db, desk.audit, user=ratna.id, practice=PRACTICE, now=desk.clock.now()
            )

    await asyncio.gather(licence(), practice())
    async with desk.database.sessions() as db:
        entry = await register.find(db, user=ratna.id)
    assert entry is not None
    assert (entry.licence, entry.practice) == (LICENCE, PRACTICE)
