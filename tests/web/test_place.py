from __future__ import annotations

from typing import Any

import pytest

from accounts import logins
from accounts.people import Person
from accounts.roles import Role as AccountRole
from core.ids import ParticipantId
from media.codecs import Mode
from signaling import directory
from signaling.directory import NewParticipant, Recording, Role
from tests.fakes import FakeClock
from tests.web.conftest import Client, FakeCalls, Program
from tests.web.people import log_in, log_out, make
from web import sitting
from web.services import SERVICES, Services

ORIGIN = "http://localhost:8080"


async def exchange(client: Client, code: object, **headers: str) -> tuple[int, Any]:
    async with client.post("/api/v1/place", json={"code": code}, headers=headers) as answer:
        return answer.status, await answer.json(content_type=None)


def code_of(made: dict[str, Any], number: int = 0) -> str:
    code: str = made["participants"][number]["join_url"].partition("#")[2]
    return code


async def upgrade(client: Client, ticket: str, *more: str) -> Any:  # noqa: ANN401  # JSON
    protocols = ", ".join(["teduh.v1", *(f"teduh.ticket.{one}" for one in (ticket, *more))])
    async with client.get("/api/v1/signal", headers={"Sec-WebSocket-Protocol": protocols}) as answer:
        return (await answer.json())["place"]


async def test_a_code_becomes_a_cookie_and_a_ticket_that_open_the_place(
    program: Program, client: Client
) -> None:
    made = await program.create(mode="voice", recording="ask")
    status, place = await exchange(client, code_of(made), Origin=ORIGIN)
    assert status == 200
    assert place.pop("ticket").startswith(made["participants"][0]["id"])
    assert place == {
        "participant": made["participants"][0]["id"],
        "session": made["id"],
        "role": "client",
        "mode": "voice",
        "recording": "ask",
        "login": False,
        "agreed": False,
        "recorded": False,
    }


async def test_the_cookie_is_out_of_scripts_reach(program: Program, client: Client) -> None:
    made = await program.create()
    async with client.post("/api/v1/place", json={"code": code_of(made)}) as answer:
        (cookie,) = answer.headers.getall("Set-Cookie")
    name, _, rest = cookie.partition("=")
    assert name == f"teduh_place_{made['participants'][0]['id']}"
    flags = {part.strip() for part in rest.split(";")[1:]}
    assert flags == {"HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=86400"}


async def test_a_browser_keeps_eight_places_and_no_more(program: Program, client: Client) -> None:
    for _ in range(10):
        _, place = await exchange(client, code_of(await program.create()))
        assert f"teduh_place_{place['participant']}" in {one.key for one in client.session.cookie_jar}
    assert len(client.session.cookie_jar) == 8


async def test_the_oldest_place_gives_way(program: Program, client: Client) -> None:
    code = code_of(await program.create())
    sent = "; ".join(["lang=id", *(f"teduh_place_p_{number}=x" for number in (9, 1, 2, 3, 4, 5, 6, 7, 8))])
    async with client.post("/api/v1/place", json={"code": code}, headers={"Cookie": sent}) as answer:
        given = [
            cookie.partition("=")[0]
            for cookie in answer.headers.getall("Set-Cookie")
            if "Max-Age=0" in cookie
        ]
    assert given == ["teduh_place_p_9", "teduh_place_p_1"]


async def test_a_reloaded_page_gets_a_new_ticket(program: Program, client: Client, clock: FakeClock) -> None:
    made = await program.create()
    _, first = await exchange(client, code_of(made))
    clock.advance(60)
    path = f"/api/v1/place/{first['participant']}/ticket"
    async with client.post(path, headers={"Origin": ORIGIN}) as answer:
        again = await answer.json()
    assert answer.status == 200
    assert again.pop("ticket") != first.pop("ticket")
    assert again == first


async def test_without_the_cookie_there_is_no_ticket(program: Program, client: Client) -> None:
    made = await program.create()
    await exchange(client, code_of(made, 0))
    for participant, status in ((made["participants"][1]["id"], 401), ("p_none", 401), ("%00", 404)):
        async with client.post(f"/api/v1/place/{participant}/ticket") as answer:
            assert answer.status == status


async def test_cookie_and_ticket_together_open_the_place(program: Program, client: Client) -> None:
    made = await program.create()
    _, place = await exchange(client, code_of(made))
    assert await upgrade(client, place["ticket"]) == place["participant"]


async def test_two_places_in_one_browser_are_told_apart(program: Program, client: Client) -> None:
    made = await program.create()
    places = [(await exchange(client, code_of(made, number)))[1] for number in (0, 1)]
    for place in places:
        assert await upgrade(client, place["ticket"]) == place["participant"]


async def test_neither_alone_opens_it(program: Program, client: Client) -> None:
    made = await program.create()
    _, place = await exchange(client, code_of(made))
    async with client.get("/api/v1/signal") as answer:
        assert (await answer.json())["place"] is None
    assert await upgrade(client, "") is None
    assert await upgrade(client, place["ticket"], place["ticket"]) is None
    assert await upgrade(client, place["ticket"].replace("p_", "q_")) is None
    client.session.cookie_jar.clear()
    assert await upgrade(client, place["ticket"]) is None


async def test_a_ticket_of_one_browser_does_not_go_with_the_cookie_of_another(
    program: Program, client: Client
) -> None:
    made = await program.create()
    _, stolen = await exchange(client, code_of(made))
    client.session.cookie_jar.clear()
    await exchange(client, code_of(made))
    assert await upgrade(client, stolen["ticket"]) is None


