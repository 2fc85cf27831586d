"""A line that breaks under a risk flag: who is called, what the counselor may do, and what ends it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any, cast

import pytest
from sqlalchemy import event

from accounts import notices
from accounts.people import Person
from accounts.roles import Role
from core.ids import ParticipantId, SessionId, UserId
from counseling import drops, preparation, roster, talks, walkins
from counseling.drop_states import State
from counseling.drops import Drop
from counseling.entry import Medium
from counseling.preparation import Contact, OnDrop
from counseling.roster import DAYS, HOURS
from counseling.talks import Talk
from counseling.triage import Risk, Triage
from counseling.walkin_states import Alone
from signaling import directory, records
from signaling.presence import Dropped, Presence
from signaling.records import PlaceRecord
from tests.fakes import FakeClock
from tests.web.browsing import get
from tests.web.conftest import Client, FakeCalls
from tests.web.counselors import verified
from tests.web.people import log_in, log_out, make, send
from web import opening
from web.drops import DROPS, look, look_each_second, watch_closely
from web.services import SERVICES, Services

NUMBER = "0811 222 333"


@dataclass
class Meeting:
    """A client and a counselor in a talk, and the client's line."""

    client: Client
    clock: FakeClock
    embun: Person
    ratna: Person
    talk: Talk
    places: dict[UserId, ParticipantId]

    @property
    def services(self) -> Services:
        return self.client.app[SERVICES]

    @property
    def calls(self) -> FakeCalls:
        return cast("FakeCalls", self.services.calls)

    @property
    def room(self) -> str:
        return f"/counselor/room/{self.places[self.ratna.id]}"

    async def breaks(self, *, seconds: float = 8) -> None:
        """The client's line is gone for so long."""
        place = self.places[self.embun.id]
        assert self.talk.session is not None
        self.calls.gone = [Dropped(self.talk.session, place, "client", self.clock.now())]
        self.calls.stand[place] = Presence.GONE
        await self.looks()
        self.clock.advance(seconds)
        await self.looks()

    async def stands(self, presence: Presence) -> None:
        """The client's line is another one now."""
        self.calls.gone = []
        self.calls.stand[self.places[self.embun.id]] = presence
        await self.looks()

    async def looks(self) -> None:
        await look(self.services, self.client.app[DROPS])

    async def open(self) -> list[Drop]:
        async with self.services.database.sessions() as db:
            return await drops.all_open(db)

    async def ask(self, method: str, what: str, **body: Any) -> tuple[int, dict[str, Any]]:
        """What the room page asks as the counselor."""
        json = body if method == "POST" else None
        async with self.client.request(method, f"{self.room}/{what}", json=json) as answer:
            return answer.status, await answer.json()

    async def kinds(self, user: UserId) -> list[str]:
        async with self.services.database.sessions() as db:
            return [one.kind for one in await notices.inbox(db, user=user)]

    async def be(self, person: Person) -> None:
        await log_out(self.client)
        await log_in(self.client, person)


async def meeting(
    client: Client,
    clock: FakeClock,
    *,
    risk: Risk = Risk.WATCH,
    choice: OnDrop = OnDrop.NOTHING,
    alone: Alone = Alone.YES,
) -> Meeting:
    """Two people whose talk has begun."""
    services, embun = client.app[SERVICES], await make(client)
    ratna, now = await verified(client, "Ratna Puspita"), services.now()
    async with services.database.sessions.begin() as db:
        walkin = await walkins.ask(
            db,
            services.audit,
            client=embun,
            language="id",
            topic="study",
            medium=Medium.VOICE,
            alone=alone,
            triage=Triage(risk),
            now=now,
        )
        occasion = await preparation.occasion_of(db, client=embun.id)
        assert occasion is not None
        await preparation.keep_contact(
            db, services.audit, occasion=occasion, contact=Contact(number=NUMBER), now=now
        )
        await preparation.keep_on_drop(db, services.audit, occasion=occasion, on_drop=choice, now=now)
        talk = await talks.begin(
            db,
            services.audit,
            walkin=walkin.id,
            client=embun.id,
            counselor=ratna.id,
            medium=Medium.VOICE,
            reasons=(),
            now=now,
        )
        session = await opening.open_talk(services, db, talk)
        talk = await talks.get(db, talk=talk.id)
    places = {place.user: place.id for place in session.participants if place.user is not None}
    await log_in(client, ratna)
    return Meeting(client, clock, embun, ratna, talk, places)


