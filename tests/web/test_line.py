"""The line's socket, the jobs behind it, and the session of a talk."""

from __future__ import annotations

import asyncio
import html
import json
import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError
from aiohttp.web import Request, WebSocketResponse
from pytest_aiohttp.plugin import AiohttpClient

from accounts import logins, people
from accounts.people import Person
from core.config import Config
from core.errors import InvalidState
from counseling import desks, line, talks, walkins
from counseling.entry import Medium
from counseling.lineup import Mode
from counseling.talks import Talk
from counseling.triage import Triage
from counseling.walkin_states import Alone, Walkin
from media.codecs import Mode as SessionMode
from signaling import directory
from signaling.directory import Role, SessionState
from tests.counseling.lines import URGENT
from tests.fakes import FakeClock
from tests.web.browsing import get
from tests.web.conftest import Client, FakeEngine
from tests.web.counselors import verified
from tests.web.people import log_in, make, send
from web import line as news
from web import opening
from web.app import make_app
from web.line import BELL, RULES
from web.line_socket import LISTENERS, LOST_S, MAX_BYTES, ROUND, SEND_S, Listener
from web.services import SERVICES, Services

Socket = ClientWebSocketResponse[Any]


async def ask(services: Services, client: Person, **change: Any) -> Walkin:
    """Have a client ask to talk now."""
    answers = {"language": "id", "topic": "study", "medium": Medium.VIDEO, "alone": Alone.YES}
    async with services.database.sessions.begin() as db:
        return await walkins.ask(
            db,
            services.audit,
            client=client,
            triage=change.pop("triage", Triage()),
            now=services.now(),
            **(answers | change),
        )


async def open_desk(services: Services, counselor: Person) -> None:
    """Have a counselor take people."""
    async with services.database.sessions.begin() as db:
        await desks.open_desk(db, services.audit, counselor=counselor.id, now=services.now())


async def accept(client: Client, counselor: Person, walkin: Walkin) -> Talk:
    """Have a counselor accept, as the desk does."""
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        talk = await line.accept(
            db,
            services.audit,
            client.app[RULES],
            counselor=counselor,
            walkin=walkin.id,
            now=services.now(),
        )
        await opening.open_talk(services, db, talk)
        return await talks.get(db, talk=talk.id)


async def turn(client: Client) -> None:
    """Do what is due, and ring."""
    await news.turn(client.app[SERVICES], client.app[RULES])
    client.app[BELL].ring()


async def listen(client: Client, **headers: str) -> Socket:
    """Open the socket as whoever is logged in."""
    return await client.ws_connect("/api/v1/line", headers=headers)


async def told(socket: Socket) -> dict[str, Any]:
    """Take the next thing that is told."""
    found: dict[str, Any] = await socket.receive_json(timeout=20)
    assert found.pop("type") == "line"
    return found


async def test_a_client_is_told_from_the_asking_to_the_room(client: Client, services: Services) -> None:
    embun, ratna = await make(client), await verified(client)
    await log_in(client, embun)
    socket = await listen(client)
    assert await told(socket) == {"state": "none", "wait": None, "go": None}
    asked = await ask(services, embun)
    client.app[BELL].ring()
    assert await told(socket) == {"state": "waiting", "wait": None, "go": None}
    await open_desk(services, ratna)
    client.app[BELL].ring()
    assert await told(socket) == {"state": "waiting", "wait": {"from_s": 0, "to_s": 120}, "go": None}
    await turn(client)
    assert (await told(socket))["state"] == "offered"
    talk = await accept(client, ratna, asked)
    client.app[BELL].ring()
    last = await told(socket)
    async with services.database.sessions() as db:
        assert last == {
            "state": "talking",
            "wait": None,
            "go": await opening.place_path(db, talk, embun.id),
        }
    assert last["go"].startswith("/room/p_")


async def test_a_counselor_is_told_no_more_than_they_may_know(client: Client, services: Services) -> None:
    embun, ratna = await make(client, name="Embun Pagi"), await verified(client)
    await log_in(client, ratna)
    await open_desk(services, ratna)
    socket = await listen(client)
    assert await told(socket) == {"offer": None, "waiting": 0, "go": None, "alarms": 0, "drops": 0}
    asked = await ask(services, embun, alone=Alone.UNSURE)
    client.app[BELL].ring()
    assert (await told(socket))["waiting"] == 1
    await turn(client)
    at_ms = int(services.now().timestamp() * 1000)
    assert (await told(socket))["offer"] == {
        "walkin": asked.id,
        "name": "Embun Pagi",
        "topic": "study",
        "medium": "chat",
        "risk": "none",
        "suitability": "online",
        "asked_ms": at_ms,
        "until_ms": at_ms + 60_000,
    }
    talk = await accept(client, ratna, asked)
    client.app[BELL].ring()
    last = await told(socket)
    assert (last["offer"], last["waiting"]) == (None, 0)
    async with services.database.sessions() as db:
        assert last["go"] == await opening.place_path(db, talk, ratna.id)


