from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest
from sqlalchemy import delete, func, select, update

from accounts import people
from accounts.audit import Audit
from accounts.grants import Grant
from accounts.people import Person
from accounts.roles import Permission, Role
from accounts.tables import UserRow
from core.db import Database
from core.errors import Forbidden, InvalidState, NotFound
from counseling import acceptances, intake, screening, talks, walkins
from counseling.cutoffs import read_cutoffs
from counseling.entry import Medium
from counseling.instruments import read_instruments
from counseling.intake import Before, Concerns, Content, History, Items, Progress, Safety, Skipped, with_item
from counseling.intake_tables import IntakeAnswerRow
from counseling.screening import Hints
from counseling.talks import Talk
from counseling.triage import Reason, Risk, Safe, Triage, triage
from counseling.walkin_states import Alone
from tests.fakes import FakeClock

MASTER = bytes(range(32))
INSTRUMENTS = read_instruments()
PHQ9 = INSTRUMENTS["phq9"]
ENGLISH, OURS = (PHQ9.translations[language] for language in ("en", "id"))
DAY = timedelta(days=1)


@dataclass
class House:
    """A client, two counselors, and short ways."""

    database: Database
    clock: FakeClock
    audit: Audit = field(default_factory=lambda: Audit(MASTER))

    async def make(self, *roles: Role) -> Person:
        async with self.database.sessions.begin() as db:
            if not roles:
                return await people.create_client(
                    db, name="Embun", language="id", adult=True, now=self.clock.now()
                )
            return await people.create_staff(
                db, name="Ratna", language="id", roles=roles, now=self.clock.now()
            )

    async def save(self, client: Person, step: str, content: Content) -> None:
        async with self.database.sessions.begin() as db:
            await intake.save(
                db, self.audit, client=client.id, step=step, content=content, now=self.clock.now()
            )

    async def saved(self, client: Person) -> dict[str, Content]:
        async with self.database.sessions() as db:
            every = await intake.own(db, self.audit, client=client.id)
        return {step: one.content for step, one in every.items()}

    async def talk(self, client: Person, counselor: Person) -> Talk:
        async with self.database.sessions.begin() as db:
            walkin = await walkins.ask(
                db,
                self.audit,
                client=client,
                language="id",
                topic="study",
                medium=Medium.CHAT,
                alone=Alone.YES,
                triage=Triage(),
                now=self.clock.now(),
            )
            return await talks.begin(
                db,
                self.audit,
                client=client.id,
                counselor=counselor.id,
                medium=Medium.CHAT,
                walkin=walkin.id,
                reasons=(),
                now=self.clock.now(),
            )

    async def end(self, talk: Talk) -> Talk:
        async with self.database.sessions.begin() as db:
            return await talks.end(db, self.audit, talk=talk.id, now=self.clock.now())

    async def grant(self, counselor: Person, talk: Talk) -> Grant:
        async with self.database.sessions.begin() as db:
            return await screening.ask_for(
                db, self.audit, counselor=counselor, talk=talk, purpose="the talk", now=self.clock.now()
            )

    async def hints(self, counselor: Person, talk: Talk) -> Hints:
        grant = await self.grant(counselor, talk)
        async with self.database.sessions() as db:
            return await screening.hints_of(
                db, grant, self.audit, talk=talk, instruments=INSTRUMENTS, now=self.clock.now()
            )

    async def history(self, client: Person) -> list[tuple[str, object]]:
        async with self.database.sessions() as db:
            entries = await self.audit.own(db, person=client.id)
        return [(one.tag, (one.detail or {}).get("permission")) for one in entries]


@pytest.fixture
def house(database: Database, clock: FakeClock) -> House:
    return House(database, clock)


def phq9(*answers: int | None) -> Items:
    return Items(ENGLISH.digest, answers)


@pytest.mark.parametrize(
    ("answers", "points", "answered", "flagged"),
    [
        ((), 0, 0, False),
        ((1, None, 3), 4, 2, False),
        ((3,) * 8, 24, 8, False),
        ((0,) * 9, 0, 9, False),
        ((*(0,) * 8, 1), 1, 9, True),
        ((*(None,) * 8, 3), 3, 1, True),
        ((*(3,) * 8, None), 24, 8, False),
    ],
)
def test_a_score_adds_up_what_was_answered(
    answers: tuple[int | None, ...], points: int, answered: int, flagged: bool
) -> None:
    found = screening.score(PHQ9, phq9(*answers))
    assert (found.points, found.answered, found.flagged) == (points, answered, flagged)
    assert found.complete == (answered == 9)
    assert found.flag is Reason.PHQ9_ITEM9


