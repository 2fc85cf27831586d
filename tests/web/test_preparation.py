"""Preparing without script: what is kept, what is not asked of whom; and the turns of a probe."""

from __future__ import annotations

import asyncio

import pytest

from accounts import consents
from accounts.people import Person
from accounts.texts import Kind
from core.ids import UserId
from counseling import preparation, walkins
from counseling.entry import Medium
from counseling.preparation import Contact, OnDrop
from counseling.triage import Answers, triage
from counseling.walkin_states import Alone, Ended
from tests.fakes import FakeClock
from tests.web.browsing import get
from tests.web.conftest import Client, FakeMedia
from tests.web.people import log_in, log_out, make, send
from web.pages.preparation import forget
from web.probing import LASTS_S, MOST, PROBER, Prober
from web.services import SERVICES

CONTACT = {
    "place": "Kos Melati,  Sleman",
    "person": "Ibu",
    "person_number": "0812 3456 789",
    "number": "0811 222 333",
}


async def waiting(
    client: Client, *, alone: Alone = Alone.YES, adult: bool = True, danger: bool = False, name: str = "Embun"
) -> tuple[Person, str]:
    """A client who is logged in and waits."""
    me = await make(client, name=name, adult=adult)
    await log_out(client)
    await log_in(client, me)
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        made = await walkins.ask(
            db,
            services.audit,
            client=me,
            language="id",
            topic="family",
            medium=Medium.VIDEO,
            alone=alone,
            triage=triage(Answers(danger=danger)),
            now=services.now(),
        )
    return me, made.id


async def kept(client: Client, me: Person) -> tuple[Contact, OnDrop, bool | None] | None:
    services = client.app[SERVICES]
    async with services.database.sessions() as db:
        occasion = await preparation.occasion_of(db, client=me.id)
        assert occasion is not None
        found = await preparation.find(db, occasion=occasion)
        if found is None:
            return None
        return await preparation.own(db, services.audit, occasion=occasion), found.on_drop, found.recording


async def test_each_part_is_kept_by_itself_and_shown_again(client: Client) -> None:
    me, _ = await waiting(client)
    assert await kept(client, me) is None, "looking keeps nothing"
    page = "/talk/ready"
    assert await send(client, f"{page}/contact", CONTACT, page=page) == (
        303,
        "/talk/ready?done=ready_kept#part-contact",
    )
    assert (await send(client, f"{page}/drop", {"on_drop": "call"}, page=page))[0] == 303
    assert (await send(client, f"{page}/recording", {"recording": "no"}, page=page))[0] == 303
    told = Contact("Kos Melati, Sleman", "Ibu", "0812 3456 789", "0811 222 333")
    assert await kept(client, me) == (told, OnDrop.CALL, False)
    for said, answer in (("yes", True), ("later", None)):
        fields = {"recording": said, "version": "1", "locale": "id"}
        assert (await send(client, f"{page}/recording", fields, page=page))[0] == 303
        assert await kept(client, me) == (told, OnDrop.CALL, answer)
    shown = (await get(client, page)).text
    assert "Kos Melati, Sleman" in shown
    assert 'checked id="on_drop-0"' in shown


async def test_a_yes_to_another_text_than_holds_now_keeps_nothing(client: Client) -> None:
    me, _ = await waiting(client)
    page = "/talk/ready"
    fields = {"recording": "yes", "version": "7", "locale": "id"}
    status, text = await send(client, f"{page}/recording", fields, page=page)
    assert status == 422
    assert 'id="recording-wrong"' in text
    assert await kept(client, me) is None
    async with client.app[SERVICES].database.sessions() as db:
        assert not await consents.has(db, user=me.id, kind=Kind.RECORDING)


async def test_what_does_not_fit_is_said_at_its_field(client: Client) -> None:
    me, _ = await waiting(client)
    page = "/talk/ready"
    status, text = await send(client, f"{page}/contact", CONTACT | {"number": "ibu"}, page=page)
    assert status == 422
    assert 'id="number-wrong"' in text
    status, text = await send(client, f"{page}/drop", {"on_drop": "call"}, page=page)
    assert status == 422, "there is no number to call"
    assert 'id="on_drop-wrong"' in text
    assert await kept(client, me) is None


