"""The waiting page and whom a client talks to, without script; and the desk on the other side."""

from __future__ import annotations

import re

from accounts import logins, people
from accounts.people import Person
from accounts.roles import Role
from counseling import exclusions, talks, walkins
from counseling.talks import Talk
from counseling.walkin_states import Ended, State, Walkin
from tests.fakes import FakeClock
from tests.web.browsing import Page, get, post, send
from tests.web.conftest import Client
from tests.web.counselors import verified
from tests.web.people import log_in, log_out
from tests.web.test_walkin import ask, client_of, walkin_of
from web.gate import cookie_name
from web.line import RULES, turn
from web.services import SERVICES

DESK = "/counselor/desk"
TOPICS = ("stress", "study")


class Two:
    """A client and counselors with one HTTP client: each acts with their own cookies."""

    def __init__(self, client: Client, person: Person) -> None:
        self.http = client
        self.client = person
        self.tokens: dict[str, str] = {}

    async def be(self, person: Person) -> None:
        """Act as somebody from now on."""
        if person.id not in self.tokens:
            self.tokens[person.id] = await log_in(self.http, person, own_phone=False)
        await log_out(self.http)
        name = cookie_name(secure=self.http.app[SERVICES].config.secure)
        self.http.session.cookie_jar.update_cookies({name: self.tokens[person.id], "teduh_lang": "en"})

    async def open_desk(self, counselor: Person) -> None:
        await self.be(counselor)
        page = await send(self.http, f"{DESK}/open", _page=DESK)
        assert page.location == f"{DESK}?done=desk_open"

    async def turn(self) -> None:
        await turn(self.http.app[SERVICES], self.http.app[RULES])

    async def accept(self, counselor: Person) -> Page:
        """The counselor accepts whom the desk offers."""
        await self.be(counselor)
        return await send(self.http, f"{DESK}/accept", _page=DESK)

    async def talk(self) -> Talk:
        async with self.http.app[SERVICES].database.sessions() as db:
            found = await talks.open_of_client(db, client=self.client.id)
        assert found is not None
        return found

    async def walkin(self) -> Walkin:
        return await walkin_of(self.http, self.client)


async def waiting(client: Client, **answers: str) -> Two:
    """A stranger walks in."""
    assert (await ask(client, **answers)).location == "/talk/waiting"
    two = Two(client, await client_of(client))
    await two.be(two.client)
    return two


async def test_the_wait_is_a_range_or_nothing_is_said(client: Client) -> None:
    two = await waiting(client)
    page = await get(client, "/talk/waiting")
    assert "We cannot say yet" in page.text
    assert "No counselor is here just now" in page.text
    await two.open_desk(await verified(client, topics=TOPICS))
    await two.be(two.client)
    page = await get(client, "/talk/waiting")
    assert "less than 2 minutes" in page.text
    assert "No counselor is here just now" not in page.text
    assert not re.search(r"\b(number|place|position) \d", page.text)
    assert '<noscript><meta http-equiv="refresh"' in page.text


async def test_a_counselor_accepts_and_both_are_led_into_one_session(client: Client) -> None:
    two = await waiting(client)
    counselor = await verified(client, topics=TOPICS)
    await two.open_desk(counselor)
    await two.turn()
    desk = await get(client, DESK)
    assert two.client.name in desk.text
    assert "Stress and exhaustion" in desk.text
    accepted = await two.accept(counselor)
    assert re.fullmatch(r"/room/p_\w+", accepted.location)
    assert accepted.location in (await get(client, DESK)).text
    await two.be(two.client)
    page = await get(client, "/talk/waiting")
    (own,) = re.findall(r'data-go="(/room/p_\w+)"', page.text)
    assert own != accepted.location
    assert "Ratna Puspita" in page.text
    assert (await get(client, "/talk")).location == "/talk/waiting"


async def test_who_passes_is_asked_nothing_and_the_client_waits_on(client: Client) -> None:
    two = await waiting(client)
    counselor = await verified(client, topics=TOPICS)
    await two.open_desk(counselor)
    await two.turn()
    page = await send(client, f"{DESK}/pass", _page=DESK)
    assert page.location == f"{DESK}?done=passed"
    assert (await two.walkin()).state is State.WAITING