async def test_a_break_under_a_risk_flag_calls_the_counselor_at_the_desk_and_in_the_room(
    client: Client, clock: FakeClock
) -> None:
    met = await meeting(client, clock, choice=OnDrop.WRITE)
    await met.breaks(seconds=7)
    assert await met.open() == [], "most breaks mend sooner"
    clock.advance(1)
    await met.looks()
    (drop,) = await met.open()
    assert drop.state is State.CALLING
    desk = (await get(client, "/counselor/desk")).text
    assert met.embun.name in desk
    assert 'data-drop="calling"' in desk
    assert 'data-drops="1"' in desk
    status, care = await met.ask("GET", "care")
    assert (status, care["risk"], care["does"]) == (200, True, "write")
    assert care["drop"]["calling"] is True
    assert care["drop"]["kept_until_ms"] - care["drop"]["broke_ms"] == 600_000
    assert await met.kinds(met.ratna.id) == ["line_dropped"]
    async with client.ws_connect("/api/v1/alarms") as socket:
        assert await socket.receive_json() == {"alarms": 0, "drops": 1, "own": 0}
        assert (await met.ask("POST", "seen"))[1]["drop"]["calling"] is False
        assert await socket.receive_json() == {"alarms": 0, "drops": 0, "own": 0}
    clock.advance(600)
    await met.looks()
    assert len(await met.open()) == 1, "it stands at the desk until it is over"


async def test_without_a_risk_flag_nothing_calls_until_the_counselor_raises_one(
    client: Client, clock: FakeClock
) -> None:
    met = await meeting(client, clock, risk=Risk.NONE)
    await met.breaks(seconds=30)
    assert await met.open() == []
    status, care = await met.ask("POST", "risk", stands=True)
    assert (status, care["risk"]) == (200, True)
    assert len(await met.open()) == 1
    await met.stands(Presence.THERE)
    assert (await met.ask("POST", "risk", stands=False))[1]["risk"] is False
    await met.breaks()
    assert await met.open() == []


async def test_the_line_of_a_client_is_watched_closely_while_a_flag_stands_and_they_talk(
    client: Client, clock: FakeClock
) -> None:
    met = await meeting(client, clock, risk=Risk.NONE)
    await watch_closely(met.services)
    assert met.calls.closely == frozenset()
    await met.ask("POST", "risk", stands=True)
    assert met.calls.closely == {met.embun.id}, "at once"
    await met.ask("POST", "risk", stands=False)
    assert met.calls.closely == frozenset()


async def test_what_the_triage_found_watches_a_line_until_the_counselor_says_otherwise(
    client: Client, clock: FakeClock
) -> None:
    met = await meeting(client, clock, risk=Risk.WATCH)
    await watch_closely(met.services)
    assert met.calls.closely == {met.embun.id}
    async with met.services.database.sessions.begin() as db:
        await talks.end(db, met.services.audit, talk=met.talk.id, now=clock.now())
    await watch_closely(met.services)
    assert met.calls.closely == frozenset(), "a talk that is over has no line"


async def test_coming_back_ends_it_and_the_next_break_calls_again(client: Client, clock: FakeClock) -> None:
    met = await meeting(client, clock)
    await met.breaks()
    await met.stands(Presence.THERE)
    assert await met.open() == []
    await met.breaks()
    assert len(await met.open()) == 1


async def test_a_restart_of_the_server_forgets_no_alarm(client: Client, clock: FakeClock) -> None:
    met = await meeting(client, clock)
    await met.breaks()
    client.app[DROPS].now = None
    met.calls.gone, met.calls.stand = [], {}
    await met.looks()
    assert client.app[DROPS].count(met.ratna) == 1


async def test_the_number_is_shown_to_who_was_asked_to_call_and_the_session_goes_on_by_telephone(
    client: Client, clock: FakeClock
) -> None:
    met = await meeting(client, clock, choice=OnDrop.CALL)
    await met.breaks()
    assert NUMBER not in (await get(client, "/counselor/desk")).text
    assert await met.ask("POST", "call") == (200, {"number": NUMBER})
    (drop,) = await met.open()
    assert (drop.state, drop.phoned_at) == (State.SEEN, clock.now())
    assert met.calls.phoning == [met.places[met.ratna.id]]
    async with met.services.database.sessions() as db:
        own = [entry.tag for entry in await met.services.audit.own(db, person=met.embun.id)]
        session = await directory.find(db, session_id=met.talk.session or "")  # type: ignore[arg-type]  # it has one
        assert (await talks.get(db, talk=met.talk.id)).ended_at is None
    assert "grant:give" in own
    assert session is not None