@pytest.mark.parametrize(
    ("alone", "adult", "danger"),
    [
        (Alone.NO, True, False),
        (Alone.UNSURE, True, False),
        (Alone.YES, False, False),
        (Alone.YES, True, True),
    ],
)
async def test_recording_is_not_asked_of_who_should_not_be(
    client: Client, *, alone: Alone, adult: bool, danger: bool
) -> None:
    me, _ = await waiting(client, alone=alone, adult=adult, danger=danger)
    page = "/talk/ready"
    assert "/talk/ready/recording" not in (await get(client, page)).text
    status, to = await send(client, f"{page}/recording", {"recording": "yes"}, page=page)
    assert (status, to) == (303, page)
    assert await kept(client, me) is None


async def test_there_is_nothing_to_prepare_for_without_a_talk_to_come(client: Client) -> None:
    await log_in(client, await make(client))
    for path in ("/talk/ready", "/talk/ready/devices"):
        page = await get(client, path)
        assert page.status == 200
        assert '<form method="post" action="/talk/ready' not in page.text


async def test_what_was_prepared_goes_with_the_walk_in(client: Client, clock: FakeClock) -> None:
    me, walkin = await waiting(client)
    page = "/talk/ready"
    assert (await send(client, f"{page}/contact", CONTACT, page=page))[0] == 303
    services = client.app[SERVICES]
    await forget(services)
    assert await kept(client, me) is not None
    async with services.database.sessions.begin() as db:
        await walkins.leave(db, services.audit, walkin=walkin, why=Ended.LEFT, now=clock.now())
    await forget(services)
    async with services.database.sessions() as db:
        assert await preparation.of_walkin(db, walkin=walkin) is None


def asked(client: Client) -> list[tuple[str, ...]]:
    media = client.app[SERVICES].media
    assert isinstance(media, FakeMedia)
    return media.asked


async def post(client: Client, path: str, body: object = None) -> tuple[int, dict[str, str]]:
    async with client.post(path, json={} if body is None else body) as answer:
        return answer.status, await answer.json() if answer.content_type == "application/json" else {}


async def test_a_probe_gives_back_what_is_sent(client: Client) -> None:
    await waiting(client)
    status, begun = await post(client, "/talk/ready/probe")
    assert status == 200
    number = begun["probe"]
    out, back = f"probe_{number}_out", f"probe_{number}_back"
    assert begun["offer"] == f"offer for {out}"
    status, second = await post(client, f"/talk/ready/probe/{number}/out", {"sdp": "v=0"})
    assert (status, second["offer"]) == (200, f"offer for {back}")
    assert (await post(client, f"/talk/ready/probe/{number}/back", {"sdp": "v=0"}))[0] == 204
    assert asked(client)[-3:] == [("pair", out, back), ("forward", out, "11"), ("forward", back, "00")]
    assert (await post(client, "/talk/ready/probe/end"))[0] == 204
    assert asked(client)[-2:] == [("close", out), ("close", back)]
    assert (await post(client, f"/talk/ready/probe/{number}/out", {"sdp": "v=0"}))[0] == 404


async def test_a_probe_is_ones_own_and_what_is_no_description_is_refused(client: Client) -> None:
    await waiting(client)
    _, begun = await post(client, "/talk/ready/probe")
    path = f"/talk/ready/probe/{begun['probe']}/out"
    assert (await post(client, path, {"sdp": ""}))[0] == 422
    assert (await post(client, path, {"what": 1}))[0] == 422
    await waiting(client, name="Awan")
    assert (await post(client, path, {"sdp": "v=0"}))[0] == 404


async def test_one_probe_for_each_person_and_few_at_once(client: Client) -> None:
    prober = client.app[PROBER]
    await waiting(client)
    first = (await post(client, "/talk/ready/probe"))[1]["probe"]
    await post(client, "/talk/ready/probe")
    assert ("close", f"probe_{first}_out") in asked(client)
    assert (await post(client, "/talk/ready/probe"))[0] == 200
    assert (await post(client, "/talk/ready/probe"))[0] == 429, "not again and again"
    for number in range(MOST - 1):
        prober.begin(UserId(f"u_other{number}"), 0.0)
    await waiting(client, name="Awan")
    assert (await post(client, "/talk/ready/probe"))[0] == 429


async def test_a_probe_that_nobody_ends_ends_by_itself(client: Client) -> None:
    media, me = FakeMedia(), await make(client)
    prober = Prober(media)
    probe, _ = prober.begin(me.id, 0.0)
    assert 0 < probe.timer.when() - asyncio.get_running_loop().time() <= LASTS_S
    for _ in range(2):
        prober.close()
    assert media.asked[-2:] == [("close", probe.out), ("close", probe.back)]
    assert probe.timer.cancelled()


async def test_a_probe_is_for_who_prepares_for_something(client: Client) -> None:
    await log_in(client, await make(client))
    assert (await post(client, "/talk/ready/probe"))[0] == 404
