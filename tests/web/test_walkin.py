"""From the front page into the queue, without script: what is asked, of whom, and what it makes."""

from __future__ import annotations

from datetime import date

import pytest

from accounts import consents, people, prose, texts
from accounts.people import Person
from accounts.roles import Role
from accounts.texts import Kind
from counseling import alarms, line, talks, walkins
from counseling.entry import Medium
from counseling.minors import Policy
from counseling.triage import Risk
from counseling.walkin_states import Alone, Walkin
from tests.fakes import FakeClock
from tests.web.browsing import Page, get, post, send
from tests.web.conftest import Client
from tests.web.people import log_in, log_out, make
from web.services import SERVICES

FINE = {"danger": "no", "alone": "yes", "age": "adult", "topic": "stress", "medium": "voice", "consent": "y"}
POLICY = Policy(
    date(2026, 1, 1),
    2,
    ("Bu Rini",),
    {"id": "Mulai pertemuan kedua kami perlu izin wali.", "en": "From the second talk on."},
    {"id": "Bu Rini, 0812", "en": "Bu Rini, 0812"},
)


async def ask(client: Client, **answers: str) -> Page:
    """Fill in the form; an empty answer is left out."""
    page = await get(client, "/talk")
    assert page.status == 200, page.location
    fields = page.form("/talk") | FINE | answers
    return await post(client, "/talk", {name: value for name, value in fields.items() if value})


async def client_of(client: Client) -> Person:
    async with client.app[SERVICES].database.sessions() as db:
        (person,) = await people.with_role(db, role=Role.CLIENT)
        return person


async def walkin_of(client: Client, person: Person | None = None) -> Walkin:
    person = person or await client_of(client)
    async with client.app[SERVICES].database.sessions() as db:
        found = await walkins.find_open(db, client=person.id)
    assert found is not None
    return found


def with_policy(client: Client) -> None:
    client.app[SERVICES].minors = POLICY


async def test_a_stranger_is_in_the_queue_with_one_form(client: Client) -> None:
    page = await ask(client)
    assert (page.status, page.location) == (303, "/talk/waiting")
    assert "Max-Age" not in page.cookies["teduh_login"], "a shared phone until they say otherwise"
    person = await client_of(client)
    walkin = await walkin_of(client, person)
    assert (walkin.topic, walkin.medium, walkin.alone) == ("stress", Medium.VOICE, Alone.YES)
    assert (walkin.triage.risk, walkin.adult) == (Risk.NONE, True)
    async with client.app[SERVICES].database.sessions() as db:
        assert await consents.has(db, user=person.id, kind=Kind.SERVICE)
        assert not await consents.has(db, user=person.id, kind=Kind.RECORDING)
    waiting = await get(client, "/talk/waiting")
    assert waiting.status == 200
    assert person.name in waiting.text


async def test_at_most_five_things_are_asked_and_nothing_twice(client: Client) -> None:
    first = await get(client, "/talk")
    assert set(first.form("/talk")) <= {"csrf", "once", "version", "locale"}, "nothing is filled in for them"
    for name in ("danger", "alone", "age", "topic", "medium", "consent"):
        assert f'name="{name}"' in first.text
    await ask(client)
    assert (await get(client, "/talk")).location == "/talk/waiting"
    await send(client, "/talk/leave", _page="/talk/waiting")
    again = await get(client, "/talk")
    assert again.status == 200
    assert 'name="age"' not in again.text
    assert 'name="consent"' not in again.text
    assert 'name="danger"' in again.text


@pytest.mark.parametrize("left_out", ["danger", "alone", "age", "topic", "medium", "consent"])
async def test_what_is_left_out_is_asked_for_and_the_rest_is_kept(client: Client, left_out: str) -> None:
    page = await ask(client, **{left_out: ""})
    assert page.status == 422
    assert f'id="{left_out}-wrong"' in page.text
    kept = page.form("/talk")
    asked = ("danger", "alone", "age", "medium", "consent")
    assert {name: kept.get(name) for name in asked} == {
        name: None if name == left_out else FINE[name] for name in asked
    }
    async with client.app[SERVICES].database.sessions() as db:
        assert await people.with_role(db, role=Role.CLIENT) == []


async def test_who_is_in_danger_is_asked_for_nothing_else(client: Client) -> None:
    page = await ask(client, danger="yes", alone="", age="", topic="", medium="", consent="")
    assert (page.status, page.location) == (303, "/talk/urgent")
    person = await client_of(client)
    walkin = await walkin_of(client, person)
    assert walkin.triage.risk is Risk.URGENT
    assert (walkin.medium, walkin.alone, person.adult) == (Medium.CHAT, Alone.UNSURE, None)
    async with client.app[SERVICES].database.sessions() as db:
        assert not await consents.has(db, user=person.id, kind=Kind.SERVICE)
        alarm = await alarms.alarm_of(db, walkin=walkin.id)
    assert alarm is not None
    assert alarm.is_open