async def test_a_desk_shows_all_that_it_says_it_was_told(
    client: Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An offer comes while the page is made: were it in what the page was told alone, it would not show."""
    embun, ratna = await make(client), await verified(client)
    await log_in(client, ratna)
    await open_desk(services, ratna)
    await ask(services, embun)
    real = line.offer_to

    async def offer_to(*args: Any, **named: Any) -> Walkin | None:
        monkeypatch.undo()
        found = await real(*args, **named)
        await turn(client)
        return found

    monkeypatch.setattr(line, "offer_to", offer_to)
    page = (await get(client, "/counselor/desk")).text
    (was_told,) = re.findall('data-line="([^"]*)"', page)
    assert json.loads(html.unescape(was_told))["offer"] is None
    assert "data-offer" in page


async def test_nothing_is_said_twice(client: Client, services: Services) -> None:
    embun = await make(client)
    await log_in(client, embun)
    socket = await listen(client)
    await told(socket)
    for _ in range(3):
        client.app[BELL].ring()
        await client.app[LISTENERS].tell_all()
    await ask(services, embun, triage=URGENT)
    client.app[BELL].ring()
    assert (await told(socket))["state"] == "urgent"


async def test_other_sites_and_nobody_are_told_nothing(client: Client) -> None:
    with pytest.raises(WSServerHandshakeError) as refused:
        await listen(client)
    assert refused.value.status == 401
    await log_in(client, await make(client))
    with pytest.raises(WSServerHandshakeError) as refused:
        await listen(client, Origin="https://elsewhere.example")
    assert refused.value.status == 403


async def test_a_socket_is_a_sign_of_life(client: Client, services: Services, clock: FakeClock) -> None:
    embun = await make(client)
    await log_in(client, embun)
    asked = await ask(services, embun)
    socket = await listen(client)
    await told(socket)
    clock.advance(30)
    await rounds(client)
    async with services.database.sessions() as db:
        assert (await walkins.get(db, walkin=asked.id)).seen_at == clock.now()


async def test_a_page_that_is_silent_is_no_sign_of_life(
    client: Client, services: Services, clock: FakeClock
) -> None:
    embun = await make(client)
    await log_in(client, embun)
    asked = await ask(services, embun)
    socket = await listen(client)
    await told(socket)
    [listener] = client.app[LISTENERS].all
    listener.seen_s -= 30
    clock.advance(30)
    await rounds(client)
    async with services.database.sessions() as db:
        assert (await walkins.get(db, walkin=asked.id)).seen_at == asked.seen_at
    listener.seen_s -= 30
    await rounds(client)
    assert not client.app[LISTENERS].all
    assert (await socket.receive()).type in {WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING}


async def test_whose_login_has_ended_is_told_nothing_more(client: Client, services: Services) -> None:
    embun = await make(client)
    await log_in(client, embun)
    socket = await listen(client)
    await told(socket)
    async with services.database.sessions.begin() as db:
        await logins.end_all(db, user=embun.id)
    await rounds(client)
    assert (await socket.receive()).type is WSMsgType.CLOSE
    assert socket.close_code == 1008


async def test_too_long_a_text_ends_the_socket(client: Client) -> None:
    await log_in(client, await make(client))
    socket = await listen(client)
    await told(socket)
    await socket.send_str("x" * (MAX_BYTES + 1))
    assert (await socket.receive()).type is WSMsgType.CLOSE
    assert socket.close_code == 1009


async def test_a_fifth_window_takes_the_place_of_the_first(client: Client) -> None:
    await log_in(client, await make(client))
    windows = [await listen(client) for _ in range(5)]
    for socket in windows:
        await told(socket)
    assert (await windows[0].receive()).type is WSMsgType.CLOSE
    assert len(client.app[LISTENERS].all) == 4


async def test_a_talk_gets_one_session_with_both_in_it(client: Client, services: Services) -> None:
    embun, ratna = await make(client, name="Embun"), await verified(client, "Ratna Puspita")
    asked = await ask(services, embun, medium=Medium.VOICE)
    await open_desk(services, ratna)
    await turn(client)
    talk = await accept(client, ratna, asked)
    stranger = await make(client)
    async with services.database.sessions.begin() as db:
        session = await opening.open_talk(services, db, talk)
        assert session.id == talk.session
        assert await opening.place_path(db, talk, stranger.id) is None
    assert session.mode is SessionMode.VOICE
    assert [(one.role, one.name, one.user) for one in session.participants] == [
        (Role.COUNSELOR, "Ratna Puspita", ratna.id),
        (Role.CLIENT, "Embun", embun.id),
    ]


async def test_a_talk_ends_with_its_session_and_the_session_with_its_talk(
    client: Client, services: Services
) -> None:
    embun, ratna = await make(client), await verified(client)
    await open_desk(services, ratna)
    first = await accept(client, ratna, await ask(services, embun, triage=URGENT))
    assert await opening.end_finished(services) == []
    assert first.session is not None
    await services.calls.end(first.session, reason="hung_up")
    assert [talk.id for talk in await opening.end_finished(services)] == [first.id]
    second = await accept(client, ratna, await ask(services, embun, triage=URGENT))
    assert second.session is not None
    async with services.database.sessions.begin() as db:
        ended = await line.end_talk(db, services.audit, person=ratna, talk=second.id, now=services.now())
    await opening.end_session(services, ended)
    async with services.database.sessions() as db:
        session = await directory.find(db, session_id=second.session)
        assert session is not None
        assert session.state is SessionState.ENDED
        assert (await talks.get(db, talk=second.id)).ended_at == services.now()
        assert await opening.place_path(db, second, ratna.id) is None


async def test_a_talk_in_person_has_no_session(client: Client, services: Services) -> None:
    embun, ratna = await make(client), await verified(client)
    async with services.database.sessions.begin() as db:
        talk = await talks.begin(
            db,
            services.audit,
            client=embun.id,
            counselor=ratna.id,
            medium=Medium.IN_PERSON,
            reasons=[],
            now=services.now(),
        )
    async with services.database.sessions() as db:
        with pytest.raises(InvalidState):
            await opening.open_talk(services, db, talk)
    assert await opening.end_finished(services) == []


async def test_where_it_assigns_the_room_is_open_at_once(
    aiohttp_client: AiohttpClient, config: Config, clock: FakeClock
) -> None:
    given = replace(config, matching=Mode.ASSIGNED.value)
    client = await aiohttp_client(make_app(given, clock=clock, make_engine=FakeEngine))
    services = client.app[SERVICES]
    embun, ratna = await make(client), await verified(client)
    await ask(services, embun)
    await open_desk(services, ratna)
    await turn(client)
    async with services.database.sessions() as db:
        told_client = await news.client_news(services, db, client=embun.id)
    assert told_client.go is not None


async def test_the_quick_exit_holds_the_place(client: Client, services: Services) -> None:
    embun = await make(client)
    await log_in(client, embun)
    asked = await ask(services, embun)
    async with client.post("/exit") as answer:
        assert answer.status == 204
    async with services.database.sessions() as db:
        assert (await walkins.get(db, walkin=asked.id)).is_held
        assert (await news.client_news(services, db, client=embun.id)).state == "held"


async def test_who_asks_to_be_erased_is_out_of_the_line_and_of_a_talk(
    client: Client, services: Services
) -> None:
    embun, ratna = await make(client), await verified(client)
    await log_in(client, embun)
    await open_desk(services, ratna)
    talk = await accept(client, ratna, await ask(services, embun, triage=URGENT))
    await send(client, "/me/erase", {"sure": "y"})
    async with services.database.sessions() as db:
        assert (await talks.get(db, talk=talk.id)).ended_at == services.now()
        assert talk.session is not None
        session = await directory.find(db, session_id=talk.session)
        assert session is not None
        assert session.state is SessionState.ENDED
        assert (await people.get(db, user=embun.id)).is_leaving


async def test_of_who_is_leaving_not_even_the_name_is_offered(client: Client, services: Services) -> None:
    embun, ratna = await make(client), await verified(client)
    asked = await ask(services, embun)
    await open_desk(services, ratna)
    await turn(client)
    async with services.database.sessions.begin() as db:
        offer = await line.offer_to(db, counselor=ratna.id, now=services.now())
        assert news.offer_of(offer, [embun]) is not None
        await people.leave(db, user=asked.client, at=services.now())
        assert news.offer_of(offer, await people.find_all(db, users=[embun.id])) is None


async def rounds(client: Client) -> None:
    """Let the one task do a whole round's work at once."""
    now_s = asyncio.get_running_loop().time()
    for _ in range(ROUND):
        await client.app[LISTENERS].tick(now_s)


class Dead:
    """A socket whose other side is gone: it takes what is sent, and never answers."""

    async def ping(self) -> None:
        """Nobody answers."""

    async def send_str(self, _text: str) -> None:
        """Nobody reads."""

    async def close(self, *, code: int, drain: bool) -> None:  # noqa: ARG002  # as aiohttp has it
        await asyncio.Event().wait()


async def test_a_network_that_is_gone_keeps_nobody_waiting_for_news(client: Client) -> None:
    person, listeners = await make(client), client.app[LISTENERS]
    request = cast("Request", SimpleNamespace(app=client.app, transport=None))
    now_s = asyncio.get_running_loop().time
    for _ in range(4 * ROUND):
        socket = cast("WebSocketResponse", Dead())
        listeners.all[Listener(request, socket, person, "l_gone", now_s() - 2 * LOST_S)] = None
    began_s = now_s()
    await listeners.tick(began_s)
    assert now_s() - began_s < 2 * SEND_S, "not each of them in turn"
    listeners.all.clear()