async def test_who_recuses_is_never_shown_them_again(client: Client, clock: FakeClock) -> None:
    two = await waiting(client)
    counselor = await verified(client, topics=TOPICS)
    await two.open_desk(counselor)
    await two.turn()
    assert (await send(client, f"{DESK}/recuse", _page=DESK)).location == f"{DESK}?done=passed"
    for _ in range(5):
        clock.advance(40)
        await two.be(two.client)
        await get(client, "/talk/waiting")
        await two.be(counselor)
        assert two.client.name not in (await get(client, DESK)).text
        await two.turn()
    await two.be(two.client)
    assert (
        "Ratna" not in (await get(client, "/me/counselor")).text.split('id="not-with"')[1].split("<form")[0]
    )


async def test_a_second_click_on_accept_finds_them_taken(client: Client) -> None:
    two = await waiting(client)
    first, second = (
        await verified(client, topics=TOPICS),
        await verified(client, name="Bima Sakti", topics=TOPICS),
    )
    await two.open_desk(first)
    await two.turn()
    offered = await get(client, DESK)
    fields = offered.form(f"{DESK}/accept")
    await two.be(second)
    own = (await get(client, DESK)).form(f"{DESK}/open")
    taken = await post(client, f"{DESK}/accept", own | {"walkin": fields["walkin"]})
    assert taken.location == f"{DESK}?done=taken"
    assert (await two.walkin()).state is State.OFFERED


async def test_the_desk_shows_no_more_than_it_may_before_a_talk(client: Client) -> None:
    two = await waiting(client, alone="no")
    await two.open_desk(await verified(client, topics=("study",)))
    await two.turn()
    page = await get(client, DESK)
    assert two.client.name in page.text
    main = page.text.split("<main", 1)[1].split("</main>")[0]
    assert two.client.id not in main
    words = re.sub(r"<[^>]*>", " ", main)  # the forms' own numbers may hold anything
    assert "18" not in words
    assert "under" not in words


async def test_whom_a_client_will_not_meet_does_not_see_them(client: Client) -> None:
    two = await waiting(client)
    counselor = await verified(client, name="Dosen Wali", topics=TOPICS)
    page = await send(client, "/me/counselor/not-with", _page="/me/counselor", person=counselor.id)
    assert page.location == "/me/counselor?done=wish_kept"
    await two.open_desk(counselor)
    await two.turn()
    assert two.client.name not in (await get(client, DESK)).text
    assert (await two.walkin()).state is State.WAITING
    await two.be(two.client)
    listed = await get(client, "/me/counselor")
    assert "Dosen Wali" in listed.text
    back = listed.form("/me/counselor/take-back")
    assert (await post(client, "/me/counselor/take-back", back)).status == 303
    await two.be(counselor)
    await get(client, DESK)
    await two.turn()
    assert two.client.name in (await get(client, DESK)).text


async def test_a_group_is_chosen_from_those_that_counselors_named(client: Client) -> None:
    await waiting(client)
    counselor = await verified(client, recusals=("Fakultas Dakwah",))
    page = await send(client, "/me/counselor/not-with", _page="/me/counselor", group="Fakultas Dakwah")
    assert page.status == 303
    person = await client_of(client)
    async with client.app[SERVICES].database.sessions() as db:
        assert await exclusions.excludes(db, client=person.id, counselor=counselor.id)
    nothing = await send(client, "/me/counselor/not-with", _page="/me/counselor", person="", group="")
    assert nothing.status == 422


