"""Messages without script: a stranger leaves one, a counselor takes it, and both go on."""

from __future__ import annotations

import re

from sqlalchemy import insert

from accounts import notices, people
from accounts.people import Person
from accounts.roles import Role
from core.ids import UserId, new_id
from counseling import exclusions, register, thread_lists, thread_reading, walkins
from counseling.entry import Medium
from counseling.hours import Span
from counseling.triage import Answers, triage
from counseling.walkin_states import Alone, State
from counseling.way_tables import TalkRow
from tests.fakes import FakeClock
from tests.web.browsing import get, post
from tests.web.browsing import send as browse
from tests.web.conftest import Client
from tests.web.counselors import verified
from tests.web.people import log_in, log_out, make, send
from web.messages import SENT_FREELY, forget_old, tell_late
from web.services import SERVICES

TEXT = "Aku takut pulang ke rumah."


async def as_person(client: Client, person: Person) -> None:
    await log_out(client)
    await log_in(client, person)


async def agreed(client: Client, name: str = "Embun", *, adult: bool = True) -> Person:
    """A client who has agreed to the service."""
    me = await make(client, name=name, adult=adult)
    await as_person(client, me)
    given = {"version": 1, "locale": "id"}
    assert (await send(client, "/me/consents/service/give", given, page="/me/consents"))[0] == 303
    return me


async def left(client: Client, topic: str = "family", **fields: object) -> str:
    """Leave a message as who is logged in; gives the thread's path."""
    status, to = await send(client, "/messages/new", {"topic": topic, "tongue": "id", "text": TEXT} | fields)
    assert status == 303, to
    assert to.endswith("?done=message_left"), to
    return to.partition("?")[0]


async def talked(client: Client, me: Person, counselor: Person) -> str:
    services = client.app[SERVICES]
    number = new_id("t")
    async with services.database.sessions.begin() as db:
        await db.execute(
            insert(TalkRow).values(
                id=number,
                client_id=me.id,
                counselor_id=counselor.id,
                medium="in_person",
                reasons=[],
                shares_history=False,
                begun_at=services.now(),
                ended_at=services.now(),
            )
        )
    return number


async def text_of(client: Client, path: str, status: int = 200) -> str:
    page = await get(client, path)
    assert page.status == status, (path, page.status, page.location)
    return page.text


async def test_a_stranger_leaves_a_message_and_a_counselor_answers(client: Client, clock: FakeClock) -> None:
    ratna = await verified(client)
    page = await browse(
        client, "/messages/new", topic="family", tongue="id", age="adult", consent="y", text=TEXT
    )
    assert page.status == 303, page.text
    thread = page.location.partition("?")[0]
    shown = await text_of(client, thread)
    assert TEXT in shown
    assert "/me/recovery" in shown, "without a code the reply would be lost"
    login = {cookie.key: cookie.value for cookie in client.session.cookie_jar}

    await as_person(client, ratna)
    desk = await text_of(client, "/counselor/messages")
    number = thread.rpartition("/")[2]
    assert TEXT not in desk
    assert "Keluarga" in desk
    await text_of(client, f"/counselor/messages/{number}", 404)
    status, to = await send(client, f"/counselor/messages/{number}/take", {}, page="/counselor/messages")
    assert (status, to) == (303, f"/counselor/messages/{number}?done=message_taken")
    assert TEXT in await text_of(client, f"/counselor/messages/{number}")
    clock.advance(600)
    status, to = await send(client, f"/counselor/messages/{number}", {"text": "Aku di sini.\r\nCeritakan."})
    assert status == 303, to
    assert "1 dari 1" in await text_of(client, "/counselor/messages")

    await log_out(client)
    client.session.cookie_jar.update_cookies(login)
    assert "1 unread" in await text_of(client, "/messages")
    shown = await text_of(client, thread)
    assert "Aku di sini.\nCeritakan." in shown
    assert "Ratna Puspita" in shown
    assert "unread" not in await text_of(client, "/messages")
    history = await text_of(client, "/me/history")
    assert "to read and answer your messages" in history


async def test_what_is_missing_is_said_and_what_was_typed_stays(client: Client) -> None:
    page = await browse(client, "/messages/new", text=TEXT)
    assert page.status == 422
    assert TEXT in page.text
    assert {"#topic", "#age", "#consent"} <= set(re.findall(r'href="(#\w+)"', page.text))
    await agreed(client)
    thread = await left(client)
    for text in ("", " \n ", "a" * 4_001):
        assert (await send(client, thread, {"text": text}))[0] == 422


