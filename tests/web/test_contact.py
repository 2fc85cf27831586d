"""Break-glass on its pages: who gets there, what opens, who is told."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import insert

from accounts import notices
from accounts.people import Person
from accounts.roles import Role
from core.ids import UserId, new_id
from counseling import preparation, roster
from counseling.preparation import Contact, OnDrop
from counseling.preparation_tables import PreparationRow
from counseling.way_tables import TalkRow
from tests.fakes import FakeClock
from tests.web.browsing import get
from tests.web.conftest import Client
from tests.web.people import log_in, log_out, make, send
from tests.web.test_preparation import waiting
from web.services import SERVICES

TOLD = Contact("Kos Melati", "Ibu", "0812 3456 789", "0811 222 333")
TOKEN = re.compile(r'value="[^"]*"')
REASON = "Klien menyebut cara dan tempat."


async def as_person(client: Client, person: Person) -> None:
    await log_out(client)
    await log_in(client, person)


async def case(client: Client, on_drop: OnDrop = OnDrop.NOTHING) -> tuple[Person, Person, Person, str, str]:
    """A client in a talk with a counselor, a supervisor; the talk and the walk-in."""
    embun, walkin = await waiting(client, danger=True)
    ratna, sari = (
        await make(client, Role.COUNSELOR, name="ratna"),
        await make(client, Role.SUPERVISOR, name="sari"),
    )
    services, talk = client.app[SERVICES], new_id("t")
    async with services.database.sessions.begin() as db:
        occasion = await preparation.occasion_of(db, client=embun.id)
        assert occasion is not None
        await preparation.keep_contact(
            db, services.audit, occasion=occasion, contact=TOLD, now=services.now()
        )
        await preparation.keep_on_drop(
            db, services.audit, occasion=occasion, on_drop=on_drop, now=services.now()
        )
        await db.execute(
            insert(TalkRow).values(
                id=talk,
                walkin_id=walkin,
                client_id=embun.id,
                counselor_id=ratna.id,
                medium="video",
                reasons=[],
                shares_history=False,
                begun_at=services.now(),
            )
        )
    return embun, ratna, sari, talk, walkin


async def kinds(client: Client, user: UserId) -> list[str]:
    async with client.app[SERVICES].database.sessions() as db:
        return [one.kind for one in await notices.inbox(db, user=user)]


async def test_a_reason_and_a_second_person_open_it_and_the_client_reads_of_it(client: Client) -> None:
    embun, ratna, sari, talk, _ = await case(client)
    await as_person(client, ratna)
    path = f"/contact/{talk}"
    shown = (await get(client, path)).text
    assert "Kos Melati" not in shown
    assert "0811 222 333" not in shown
    for fields in ({"reason": "x"}, {"reason": REASON, "second": ratna.id}):
        status, text = await send(
            client, f"{path}/open", {"second": sari.id, "tell": "now"} | fields, page=path
        )
        assert status == 422
        assert "Kos Melati" not in text
    fields = {"reason": REASON, "second": sari.id, "tell": "now"}
    assert await send(client, f"{path}/open", fields, page=path) == (303, path)
    shown = (await get(client, path)).text
    assert "Kos Melati" in shown
    assert "0812 3456 789" in shown
    await as_person(client, sari)
    assert REASON in (await get(client, "/contact")).text
    assert "Kos Melati" not in (await get(client, "/contact")).text
    await as_person(client, embun)
    assert REASON in (await get(client, "/me/history")).text
    assert await kinds(client, embun.id) == ["contact_opened"]


async def test_putting_off_telling_takes_a_reason_of_its_own(client: Client) -> None:
    embun, ratna, sari, talk, _ = await case(client)
    await as_person(client, ratna)
    path, fields = f"/contact/{talk}", {"reason": REASON, "second": sari.id, "tell": "later"}
    status, text = await send(client, f"{path}/open", fields, page=path)
    assert status == 422
    assert 'id="why-wrong"' in text
    why = "Pasangannya membaca ponselnya."
    assert (await send(client, f"{path}/open", fields | {"why": why}, page=path))[0] == 303
    assert "Kos Melati" in (await get(client, path)).text
    await as_person(client, embun)
    assert REASON not in (await get(client, "/me/history")).text
    await as_person(client, sari)
    page = (await get(client, "/contact")).text
    assert why in page
    number = page.partition("/contact/openings/")[2].partition("/")[0]
    assert (await send(client, f"/contact/openings/{number}/confirm", {}, page="/contact"))[0] == 303
    assert (await send(client, f"/contact/openings/{number}/tell", {}, page="/contact"))[0] == 303
    assert await kinds(client, embun.id) == ["contact_opened"]
    await as_person(client, embun)
    assert REASON in (await get(client, "/me/history")).text


async def test_who_has_nothing_to_do_with_it_finds_nothing(client: Client) -> None:
    _, _, sari, talk, walkin = await case(client)
    bima = await make(client, Role.COUNSELOR, name="bima")
    for person in (bima, sari):
        await as_person(client, person)
        for about in (talk, walkin, "t_00000000000000000000", "x"):
            assert (await get(client, f"/contact/{about}")).status == 404


async def test_whoever_is_on_duty_opens_a_walk_in(client: Client) -> None:
    _, _, sari, _, walkin = await case(client)
    bima = await make(client, Role.COUNSELOR, name="bima")
    services = client.app[SERVICES]
    slots = [(day, hour) for day in range(7) for hour in range(24)]
    async with services.database.sessions.begin() as db:
        await roster.set_hours(
            db, services.audit, slots=slots, person=bima, deputy=None, actor=bima, now=services.now()
        )
    await as_person(client, bima)
    path, fields = f"/contact/{walkin}", {"reason": REASON, "second": sari.id, "tell": "now"}
    assert (await send(client, f"{path}/open", fields, page=path))[0] == 303
    assert "Kos Melati" in (await get(client, path)).text


async def test_the_number_is_shown_to_whom_the_client_asked_to_call(client: Client, clock: FakeClock) -> None:
    _, ratna, _, talk, walkin = await case(client, OnDrop.CALL)
    await as_person(client, ratna)
    path = f"/contact/{talk}"
    assert f"{path}/call" in (await get(client, path)).text
    assert (await send(client, f"{path}/call", {}, page=path))[0] == 303
    shown = (await get(client, path)).text
    assert "0811 222 333" in shown
    assert "Kos Melati" not in shown
    clock.advance(16 * 60)
    await as_person(client, ratna)
    assert "0811 222 333" not in (await get(client, path)).text
    assert f"/contact/{walkin}/call" not in (await get(client, f"/contact/{walkin}")).text


async def test_what_is_closed_is_gone(client: Client) -> None:
    _, ratna, _, talk, _ = await case(client)
    await as_person(client, ratna)
    path = f"/contact/{talk}"
    assert await send(client, f"{path}/close", {}, page=path) == (303, "/contact?done=contact_closed")
    page = await get(client, path)
    assert page.status == 200
    assert f'action="{path}/' not in page.text, "there is nothing to open"
    assert f"/counselor/messages/to/{talk}" in page.text


@pytest.mark.parametrize("answer", [True, False])
async def test_what_a_client_said_of_being_recorded_shows_nowhere(client: Client, *, answer: bool) -> None:
    _, ratna, _, talk, walkin = await case(client)
    await as_person(client, ratna)
    path = f"/contact/{talk}"
    assert (await send(client, f"{path}/close", {}, page=path))[0] == 303
    nothing = TOKEN.sub("", (await get(client, path)).text)
    async with client.app[SERVICES].database.sessions.begin() as db:
        db.add(
            PreparationRow(
                id=new_id("r"),
                client_id=(await db.get_one(TalkRow, talk)).client_id,
                walkin_id=walkin,
                on_drop="nothing",
                recording=answer,
                changed_at=client.app[SERVICES].now(),
            )
        )
    assert TOKEN.sub("", (await get(client, path)).text) == nothing
    assert (await send(client, f"{path}/close", {}, page=path))[0] == 404