async def test_one_tap_changes_the_counselor_and_nobody_is_told(client: Client, clock: FakeClock) -> None:
    two = await waiting(client)
    first = await verified(client, topics=TOPICS)
    await two.open_desk(first)
    await two.turn()
    await two.accept(first)
    before = await two.talk()
    await two.be(two.client)
    page = await send(client, "/me/counselor/change", _page="/talk/waiting")
    assert page.location == "/talk/waiting?done=changed"
    walkin = await two.walkin()
    assert (walkin.state, walkin.prefers) == (State.WAITING, None)
    assert (walkin.topic, walkin.medium.value) == ("stress", "voice")
    async with client.app[SERVICES].database.sessions() as db:
        assert (await talks.get(db, talk=before.id)).ended_at is not None
    await two.be(first)
    await get(client, DESK)
    await two.turn()
    assert (
        two.client.name not in (await get(client, DESK)).text.split('id="waiting"')[1].split('id="today"')[0]
    )
    second = await verified(client, name="Bima Sakti", topics=TOPICS)
    await two.open_desk(second)
    await two.turn()
    await two.accept(second)
    await two.be(two.client)
    page = await get(client, "/talk/waiting")
    assert 'data-go=""' in page.text, "first the tick, then the room"
    assert 'name="shares"' in page.text
    assert not (await two.talk()).shares_history
    await send(client, "/me/counselor/share", _page="/talk/waiting", shares="y", back="waiting")
    assert (await two.talk()).shares_history
    await two.be(second)
    assert "Stress and exhaustion" in (await get(client, DESK)).text
    await two.be(two.client)
    history = await get(client, "/me/history")
    assert "Bima" in history.text or history.status == 200


async def test_the_same_counselor_first_unless_the_client_says_otherwise(
    client: Client, clock: FakeClock
) -> None:
    two = await waiting(client)
    first = await verified(client, topics=TOPICS)
    await two.open_desk(first)
    await two.turn()
    await two.accept(first)
    await two.be(first)
    await send(client, f"{DESK}/end", _page=DESK)
    clock.advance(60)
    await two.be(two.client)
    assert (await ask(client)).location == "/talk/waiting"
    assert (await two.walkin()).prefers == first.id
    page = await get(client, "/talk/waiting")
    assert "Ratna Puspita" in page.text
    wait = page.form("/talk/waiting/prefer")
    assert wait["wish"] == "wait"
    await post(client, "/talk/waiting/prefer", wait)
    assert (await two.walkin()).waits_for_preferred
    page = await get(client, "/talk/waiting")
    await post(client, "/talk/waiting/prefer", page.form("/talk/waiting/prefer") | {"wish": "first"})
    assert (await two.walkin()).prefers is None


async def test_a_region_of_licence_elsewhere_is_said_before_the_room(client: Client) -> None:
    two = await waiting(client)
    page = await send(client, "/me/counselor/region", _page="/me/counselor", region="Bali")
    assert page.location == "/talk/waiting?done=wish_kept"
    assert (await two.walkin()).region == "Bali"
    counselor = await verified(client, topics=TOPICS)
    await two.open_desk(counselor)
    await two.turn()
    await two.accept(counselor)
    await two.be(two.client)
    page = await get(client, "/talk/waiting")
    assert "Jawa Tengah" in page.text
    assert 'data-go=""' in page.text
    assert re.search(r'href="/room/p_\w+"', page.text)


async def test_whose_phone_it_is_is_asked_once_while_waiting(client: Client, clock: FakeClock) -> None:
    two = await waiting(client)
    page = await get(client, "/talk/waiting")
    fields = page.form("/talk/waiting/phone")
    answer = await post(client, "/talk/waiting/phone", fields | {"phone": "shared"})
    assert answer.location == "/talk/waiting?done=phone_shared"
    assert "/talk/waiting/phone" not in (await get(client, "/talk/waiting")).text
    await two.be(two.client)
    page = await get(client, "/talk/waiting")
    answer = await post(client, "/talk/waiting/phone", page.form("/talk/waiting/phone") | {"phone": "own"})
    assert "Max-Age" in answer.cookies["teduh_login"]
    services = client.app[SERVICES]
    async with services.database.sessions() as db:
        held = await logins.of(db, user=two.client.id, now=services.now())
    assert any(one.own_phone for one in held)
    assert "/talk/waiting/phone" not in (await get(client, "/talk/waiting")).text


