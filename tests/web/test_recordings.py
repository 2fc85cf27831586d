"""`/me/recordings` and the ways out of a recording: the page, the consent as a whole, and HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete

from accounts import notices
from accounts.people import Person
from accounts.roles import Role
from core.errors import NotFound, Unauthenticated
from core.ids import ParticipantId, SessionId, new_id
from media.codecs import Mode
from recordings import ending, receipts, records, withdrawals
from recordings.consent_steps import Terms, Why
from recordings.records import OBJECTION, Seat
from recordings.states import Side, State
from recordings.tables import RecordingRow
from recordings.withdrawals import Own
from signaling import directory
from signaling.directory import NewParticipant, Recording
from signaling.tables import SessionRow
from tests.recordings.staged import make_recording
from tests.web.browsing import get
from tests.web.conftest import Client, FakeCalls, Program, new_program
from tests.web.people import log_in, log_out, make, send
from web.commands.consent import look_at
from web.services import SERVICES

PAGE = "/me/recordings"
TERMS = Terms(1, "id", "0" * 64)


@dataclass(frozen=True)
class Recorded:
    """A stored recording of a session, agreed to by both."""

    id: str
    session: SessionId
    client: Person
    counselor: Person


async def recorded(client: Client, *, state: State = State.STORED) -> Recorded:
    services = client.app[SERVICES]
    me, ratna = await make(client), await make(client, Role.COUNSELOR, name="ratna")
    async with services.database.sessions.begin() as db:
        made = await directory.create(
            db,
            mode=Mode.VIDEO,
            recording=Recording.ASK,
            participants=[
                NewParticipant(directory.Role.CLIENT, "Embun", me.id),
                NewParticipant(directory.Role.COUNSELOR, "Ratna", ratna.id),
            ],
            owner=None,
            starts_at=None,
            max_minutes=None,
            now=services.now(),
        )
        session = made.session.id
        first, second = (one.id for one in made.session.participants)
        number = await make_recording(
            db,
            client=me,
            counselor=ratna,
            now=services.now(),
            session=session,
            places=(first, second),
            state=state,
        )
        for side, place, user in ((Side.CLIENT, first, me.id), (Side.COUNSELOR, second, ratna.id)):
            await records.agree(
                db,
                services.audit,
                seat=Seat(session, place, side, user),
                granted=True,
                terms=TERMS,
                why=Why.ASKS,
                now=services.now() - timedelta(days=4),
            )
    return Recorded(number, session, me, ratna)


async def stands(client: Client, of: Recorded, person: Person) -> Own:
    async with client.app[SERVICES].database.sessions() as db:
        return await withdrawals.own(db, recording=of.id, user=person.id)


async def test_both_see_what_there_is_and_nobody_else(client: Client) -> None:
    found = await recorded(client)
    for person in (found.client, found.counselor):
        await log_in(client, person)
        assert f"{PAGE}/{found.id}" in (await get(client, PAGE)).text
        page = await get(client, f"{PAGE}/{found.id}")
        assert (page.status, "Nobody has opened" in page.text or "Belum ada" in page.text) == (200, True)
        await log_out(client)
    for role in (Role.CLIENT, Role.COUNSELOR):
        await log_in(client, await make(client, role, name="bima"))
        assert found.id not in (await get(client, PAGE)).text
        assert (await get(client, f"{PAGE}/{found.id}")).status == 404
        await log_out(client)


async def test_a_client_has_it_deleted(client: Client) -> None:
    found = await recorded(client)
    await log_in(client, found.client)
    status, to = await send(client, f"{PAGE}/{found.id}/withdraw", {}, page=f"{PAGE}/{found.id}")
    assert (status, to) == (303, f"{PAGE}/{found.id}?done=recording_withdrawn_client")
    own = await stands(client, found, found.client)
    assert (own.state, own.may_withdraw) == (State.DESTROYING, False)
    async with client.app[SERVICES].database.sessions() as db:
        proof = await ending.proof_of(db, recording=found.id)
        rows = await receipts.of_person(db, user=found.client.id, session=found.session)
    assert proof is not None
    assert proof.why == "withdrawn"
    assert [row.given for row in rows] == [True, False]
    assert "/withdraw" not in (await get(client, f"{PAGE}/{found.id}")).text


async def test_a_counselor_closes_it_and_the_client_may_keep_it_for_a_complaint(client: Client) -> None:
    found = await recorded(client)
    services = client.app[SERVICES]
    await log_in(client, found.counselor)
    await send(client, f"{PAGE}/{found.id}/withdraw", {}, page=f"{PAGE}/{found.id}")
    own = await stands(client, found, found.counselor)
    assert (own.state, own.closed_at, own.may_withdraw) == (State.STORED, services.now(), False)
    assert own.expires_at == services.now() + OBJECTION
    await log_out(client)
    await log_in(client, found.client)
    async with services.database.sessions() as db:
        assert [one.kind for one in await notices.inbox(db, user=found.client.id)] == ["recording_closed"]
    assert f'href="{PAGE}"' in (await get(client, "/me/notices")).text
    status, _ = await send(client, f"{PAGE}/{found.id}/hold", {}, page=f"{PAGE}/{found.id}")
    assert status == 303
    held = await stands(client, found, found.client)
    assert (held.held_at, held.may_hold, held.may_withdraw) == (services.now(), False, True)


async def test_who_agreed_where_nothing_was_recorded_has_their_receipts_too(client: Client) -> None:
    found = await recorded(client)
    services = client.app[SERVICES]
    place, other = (ParticipantId(new_id("p")) for _ in range(2))
    session = SessionId(new_id("s"))
    async with services.database.sessions.begin() as db:
        for side, where, user, granted in (
            (Side.COUNSELOR, other, found.counselor.id, True),
            (Side.CLIENT, place, found.client.id, True),
            (Side.CLIENT, place, found.client.id, False),
        ):
            await records.agree(
                db,
                services.audit,
                seat=Seat(session, where, side, user),
                granted=granted,
                terms=TERMS,
                why=Why.ASKS if granted else Why.LEFT,
                now=services.now(),
            )
        given, back = await receipts.of_place(db, session=session, participant=place)
        [theirs] = await receipts.of_place(db, session=session, participant=other)
        [of_recorded] = await receipts.of_person(db, user=found.client.id, session=found.session)
    await log_in(client, found.client)
    page = (await get(client, PAGE)).text
    assert page.index(f"{PAGE}/receipts/{back.id}") < page.index(f"{PAGE}/receipts/{given.id}")
    assert theirs.id not in page
    assert of_recorded.id not in page, "it stands with its recording"
    signed = await get(client, f"{PAGE}/receipts/{given.id}/file")
    assert services.receipts.read(signed.text).user == found.client.id
    assert (await get(client, f"{PAGE}/receipts/{theirs.id}")).status == 404
    async with services.database.sessions.begin() as db:
        await db.execute(delete(SessionRow).where(SessionRow.id == found.session))
    assert f"{PAGE}/receipts/{of_recorded.id}" in (await get(client, PAGE)).text, "its session is gone"
    await log_out(client)
    await log_in(client, await make(client, name="bima"))
    assert f"{PAGE}/receipts" not in (await get(client, PAGE)).text


async def test_a_receipt_is_signed_and_shown_to_its_person_alone(client: Client) -> None:
    found = await recorded(client)
    services = client.app[SERVICES]
    async with services.database.sessions() as db:
        (row,) = await receipts.of_person(db, user=found.client.id, session=found.session)
        findings = await look_at(
            db, services.receipts, services.receipts.make(row), key=services.receipts.public_key
        )
    assert [one.fits for one in findings] == [True, True, False], "the text of this test was never published"
    await log_in(client, found.client)
    assert row.id in (await get(client, f"{PAGE}/receipts/{row.id}")).text
    async with client.get(f"{PAGE}/receipts/{row.id}/file") as answer:
        receipt = services.receipts.read(await answer.text())
    assert receipt.tells_of(row)
    await log_out(client)
    await log_in(client, found.counselor)
    assert (await get(client, f"{PAGE}/receipts/{row.id}")).status == 404
    assert (await get(client, f"{PAGE}/receipts/{new_id('c')}")).status == 404


async def test_withdrawing_the_consent_as_a_whole_destroys_all_there_is(client: Client) -> None:
    found = await recorded(client)
    await log_in(client, found.client)
    page = "/me/consents"
    given = {"version": "1", "locale": "id"}
    assert (await send(client, f"{page}/recording/give", given, page=page))[0] == 303
    assert (await send(client, f"{page}/recording/withdraw", {}, page=page))[0] == 303
    calls = client.app[SERVICES].calls
    assert isinstance(calls, FakeCalls)
    assert calls.stopped_of == calls.rechecked == [found.client.id], "also where it was only agreed to"
    assert (await stands(client, found, found.client)).state is State.DESTROYING


async def test_what_still_records_is_stopped_first(client: Client) -> None:
    found = await recorded(client, state=State.RECORDING)
    calls = client.app[SERVICES].calls
    assert isinstance(calls, FakeCalls)
    await log_in(client, found.client)
    status, _ = await send(client, f"{PAGE}/{found.id}/withdraw", {}, page=f"{PAGE}/{found.id}")
    assert status == 409, "it could not be stopped here"
    async with client.app[SERVICES].database.sessions() as db:
        place = await withdrawals.place_of(db, recording=found.id, user=found.client.id)
    assert calls.stopped == [place]


async def test_a_program_withdraws_for_a_place_by_http(client: Client, program: Program) -> None:
    made = await program.create(recording="ask")
    services = client.app[SERVICES]
    places = {one["role"]: one for one in made["participants"]}
    both = (ParticipantId(places["client"]["id"]), ParticipantId(places["counselor"]["id"]))
    async with services.database.sessions.begin() as db:
        number = await make_recording(
            db, client=None, counselor=None, now=services.now(), session=made["id"], places=both
        )

    async def say(**body: object) -> int:
        wanted = {"subject": "recording", "granted": False, "participant": both[0]} | body
        async with client.post("/api/v1/place/consent", json=wanted) as answer:
            return answer.status

    assert await say() == 401, "nobody's place"
    assert await say(token=places["counselor"]["token"]) == 401, "another place's token"
    assert await say(token=places["client"]["token"], granted=True) == 422
    late = services.tokens.issue_place(
        participant=both[0],
        session=SessionId(made["id"]),
        role="client",
        now=services.now() - timedelta(days=31),
        expires=services.now() - timedelta(days=30),
    )
    with pytest.raises(Unauthenticated):
        services.tokens.read_place(late, now=services.now())
    assert await say(token=late) == 204, "for as long as there is a recording"
    assert await say(token=places["client"]["token"]) == 204
    async with services.database.sessions() as db:
        newest = await withdrawals.latest(db, session=made["id"])
    assert newest == (number, State.DESTROYING)
    assert (await program.ask("GET", f"/api/v1/sessions/{made['id']}"))[1]["recording"] == {
        "state": "destroying",
        "id": number,
    }


@pytest.mark.parametrize(
    ("role", "state", "closed"), [("client", State.DESTROYING, False), ("counselor", State.STORED, True)]
)
async def test_a_program_withdraws_for_whoever_says_so_to_it(
    client: Client, program: Program, role: str, state: State, closed: bool
) -> None:
    made = await program.create(recording="ask")
    services = client.app[SERVICES]
    places = {one["role"]: one for one in made["participants"]}
    both = (ParticipantId(places["client"]["id"]), ParticipantId(places["counselor"]["id"]))
    path = f"/api/v1/sessions/{made['id']}/recording/withdraw"
    assert await program.ask("POST", path, {"role": role}) == (204, None), "there is nothing"
    async with services.database.sessions.begin() as db:
        number = await make_recording(
            db, client=None, counselor=None, now=services.now(), session=made["id"], places=both
        )
    program.clock.advance(30 * 86_400)
    assert (await program.ask("POST", path, {"role": "supervisor"}))[0] == 422
    stranger = await new_program(client, program.clock)
    assert (await stranger.ask("POST", path, {"role": role}))[0] == 404
    assert await program.ask("POST", path, {"role": role}) == (204, None), "long after the places are closed"
    calls = services.calls
    assert isinstance(calls, FakeCalls)
    assert calls.stopped[-1] == both[0 if role == "client" else 1], "what still records is stopped first"
    async with services.database.sessions() as db:
        row = await db.get_one(RecordingRow, number)
    assert (row.state, row.closed_at is not None) == (state, closed)


async def test_who_has_no_login_gets_their_receipts_signed(client: Client, program: Program) -> None:
    made = await program.create(recording="ask")
    services = client.app[SERVICES]
    places = {one["role"]: one for one in made["participants"]}
    path = f"/api/v1/sessions/{made['id']}/recording/receipts"
    assert await program.ask("GET", path) == (200, {"client": [], "counselor": []})
    own = f"/api/v1/place/{places['client']['id']}/receipts"
    await client.post("/api/v1/place", json={"code": places["client"]["join_url"].partition("#")[2]})
    assert (await get(client, own)).status == 404, "nothing was agreed to"
    seats = {
        side: Seat(SessionId(made["id"]), ParticipantId(places[side.value]["id"]), side, None)
        for side in Side
    }
    async with services.database.sessions.begin() as db:
        for side, granted in ((Side.CLIENT, True), (Side.COUNSELOR, True), (Side.CLIENT, False)):
            await records.agree(
                db,
                services.audit,
                seat=seats[side],
                granted=granted,
                terms=TERMS,
                why=Why.ASKS,
                now=services.now(),
            )
    place = await ticket(client, places["client"]["id"])
    assert (place["login"], place["agreed"], place["recorded"]) == (False, True, False)
    page = await get(client, own)
    said = [services.receipts.read(one) for one in page.text.split("\n\n")]
    assert [(one.user, one.given) for one in said] == [
        (places["client"]["id"], True),
        (places["client"]["id"], False),
    ]
    assert (await get(client, f"/api/v1/place/{places['counselor']['id']}/receipts")).status == 401
    status, given = await program.ask("GET", path)
    assert (status, given["client"]) == (200, page.text.rstrip("\n").split("\n\n"))
    (other,) = given["counselor"]
    assert services.receipts.read(other).user == places["counselor"]["id"]
    assert (await (await new_program(client, program.clock)).ask("GET", path))[0] == 404


async def test_the_room_of_who_has_a_login_leads_to_what_was_recorded(client: Client) -> None:
    found = await recorded(client)
    async with client.app[SERVICES].database.sessions() as db:
        place = await withdrawals.place_of(db, recording=found.id, user=found.client.id)
    await log_in(client, found.client)
    told = await ticket(client, place)
    assert (told["login"], told["agreed"], told["recorded"]) == (True, True, True)


async def ticket(client: Client, place: str) -> dict[str, Any]:
    """What the room page of a place is told."""
    async with client.post(f"/api/v1/place/{place}/ticket") as answer:
        told: dict[str, Any] = await answer.json()
    assert answer.status == 200
    return told


async def test_a_stranger_withdraws_nothing(client: Client) -> None:
    found = await recorded(client)
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        with pytest.raises(NotFound):
            await withdrawals.withdraw_one(
                db,
                services.audit,
                recording=found.id,
                user=(await make(client, name="Bayu")).id,
                now=services.now(),
            )