async def test_a_message_that_is_sent_twice_is_there_once(client: Client) -> None:
    me = await agreed(client)
    form = (await get(client, "/messages/new")).form("/messages/new")
    fields = form | {"topic": "study", "tongue": "id", "text": TEXT}
    first, again = [await post(client, "/messages/new", fields) for _ in range(2)]
    assert (first.status, first.location) == (again.status, again.location)
    services = client.app[SERVICES]
    async with services.database.sessions() as db:
        (listed,) = await thread_lists.of_client(db, client=me.id)
        _, leaf = await thread_reading.own(db, services.audit, client=me, thread=listed.thread.id)
    assert len(leaf.messages) == 1


async def test_a_stranger_who_sends_it_twice_has_one_account(client: Client) -> None:
    form = (await get(client, "/messages/new")).form("/messages/new")
    fields = form | {"topic": "study", "tongue": "id", "age": "adult", "consent": "y", "text": TEXT}
    first = await post(client, "/messages/new", fields)
    await log_out(client)
    again = await post(client, "/messages/new", fields)
    assert first.location == again.location
    assert first.cookies["teduh_login"] == again.cookies["teduh_login"]
    async with client.app[SERVICES].database.sessions() as db:
        assert await people.count_clients(db) == 1


async def test_nobody_else_opens_a_thread(client: Client) -> None:
    await agreed(client)
    thread = await left(client)
    await agreed(client, "Awan")
    await text_of(client, thread, 404)
    bima = await verified(client, "Bima Sakti")
    await as_person(client, bima)
    await text_of(client, thread, 403)
    await text_of(client, f"/counselor{thread}", 404)


async def test_the_desk_shows_a_counselor_what_fits_and_only_that(client: Client) -> None:
    me = await agreed(client)
    thread = await left(client, "grief")
    number = thread.rpartition("/")[2]
    services = client.app[SERVICES]
    wrong_topic = await verified(client, "Bima Sakti")
    wrong_language = await verified(client, "Made Surya", topics=("grief",), languages=("en",))
    not_with = await verified(client, "Sari Dewi", topics=("grief",))
    full = await verified(client, "Tono Adi", topics=("grief",), capacity=0)
    right = await verified(client, "Ratna Puspita", topics=("grief",))
    async with services.database.sessions.begin() as db:
        await exclusions.not_with(db, services.audit, client=me.id, counselor=not_with.id, now=services.now())
    for person in (wrong_topic, wrong_language, not_with, full, right):
        await as_person(client, person)
        fits = person is right
        assert (f"{number}/take" in await text_of(client, "/counselor/messages")) is fits, person.name
        form = {"csrf": "", "once": ""} | _hidden((await get(client, "/counselor/register")).text)
        page = await post(client, f"/counselor/messages/{number}/take", form)
        assert page.location.endswith("message_taken" if fits else "message_gone"), person.name


def _hidden(text: str) -> dict[str, str]:
    return dict(re.findall(r'name="(csrf|once)" value="([^"]+)"', text))


async def test_a_client_writes_to_whom_they_talked_with(client: Client) -> None:
    ratna = await verified(client)
    me = await agreed(client)
    await talked(client, me, ratna)
    shown = await text_of(client, "/messages/new")
    assert "Ratna Puspita" in shown
    assert "12" in shown, "the promise stands beside the name"
    status, to = await send(client, "/messages/new", {"to": ratna.id, "tongue": "id", "text": TEXT})
    assert status == 303, to
    services = client.app[SERVICES]
    async with services.database.sessions() as db:
        (listed,) = await thread_lists.of_counselor(db, counselor=ratna.id)
        assert await thread_lists.waiting(db) == []
    assert listed.thread.due_at is not None
    assert (listed.thread.due_at - services.now()).total_seconds() == 12 * 3600
    stranger = await verified(client, "Bima Sakti")
    assert (await send(client, "/messages/new", {"to": stranger.id, "tongue": "id", "text": TEXT}))[0] == 422


async def test_a_counselor_writes_to_the_client_of_a_talk_and_to_nobody_else(client: Client) -> None:
    ratna, bima = await verified(client), await verified(client, "Bima Sakti")
    me = await make(client)
    talk = await talked(client, me, ratna)
    await as_person(client, ratna)
    status, to = await send(client, f"/counselor/messages/to/{talk}", {"text": "Sambungannya putus."})
    assert status == 303, to
    await as_person(client, bima)
    await text_of(client, f"/counselor/messages/to/{talk}", 404)
    await as_person(client, me)
    assert "Sambungannya putus." in await text_of(client, "/messages/" + _thread_in(to))


def _thread_in(path: str) -> str:
    found = re.search(r"l_[0-9a-z]+", path)
    assert found is not None
    return found[0]


async def test_who_writes_very_much_waits_a_moment_and_loses_nothing(
    client: Client, clock: FakeClock
) -> None:
    await agreed(client)
    thread = await left(client)
    for _ in range(int(SENT_FREELY) - 1):
        assert (await send(client, thread, {"text": "lagi"}))[0] == 303
    status, text = await send(client, thread, {"text": "yang ini tidak hilang"})
    assert status == 422
    assert "yang ini tidak hilang" in text
    clock.advance(60)
    assert (await send(client, thread, {"text": "yang ini tidak hilang"}))[0] == 303


