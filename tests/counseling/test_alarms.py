"""Alarms on both databases: each step once, whoever looks and whatever restarts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices, people
from accounts.audit import Audit, Filter
from accounts.people import Person
from accounts.roles import Role
from accounts.tables import UserRow
from core.db import Database
from core.errors import InvalidState, NotFound
from counseling import alarm_sendings, alarms, talks, walkins
from counseling.alarm_sendings import Channel
from counseling.alarms import Alarm
from counseling.entry import Medium
from counseling.roster import Duty
from counseling.talks import Talk
from counseling.triage import Answers, Safe, triage
from counseling.urgent import Around, Kind, State, Step
from counseling.walkin_states import Alone, Walkin
from counseling.walkin_states import State as WalkinState
from tests.fakes import FakeClock

MASTER = bytes(range(32))
BOTH = frozenset(Channel)


@dataclass
class Ward:
    """A client in danger, and who may answer."""

    database: Database
    clock: FakeClock
    rina: Person
    budi: Person
    tari: Person
    walkin: Walkin
    audit: Audit = field(default_factory=lambda: Audit(MASTER))

    @property
    def around(self) -> Around:
        return Around((self.rina.id,), Duty(self.budi.id, self.tari.id))

    async def raised(self) -> Alarm:
        async with self.database.sessions.begin() as db:
            return await alarms.raise_(db, self.audit, walkin=self.walkin, now=self.clock.now())

    async def look(self, alarm: Alarm, around: Around | None = None) -> tuple[Step, ...]:
        async with self.database.sessions.begin() as db:
            return await alarms.advance(
                db,
                self.audit,
                alarm=alarm,
                around=around or self.around,
                channels=BOTH,
                now=self.clock.now(),
            )

    async def now(self) -> Alarm:
        async with self.database.sessions() as db:
            found = await alarms.alarm_of(db, walkin=self.walkin.id)
        assert found is not None
        return found

    async def tags(self) -> list[str]:
        async with self.database.sessions() as db:
            rows = await self.audit.matching(db, wanted=Filter(person=self.walkin.client), limit=100)
        return [row.tag for row in reversed(rows) if row.tag.startswith("alarm:")]


@pytest.fixture
async def ward(database: Database, clock: FakeClock) -> Ward:
    audit = Audit(MASTER)
    async with database.sessions.begin() as db:
        client = await people.create_client(db, name="Embun", language="id", adult=None, now=clock.now())
        rina, budi, tari = [
            await people.create_staff(db, name=name, language="id", roles={role}, now=clock.now())
            for name, role in (
                ("Rina", Role.COUNSELOR),
                ("Budi", Role.COUNSELOR),
                ("Tari", Role.SUPERVISOR),
            )
        ]
        walkin = await walkins.ask(
            db,
            audit,
            client=client,
            language="id",
            topic="other",
            medium=Medium.CHAT,
            alone=Alone.NO,
            triage=triage(Answers(danger=True)),
            now=clock.now(),
        )
    return Ward(database, clock, rina, budi, tari, walkin, audit)


async def test_each_step_is_done_once_written_down_and_told(ward: Ward) -> None:
    alarm = await ward.raised()
    assert (await ward.raised()).id == alarm.id, "raising it again is the same alarm"
    assert await ward.look(alarm) == (Step(Kind.COUNSELOR, ward.rina.id, 0),)
    assert await ward.look(alarm) == (), "an older view of it does nothing twice"
    ward.clock.advance(200)
    assert {step.kind for step in await ward.look(await ward.now())} == {Kind.DUTY, Kind.DEPUTY}
    ward.clock.advance(100)
    steps = await ward.look(await ward.now())
    assert [step.kind for step in steps][-1] is Kind.TELL_SILENCE
    told = await ward.now()
    assert (told.course.state, told.told) == (State.TOLD, Kind.TELL_SILENCE)
    assert await ward.look(told) == ()
    assert await ward.tags() == [
        "alarm:raise",
        *["alarm:call"] * 6,
        "alarm:tell",
    ]
    async with ward.database.sessions() as db:
        for person in (ward.rina, ward.budi, ward.tari):
            kinds = [one.kind for one in await notices.inbox(db, user=person.id)]
            assert kinds == ["urgent_call"], "one notice while it is unread, however often it calls"


async def test_two_who_look_at_once_do_each_step_once(ward: Ward) -> None:
    alarm = await ward.raised()
    ward.clock.advance(301)
    done = await asyncio.gather(*(ward.look(alarm) for _ in range(4)))
    assert sorted(len(steps) for steps in done) == [0, 0, 0, 4]
    assert (await ward.tags()).count("alarm:call") == 3
    assert (await ward.tags()).count("alarm:tell") == 1


async def test_the_first_who_answers_has_it_and_the_calling_ends(ward: Ward) -> None:
    alarm = await ward.raised()
    ward.clock.advance(61)
    await ward.look(alarm)

    async def answer(person: Person) -> bool:
        try:
            async with ward.database.sessions.begin() as db:
                await alarms.acknowledge(
                    db, ward.audit, alarm=alarm.id, person=person.id, now=ward.clock.now()
                )
        except InvalidState:
            return False
        return True

    won = await asyncio.gather(*(answer(person) for person in (ward.rina, ward.budi, ward.tari)))
    assert sorted(won) == [False, False, True]
    answered = await ward.now()
    assert answered.course.state is State.ANSWERED
    assert answered.answered_by == [ward.rina.id, ward.budi.id, ward.tari.id][won.index(True)]
    ward.clock.advance(600)
    assert await ward.look(answered) == ()
    async with ward.database.sessions() as db:
        assert await alarms.open_alarms(db) == []
        assert await alarm_sendings.due(db, now=ward.clock.now()) == [], "nothing goes out any more"
    assert (await ward.tags()).count("alarm:answer") == 1


async def test_who_waits_no_more_is_called_for_no_more(ward: Ward) -> None:
    alarm = await ward.raised()
    async with ward.database.sessions.begin() as db:
        await alarms.leave(db, ward.audit, alarm=alarm.id, now=ward.clock.now())
        with pytest.raises(InvalidState):
            await alarms.leave(db, ward.audit, alarm=alarm.id, now=ward.clock.now())
        with pytest.raises(NotFound):
            await alarms.acknowledge(db, ward.audit, alarm="a_x", person=ward.rina.id, now=ward.clock.now())
    assert await ward.look(alarm) == ()
    ward.clock.advance(5)
    again = await ward.raised()
    assert again.id != alarm.id, "who comes back is called for anew"
    assert (await ward.now()).id == again.id


async def test_no_answer_to_are_you_safe_ends_it(ward: Ward) -> None:
    alarm = await ward.raised()
    for safe in Safe:
        async with ward.database.sessions.begin() as db:
            said = await alarms.say_safe(db, ward.audit, alarm=alarm.id, safe=safe, now=ward.clock.now())
        assert (said.safe, said.is_open) == (safe, True)
    assert (await ward.tags()).count("alarm:safe") == 3


async def test_what_goes_outside_is_tried_again_and_outlives_a_restart(ward: Ward) -> None:
    alarm = await ward.raised()
    ward.clock.advance(180)
    await ward.look(alarm)
    async with ward.database.sessions.begin() as db:
        due = await alarm_sendings.due(db, now=ward.clock.now())
        assert sorted((one.channel.value, one.kind.value) for one in due) == [
            ("hook", "deputy"),
            ("hook", "duty"),
            ("mail", "deputy"),
            ("mail", "duty"),
        ]
        assert {one.person for one in due} == {ward.budi.id, ward.tari.id}
        for one in due[1:]:
            await alarm_sendings.done(db, sending=one.id, sent=True, now=ward.clock.now())
    tries = 0
    for _ in range(20):
        async with ward.database.sessions.begin() as db:
            for one in await alarm_sendings.due(db, now=ward.clock.now()):
                assert one.id == due[0].id
                tries += 1
                await alarm_sendings.failed(db, sending=one, now=ward.clock.now())
        ward.clock.advance(120)
    assert tries == len(alarm_sendings.AGAIN_AFTER) + 1


async def test_an_erased_client_leaves_no_alarm_and_an_erased_duty_person_no_step(ward: Ward) -> None:
    alarm = await ward.raised()
    ward.clock.advance(61)
    await ward.look(alarm)
    async with ward.database.sessions.begin() as db:
        await db.execute(delete(UserRow).where(UserRow.id == ward.budi.id))
    assert {step.kind for step in (await ward.now()).course.done} == {Kind.COUNSELOR}
    async with ward.database.sessions.begin() as db:
        await db.execute(delete(UserRow).where(UserRow.id == ward.walkin.client))
    async with ward.database.sessions() as db:
        assert await alarms.alarm_of(db, walkin=ward.walkin.id) is None
        assert await alarm_sendings.due(db, now=ward.clock.now()) == []


async def test_who_answered_and_did_not_come_loses_the_talk_and_the_others_are_called(ward: Ward) -> None:
    alarm = await ward.raised()
    await ward.look(alarm)
    async with ward.database.sessions.begin() as db:
        now = ward.clock.now()
        await alarms.acknowledge(db, ward.audit, alarm=alarm.id, person=ward.rina.id, now=now)
        talk = await begin(db, ward, ward.rina)
    ward.clock.advance(45)
    async with ward.database.sessions.begin() as db:
        (awaited,) = await alarms.awaited(db)
        assert (awaited.id, awaited.answered_by) == (alarm.id, ward.rina.id)
        await talks.miss(db, ward.audit, talk=talk.id, now=ward.clock.now())
        again = await alarms.miss(db, ward.audit, alarm=alarm.id, person=ward.rina.id, now=ward.clock.now())
        assert await alarms.awaited(db) == []
    assert (again.course.state, again.answered_by, again.ended_at) == (State.CALLING, None, None)
    assert again.course.missed == (ward.rina.id,)
    async with ward.database.sessions() as db:
        waiting = await walkins.get(db, walkin=ward.walkin.id)
        assert (waiting.state, waiting.asked_at) == (WalkinState.WAITING, ward.walkin.asked_at)
        assert waiting.is_present(ward.clock.now())
        assert await talks.open_of_client(db, client=ward.walkin.client) is None
        kinds = [one.kind for one in await notices.inbox(db, user=ward.rina.id)]
        assert "urgent_missed" in kinds
    assert {(step.kind, step.person) for step in await ward.look(again)} == {(Kind.DUTY, ward.budi.id)}
    assert await ward.tags() == ["alarm:raise", "alarm:call", "alarm:answer", "alarm:miss", "alarm:call"]
    async with ward.database.sessions.begin() as db:
        taken = await begin(db, ward, ward.budi)
        await alarms.acknowledge(db, ward.audit, alarm=alarm.id, person=ward.budi.id, now=ward.clock.now())
    assert taken.id != talk.id
    answered = await ward.now()
    assert (answered.course.state, answered.answered_by) == (State.ANSWERED, ward.budi.id)


async def test_danger_said_in_a_talk_from_an_appointment_stands_in_a_walk_in_of_its_own(ward: Ward) -> None:
    async with ward.database.sessions.begin() as db:
        now = ward.clock.now()
        fajar = await people.create_client(db, name="Fajar", language="id", adult=True, now=now)
        talk = await talks.begin(
            db,
            ward.audit,
            client=fajar.id,
            counselor=ward.rina.id,
            medium=Medium.VIDEO,
            reasons=["appointment"],
            now=now,
        )
    ward.clock.advance(600)
    for safe in (Safe.NOT_SURE, Safe.NOT_SAFE):
        async with ward.database.sessions.begin() as db:
            now = ward.clock.now()
            walkin = await talks.walkin_of(
                db,
                ward.audit,
                talk=talk,
                client=fajar,
                language="id",
                triage=triage(Answers(safe_now=safe)),
                now=now,
            )
            alarm = await alarms.raise_(db, ward.audit, walkin=walkin, now=now)
    assert (walkin.state, walkin.asked_at) == (WalkinState.TALKING, talk.begun_at)
    assert set(walkin.triage.reasons) == {"not_sure", "not_safe"}
    async with ward.database.sessions.begin() as db:
        assert (await talks.get(db, talk=talk.id)).walkin == walkin.id
        assert [one.id for one in await alarms.awaited(db)] == [alarm.id]
        await talks.end(db, ward.audit, talk=talk.id, now=ward.clock.now())
        assert (await walkins.get(db, walkin=walkin.id)).state is WalkinState.ENDED


async def begin(db: AsyncSession, ward: Ward, counselor: Person) -> Talk:
    return await talks.begin(
        db,
        ward.audit,
        client=ward.walkin.client,
        counselor=counselor.id,
        medium=Medium.CHAT,
        walkin=ward.walkin.id,
        reasons=["urgent"],
        now=ward.clock.now(),
    )
