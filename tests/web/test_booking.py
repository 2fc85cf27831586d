"""Booking without script: choosing, confirming, moving, cancelling, and who can be had at all."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from urllib.parse import quote

import pytest
from icalendar import Calendar
from pytest_aiohttp.plugin import AiohttpClient

from accounts import consents, people, texts
from accounts.people import Person
from accounts.texts import Kind
from counseling import appointment_lists, exclusions, practice_days, register
from counseling.appointment_rows import Appointment
from counseling.appointment_states import State
from counseling.hours import Span
from tests.docs.conftest import ROOT
from tests.fakes import FakeClock
from tests.web.browsing import Page, get, post, send
from tests.web.conftest import Client, FakeEngine, make_config
from tests.web.counselors import verified
from tests.web.danger import Danger
from tests.web.people import log_in, make
from web.app import make_app
from web.appointments import let_go
from web.services import SERVICES

CHOSEN = "medium=video&topic=study"
TUESDAY_9 = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)


async def working(client: Client, name: str = "Ratna Puspita", **practice: object) -> Person:
    """A counselor who works on Tuesdays and Wednesdays from 9 to 12, in Jakarta."""
    person = await verified(client, name, **practice)
    await work(client, person, tuple(Span(day, 540, 720) for day in (1, 2)))
    return person


async def work(client: Client, person: Person, week: tuple[Span, ...]) -> None:
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        await register.change_hours(
            db, services.audit, user=person.id, week=week, away_from=None, away_until=None, now=services.now()
        )


async def client_of(client: Client, *, agreed: bool = True, adult: bool = True) -> Person:
    """A client who is logged in, and has agreed to the service."""
    services = client.app[SERVICES]
    person = await make(client, adult=adult)
    await log_in(client, person)
    client.session.cookie_jar.update_cookies({"teduh_lang": "en"})
    if agreed:
        async with services.database.sessions.begin() as db:
            version = (await texts.current(db, kind=Kind.SERVICE)).number
            await consents.give(
                db,
                services.audit,
                person=person,
                kind=Kind.SERVICE,
                version=version,
                locale="id",
                page="/book",
                now=services.now(),
            )
    return person


async def listed(client: Client, query: str = CHOSEN) -> list[str]:
    """The addresses of all times on a page."""
    page = await get(client, f"/book/times?{query}")
    assert page.status == 200, page.status
    return [unescape(one) for one in re.findall(r'href="(/book/confirm\?[^"]+)"', page.text)]


async def book(client: Client, query: str = CHOSEN, which: int = 0, **fields: str) -> Page:
    """Take one of the times that are listed."""
    return await send(client, "/book", _page=(await listed(client, query))[which], **fields)


async def coming(client: Client, person: Person) -> list[Appointment]:
    async with client.app[SERVICES].database.sessions() as db:
        return await appointment_lists.open_of_client(db, client=person.id)


async def test_from_choosing_to_an_appointment_that_a_calendar_keeps(client: Client) -> None:
    ratna, embun = await working(client), await client_of(client)
    first = await get(client, "/book")
    assert first.status == 200
    assert "Ratna Puspita" in first.text
    times = await listed(client)
    assert len(times) == 3 * 5, "five days with times are shown at once"
    asked = await get(client, times[0])
    assert "Tuesday, 3 March, 09:00" in asked.text
    assert "Ratna Puspita" in asked.text
    booked = await book(client)
    assert booked.status == 303, booked.text
    (mine,) = await coming(client, embun)
    assert booked.location == f"/book/{mine.id}?done=booked"
    assert (mine.counselor, mine.slot.since, mine.topic) == (ratna.id, TUESDAY_9, "study")
    assert mine.slot.until - mine.slot.since == timedelta(minutes=50)
    assert "Ratna Puspita" in (await get(client, f"/book/{mine.id}")).text
    async with client.get(f"/book/{mine.id}/calendar.ics") as answer:
        assert answer.content_type == "text/calendar"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "calendar.ics" in answer.headers["Content-Disposition"]
        content = await answer.read()
    assert b"DTSTART:20260303T020000Z" in content
    for word in (b"Ratna", b"teduh", b"study", b"counsel", embun.name.encode()):
        assert word.lower() not in content.lower(), word
    assert [event.start for event in Calendar.from_ical(content).events] == [TUESDAY_9]
    assert len(await listed(client)) == 3 * 5 - 1
    assert all("2026-03-03T02" not in one for one in await listed(client))
    home = await get(client, "/home")
    assert f'href="/book/{mine.id}"' in home.text


async def test_a_form_sent_twice_books_once(client: Client) -> None:
    await working(client)
    embun = await client_of(client)
    page = await get(client, (await listed(client))[0])
    fields = page.form("/book")
    answers = [await post(client, "/book", fields) for _ in range(2)]
    assert {one.location for one in answers} == {answers[0].location}
    assert len(await coming(client, embun)) == 1


async def test_a_time_that_was_taken_meanwhile_is_said_kindly(client: Client) -> None:
    await working(client)
    await client_of(client)
    page = await get(client, (await listed(client))[0])
    fields = page.form("/book")
    other = await client_of(client)
    assert (await book(client)).status == 303
    fields |= {
        name: (await get(client, (await listed(client))[0])).form("/book")[name] for name in ("csrf", "once")
    }
    late = await post(client, "/book", fields)
    assert late.status == 409
    assert "just been taken" in late.text
    assert "/book/confirm?" in late.text
    assert len(await coming(client, other)) == 1
    gone = await get(client, "/book/confirm?" + CHOSEN + "&at=2026-03-03T02:00:00Z")
    assert gone.status == 409


async def test_it_is_moved_and_cancelled(client: Client) -> None:
    await working(client)
    embun = await client_of(client)
    await book(client)
    (mine,) = await coming(client, embun)
    page = await get(client, f"/book/{mine.id}")
    way = unescape(re.findall(r'href="(/book/times\?[^"]*move=[^"]*)"', page.text)[0])
    moved = await book(client, way.partition("?")[2], which=4)
    assert moved.location == f"/book/{mine.id}?done=moved"
    (now_mine,) = await coming(client, embun)
    assert (now_mine.sequence, now_mine.slot.since) == (1, TUESDAY_9 + timedelta(days=1, hours=1))
    gone = await send(client, f"/book/{mine.id}/cancel", _page=f"/book/{mine.id}")
    assert gone.location == "/book?done=cancelled"
    assert await coming(client, embun) == []
    async with client.get(f"/book/{mine.id}/calendar.ics") as answer:
        content = await answer.text()
    assert "METHOD:CANCEL" in content
    assert "SEQUENCE:2" in content
    again = await send(
        client,
        f"/book/{mine.id}/cancel",
        _page="/book/" + (await other_one(client, embun)).id,
        _action="/book/" + (await coming(client, embun))[0].id + "/cancel",
    )
    assert again.status == 409


async def other_one(client: Client, person: Person) -> Appointment:
    await book(client)
    return (await coming(client, person))[0]


async def test_nobody_sees_or_changes_what_is_anothers(client: Client) -> None:
    await working(client)
    embun = await client_of(client)
    mine = await other_one(client, embun)
    own = await other_one(client, await client_of(client))
    for path in (f"/book/{mine.id}", f"/book/{mine.id}/calendar.ics", f"/book/times?{CHOSEN}&move={mine.id}"):
        assert (await get(client, path)).status == 404, path
    stolen = await send(
        client, f"/book/{mine.id}/cancel", _page=f"/book/{own.id}", _action=f"/book/{own.id}/cancel"
    )
    assert stolen.status == 404
    assert len(await coming(client, embun)) == 1


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Asia/Jakarta", "09:00"),
        ("Asia/Jayapura", "11:00"),
        ("Europe/Berlin", "03:00"),
        ("America/New_York", "21:00"),
        ("Australia/Lord_Howe", "13:00"),
    ],
)
async def test_times_are_the_clients_own(client: Client, zone: str, shown: str) -> None:
    await working(client)
    embun = await client_of(client)
    page = await get(client, f"/book/times?{CHOSEN}&zone={zone}")
    assert f"</span>{shown}" in page.text
    assert (">09:00 Jakarta<" in page.text) == (zone != "Asia/Jakarta")
    await book(client, f"{CHOSEN}&zone={zone}")
    (mine,) = await coming(client, embun)
    assert (mine.slot.since, mine.zone) == (TUESDAY_9, zone)
    assert shown in (await get(client, f"/book/{mine.id}")).text, "it is remembered with the appointment"
    assert "09:00" in (await get(client, f"/book/{mine.id}?zone=Asia/Jakarta")).text
    assert (await get(client, f"/book/{mine.id}?zone=../../etc/passwd")).status == 200


async def test_whoever_has_not_agreed_is_asked_with_the_booking(client: Client) -> None:
    await working(client)
    embun = await client_of(client, agreed=False)
    refused = await book(client)
    assert refused.status == 422
    assert 'id="consent-wrong"' in refused.text
    assert await coming(client, embun) == []
    fields = (await get(client, (await listed(client))[0])).form("/book")
    agreed = await post(client, "/book", fields | {"consent": "y"})
    assert agreed.status == 303, agreed.text
    async with client.app[SERVICES].database.sessions() as db:
        assert await consents.has(db, user=embun.id, kind=Kind.SERVICE)
    assert 'name="consent"' not in (await get(client, (await listed(client))[0])).text


async def test_only_who_fits_is_offered(client: Client) -> None:
    ratna = await working(client, languages=("en",), topics=("family",), media=("chat",))
    embun = await client_of(client)
    assert await listed(client, "medium=chat&topic=study") == []
    assert await listed(client, "medium=video&topic=family") == []
    assert await listed(client, "medium=chat&topic=family") != []
    assert await listed(client, f"medium=chat&topic=study&counselor={ratna.id}") != []
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        await exclusions.not_with(db, services.audit, client=embun.id, counselor=ratna.id, now=services.now())
    assert await listed(client, "medium=chat&topic=family") == []
    assert await listed(client, f"medium=chat&topic=study&counselor={ratna.id}") == []
    assert "Ratna" not in (await get(client, "/book")).text


async def test_days_that_differ_count(client: Client) -> None:
    ratna = await working(client)
    await client_of(client)
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        for on, spans in ((date(2026, 3, 3), ()), (date(2026, 3, 5), (Span(3, 600, 660),))):
            await practice_days.set_day(
                db, services.audit, counselor=ratna.id, on=on, spans=spans, now=services.now()
            )
    page = await get(client, f"/book/times?{CHOSEN}")
    days = re.findall(r'id="day-([0-9-]+)"', page.text)
    assert days[:3] == ["2026-03-04", "2026-03-05", "2026-03-10"]
    later = unescape(re.findall(r'href="(/book/times\?[^"]*from=[^"]*)"', page.text)[0])
    assert re.findall(r'id="day-([0-9-]+)"', (await get(client, later)).text)[0] > days[-1]


async def test_in_person_needs_a_place_and_says_it(client: Client) -> None:
    ratna = await working(client)
    embun = await client_of(client)
    query = "medium=in_person&topic=study"
    assert await listed(client, query) == []
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        await practice_days.set_place(
            db, services.audit, counselor=ratna.id, place="Gedung Konseling, lantai 2", now=services.now()
        )
    assert "in_person" in (await get(client, "/book")).text
    assert "Gedung Konseling, lantai 2" in (await get(client, (await listed(client, query))[0])).text
    await book(client, query)
    (mine,) = await coming(client, embun)
    assert mine.place == "Gedung Konseling, lantai 2"
    assert "Gedung Konseling" in (await get(client, f"/book/{mine.id}")).text
    async with client.get(f"/book/{mine.id}/calendar.ics") as answer:
        assert "Gedung" not in await answer.text()


async def test_two_are_enough_at_a_time(client: Client) -> None:
    await working(client)
    await client_of(client)
    await book(client)
    await book(client)
    assert "as many appointments as one can have" in (await get(client, "/book")).text
    third = await book(client)
    assert third.status == 409


async def test_strangers_read_where_they_get_a_name_and_staff_go_home(client: Client) -> None:
    page = await get(client, "/book")
    assert page.status == 200
    assert 'href="/start"' in page.text
    assert (await get(client, "/book/times")).location == "/enter"
    await log_in(client, await verified(client))
    assert (await get(client, "/book")).location == "/counselor"


async def test_the_age_is_asked_where_nobody_asked_it(client: Client) -> None:
    services = client.app[SERVICES]
    await working(client)
    async with services.database.sessions.begin() as db:
        embun = await people.create_client(db, name="Embun", language="id", adult=None, now=services.now())
    await log_in(client, embun)
    assert 'name="age"' in (await get(client, "/book")).text
    assert (await send(client, "/book/age", _page="/book")).status == 422
    assert (await send(client, "/book/age", _page="/book", age="adult")).location == "/book"
    assert 'name="topic"' in (await get(client, "/book")).text


@pytest.mark.parametrize(
    "odd",
    ["", "medium=telepathy&topic=study", "medium=video&topic=x", f"{CHOSEN}&counselor=x", f"{CHOSEN}&move=1"],
)
async def test_what_is_not_chosen_leads_back_to_choosing(client: Client, odd: str) -> None:
    await working(client)
    await client_of(client)
    page = await get(client, f"/book/times?{odd}")
    assert page.status == 422
    assert 'name="topic"' in page.text
    for at in ("", "tomorrow", "2026-03-03T02:00", "2026-03-03T02:05:00Z"):
        assert (await get(client, f"/book/confirm?{odd}&at={at}")).status in {303, 409}
    assert (await get(client, f"/book/times?{CHOSEN}&from=9999-99-99")).status == 200


async def test_under_18_a_first_one_is_free_and_more_need_a_decision(
    aiohttp_client: AiohttpClient, clock: FakeClock, tmp_path: object
) -> None:
    config = make_config(tmp_path, minors_policy=ROOT / "examples" / "minors.toml")  # type: ignore[arg-type]  # pytest's own
    client = await aiohttp_client(make_app(config, clock=clock, make_engine=FakeEngine))
    await working(client)
    embun = await client_of(client, adult=False)
    assert await listed(client) == [], "nobody of them takes people under 18"
    await working(client, "Bima Satria", minors=True)
    assert (await book(client)).status == 303
    assert len(await coming(client, embun)) == 1
    assert (await get(client, "/book")).status == 200, "what one has stays within reach"
    second = await get(client, f"/book/times?{CHOSEN}")
    assert second.status == 200
    assert "/book/confirm?" not in second.text
    assert "/crisis" in second.text


async def test_who_leaves_keeps_nobody_waiting(client: Client) -> None:
    ratna = await working(client)
    embun = await client_of(client)
    await book(client)
    services = client.app[SERVICES]
    await let_go(services)
    assert len(await coming(client, embun)) == 1
    assert (await send(client, "/me/erase", sure="y")).status == 303
    await let_go(services)
    async with services.database.sessions() as db:
        ended = await appointment_lists.ended_of_client(db, client=embun.id, since=services.now())
        assert [one.state for one in ended] == [State.CANCELLED]
    other = await client_of(client)
    await book(client)
    async with services.database.sessions.begin() as db:
        await people.disable(db, user=ratna.id, at=services.now())
    await let_go(services)
    assert "had to call off" in (await get(client, "/book")).text
    assert await coming(client, other) == []


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59Z", "2026-03-03T02:00:00"])
async def test_a_moment_out_of_every_calendar_is_no_moment(client: Client, at: str) -> None:
    await working(client)
    await client_of(client)
    assert (await get(client, f"/book/confirm?{CHOSEN}&at={quote(at)}")).location == "/book"
    page = (await listed(client))[0]
    assert (await send(client, "/book", _page=page, at=at)).location == "/book"


async def test_who_waits_for_urgent_help_is_offered_no_appointment(client: Client, clock: FakeClock) -> None:
    await working(client)
    embun = await client_of(client)
    first = (await listed(client))[0]
    fields = (await get(client, first)).form("/book")
    await Danger(client, clock).walks_in(embun)
    for path in ("/book", f"/book/times?{CHOSEN}", first):
        assert (await get(client, path)).location == "/talk/urgent", path
    assert (await post(client, "/book", fields)).location == "/talk/urgent"
    assert await coming(client, embun) == []


async def test_coming_in_person_is_chosen_where_one_came_from(client: Client) -> None:
    ratna = await working(client)
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        await practice_days.set_place(db, services.audit, counselor=ratna.id, place="A", now=services.now())
    await client_of(client)
    for query, medium in (("?medium=in_person", "in_person"), ("", "video"), ("?medium=x", "video")):
        assert (await get(client, f"/book{query}")).form("/book/times")["medium"] == medium