async def test_who_waits_for_urgent_help_is_never_offered_a_message(client: Client) -> None:
    me = await agreed(client)
    thread = await left(client)
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        await walkins.ask(
            db,
            services.audit,
            client=me,
            language="id",
            topic="family",
            medium=Medium.CHAT,
            alone=Alone.YES,
            triage=triage(Answers(danger=True)),
            now=services.now(),
        )
    for path in ("/messages/new", "/talk/else"):
        page = await get(client, path)
        assert (page.status, page.location) == (303, "/talk/urgent")
    assert TEXT in await text_of(client, thread), "what is there can be read"


async def test_the_place_in_the_line_is_kept_unless_it_is_given_back(client: Client) -> None:
    me = await agreed(client)
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        walkin = await walkins.ask(
            db,
            services.audit,
            client=me,
            language="id",
            topic="family",
            medium=Medium.CHAT,
            alone=Alone.YES,
            triage=triage(Answers(danger=False)),
            now=services.now(),
        )
    assert "/talk/waiting" in await text_of(client, "/talk/else")
    for stop, state in ((False, State.WAITING), (True, State.ENDED)):
        await left(client, **({"stop": "y"} if stop else {}))
        async with services.database.sessions() as db:
            assert (await walkins.get(db, walkin=walkin.id)).state is state


async def test_under_18_follows_the_policy(client: Client) -> None:
    fields = {"topic": "study", "tongue": "id", "age": "minor", "consent": "y", "text": TEXT}
    page = await browse(client, "/messages/new", **fields)
    assert (page.status, page.location) == (303, "/start/under-18")
    async with client.app[SERVICES].database.sessions() as db:
        assert await people.count_clients(db) == 0


async def test_a_counselor_who_is_not_verified_any_more_is_not_written_to(client: Client) -> None:
    ratna = await verified(client)
    me = await agreed(client)
    await talked(client, me, ratna)
    status, to = await send(client, "/messages/new", {"to": ratna.id, "tongue": "id", "text": TEXT})
    assert status == 303, to
    thread = to.partition("?")[0]
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        await people.disable(db, user=ratna.id, at=services.now())
    shown = await get(client, thread)
    assert f'action="{thread}"' not in shown.text
    assert "/messages/new" in shown.text
    form = _hidden(shown.text)
    assert (await post(client, thread, form | {"text": "Halo?"})).location == thread


async def test_nobody_is_asked_to_log_in_to_write(client: Client) -> None:
    page = await get(client, "/messages")
    assert (page.status, page.location) == (303, "/messages/new")
    await text_of(client, "/messages/new")
    await text_of(client, "/talk/else")


async def test_when_somebody_is_here_again_is_said(client: Client) -> None:
    ratna = await verified(client)
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        await register.change_hours(
            db,
            services.audit,
            user=ratna.id,
            week=(Span(6, 13 * 60, 15 * 60),),
            away_from=None,
            away_until=None,
            now=services.now(),
        )
    shown = await text_of(client, "/talk/else")
    assert "13.00\u201315.00" in shown
    assert re.search(r"13:00 WIB|13:00 GMT\+7", shown), "the next Sunday, in the service's zone"
    assert "/messages/new" in shown
    assert "/book?medium=in_person" in shown
    assert "/crisis" in shown


async def test_late_answers_are_told_and_old_threads_go(client: Client, clock: FakeClock) -> None:
    dewi = await make(client, Role.ADMIN, name="dewi")
    me = await agreed(client)
    await left(client)
    services = client.app[SERVICES]
    clock.advance(25 * 3600)
    await tell_late(services)
    assert await unread_kinds(client, dewi.id) == ["messages_untaken"]
    clock.advance(366 * 24 * 3600)
    await forget_old(services)
    async with services.database.sessions() as db:
        assert await thread_lists.of_client(db, client=me.id) == []


async def unread_kinds(client: Client, user: UserId) -> list[str]:
    async with client.app[SERVICES].database.sessions() as db:
        return [one.kind for one in await notices.inbox(db, user=user)]


async def test_a_counselor_does_not_begin_to_write_to_whom_they_are_kept_from(client: Client) -> None:
    ratna, me = await verified(client), await make(client)
    path = f"/counselor/messages/to/{await talked(client, me, ratna)}"
    await as_person(client, ratna)
    fields = (await get(client, path)).form(path) | {"text": TEXT}
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        await exclusions.not_with(db, services.audit, client=me.id, counselor=ratna.id, now=services.now())
    assert (await get(client, path)).status == 404
    assert (await post(client, path, fields)).status == 404
    async with services.database.sessions() as db:
        assert await thread_lists.of_client(db, client=me.id) == []