async def test_a_page_that_grew_old_does_not_hold_up_who_is_in_danger(client: Client) -> None:
    old = await post(client, "/talk", {"danger": "yes", "csrf": "x", "once": "y"})
    assert (old.status, old.location) == (303, "/talk/urgent")
    await log_out(client)
    other = await post(client, "/talk", FINE | {"csrf": "x", "once": "y"})
    assert other.status == 403


@pytest.mark.parametrize("alone", ["no", "unsure"])
async def test_who_is_not_surely_alone_only_writes(client: Client, alone: str) -> None:
    page = await ask(client, alone=alone, medium="video")
    assert page.location == "/talk/waiting"
    assert (await walkin_of(client)).medium is Medium.CHAT
    await send(client, "/talk/leave", _page="/talk/waiting")
    await log_out(client)
    assert (await ask(client, alone=alone, medium="")).location == "/talk/waiting"


async def test_under_18_without_a_policy_gets_an_honest_page_and_no_account(client: Client) -> None:
    page = await ask(client, age="minor")
    assert page.location == "/start/under-18"
    async with client.app[SERVICES].database.sessions() as db:
        assert await people.with_role(db, role=Role.CLIENT) == []
    assert (await get(client, "/crisis")).status == 200
    assert (await ask(client, age="minor", danger="yes")).location == "/talk/urgent", "never gated"


async def test_under_18_the_first_talk_is_open_and_the_next_needs_a_decision(
    client: Client, clock: FakeClock
) -> None:
    with_policy(client)
    assert (await ask(client, age="minor")).location == "/talk/waiting"
    person = await client_of(client)
    assert person.adult is False
    counselor = await make(client, Role.COUNSELOR, name="Bima")
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        walkin = await walkins.find_open(db, client=person.id)
        assert walkin is not None
        talk = await talks.begin(
            db,
            services.audit,
            client=person.id,
            counselor=counselor.id,
            medium=Medium.CHAT,
            walkin=walkin.id,
            reasons=(),
            now=clock.now(),
        )
        await talks.end(db, services.audit, talk=talk.id, now=clock.now())
    page = await ask(client)
    assert page.status == 200
    assert "From the second talk on." in page.text
    assert "/crisis" in page.text
    assert (await ask(client, danger="yes")).location == "/talk/urgent"


async def test_who_said_the_age_after_the_danger_is_of_that_age(client: Client) -> None:
    await ask(client, danger="yes", age="")
    person = await client_of(client)
    async with client.app[SERVICES].database.sessions.begin() as db:
        await line.depart(db, client.app[SERVICES].audit, user=person.id, now=client.app[SERVICES].now())
    assert 'name="age"' in (await get(client, "/talk")).text
    await ask(client)
    assert (await client_of(client)).adult is True


async def test_a_text_that_changed_meanwhile_is_shown_again(client: Client, clock: FakeClock) -> None:
    services = client.app[SERVICES]
    page = await get(client, "/talk")
    fields = page.form("/talk") | FINE
    async with services.database.sessions.begin() as db:
        before = await texts.current(db, kind=Kind.SERVICE)
        bodies = {one.locale: prose.tidy(f"{one.body}\n\nTambahan.") for one in before.texts.values()}
        admin = await people.create_staff(
            db, name="Dewi", language="id", roles=[Role.ADMIN], now=services.now()
        )
        await texts.publish(
            db,
            services.audit,
            person=admin,
            kind=Kind.SERVICE,
            base=before.number,
            bodies=bodies,
            changes=dict.fromkeys(bodies, "x"),
            material=True,
            reviewed=False,
            now=clock.now(),
        )
    again = await post(client, "/talk", fields)
    assert again.status == 422
    assert "Tambahan." in again.text
    async with services.database.sessions() as db:
        assert await people.with_role(db, role=Role.CLIENT) == []
    assert (await post(client, "/talk", again.form("/talk") | FINE)).location == "/talk/waiting"


async def test_sent_twice_there_is_one_client_and_one_place(client: Client) -> None:
    page = await get(client, "/talk")
    fields = page.form("/talk") | FINE
    first = await post(client, "/talk", fields)
    await log_out(client)
    second = await post(client, "/talk", fields)
    assert first.location == second.location == "/talk/waiting"
    from_history = await post(client, "/talk", fields | {"topic": "family"})
    assert from_history.location == "/talk/waiting"
    assert (await walkin_of(client)).topic == "stress"
    await walkin_of(client)


async def test_staff_are_led_home(client: Client) -> None:
    await log_in(client, await make(client, Role.COUNSELOR, name="Bima"))
    assert (await get(client, "/talk")).location == "/counselor"


async def test_topics_and_media_are_those_there_are(client: Client) -> None:
    assert (await ask(client, topic="made_up")).status == 422
    assert (await ask(client, medium="in_person")).status == 422


async def test_the_front_page_leads_back_to_the_waiting(client: Client) -> None:
    front = await get(client, "/")
    assert 'href="/talk"' in front.text
    await ask(client)
    front = await get(client, "/")
    assert 'href="/talk/waiting"' in front.text
    assert 'href="/talk"' not in front.text
