"""A counselor's calendar, and what becomes of appointments when their time comes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from accounts import notices
from accounts.people import Person
from core.ids import UserId
from counseling import appointment_lists, appointments, desks, lineup, talks, walkins
from counseling.appointment_rows import Appointment
from counseling.appointment_states import By, State
from counseling.appointments import Wish
from counseling.entry import Medium
from counseling.slots import Slot
from counseling.triage import Answers, triage
from counseling.walkin_states import Alone
from signaling import directory, records
from signaling.directory import SessionState
from signaling.records import PlaceRecord, StateRecord
from tests.fakes import FakeClock
from tests.web.browsing import get, send
from tests.web.conftest import Client
from tests.web.people import log_in, make
from tests.web.test_booking import working
from web.appointments import PRACTICE, begin_due, end_begun, forget, remind
from web.line import RULES
from web.services import SERVICES

CALENDAR = "/counselor/calendar"
AT = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)


async def book(
    client: Client, embun: Person, ratna: Person, medium: Medium = Medium.VIDEO, at: datetime = AT
) -> Appointment:
    services, terms = client.app[SERVICES], client.app[PRACTICE].terms
    place = "Gedung A" if medium is Medium.IN_PERSON else ""
    wish = Wish(ratna.id, Slot(at, at + terms.length), medium, "study", "id", place, "Asia/Jakarta")
    async with services.database.sessions.begin() as db:
        return await appointments.book(
            db, services.audit, client=embun.id, wish=wish, terms=terms, now=services.now()
        )


async def now_is(client: Client, booked: Appointment) -> Appointment:
    async with client.app[SERVICES].database.sessions() as db:
        return await appointment_lists.get(db, appointment=booked.id, client=booked.client)


async def told(client: Client, user: UserId) -> list[str]:
    async with client.app[SERVICES].database.sessions() as db:
        return [one.kind for one in await notices.inbox(db, user=user)]


async def as_counselor(client: Client, ratna: Person) -> None:
    await log_in(client, ratna)
    client.session.cookie_jar.update_cookies({"teduh_lang": "en"})


def until(clock: FakeClock, at: datetime) -> None:
    clock.advance((at - clock.now()).total_seconds())


async def test_the_week_shows_hours_days_that_differ_and_who_comes(client: Client) -> None:
    ratna, embun = await working(client), await make(client, name="Embun Pagi")
    booked = await book(client, embun, ratna)
    await as_counselor(client, ratna)
    page = await get(client, CALENDAR)
    assert page.status == 200
    assert "09:00\u201309:50" in page.text
    assert "Embun Pagi" in page.text
    assert "study" not in page.text
    assert f'href="/counselor/appointments/{booked.id}"' in (await get(client, "/counselor")).text
    kept = await send(client, f"{CALENDAR}/day", _page=CALENDAR, on="2026-03-03", typed="13-15")
    assert kept.location == f"{CALENDAR}?week=2026-W10&done=day_kept"
    page = await get(client, CALENDAR)
    assert "13.00\u201315.00" in page.text
    assert "outside your hours" in page.text
    dropped = await send(client, f"{CALENDAR}/day/drop", _page=CALENDAR)
    assert dropped.location == f"{CALENDAR}?done=day_dropped"
    assert "outside your hours" not in (await get(client, CALENDAR)).text
    other = await get(client, f"{CALENDAR}?week=2026-W11")
    assert "Embun Pagi" not in other.text
    for odd in ("2026-W99", "9999-W52", "x", ""):
        assert (await get(client, f"{CALENDAR}?week={odd}")).status == 200


@pytest.mark.parametrize(
    ("on", "typed", "field"),
    [
        ("2026-03-01", "", "on"),
        ("", "9-12", "on"),
        ("2026-03-05", "pagi", "typed"),
        ("2028-01-01", "", "on"),
        ("x", "", "on"),
    ],
)
async def test_a_day_that_does_not_fit_is_said_at_its_field(
    client: Client, on: str, typed: str, field: str
) -> None:
    await as_counselor(client, await working(client))
    page = await send(client, f"{CALENDAR}/day", _page=CALENDAR, on=on, typed=typed)
    assert page.status == 422
    assert f'id="{field}-wrong"' in page.text


async def test_a_place_is_kept_and_taken_away(client: Client) -> None:
    await as_counselor(client, await working(client))
    assert (await send(client, f"{CALENDAR}/place", _page=CALENDAR, place=" Gedung  A ")).status == 303
    assert 'value="Gedung A"' in (await get(client, CALENDAR)).text
    assert (await send(client, f"{CALENDAR}/place", _page=CALENDAR, place="x" * 301)).status == 422
    assert (await send(client, f"{CALENDAR}/place", _page=CALENDAR, place="")).status == 303
    assert 'value="Gedung A"' not in (await get(client, CALENDAR)).text


async def test_a_counselor_calls_off_with_words_for_the_client_alone(client: Client) -> None:
    ratna, embun = await working(client), await make(client)
    booked = await book(client, embun, ratna)
    await as_counselor(client, await working(client, "Bima Satria"))
    page = f"/counselor/appointments/{booked.id}"
    assert (await get(client, page)).status == 404
    assert (await get(client, f"{page}/calendar.ics")).status == 404
    await as_counselor(client, ratna)
    async with client.get(f"{page}/calendar.ics") as answer:
        assert "DTSTART:20260303T020000Z" in await answer.text()
    assert (await send(client, f"{page}/cancel", _page=page, words="x" * 1001)).status == 422
    gone = await send(client, f"{page}/cancel", _page=page, words="Maaf, saya sakit.")
    assert gone.location == f"{CALENDAR}?done=called_off"
    assert await told(client, embun.id) == ["appointment_cancelled"]
    assert "Cancelled by you" in (await get(client, page)).text
    await log_in(client, embun)
    assert "Maaf, saya sakit." in (await get(client, "/book")).text
    assert "Maaf, saya sakit." in (await get(client, f"/book/{booked.id}")).text


async def test_the_session_opens_for_both_at_its_time(client: Client, clock: FakeClock) -> None:
    ratna, embun = await working(client), await make(client)
    booked, services = await book(client, embun, ratna), client.app[SERVICES]
    until(clock, AT - timedelta(seconds=1))
    await begin_due(services)
    assert (await now_is(client, booked)).state is State.BOOKED
    await log_in(client, embun)
    assert "/room/" not in (await get(client, f"/book/{booked.id}")).text
    clock.advance(1)
    await begin_due(services)
    await begin_due(services)
    begun = await now_is(client, booked)
    assert begun.state is State.BEGUN
    async with services.database.sessions() as db:
        talk = await talks.open_of_client(db, client=embun.id)
        assert talk is not None
        assert (talk.id, talk.counselor, talk.medium) == (begun.talk, ratna.id, Medium.VIDEO)
        assert talk.session is not None
        session = await directory.find(db, session_id=talk.session)
    assert session is not None
    assert {place.user for place in session.participants} == {embun.id, ratna.id}
    assert "appointment_open" in await told(client, embun.id)
    assert "appointment_open" in await told(client, ratna.id)
    assert re.search(r'href="/room/p_\w+"', (await get(client, f"/book/{booked.id}")).text)
    await as_counselor(client, ratna)
    assert re.search(r'href="/room/p_\w+"', (await get(client, f"/counselor/appointments/{booked.id}")).text)


async def met(client: Client, embun: Person, *, seats: tuple[str, ...], active: bool = False) -> None:
    """Write down who came into the session, and whether they met."""
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        talk = await talks.open_of_client(db, client=embun.id)
        assert talk is not None
        assert talk.session is not None
        session = await directory.find(db, session_id=talk.session)
        assert session is not None
        places = [
            PlaceRecord(place.id, "connected", services.now(), taken_by="x" * 64)
            for place in session.participants
            if place.role.value in seats
        ]
        state = [StateRecord(session.id, "active", began_at=services.now())] if active else []
        if places or state:
            await records.write(db, [*places, *state])


@pytest.mark.parametrize(
    ("seats", "by", "kind"),
    [
        (("counselor",), By.CLIENT, "appointment_missed"),
        (("client",), By.COUNSELOR, "appointment_missed_by_us"),
        ((), By.BOTH, "appointment_missed_by_us"),
    ],
)
async def test_after_fifteen_minutes_alone_it_is_missed_and_both_are_told(
    client: Client, clock: FakeClock, seats: tuple[str, ...], by: By, kind: str
) -> None:
    ratna, embun = await working(client), await make(client)
    booked, services = await book(client, embun, ratna), client.app[SERVICES]
    until(clock, AT)
    await begin_due(services)
    await met(client, embun, seats=seats)
    clock.advance(15 * 60 - 1)
    await end_begun(services)
    assert (await now_is(client, booked)).state is State.BEGUN
    clock.advance(1)
    await end_begun(services)
    missed = await now_is(client, booked)
    assert (missed.state, missed.ended_by) == (State.MISSED, by)
    assert kind in await told(client, embun.id)
    assert "appointment_not_met" in await told(client, ratna.id)
    async with services.database.sessions() as db:
        assert await talks.open_of_counselor(db, counselor=ratna.id) is None
        talk = await talks.last_of_client(db, client=embun.id)
        assert talk is not None
        assert talk.session is not None
        session = await directory.find(db, session_id=talk.session)
    assert session is not None
    assert session.state is SessionState.ENDED
    await log_in(client, embun)
    page = await get(client, f"/book/{booked.id}")
    assert 'href="/talk"' in page.text


async def test_who_met_is_done_when_the_talk_is_over_and_not_before(client: Client, clock: FakeClock) -> None:
    ratna, embun = await working(client), await make(client)
    booked, services = await book(client, embun, ratna), client.app[SERVICES]
    until(clock, AT)
    await begin_due(services)
    await met(client, embun, seats=("client", "counselor"), active=True)
    clock.advance(3_600)
    await end_begun(services)
    begun = await now_is(client, booked)
    assert begun.state is State.BEGUN, "longer than planned is nobody's fault"
    assert begun.talk is not None
    async with services.database.sessions.begin() as db:
        await talks.end(db, services.audit, talk=begun.talk, now=services.now())
    await end_begun(services)
    assert (await now_is(client, booked)).state is State.DONE


async def test_who_is_in_another_talk_comes_when_it_ends_or_is_excused(
    client: Client, clock: FakeClock
) -> None:
    ratna, embun, other = await working(client), await make(client), await make(client)
    booked, services = await book(client, embun, ratna), client.app[SERVICES]
    later = await book(client, other, ratna, at=AT + timedelta(hours=1))
    until(clock, AT - timedelta(seconds=10))
    async with services.database.sessions.begin() as db:
        talk = await talks.begin(
            db,
            services.audit,
            client=other.id,
            counselor=ratna.id,
            medium=Medium.CHAT,
            reasons=[],
            now=services.now(),
        )
    clock.advance(10)
    await begin_due(services)
    assert (await now_is(client, booked)).state is State.BOOKED
    clock.advance(15 * 60)
    await begin_due(services)
    missed = await now_is(client, booked)
    assert (missed.state, missed.ended_by) == (State.MISSED, By.COUNSELOR)
    until(clock, AT + timedelta(hours=1))
    await begin_due(services)
    assert (await now_is(client, later)).talk == talk.id, "the two are together already"


@pytest.mark.parametrize(("medium", "state"), [(Medium.VIDEO, State.MISSED), (Medium.IN_PERSON, State.DONE)])
async def test_nothing_begins_long_after_its_time_when_the_server_was_away(
    client: Client, clock: FakeClock, medium: Medium, state: State
) -> None:
    ratna, embun = await working(client), await make(client)
    booked, services = await book(client, embun, ratna, medium), client.app[SERVICES]
    until(clock, AT + timedelta(hours=2))
    await begin_due(services)
    await end_begun(services)
    assert (await now_is(client, booked)).state is state
    assert "appointment_open" not in await told(client, embun.id)
    async with services.database.sessions() as db:
        assert await talks.open_of_client(db, client=embun.id) is None


async def test_a_visit_begins_without_a_session_and_the_counselor_says_how_it_was(
    client: Client, clock: FakeClock
) -> None:
    ratna, services = await working(client), client.app[SERVICES]
    visits = [
        await book(client, await make(client), ratna, Medium.IN_PERSON, AT + timedelta(hours=number))
        for number in range(3)
    ]
    for number, (does, state) in enumerate((("came", State.DONE), ("missed", State.MISSED))):
        page = f"/counselor/appointments/{visits[number].id}"
        until(clock, AT + timedelta(hours=number))
        await as_counselor(client, ratna)
        assert "/came" not in (await get(client, page)).text
        await begin_due(services)
        assert "appointment_open" not in await told(client, ratna.id)
        shown = await get(client, page)
        assert "Gedung A" in shown.text
        assert "/room/" not in shown.text
        assert (await send(client, f"{page}/{does}", _page=page)).location == page
        assert (await now_is(client, visits[number])).state is state
        async with services.database.sessions() as db:
            assert await talks.open_of_counselor(db, counselor=ratna.id) is None
    until(clock, visits[2].slot.since)
    await begin_due(services)
    await end_begun(services)
    assert (await now_is(client, visits[2])).state is State.BEGUN
    until(clock, visits[2].slot.until)
    await end_begun(services)
    assert (await now_is(client, visits[2])).state is State.DONE


async def test_the_jobs_remind_and_forget(client: Client, clock: FakeClock) -> None:
    ratna, embun = await working(client), await make(client)
    booked, services = await book(client, embun, ratna), client.app[SERVICES]
    until(clock, AT - timedelta(minutes=30))
    await remind(services)
    await remind(services)
    assert await told(client, embun.id) == ["appointment_soon"]
    async with services.database.sessions.begin() as db:
        await appointments.cancel(
            db, services.audit, appointment=booked.id, client=embun.id, now=services.now()
        )
    clock.advance(91 * 86_400)
    await forget(services)
    await log_in(client, embun)
    assert (await get(client, f"/book/{booked.id}")).status == 404


@pytest.mark.parametrize(
    ("minutes", "urgent", "offered"), [(20, False, True), (10, False, False), (10, True, True)]
)
async def test_who_has_an_appointment_in_a_moment_is_kept_for_it(
    client: Client, clock: FakeClock, *, minutes: int, urgent: bool, offered: bool
) -> None:
    ratna, services = await working(client), client.app[SERVICES]
    await book(client, await make(client), ratna)
    other = await make(client)
    until(clock, AT - timedelta(minutes=minutes))
    async with services.database.sessions.begin() as db:
        now = services.now()
        await desks.open_desk(db, services.audit, counselor=ratna.id, now=now)
        await walkins.ask(
            db,
            services.audit,
            client=other,
            language="id",
            topic="study",
            medium=Medium.CHAT,
            alone=Alone.YES,
            triage=triage(Answers(danger=urgent)),
            now=now,
        )
        found = await lineup.paired(db, client.app[RULES], now=now)
    assert bool(found) is offered