async def test_who_is_not_alone_sees_help_first_and_a_page_that_names_nothing(client: Client) -> None:
    await waiting(client, alone="no")
    page = await get(client, "/talk/waiting")
    main = page.text.split("<main", 1)[1]
    assert main.index('id="violence"') < main.index('id="line"')
    assert "<title>Notes</title>" in page.text
    assert 'id="sound"' not in page.text
    assert "data-quiet" in page.text


async def test_leaving_ends_the_wait_and_it_may_begin_again(client: Client) -> None:
    two = await waiting(client)
    before = await two.walkin()
    page = await send(client, "/talk/leave", _page="/talk/waiting")
    assert page.location == "/?done=left_line"
    async with client.app[SERVICES].database.sessions() as db:
        ended = await walkins.get(db, walkin=before.id)
    assert ended.ended_why is Ended.LEFT
    assert (await get(client, "/talk/waiting")).location == "/talk"


async def test_who_waits_can_call_for_help_with_one_tap(client: Client) -> None:
    two = await waiting(client)
    page = await send(client, "/talk/urgent", _page="/talk/waiting")
    assert page.location == "/talk/urgent"
    assert (await two.walkin()).triage.risk.value == "urgent"
    assert (await get(client, "/talk/waiting")).location == "/talk/urgent"


async def test_an_unfinished_counselor_is_told_why_nobody_is_sent(client: Client) -> None:
    counselor = await verified(client, topics=TOPICS)
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        new = await people.create_staff(
            db, name="Baru", language="id", roles=[Role.COUNSELOR], now=services.now()
        )
    two = Two(client, counselor)
    await two.be(new)
    page = await get(client, DESK)
    assert "Clients cannot be sent to you yet" in page.text


async def links_of(client: Client, *paths: str) -> set[str]:
    """The addresses of our own that these pages link to."""
    found: set[str] = set()
    for path in paths:
        page = await get(client, path)
        assert page.status == 200, (path, page.location)
        found |= set(re.findall(r'<a [^>]*href="(/[^"#]*)', page.text))
    return found


async def test_no_link_on_the_way_leads_nowhere(client: Client) -> None:
    stranger = await links_of(client, "/", "/talk")
    two = await waiting(client)
    ways = stranger | await links_of(client, "/", "/talk/waiting", "/me/counselor", "/home")
    counselor = await verified(client, topics=TOPICS)
    for link in sorted(ways - {"/exit"}):
        page = await get(client, link)
        assert page.status in {200, 303}, (link, page.status)
    await two.open_desk(counselor)
    await two.turn()
    await two.accept(counselor)
    for link in sorted(await links_of(client, DESK)):
        page = await get(client, link)
        assert page.status in {200, 303}, (link, page.status)


async def test_the_desk_says_why_it_is_them_before_and_in_the_talk(client: Client) -> None:
    two = await waiting(client)
    counselor = await verified(client, topics=TOPICS)
    await two.open_desk(counselor)
    assert "clients may be offered" in (await get(client, DESK)).text
    await two.turn()
    offered = await get(client, DESK)
    assert "You work with this topic." in offered.text.split("data-offer")[1].split("</dl>")[0]
    await two.accept(counselor)
    await two.be(counselor)
    talking = await get(client, DESK)
    assert "You work with this topic." in talking.text.split("data-talk")[1].split("</section>")[0]
    assert "While you talk, nobody else is offered to you." in talking.text
    assert "clients may be offered" not in talking.text


async def test_from_the_desk_one_writes_to_those_of_the_caseload_who_are_there(client: Client) -> None:
    two = await waiting(client)
    counselor = await verified(client, topics=TOPICS)
    await two.open_desk(counselor)
    await two.turn()
    await two.accept(counselor)
    talk = await two.talk()
    await two.be(counselor)
    await send(client, f"{DESK}/end", _page=DESK)
    path = f"/counselor/messages/to/{talk.id}"
    assert f'href="{path}"' in (await get(client, DESK)).text
    assert (await get(client, path)).status == 200
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        await people.leave(db, user=two.client.id, at=services.now())
    gone = (await get(client, DESK)).text
    assert two.client.name not in gone
    assert path not in gone