def test_items_are_answered_in_any_order() -> None:
    items = with_item(Items("d"), 1, 2)
    assert items.answers == (2,)
    assert with_item(items, 4, 1).answers == (2, None, None, 1)
    assert with_item(with_item(items, 2, 3), 1, None).answers == (None, 3)


async def test_each_step_is_kept_and_changed_by_itself(house: House) -> None:
    client = await house.make()
    assert await house.saved(client) == {}
    steps: dict[str, Content] = {
        "concerns": Concerns(("study", "lonely")),
        "history": History(Before.NOW, None, "Aku lelah, ünïcode \u2603"),
        "phq9": phq9(1, None, 2),
        "gad7": Skipped(),
        "safety": Safety(Safe.NOT_SURE),
    }
    for step, content in steps.items():
        await house.save(client, step, content)
    assert await house.saved(client) == steps
    await house.save(client, "concerns", Concerns())
    assert await house.saved(client) == steps | {"concerns": Concerns()}
    assert await house.saved(await house.make()) == {}


async def test_answers_lie_sealed_under_the_clients_key(house: House) -> None:
    client = await house.make()
    await house.save(client, "history", History(words="rahasia"))
    async with house.database.sessions.begin() as db:
        sealed = await db.scalar(select(IntakeAnswerRow.sealed))
        assert sealed is not None
        assert b"rahasia" not in sealed
        await house.audit.subjects.forget(db, subject=client.id)
    with pytest.raises(NotFound):
        await house.saved(client)


async def test_a_client_deletes_what_they_answered(house: House) -> None:
    client, other = await house.make(), await house.make()
    await house.save(client, "concerns", Concerns(("study",)))
    await house.save(other, "concerns", Concerns(("money",)))
    async with house.database.sessions.begin() as db:
        await intake.remove(db, house.audit, client=client.id, now=house.clock.now())
    assert await house.saved(client) == {}
    assert await house.saved(other) == {"concerns": Concerns(("money",))}
    assert ("intake:remove", None) in await house.history(client)


async def test_answers_go_after_90_days(house: House) -> None:
    client = await house.make()
    await house.save(client, "concerns", Concerns(("study",)))
    house.clock.advance(89 * 86_400)
    await house.save(client, "history", History())
    house.clock.advance(2 * 86_400)
    async with house.database.sessions.begin() as db:
        await intake.prune(db, now=house.clock.now())
    assert set(await house.saved(client)) == {"history"}


async def test_erasing_an_account_takes_its_answers(house: House) -> None:
    client = await house.make()
    await house.save(client, "concerns", Concerns(("study",)))
    async with house.database.sessions.begin() as db:
        await db.execute(delete(UserRow).where(UserRow.id == client.id))
        assert await db.scalar(select(func.count()).select_from(IntakeAnswerRow)) == 0


def test_steps_are_open_again_after_two_weeks_or_in_other_words(clock: FakeClock) -> None:
    def at(content: Content, age: timedelta = timedelta()) -> Progress:
        saved = {"phq9": intake.Saved("phq9", content, clock.now() - age)}
        return intake.progress("phq9", saved, INSTRUMENTS, clock.now())

    assert intake.progress("phq9", {}, INSTRUMENTS, clock.now()) is Progress.OPEN
    assert at(Skipped()) is Progress.SKIPPED
    assert at(phq9(1)) is Progress.BEGUN
    assert at(phq9(*(None,) * 9)) is Progress.DONE
    assert at(phq9(*(None,) * 9), 14 * DAY) is Progress.OPEN
    assert at(Items("other words", (1,) * 9)) is Progress.OPEN
    assert at(phq9(7)) is Progress.OPEN


