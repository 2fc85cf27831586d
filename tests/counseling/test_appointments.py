"""Appointments on both databases: never two at once, limits, what becomes of them, reminders, forgetting."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from accounts import notices, people
from accounts.audit import Audit
from accounts.people import Person
from accounts.roles import Role
from core.db import Database
from core.errors import InvalidState, NotFound
from core.ids import UserId
from counseling import appointment_lists, appointments, reminders, talks
from counseling.appointment_rows import Appointment
from counseling.appointment_states import (
    AHEAD,
    MOST_IN_A_WEEK,
    MOST_MOVES,
    MOST_OPEN,
    NOTICE,
    WEEK,
    By,
    State,
)
from counseling.appointment_tables import AppointmentRow, AppointmentTimeRow
from counseling.appointment_times import Taken
from counseling.appointments import TooLate, TooManyBooked, Wish
from counseling.entry import Medium
from counseling.slots import Slot, Terms
from tests.fakes import FakeClock

TERMS = Terms(timedelta(minutes=50), timedelta(minutes=10))
TOMORROW = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)


@dataclass
class Diary:
    """A service with clients and counselors, and short ways to book."""

    database: Database
    clock: FakeClock
    audit: Audit = field(default_factory=lambda: Audit(bytes(range(32))))

    async def client(self, name: str = "Embun") -> Person:
        async with self.database.sessions.begin() as db:
            return await people.create_client(db, name=name, language="id", adult=True, now=self.clock.now())

    async def counselor(self, name: str = "Ratna") -> Person:
        async with self.database.sessions.begin() as db:
            return await people.create_staff(
                db, name=name, language="id", roles=[Role.COUNSELOR], now=self.clock.now()
            )

    def wish(self, counselor: Person, since: datetime = TOMORROW, **changed: object) -> Wish:
        slot = Slot(since, since + TERMS.length)
        made = Wish(counselor.id, slot, Medium.VIDEO, "study", "id", "", "Asia/Jakarta")
        return replace(made, **changed)  # type: ignore[arg-type]  # fields of Wish by name

    async def book(self, client: Person, wish: Wish) -> Appointment:
        async with self.database.sessions.begin() as db:
            return await appointments.book(
                db, self.audit, client=client.id, wish=wish, terms=TERMS, now=self.clock.now()
            )

    async def move(self, client: Person, booked: Appointment, wish: Wish) -> Appointment:
        async with self.database.sessions.begin() as db:
            return await appointments.move(
                db,
                self.audit,
                appointment=booked.id,
                client=client.id,
                wish=wish,
                terms=TERMS,
                now=self.clock.now(),
            )

    async def cancel(self, client: Person, booked: Appointment) -> Appointment:
        async with self.database.sessions.begin() as db:
            return await appointments.cancel(
                db, self.audit, appointment=booked.id, client=client.id, now=self.clock.now()
            )

    async def begin(self, booked: Appointment) -> Appointment:
        async with self.database.sessions.begin() as db:
            talk = await talks.begin(
                db,
                self.audit,
                client=booked.client,
                counselor=booked.counselor,
                medium=booked.medium,
                appointment=booked.id,
                reasons=["appointment"],
                now=self.clock.now(),
            )
            return await appointments.begin(
                db, self.audit, appointment=booked.id, talk=talk.id, now=self.clock.now()
            )

    async def do(self, what: str, client: Person, wish: Wish, minutes: int) -> None:
        """One thing that somebody does with the first that the client has before them."""
        async with self.database.sessions() as db:
            mine = await appointment_lists.open_of_client(db, client=client.id)
        if what == "book":
            await self.book(client, wish)
        elif what == "wait":
            self.clock.advance(60 * minutes)
        elif mine and what == "move":
            await self.move(client, mine[0], wish)
        elif mine and what == "cancel":
            await self.cancel(client, mine[0])
        elif mine and what == "begin":
            await self.begin(mine[0])
        elif mine:
            await self.end(mine[0], called_off=what == "call off")

    async def end(self, booked: Appointment, *, called_off: bool) -> None:
        now, number = self.clock.now(), booked.id
        async with self.database.sessions.begin() as db:
            if called_off:
                await appointments.call_off(
                    db, self.audit, appointment=number, counselor=booked.counselor, words="", now=now
                )
            else:
                await appointments.finish(db, self.audit, appointment=number, now=now)

    async def told(self, user: UserId) -> list[str]:
        async with self.database.sessions() as db:
            return sorted(one.kind for one in await notices.inbox(db, user=user))

    async def remind(self) -> int:
        async with self.database.sessions.begin() as db:
            return await reminders.remind(db, now=self.clock.now())

    async def times(self) -> int:
        async with self.database.sessions() as db:
            return await db.scalar(select(func.count()).select_from(AppointmentTimeRow)) or 0


@pytest.fixture
async def diary(database: Database, clock: FakeClock) -> Diary:
    return Diary(database, clock)


async def test_it_is_booked_and_both_can_see_it(diary: Diary) -> None:
    embun, ratna = await diary.client(), await diary.counselor()
    made = await diary.book(embun, diary.wish(ratna))
    assert (made.state, made.sequence, made.slot.since) == (State.BOOKED, 0, TOMORROW)
    async with diary.database.sessions() as db:
        assert await appointment_lists.open_of_client(db, client=embun.id) == [made]
        since = TOMORROW - timedelta(days=1)
        assert await appointment_lists.of_counselor(
            db, counselor=ratna.id, since=since, until=since + timedelta(days=7)
        ) == [made]
        assert await appointment_lists.of_counselor(db, counselor=ratna.id, since=since, until=TOMORROW) == []
        assert await appointment_lists.open_of_counselors(db, counselors=[ratna.id, embun.id]) == {
            ratna.id: [made]
        }
        assert await appointment_lists.get(db, appointment=made.id, client=embun.id) == made
        with pytest.raises(NotFound):
            await appointment_lists.get(db, appointment=made.id, client=ratna.id)
        with pytest.raises(NotFound):
            await appointment_lists.get(db, appointment=made.id, counselor=embun.id)
    assert await diary.told(ratna.id) == ["appointment_booked"]
    assert await diary.told(embun.id) == []


@pytest.mark.parametrize("minutes", [0, 25, 55, -25, -55])
async def test_a_counselor_has_one_at_a_time_and_rest_between_them(diary: Diary, minutes: int) -> None:
    ratna = await diary.counselor()
    await diary.book(await diary.client(), diary.wish(ratna))
    with pytest.raises(Taken):
        await diary.book(await diary.client(), diary.wish(ratna, TOMORROW + timedelta(minutes=minutes)))
    for hours in (-1, 1):
        await diary.book(await diary.client(), diary.wish(ratna, TOMORROW + timedelta(hours=hours)))


@pytest.mark.parametrize("minutes", [0, 25, 45, -45])
async def test_a_client_has_one_at_a_time(diary: Diary, minutes: int) -> None:
    embun = await diary.client()
    await diary.book(embun, diary.wish(await diary.counselor()))
    other = await diary.counselor()
    with pytest.raises(Taken):
        await diary.book(embun, diary.wish(other, TOMORROW + timedelta(minutes=minutes)))
    await diary.book(embun, diary.wish(other, TOMORROW + timedelta(minutes=50)))


async def test_of_many_who_want_one_time_one_has_it(diary: Diary) -> None:
    ratna = await diary.counselor()
    clients = [await diary.client(f"Embun {number}") for number in range(6)]
    asked = [diary.book(one, diary.wish(ratna)) for one in clients]
    found = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(one, Appointment) for one in found) == 1
    assert sum(isinstance(one, Taken) for one in found) == len(clients) - 1
    assert await diary.times() == 10 + 12


async def test_the_database_itself_refuses_the_same_five_minutes(diary: Diary) -> None:
    embun, ratna = await diary.client(), await diary.counselor()
    made = await diary.book(embun, diary.wish(ratna))
    for user in (embun.id, ratna.id):
        again = insert(AppointmentTimeRow).values(user_id=user, at=TOMORROW, appointment_id=made.id)
        with pytest.raises(IntegrityError):
            async with diary.database.sessions.begin() as db:
                await db.execute(again)


async def test_it_is_booked_in_time_and_not_too_far_ahead(diary: Diary) -> None:
    embun, ratna, now = await diary.client(), await diary.counselor(), diary.clock.now()
    for since in (
        now + NOTICE - timedelta(minutes=5),
        now - timedelta(hours=1),
        now + AHEAD + timedelta(minutes=5),
    ):
        with pytest.raises(TooLate):
            await diary.book(embun, diary.wish(ratna, since))
    for since in (now + NOTICE, now + AHEAD):
        await diary.book(embun, diary.wish(ratna, since))


async def test_nobody_books_more_than_one_may(diary: Diary) -> None:
    embun, ratna = await diary.client(), await diary.counselor()
    days = iter(TOMORROW + timedelta(days=number) for number in range(20))
    made = [await diary.book(embun, diary.wish(ratna, next(days))) for _ in range(MOST_OPEN)]
    with pytest.raises(TooManyBooked):
        await diary.book(embun, diary.wish(ratna, next(days)))
    for _ in range(MOST_IN_A_WEEK - MOST_OPEN):
        await diary.cancel(embun, made.pop())
        made.append(await diary.book(embun, diary.wish(ratna, next(days))))
    await diary.cancel(embun, made.pop())
    with pytest.raises(TooManyBooked):
        await diary.book(embun, diary.wish(ratna, TOMORROW + timedelta(days=9)))
    diary.clock.advance(WEEK.total_seconds())
    await diary.book(embun, diary.wish(ratna, TOMORROW + timedelta(days=15)))


async def test_a_moved_one_frees_its_time_and_is_a_new_version_of_the_same(diary: Diary) -> None:
    embun, ratna, bima = await diary.client(), await diary.counselor(), await diary.counselor("Bima")
    made = await diary.book(embun, diary.wish(ratna))
    later = TOMORROW + timedelta(minutes=30)
    moved = await diary.move(embun, made, diary.wish(bima, later, medium=Medium.IN_PERSON, place="Gedung A"))
    assert (moved.id, moved.sequence, moved.moves) == (made.id, 1, 1)
    assert (moved.counselor, moved.slot.since, moved.place) == (bima.id, later, "Gedung A")
    await diary.book(await diary.client(), diary.wish(ratna))
    with pytest.raises(Taken):
        await diary.book(await diary.client(), diary.wish(bima))
    assert await diary.told(ratna.id) == ["appointment_booked", "appointment_booked", "appointment_moved"]
    assert await diary.told(bima.id) == ["appointment_moved"]


async def test_who_cannot_have_another_time_keeps_the_one_they_have(diary: Diary) -> None:
    embun, ratna = await diary.client(), await diary.counselor()
    later = TOMORROW + timedelta(hours=3)
    made = await diary.book(embun, diary.wish(ratna))
    await diary.book(await diary.client(), diary.wish(ratna, later))
    with pytest.raises(Taken):
        await diary.move(embun, made, diary.wish(ratna, later))
    async with diary.database.sessions() as db:
        assert await appointment_lists.open_of_client(db, client=embun.id) == [made]
    with pytest.raises(Taken):
        await diary.book(await diary.client(), diary.wish(ratna))


async def test_it_is_moved_a_few_times_in_time_and_by_its_client(diary: Diary) -> None:
    embun, ratna = await diary.client(), await diary.counselor()
    made = await diary.book(embun, diary.wish(ratna))
    with pytest.raises(NotFound):
        await diary.move(await diary.client(), made, diary.wish(ratna))
    for number in range(MOST_MOVES):
        made = await diary.move(embun, made, diary.wish(ratna, TOMORROW + timedelta(hours=number)))
    with pytest.raises(TooLate):
        await diary.move(embun, made, diary.wish(ratna))
    other = await diary.book(embun, diary.wish(ratna, TOMORROW + timedelta(days=1)))
    diary.clock.advance((other.slot.since - NOTICE - diary.clock.now()).total_seconds() + 1)
    with pytest.raises(TooLate):
        await diary.move(embun, other, diary.wish(ratna, TOMORROW + timedelta(days=2)))


async def test_a_client_cancels_without_a_reason_up_to_its_beginning(diary: Diary) -> None:
    embun, ratna = await diary.client(), await diary.counselor()
    made = await diary.book(embun, diary.wish(ratna))
    with pytest.raises(NotFound):
        await diary.cancel(await diary.client(), made)
    gone = await diary.cancel(embun, made)
    assert (gone.state, gone.ended_by, gone.sequence) == (State.CANCELLED, By.CLIENT, 1)
    assert await diary.times() == 0
    assert "appointment_cancelled_by_client" in await diary.told(ratna.id)
    assert await diary.told(embun.id) == []
    again = await diary.book(embun, diary.wish(ratna))
    diary.clock.advance((TOMORROW - diary.clock.now()).total_seconds())
    with pytest.raises(TooLate):
        await diary.cancel(embun, again)


async def test_what_a_counselor_writes_on_cancelling_is_the_clients_alone(diary: Diary) -> None:
    embun, ratna = await diary.client(), await diary.counselor()
    made = await diary.book(embun, diary.wish(ratna))
    words = "Maaf, saya sakit. Pilihlah waktu lain."
    async with diary.database.sessions.begin() as db:
        with pytest.raises(NotFound):
            await appointments.call_off(
                db, diary.audit, appointment=made.id, counselor=embun.id, words=words, now=diary.clock.now()
            )
        gone = await appointments.call_off(
            db, diary.audit, appointment=made.id, counselor=ratna.id, words=words, now=diary.clock.now()
        )
    assert (gone.state, gone.ended_by, gone.has_words) == (State.CANCELLED, By.COUNSELOR, True)
    assert await diary.told(embun.id) == ["appointment_cancelled"]
    async with diary.database.sessions() as db:
        assert await appointments.words_of(db, diary.audit, appointment=made.id, client=embun.id) == words
        sealed = await db.scalar(select(AppointmentRow.words))
        assert sealed is not None
        assert words.encode() not in sealed
        with pytest.raises(NotFound):
            await appointments.words_of(db, diary.audit, appointment=made.id, client=ratna.id)
        ended = await appointment_lists.ended_of_client(db, client=embun.id, since=diary.clock.now())
        assert [one.id for one in ended] == [made.id]


async def test_it_begins_with_a_talk_and_is_done_when_it_is_over(diary: Diary) -> None:
    embun, ratna = await diary.client(), await diary.counselor()
    made = await diary.book(embun, diary.wish(ratna))
    async with diary.database.sessions() as db:
        assert await appointment_lists.due(db, now=TOMORROW - timedelta(seconds=1)) == []
        assert await appointment_lists.due(db, now=TOMORROW) == [made]
        assert await appointment_lists.soon(
            db, now=TOMORROW - timedelta(minutes=9), within=timedelta(minutes=10)
        ) == {ratna.id}
        assert (
            await appointment_lists.soon(
                db, now=TOMORROW - timedelta(minutes=11), within=timedelta(minutes=10)
            )
            == set()
        )
    begun = await diary.begin(made)
    assert begun.talk is not None
    async with diary.database.sessions.begin() as db:
        assert [one.id for one in await appointment_lists.begun(db)] == [made.id]
        done = await appointments.finish(db, diary.audit, appointment=made.id, now=diary.clock.now())
        assert (done.state, done.ended_by, done.talk) == (State.DONE, None, begun.talk)
    assert await diary.times() == 0
    with pytest.raises(InvalidState):
        await diary.cancel(embun, made)


@pytest.mark.parametrize(
    ("by", "kind"),
    [
        (By.CLIENT, "appointment_missed"),
        (By.COUNSELOR, "appointment_missed_by_us"),
        (By.BOTH, "appointment_missed_by_us"),
    ],
)
async def test_both_are_told_of_what_was_missed(diary: Diary, by: By, kind: str) -> None:
    embun, ratna = await diary.client(), await diary.counselor()
    made = await diary.begin(await diary.book(embun, diary.wish(ratna)))
    async with diary.database.sessions.begin() as db:
        missed = await appointments.miss(db, diary.audit, appointment=made.id, by=by, now=diary.clock.now())
        with pytest.raises(InvalidState):
            await appointments.finish(db, diary.audit, appointment=made.id, now=diary.clock.now())
    assert (missed.state, missed.ended_by) == (State.MISSED, by)
    assert await diary.told(embun.id) == [kind]
    assert "appointment_not_met" in await diary.told(ratna.id)


async def test_both_are_reminded_once_a_day_and_once_an_hour_before(diary: Diary) -> None:
    embun, ratna = await diary.client(), await diary.counselor()
    await diary.book(embun, diary.wish(ratna, TOMORROW + timedelta(days=2)))
    seen = []
    for _ in range(4 * 24 * 3):
        diary.clock.advance(15 * 60)
        if await diary.remind():
            seen.append(TOMORROW + timedelta(days=2) - diary.clock.now())
    assert seen == [timedelta(hours=24), timedelta(hours=1)]
    assert await diary.told(embun.id) == ["appointment_soon", "appointment_tomorrow"]
    assert await diary.told(ratna.id) == ["appointment_booked", "appointment_soon", "appointment_tomorrow"]


async def test_who_booked_lately_is_reminded_of_the_hour_alone(diary: Diary) -> None:
    embun, ratna = await diary.client(), await diary.counselor()
    made = await diary.book(embun, diary.wish(ratna))
    await diary.remind()
    assert await diary.told(embun.id) == []
    diary.clock.advance((made.slot.since - diary.clock.now()).total_seconds() - 60)
    await diary.remind()
    await diary.remind()
    assert await diary.told(embun.id) == ["appointment_soon"]


async def test_nobody_is_reminded_of_what_was_cancelled_or_is_over(diary: Diary) -> None:
    embun, ratna = await diary.client(), await diary.counselor()
    gone = await diary.book(embun, diary.wish(ratna))
    await diary.cancel(embun, gone)
    await diary.book(embun, diary.wish(ratna))
    diary.clock.advance(3 * 86_400)
    assert await diary.remind() == 0
    assert await diary.told(embun.id) == []


async def test_a_moved_one_is_reminded_of_anew(diary: Diary) -> None:
    embun, ratna = await diary.client(), await diary.counselor()
    made = await diary.book(embun, diary.wish(ratna, TOMORROW + timedelta(days=2)))
    diary.clock.advance((made.slot.since - timedelta(hours=23) - diary.clock.now()).total_seconds())
    assert await diary.remind() == 1
    await diary.move(embun, made, diary.wish(ratna, TOMORROW + timedelta(days=6)))
    assert await diary.remind() == 0
    diary.clock.advance(4 * 86_400)
    assert await diary.remind() == 1
    assert await diary.told(embun.id) == ["appointment_tomorrow", "appointment_tomorrow"]


async def test_what_ended_long_ago_is_forgotten(diary: Diary) -> None:
    embun, ratna = await diary.client(), await diary.counselor()
    gone = await diary.book(embun, diary.wish(ratna))
    await diary.cancel(embun, gone)
    kept = await diary.book(embun, diary.wish(ratna, TOMORROW + timedelta(days=20)))
    diary.clock.advance(appointments.RETENTION.total_seconds() + 1)
    async with diary.database.sessions.begin() as db:
        await appointments.prune(db, now=diary.clock.now())
        assert list(await db.scalars(select(AppointmentRow.id))) == [kept.id]


STEPS = some.lists(
    some.tuples(
        some.sampled_from(["book", "move", "cancel", "call off", "begin", "finish", "wait"]),
        some.integers(0, 2),
        some.integers(0, 1),
        some.integers(0, 30),
    ),
    min_size=4,
    max_size=14,
)


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=STEPS, at_once=some.integers(1, 4))
async def test_whatever_is_clicked_nobody_is_in_two_at_once(
    diary: Diary, steps: list[tuple[str, int, int, int]], at_once: int
) -> None:
    clients = [await diary.client(f"Embun {number}") for number in range(3)]
    counselors = [await diary.counselor(f"Ratna {number}") for number in range(2)]
    base = diary.clock.now().replace(minute=0) + timedelta(days=1)

    async def act(what: str, who: int, whom: int, when: int) -> None:
        wish = diary.wish(counselors[whom], base + timedelta(minutes=5 * when))
        await diary.do(what, clients[who], wish, when)

    for start in range(0, len(steps), at_once):
        done = await asyncio.gather(
            *(act(*step) for step in steps[start : start + at_once]), return_exceptions=True
        )
        strange = [
            one
            for one in done
            if isinstance(one, BaseException) and not isinstance(one, (InvalidState, NotFound))
        ]
        assert strange == []
        async with diary.database.sessions() as db:
            whole = [
                one
                for client in clients
                for one in await appointment_lists.open_of_client(db, client=client.id)
            ]
            times = await db.scalar(
                select(func.count())
                .select_from(AppointmentTimeRow)
                .where(AppointmentTimeRow.user_id.in_([one.id for one in (*clients, *counselors)]))
            )
        assert times == 22 * len(whole)
        for number, one in enumerate(whole):
            for other in whole[:number]:
                apart = not one.slot.touches(other.slot, gap=TERMS.gap)
                assert apart or one.counselor != other.counselor
                assert not one.slot.touches(other.slot) or one.client != other.client


async def test_what_is_moved_in_another_language_is_in_that_language(diary: Diary) -> None:
    embun, ratna = await diary.client(), await diary.counselor()
    booked = await diary.book(embun, diary.wish(ratna))
    later = diary.wish(ratna, TOMORROW + timedelta(hours=2), language="en")
    assert (await diary.move(embun, booked, later)).language == "en"
