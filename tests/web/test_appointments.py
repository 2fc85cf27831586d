"""Appointments come due: what keeps them from beginning, who is waited for, and nobody is kept from help."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import people
from accounts.people import Person
from counseling import appointment_lists, talks, walkins
from counseling.appointment_states import By, State
from counseling.entry import Medium
from counseling.register_tables import CounselorRow
from counseling.talks import Talk
from counseling.walkin_states import Ended
from signaling.directory import SessionRecord
from tests.fakes import FakeClock
from tests.web.browsing import get, post
from tests.web.conftest import Client
from tests.web.danger import Danger
from tests.web.people import log_in, make
from tests.web.test_booking import working
from tests.web.test_calendar import AT, book, met, now_is, until
from web import opening
from web.appointments import begin_due, end_begun, let_go
from web.services import SERVICES, Services


async def test_one_that_fails_keeps_no_other_waiting(
    client: Client, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await book(client, await make(client), await working(client))
    second = await book(client, await make(client), await working(client, "Bima Satria"))
    opens, services = opening.open_talk, client.app[SERVICES]

    async def failing(services: Services, db: AsyncSession, talk: Talk) -> SessionRecord:
        if talk.client == first.client:
            raise RuntimeError("broken")
        return await opens(services, db, talk)

    monkeypatch.setattr(opening, "open_talk", failing)
    until(clock, AT)
    assert await begin_due(services) == 1
    assert [(await now_is(client, one)).state for one in (first, second)] == [State.BOOKED, State.BEGUN]
    monkeypatch.setattr(opening, "open_talk", opens)
    assert await begin_due(services) == 1
    assert (await now_is(client, first)).state is State.BEGUN


@pytest.mark.parametrize(
    ("who", "by"),
    [
        ("leaves", By.CLIENT),
        ("disabled", By.COUNSELOR),
        ("withdrawn", By.COUNSELOR),
        ("pending", By.COUNSELOR),
    ],
)
async def test_nothing_opens_with_who_has_gone_or_is_not_verified(
    client: Client, clock: FakeClock, who: str, by: By
) -> None:
    ratna, embun = await working(client), await make(client)
    booked, services = await book(client, embun, ratna), client.app[SERVICES]
    until(clock, AT)
    async with services.database.sessions.begin() as db:
        if who == "leaves":
            await people.leave(db, user=embun.id, at=services.now() + timedelta(hours=72))
        elif who == "disabled":
            await people.disable(db, user=ratna.id, at=services.now())
        else:
            await db.execute(update(CounselorRow).where(CounselorRow.user_id == ratna.id).values(state=who))
    await begin_due(services)
    missed = await now_is(client, booked)
    assert (missed.state, missed.ended_by, missed.talk) == (State.MISSED, by, None)


@pytest.mark.parametrize(
    ("state", "left"), [("withdrawn", 0), ("refused", 0), ("pending", 1), ("verified", 1)]
)
async def test_who_is_refused_by_now_is_called_off_in_time(client: Client, state: str, left: int) -> None:
    ratna, embun = await working(client), await make(client)
    await book(client, embun, ratna)
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        await db.execute(update(CounselorRow).where(CounselorRow.user_id == ratna.id).values(state=state))
    await let_go(services)
    async with services.database.sessions() as db:
        assert len(await appointment_lists.open_of_client(db, client=embun.id)) == left


async def talking(client: Client, one: Person, other: Person) -> str:
    """Two who talk already, about something else."""
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        talk = await talks.begin(
            db,
            services.audit,
            client=one.id,
            counselor=other.id,
            medium=Medium.CHAT,
            reasons=[],
            now=services.now(),
        )
    return talk.id


async def test_who_comes_late_from_another_talk_is_waited_for_as_long(
    client: Client, clock: FakeClock
) -> None:
    ratna, embun, other = await working(client), await make(client), await make(client)
    booked, services = await book(client, embun, ratna), client.app[SERVICES]
    until(clock, AT)
    before = await talking(client, other, ratna)
    clock.advance(14 * 60)
    assert await begin_due(services) == 0
    async with services.database.sessions.begin() as db:
        await talks.end(db, services.audit, talk=before, now=services.now())
    assert await begin_due(services) == 1
    clock.advance(14 * 60)
    await end_begun(services)
    assert (await now_is(client, booked)).state is State.BEGUN
    clock.advance(60)
    await end_begun(services)
    assert (await now_is(client, booked)).state is State.MISSED


async def test_two_who_talk_with_each_other_when_the_server_comes_back_have_met(
    client: Client, clock: FakeClock
) -> None:
    ratna, embun = await working(client), await make(client)
    booked, services = await book(client, embun, ratna), client.app[SERVICES]
    until(clock, AT - timedelta(minutes=5))
    talk = await talking(client, embun, ratna)
    until(clock, AT + timedelta(minutes=20))
    await begin_due(services)
    assert (await now_is(client, booked)).talk == talk


async def test_an_appointment_takes_nobody_out_of_an_urgent_call(client: Client, clock: FakeClock) -> None:
    danger = Danger(client, clock)
    ratna, embun = await working(client), await make(client)
    booked = await book(client, embun, ratna)
    until(clock, AT - timedelta(seconds=30))
    walkin = await danger.walks_in(embun)
    until(clock, AT)
    await begin_due(danger.services)
    await danger.look()
    assert (await danger.alarm(walkin)).is_open, "they are called for until somebody is there"
    assert (await now_is(client, booked)).state is State.BOOKED
    async with danger.services.database.sessions.begin() as db:
        await walkins.leave(db, danger.services.audit, walkin=walkin.id, why=Ended.LEFT, now=clock.now())
    await begin_due(danger.services)
    assert (await now_is(client, booked)).state is State.BEGUN


@pytest.mark.parametrize(
    ("medium", "seats", "place"),
    [
        (Medium.IN_PERSON, (), "/talk/urgent"),
        (Medium.VIDEO, (), "/talk/urgent"),
        (Medium.VIDEO, ("client",), "/talk/urgent"),
        (Medium.VIDEO, ("counselor",), "/talk/waiting"),
    ],
)
@pytest.mark.parametrize("page", ["/talk/urgent", "/talk"])
async def test_an_appointment_to_which_nobody_came_keeps_nobody_from_urgent_help(
    client: Client, clock: FakeClock, *, page: str, medium: Medium, seats: tuple[str, ...], place: str
) -> None:
    danger = Danger(client, clock)
    ratna, embun = await working(client), await make(client)
    await book(client, embun, ratna, medium)
    until(clock, AT)
    await begin_due(danger.services)
    if seats:
        await met(client, embun, seats=seats)
    clock.advance(1)
    await log_in(client, embun)
    called = await post(client, page, {"danger": "yes"})
    assert (called.status, called.location) == (303, place)
    (call,) = await danger.look()
    assert (call.talk is None) == (place == "/talk/urgent"), "else the counselor who is there is called"
    shown = await get(client, place)
    assert shown.status == 200, shown.location
    assert seats != ("counselor",) or "/room/" in shown.text
    await end_begun(danger.services)
    async with danger.services.database.sessions() as db:
        assert bool(await talks.open_of_client(db, client=embun.id)) == (place == "/talk/waiting")