async def test_what_was_answered_lately_becomes_triages_answers(house: House) -> None:
    client, now = await house.make(), house.clock.now()
    await house.save(client, "phq9", phq9(*(3,) * 9))
    await house.save(client, "concerns", Concerns(("unreal",)))
    await house.save(client, "safety", Safety(Safe.NOT_SAFE))
    async with house.database.sessions() as db:
        saved = await intake.own(db, house.audit, client=client.id)
    found = screening.answers_of(saved, INSTRUMENTS, since=now, now=now)
    told = triage(found, read_cutoffs(INSTRUMENTS).cutoffs)
    assert told.risk is Risk.URGENT
    assert told.reasons == ("not_safe", "phq9_item9", "not_real", "phq9_severe", "phq9_raised")
    later = screening.answers_of(saved, INSTRUMENTS, since=now + DAY, now=now + DAY)
    assert later.safe_now is None, "safe now is about the walk-in it was asked in"
    assert triage(later).risk is Risk.WATCH
    old = screening.answers_of(saved, INSTRUMENTS, since=None, now=now + 14 * DAY)
    assert (old.scores, old.concerns, old.safe_now) == ({}, frozenset(), None)


async def test_our_translation_is_off_until_accepted(house: House) -> None:
    admin = await house.make(Role.ADMIN)

    async def on(language: str, *, adult: bool | None = True) -> set[str]:
        async with house.database.sessions() as db:
            accepted = await acceptances.acceptances(db)
        return set(acceptances.offered(INSTRUMENTS, accepted, language=language, adult=adult))

    async def accept() -> None:
        async with house.database.sessions.begin() as db:
            await acceptances.accept(
                db,
                house.audit,
                instrument=PHQ9,
                translation=OURS,
                vouched_by="Dr. Ratna",
                vouched_on=date(2026, 3, 1),
                actor=admin,
                now=house.clock.now(),
            )

    assert await on("id") == set()
    assert await on("en") == {"phq9", "gad7"}
    assert await on("en", adult=False) == set(), "both were made for adults"
    assert await on("en", adult=None) == set(), "nor are those asked who did not say their age"
    await accept()
    assert await on("id") == {"phq9"}
    with pytest.raises(InvalidState):
        await accept()
    async with house.database.sessions.begin() as db:
        await acceptances.withdraw(
            db, house.audit, instrument=PHQ9, translation=OURS, actor=admin, now=house.clock.now()
        )
    assert await on("id") == set()
    with pytest.raises(InvalidState):
        async with house.database.sessions.begin() as db:
            await acceptances.withdraw(
                db, house.audit, instrument=PHQ9, translation=OURS, actor=admin, now=house.clock.now()
            )
    house.clock.advance(1)
    await accept()
    assert await on("id") == {"phq9"}


async def test_changed_words_are_off_again(house: House) -> None:
    admin = await house.make(Role.ADMIN)
    async with house.database.sessions.begin() as db:
        await acceptances.accept(
            db,
            house.audit,
            instrument=PHQ9,
            translation=OURS,
            vouched_by="Dr. Ratna",
            vouched_on=date(2026, 3, 1),
            actor=admin,
            now=house.clock.now(),
        )
        accepted = await acceptances.acceptances(db)
    assert acceptances.is_on(OURS, accepted)
    assert not acceptances.is_on(dataclasses.replace(OURS, items=(*OURS.items[:8], "Hm?")), accepted)


async def test_the_original_needs_no_acceptance(house: House) -> None:
    admin = await house.make(Role.ADMIN)
    with pytest.raises(InvalidState):
        async with house.database.sessions.begin() as db:
            await acceptances.accept(
                db,
                house.audit,
                instrument=PHQ9,
                translation=ENGLISH,
                vouched_by="Dr. Ratna",
                vouched_on=date(2026, 3, 1),
                actor=admin,
                now=house.clock.now(),
            )