async def test_the_number_stays_closed_while_the_client_is_here(client: Client, clock: FakeClock) -> None:
    met = await meeting(client, clock, choice=OnDrop.CALL)
    met.calls.stand[met.places[met.embun.id]] = Presence.THERE
    status, problem = await met.ask("POST", "call")
    assert (status, problem["type"]) == (409, "urn:teduh:error:invalid_state")
    assert met.calls.phoning == []


@pytest.mark.parametrize(
    ("choice", "alone", "does"),
    [
        (OnDrop.WRITE, Alone.YES, "write"),
        (OnDrop.NOTHING, Alone.YES, "nothing"),
        (OnDrop.CALL, Alone.UNSURE, "write"),
    ],
)
async def test_nobody_is_called_who_did_not_ask_for_it_or_is_not_alone(
    client: Client, clock: FakeClock, choice: OnDrop, alone: Alone, does: str
) -> None:
    met = await meeting(client, clock, choice=choice, alone=alone)
    await met.breaks()
    assert (await met.ask("GET", "care"))[1]["does"] == does
    assert (await met.ask("POST", "call"))[0] == 404
    status, text = await send(client, f"/contact/{met.talk.id}/call", {}, page="/counselor/desk")
    assert (status, NUMBER in text) == (404, False)


async def test_a_quick_exit_ends_the_alarm_and_forbids_the_call(client: Client, clock: FakeClock) -> None:
    met = await meeting(client, clock, choice=OnDrop.CALL)
    await met.breaks()
    assert len(await met.open()) == 1
    await met.be(met.embun)
    async with client.post("/exit") as answer:
        assert answer.status == 204
    assert await met.open() == []
    await met.be(met.ratna)
    assert (await met.ask("POST", "call"))[0] == 404
    assert 'data-drop="' not in (await get(client, "/counselor/desk")).text


async def test_a_quick_exit_while_nobody_holds_the_session_is_found_when_it_wakes(
    client: Client, clock: FakeClock
) -> None:
    met = await meeting(client, clock)
    await met.be(met.embun)
    async with client.post("/exit") as answer:
        assert answer.status == 204
    async with met.services.database.sessions() as db:
        session = await directory.place_of(db, participant_id=met.places[met.embun.id])
    assert session is not None
    assert {one.role.value: one.state for one in session.participants}["client"] == "left"


async def test_who_left_quickly_from_the_room_is_not_called_for(client: Client, clock: FakeClock) -> None:
    met = await meeting(client, clock)
    await met.breaks()
    await met.stands(Presence.QUICK)
    assert await met.open() == []
    clock.advance(600)
    await met.looks()
    assert await met.open() == []


async def on_duty(met: Meeting) -> Person:
    """Somebody who is on duty at all hours."""
    sari = await make(met.client, Role.SUPERVISOR, name="Sari")
    dewi = await make(met.client, Role.ADMIN, name="Dewi")
    async with met.services.database.sessions.begin() as db:
        await roster.set_hours(
            db,
            met.services.audit,
            slots=list(product(DAYS, HOURS)),
            person=sari,
            deputy=None,
            actor=dewi,
            now=met.clock.now(),
        )
    return sari


async def test_who_is_on_duty_is_called_when_the_counselor_does_not_see_it(
    client: Client, clock: FakeClock
) -> None:
    met = await meeting(client, clock)
    sari = await on_duty(met)
    await met.breaks()
    clock.advance(51)
    await met.looks()
    assert "line_dropped" not in await met.kinds(sari.id)
    clock.advance(1)
    await met.looks()
    assert "line_dropped" in await met.kinds(sari.id)
    (drop,) = await met.open()
    await met.be(sari)
    shown = (await get(client, "/duty")).text
    assert met.embun.name in shown
    assert "/counselor/messages/to/" not in shown
    assert (await send(client, f"/drops/{drop.id}/see", {}, page="/duty"))[0] == 303
    assert (await met.open())[0].state is State.SEEN
    assert (await send(client, f"/drops/{drop.id}/close", {}, page="/duty"))[0] == 303
    assert await met.open() == []


async def test_others_have_nothing_to_do_with_it(client: Client, clock: FakeClock) -> None:
    met = await meeting(client, clock)
    await met.breaks()
    (drop,) = await met.open()
    tia = await verified(client, "Tia Lestari")
    await met.be(tia)
    for method, what in (("GET", "care"), ("POST", "risk"), ("POST", "seen"), ("POST", "call")):
        assert (await met.ask(method, what, **({"stands": False} if what == "risk" else {})))[0] == 404
    assert (await send(client, f"/drops/{drop.id}/close", {}, page="/counselor/desk"))[0] == 403
    assert 'data-drop="' not in (await get(client, "/counselor/desk")).text
    assert len(await met.open()) == 1