async def test_the_cookie_ends_with_the_place(program: Program, client: Client, clock: FakeClock) -> None:
    made = await program.create(max_minutes=1)
    _, place = await exchange(client, code_of(made))
    clock.advance(48 * 3600)
    async with client.post(f"/api/v1/place/{place['participant']}/ticket") as answer:
        assert answer.status == 401


@pytest.mark.parametrize("code", ["x", "A" * 22, "\ud7ff", "A" * 100])
async def test_a_wrong_code_opens_nothing(client: Client, code: str) -> None:
    status, problem = await exchange(client, code)
    assert (status, problem["type"]) == (404, "urn:teduh:error:not_found")


@pytest.mark.parametrize("code", ["", 7, None, "A" * 101])
async def test_what_is_no_code_is_told_so(client: Client, code: object) -> None:
    status, problem = await exchange(client, code)
    assert (status, problem["errors"][0]["pointer"]) == (422, "/code")


async def test_a_code_of_an_ended_session_opens_nothing(program: Program, client: Client) -> None:
    made = await program.create()
    await program.ask("POST", f"/api/v1/sessions/{made['id']}/end", {"reason": "Over."})
    assert (await exchange(client, code_of(made)))[0] == 404


async def test_who_guesses_codes_is_slowed_down(client: Client, services: Services) -> None:
    services.attempts.per_s, services.attempts.burst = 1, 2
    assert [(await exchange(client, "x"))[0] for _ in range(4)] == [404, 404, 429, 429]


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:8080", 200),
        ("http://127.0.0.1:8080", 200),
        ("http://[::1]:8080", 200),
        ("http://localhost:8081", 403),
        ("https://localhost:8080", 403),
        ("http://localhost.example.org:8080", 403),
        ("https://example.org", 403),
        ("null", 403),
        ("http://[", 403),
        ("", 403),
    ],
)
async def test_pages_of_others_are_refused(
    program: Program, client: Client, origin: str, status: int
) -> None:
    made = await program.create()
    assert (await exchange(client, code_of(made), Origin=origin))[0] == status


async def own_place(client: Client, person: Person) -> ParticipantId:
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        created = await directory.create(
            db,
            mode=Mode.VOICE,
            recording=Recording.OFF,
            participants=[
                NewParticipant(Role.CLIENT, person.name, person.id),
                NewParticipant(Role.COUNSELOR, "Bima"),
            ],
            owner=None,
            starts_at=None,
            max_minutes=None,
            now=services.now(),
        )
    return created.session.participants[0].id


async def test_ones_own_login_opens_ones_place(client: Client) -> None:
    person = await make(client)
    await log_in(client, person)
    place = await own_place(client, person)
    async with client.post(f"/api/v1/place/{place}/ticket") as answer:
        assert answer.status == 200
        assert "Max-Age" not in answer.headers["Set-Cookie"], "the phone may be a shared one"
        given = await answer.json()
    assert given["participant"] == place
    assert await upgrade(client, given["ticket"]) == place


async def test_a_place_by_login_ends_with_the_login(client: Client, services: Services) -> None:
    person = await make(client)
    token = await log_in(client, person, own_phone=False)
    place = await own_place(client, person)
    async with client.post(f"/api/v1/place/{place}/ticket") as answer:
        given = await answer.json()
    assert await upgrade(client, given["ticket"]) == place
    async with services.database.sessions.begin() as db:
        await logins.end_all(db, user=person.id)
    assert await upgrade(client, given["ticket"]) is None
    async with client.post(f"/api/v1/place/{place}/ticket") as answer:
        assert answer.status == 401
    assert token


async def test_a_call_keeps_its_login_awake_and_goes_when_it_ends(
    client: Client, services: Services, clock: FakeClock
) -> None:
    calls = services.calls
    assert isinstance(calls, FakeCalls)
    person = await make(client)
    await log_in(client, person, own_phone=False)
    async with services.database.sessions() as db:
        [login] = await logins.of(db, user=person.id, now=clock.now())
    calls.sits_by = [login.id]
    for _ in range(6):
        clock.advance(10 * 60)
        await sitting.look(services)
    assert calls.logged_out == [], "an hour's call on a shared phone, without a request"
    async with services.database.sessions.begin() as db:
        await logins.end(db, user=person.id, login=login.id)
    await sitting.look(services)
    assert calls.logged_out == [login.id]


async def test_nobody_elses_login_does(client: Client) -> None:
    place = await own_place(client, await make(client))
    for other in (await make(client, name="Kabut"), await make(client, AccountRole.ADMIN)):
        await log_out(client)
        await log_in(client, other)
        async with client.post(f"/api/v1/place/{place}/ticket") as answer:
            assert answer.status == 401
    await log_out(client)
    async with client.post(f"/api/v1/place/{place}/ticket") as answer:
        assert answer.status == 401


async def test_the_quick_exit_takes_the_client_out_of_the_call_and_not_the_counselor(
    program: Program, client: Client, services: Services
) -> None:
    calls = services.calls
    assert isinstance(calls, FakeCalls)
    made = await program.create()
    places = [(await exchange(client, code_of(made, number)))[1]["participant"] for number in (0, 1)]
    async with client.post("/exit") as answer:
        assert answer.status == 204
    assert calls.left_quickly == [
        place for place, one in zip(places, made["participants"], strict=True) if one["role"] == "client"
    ]
    async with client.post("/exit") as answer:
        assert answer.status == 204
    assert len(calls.left_quickly) == 1