async def test_the_counselor_of_the_talk_sees_hints_and_the_client_sees_that(house: House) -> None:
    client, counselor = await house.make(), await house.make(Role.COUNSELOR)
    await house.save(client, "concerns", Concerns(("study", "lonely")))
    await house.save(client, "history", History(Before.YES, Before.NO, "Halo"))
    await house.save(client, "phq9", phq9(3, None, 1))
    await house.save(client, "gad7", Items(INSTRUMENTS["gad7"].translations["en"].digest, (3,) * 7))
    talk = await house.talk(client, counselor)
    hints = await house.hints(counselor, talk)
    assert hints.concerns == ("study", "lonely")
    assert hints.history == History(Before.YES, Before.NO, "Halo")
    gad7, phq = hints.results
    assert gad7.band is not None
    assert (gad7.score.points, gad7.band.name["en"], gad7.acceptance) == (21, "severe", None)
    assert phq.band is None, "a band holds only for all items"
    assert phq.answers[:3] == (
        (ENGLISH.items[0], "Nearly every day"),
        (ENGLISH.items[1], None),
        (ENGLISH.items[2], "Several days"),
    )
    assert ("grant:give", "hints:see") in await house.history(client)


async def test_looking_again_is_the_same_look(house: House) -> None:
    client, counselor = await house.make(), await house.make(Role.COUNSELOR)
    talk = await house.talk(client, counselor)
    first, again = await house.grant(counselor, talk), await house.grant(counselor, talk)
    assert first == again
    house.clock.advance(16 * 60)
    assert (await house.grant(counselor, talk)).id != first.id


async def test_nobody_else_sees_hints(house: House) -> None:
    client, counselor = await house.make(), await house.make(Role.COUNSELOR)
    talk = await house.talk(client, counselor)
    other, admin = await house.make(Role.COUNSELOR), await house.make(Role.ADMIN, Role.SUPERVISOR)
    for stranger in (other, admin):
        with pytest.raises(NotFound):
            await house.grant(stranger, talk)
    ended = await house.end(talk)
    assert await house.grant(counselor, ended)
    house.clock.advance(25 * 3600)
    with pytest.raises(NotFound):
        await house.grant(counselor, ended)


async def test_hints_about_who_is_leaving_are_gone(house: House) -> None:
    client, counselor = await house.make(), await house.make(Role.COUNSELOR)
    talk = await house.talk(client, counselor)
    async with house.database.sessions.begin() as db:
        await db.execute(
            update(UserRow).where(UserRow.id == client.id).values(erase_at=house.clock.now() + DAY)
        )
    with pytest.raises(NotFound):
        await house.grant(counselor, talk)


async def test_a_grant_for_something_else_opens_nothing(house: House) -> None:
    client, counselor = await house.make(), await house.make(Role.COUNSELOR)
    talk = await house.talk(client, counselor)
    grant = await house.grant(counselor, talk)
    await house.end(talk)
    other = await house.talk(await house.make(), counselor)
    async with house.database.sessions() as db:
        with pytest.raises(Forbidden):
            await screening.hints_of(
                db, grant, house.audit, talk=other, instruments=INSTRUMENTS, now=house.clock.now()
            )
        with pytest.raises(Forbidden):
            await screening.hints_of(
                db,
                grant,
                house.audit,
                talk=talk,
                instruments=INSTRUMENTS,
                now=house.clock.now() + timedelta(minutes=16),
            )
    assert grant.permission is Permission.SEE_HINTS


async def test_a_new_counselor_sees_what_was_said_before_only_if_the_client_lets_them(house: House) -> None:
    client = await house.make()
    first, second = await house.make(Role.COUNSELOR), await house.make(Role.COUNSELOR)
    await house.save(client, "history", History(words="Before."))
    talk = await house.talk(client, first)
    house.clock.advance(60)
    await house.end(talk)
    house.clock.advance(60)
    await house.save(client, "concerns", Concerns(("money",)))
    talk = await house.talk(client, second)
    hints = await house.hints(second, talk)
    assert (hints.concerns, hints.history, hints.older) == (("money",), None, True)
    async with house.database.sessions.begin() as db:
        talk = await talks.share_history(db, house.audit, talk=talk.id, shares=True, now=house.clock.now())
    hints = await house.hints(second, talk)
    assert (hints.history, hints.older) == (History(words="Before."), False)


async def test_the_same_counselor_sees_on(house: House) -> None:
    client, counselor = await house.make(), await house.make(Role.COUNSELOR)
    await house.save(client, "history", History(words="Before."))
    await house.end(await house.talk(client, counselor))
    house.clock.advance(3600)
    hints = await house.hints(counselor, await house.talk(client, counselor))
    assert hints.history == History(words="Before.")