async def test_who_is_away_without_a_flag_was_asked_for_each_second(client: Client, clock: FakeClock) -> None:
    met = await meeting(client, clock, risk=Risk.NONE)
    await met.breaks()
    asked: list[str] = []
    event.listen(
        met.services.database.engine.sync_engine,
        "before_cursor_execute",
        lambda *given: asked.append(str(given[2])),
    )
    for _ in range(20):
        clock.advance(1)
        await look_each_second(met.services, client.app[DROPS])
    assert asked == []
    clock.advance(20)
    await look_each_second(met.services, client.app[DROPS])
    assert asked, "what was said elsewhere is found too"


async def test_one_talk_that_cannot_be_read_stopped_all_alarms(
    client: Client, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    met = await meeting(client, clock)
    place = met.places[met.embun.id]
    unreadable = cast("SessionId", {})
    met.calls.gone = [
        Dropped(unreadable, ParticipantId("p_x"), "client", None),
        Dropped(cast("SessionId", met.talk.session), place, "client", None),
    ]
    met.calls.stand[place] = Presence.GONE
    await met.looks()
    clock.advance(8)
    await met.looks()
    assert [drop.talk for drop in await met.open()] == [met.talk.id]
    assert "drop.not_looked_at" in caplog.messages


async def test_a_clock_that_was_put_back_delayed_the_alarm(client: Client, clock: FakeClock) -> None:
    met = await meeting(client, clock)
    await met.breaks()
    await met.stands(Presence.THERE)
    clock.put_back(3_600)
    await met.breaks(seconds=7)
    clock.put_back(3_600)
    clock.advance(1)
    await met.looks()
    assert len(await met.open()) == 1


async def test_who_is_on_duty_was_not_called_after_the_clock_was_put_back(
    client: Client, clock: FakeClock
) -> None:
    met = await meeting(client, clock)
    sari = await on_duty(met)
    await met.breaks()
    clock.put_back(3_600)
    clock.advance(52)
    await met.looks()
    assert "line_dropped" in await met.kinds(sari.id)


async def test_who_flickered_back_and_was_gone_again_was_taken_as_looked_after(
    client: Client, clock: FakeClock
) -> None:
    met = await meeting(client, clock)
    await met.breaks()
    # There for the moment in which the look asks again, and in the list of those who are gone all the time.
    met.calls.stand[met.places[met.embun.id]] = Presence.THERE
    await met.looks()
    assert await met.open() == []
    met.calls.stand[met.places[met.embun.id]] = Presence.GONE
    for _ in range(10):
        clock.advance(1)
        await met.looks()
    assert len(await met.open()) == 1


async def test_who_was_looked_after_is_not_called_for_again_in_this_break(
    client: Client, clock: FakeClock
) -> None:
    met = await meeting(client, clock)
    await met.breaks()
    (drop,) = await met.open()
    assert (await send(client, f"/drops/{drop.id}/close", {}, page="/counselor/desk"))[0] == 303
    clock.advance(600)
    await met.looks()
    assert await met.open() == []


@pytest.mark.parametrize("presence", [Presence.THERE, Presence.QUICK])
async def test_who_came_back_or_left_quickly_while_it_was_looked_up_was_called_for(
    client: Client, clock: FakeClock, presence: Presence
) -> None:
    met = await meeting(client, clock)
    await met.breaks(seconds=7)
    clock.advance(1)
    met.calls.stand[met.places[met.embun.id]] = presence
    await met.looks()
    assert await met.open() == []
    assert await met.kinds(met.ratna.id) == []


@pytest.mark.parametrize(("state", "calls"), [("connected", 1), ("left", 0)])
async def test_nobody_was_called_when_neither_came_back_after_a_restart(
    client: Client, clock: FakeClock, state: str, calls: int
) -> None:
    met = await meeting(client, clock)
    async with met.services.database.sessions.begin() as db:
        await records.write(db, [PlaceRecord(met.places[met.embun.id], state, clock.now())])
    client.app[DROPS].now = None
    await met.looks()
    clock.advance(7)
    await met.looks()
    assert await met.open() == []
    clock.advance(1)
    await met.looks()
    assert len(await met.open()) == calls
    await met.stands(Presence.THERE)
    assert await met.open() == []
