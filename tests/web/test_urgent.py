"""The urgent path through the real application: what the client is shown, and what the staff may do."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import pytest

from accounts import consents, notices, people
from accounts.people import Person
from accounts.roles import Role
from core.ids import UserId
from counseling import around, exclusions, roster, talks, walkin_states, walkins
from counseling.triage import Reason, Risk, Safe
from counseling.urgent import Around, State
from counseling.walkin_states import Alone, Ended
from tests.fakes import FakeClock
from tests.web.browsing import get, post, send
from tests.web.conftest import Client
from tests.web.danger import Danger
from tests.web.people import log_in, log_out, make
from web import escalation
from web.escalation import CALLS

FIRST_WORDS = (
    "Terima kasih sudah jujur. Kamu tidak sendirian, dan kami tetap di sini. Seorang konselor sedang "
    "dipanggil. Sambil menunggu: apakah kamu aman saat ini?"
)
PAGE = "/talk/urgent"
INDONESIAN = {"Accept-Language": "id"}


@pytest.fixture
def danger(client: Client, clock: FakeClock) -> Danger:
    return Danger(client, clock)


def words(html: str) -> str:
    """What a page says in its main part, in one line."""
    main = html.partition("<main")[2].partition("</main>")[0].partition(">")[2]
    return " ".join(re.sub(r"<[^>]+>", " ", main).split())


async def client_of(danger: Danger) -> UserId:
    """Who called last, as the database has it."""
    calls = await danger.look()
    return calls[-1].alarm.client


async def test_a_stranger_calls_with_one_button_and_is_asked_for_nothing(danger: Danger) -> None:
    ratna = await danger.at_desk()
    page = await get(danger.client, PAGE, **INDONESIAN)
    assert page.status == 200
    assert list(page.form(PAGE)) == ["csrf", "once"], "no question stands before the call"
    sent = await post(danger.client, PAGE, page.form(PAGE), **INDONESIAN)
    assert (sent.status, sent.location) == (303, PAGE)
    shown = await get(danger.client, PAGE, **INDONESIAN)
    assert words(shown.text).startswith(FIRST_WORDS)
    assert words(shown.text).index("Selain kami") > words(shown.text).index("Kami memanggil sejak")
    assert 'href="tel:119,8"' in shown.text
    user = await client_of(danger)
    async with danger.services.database.sessions() as db:
        person = await people.get(db, user=user)
        walkin = await walkins.find_open(db, client=user)
        assert await consents.entries(db, user=user) == []
        assert [one.kind for one in await notices.inbox(db, user=ratna.id)] == ["urgent_call"]
    assert (person.adult, person.is_client) == (None, True)
    assert walkin is not None
    assert (walkin.triage.risk, walkin.alone) == (Risk.URGENT, Alone.UNSURE)
    again = await post(danger.client, PAGE, page.form(PAGE))
    assert again.status == 303
    assert len(await danger.look()) == 1, "pressing twice calls once"


async def test_english_is_said_too(danger: Danger) -> None:
    await danger.at_desk()
    await send(danger.client, PAGE)
    shown = await get(danger.client, PAGE)
    assert words(shown.text).startswith("Thank you for being honest. You are not alone")


async def test_an_old_page_of_somebody_in_danger_calls_all_the_same(danger: Danger) -> None:
    sent = await post(danger.client, PAGE, {"csrf": "old", "once": "x"})
    assert (sent.status, sent.location) == (303, PAGE)
    assert len(await danger.look()) == 1


async def test_many_from_one_address_are_never_slowed_down(danger: Danger) -> None:
    for _ in range(30):
        await log_out(danger.client)
        page = await get(danger.client, PAGE)
        assert (await post(danger.client, PAGE, page.form(PAGE))).status == 303
    assert len(await danger.look()) == 30


@pytest.mark.parametrize("safe", list(Safe))
async def test_the_answer_to_are_you_safe_is_kept_and_ends_nothing(danger: Danger, safe: Safe) -> None:
    await send(danger.client, PAGE)
    page = await get(danger.client, PAGE)
    form = page.form(f"{PAGE}/safe") | {"safe": safe.value}
    assert (await post(danger.client, f"{PAGE}/safe", form)).location == PAGE
    (call,) = await danger.look()
    assert (call.alarm.safe, call.alarm.is_open) == (safe, True)
    expected = {Safe.NOT_SAFE: Reason.NOT_SAFE, Safe.NOT_SURE: Reason.NOT_SURE}
    assert (safe in expected) is (expected.get(safe) in call.walkin.triage.reasons)
    assert Reason.DANGER_SAID in call.walkin.triage.reasons, "what was said plainly is not taken back"
    shown = await get(danger.client, PAGE)
    assert 'aria-pressed="true"' in shown.text
    await log_out(danger.client)
    await log_in(danger.client, await danger.at_desk())
    said = {Safe.SAFE: "aman", Safe.NOT_SURE: "belum yakin", Safe.NOT_SAFE: "tidak aman"}[safe]
    assert f"Klien menjawab: {said}" in (await get(danger.client, "/duty")).text


async def test_with_nobody_anywhere_the_client_is_told_at_once_and_called_for_on(danger: Danger) -> None:
    page = await get(danger.client, PAGE, **INDONESIAN)
    await post(danger.client, PAGE, page.form(PAGE), **INDONESIAN)
    shown = await get(danger.client, PAGE)
    said = words(shown.text)
    assert said.startswith("Belum ada konselor yang menjawab. Kamu tetap tidak sendirian.")
    assert "tidak ada konselor kami yang bertugas" in said
    assert said.index("Nomor yang buka jam ini") < said.index("Adakah seseorang di dekatmu sekarang?")
    assert "IGD" in said
    for never in ("/messages", "/book", "/talk/else"):
        assert f'href="{never}' not in shown.text, "a message or a booking is no answer"
    ratna = await danger.at_desk()
    await danger.look()
    async with danger.services.database.sessions() as db:
        assert [one.kind for one in await notices.inbox(db, user=ratna.id)] == ["urgent_call"]


async def test_nobody_answering_is_told_after_five_minutes(danger: Danger) -> None:
    ratna = await danger.at_desk()
    budi, tari = await make(danger.client, Role.COUNSELOR), await make(danger.client, Role.SUPERVISOR)
    await danger.on_duty(budi, tari)
    person = await make(danger.client)
    walkin = await danger.walks_in(person)
    await danger.look()
    assert await danger.story(walkin) == [("counselor", ratna.id)]
    await danger.passes(60, seen=walkin, sits=ratna)
    assert ("duty", budi.id) in await danger.story(walkin)
    await danger.passes(120, seen=walkin, sits=ratna)
    assert ("deputy", tari.id) in await danger.story(walkin)
    await danger.passes(110, seen=walkin, sits=ratna)
    assert (await danger.alarm(walkin)).course.state is State.CALLING
    await danger.passes(10, seen=walkin, sits=ratna)
    assert (await danger.alarm(walkin)).course.state is State.TOLD
    await log_in(danger.client, person)
    assert "belum ada konselor yang menjawab" in words((await get(danger.client, PAGE, **INDONESIAN)).text)
    await log_in(danger.client, tari)
    desk = await get(danger.client, "/duty")
    assert "diberi tahu dengan jujur" in desk.text


async def test_one_busy_counselor_is_not_called_until_free(danger: Danger) -> None:
    ratna = await danger.at_desk()
    other = await make(danger.client, name="Fajar")
    first = await danger.walks_in(other)
    await log_in(danger.client, ratna)
    await answers(danger, first)
    walkin = await danger.walks_in(await make(danger.client))
    await danger.look()
    told = await danger.alarm(walkin)
    assert told.course.state is State.TOLD, "nobody is on duty, and the one who is there is in a talk"
    async with danger.services.database.sessions.begin() as db:
        talk = await talks.open_of_counselor(db, counselor=ratna.id)
        assert talk is not None
        await talks.end(db, danger.services.audit, talk=talk.id, now=danger.clock.now())
    await danger.look()
    assert ("counselor", ratna.id) in await danger.story(walkin)


async def answers(danger: Danger, walkin: walkin_states.Walkin) -> str:
    """Answer on the duty desk as who is logged in; gives where it led."""
    alarm = await danger.alarm(walkin)
    sent = await send(danger.client, f"/duty/{alarm.id}/take", _page="/duty")
    assert sent.status == 303, sent.text
    return sent.location


async def test_answering_leads_both_into_the_same_room(danger: Danger) -> None:
    ratna, person = await danger.at_desk(), await make(danger.client)
    walkin = await danger.walks_in(person)
    await log_in(danger.client, ratna)
    where = await answers(danger, walkin)
    assert re.fullmatch(r"/room/p_\w+", where)
    alarm = await danger.alarm(walkin)
    assert (alarm.course.state, alarm.answered_by) == (State.ANSWERED, ratna.id)
    await log_in(danger.client, person)
    shown = await get(danger.client, PAGE)
    assert shown.status == 303
    assert re.fullmatch(r"/room/p_\w+", shown.location)
    assert shown.location != where
    async with danger.client.get(f"{PAGE}/state") as answer:
        assert (await answer.json())["go"] == shown.location
    async with danger.services.database.sessions() as db:
        talk = await talks.open_of_client(db, client=person.id)
    assert talk is not None
    assert (talk.counselor, talk.walkin) == (ratna.id, walkin.id)


async def test_the_second_to_answer_is_told_kindly_and_a_busy_one_too(danger: Danger) -> None:
    ratna, sari = await danger.at_desk(), await danger.at_desk("Sari Dewi")
    walkin = await danger.walks_in(await make(danger.client))
    alarm = await danger.alarm(walkin)
    await log_in(danger.client, sari)
    page = await get(danger.client, "/duty")
    form = page.form(f"/duty/{alarm.id}/take")
    await log_in(danger.client, ratna)
    await answers(danger, walkin)
    await log_in(danger.client, sari)
    assert form  # what Sari had before her when Ratna was faster
    other = await danger.walks_in(await make(danger.client, name="Fajar"))
    late = await send(
        danger.client, f"/duty/{alarm.id}/take", _page="/duty", _action=await take_of(danger, other)
    )
    assert late.status == 409
    assert "sudah dijawab orang lain" in late.text
    await log_in(danger.client, ratna)
    async with danger.services.database.sessions.begin() as db:
        await walkins.seen(db, walkin=other.id, now=danger.clock.now())
    await make_supervisor_too(danger, ratna)
    await log_in(danger.client, ratna)
    busy = await send(danger.client, await take_of(danger, other), _page="/duty")
    assert busy.status == 409
    assert "masih dalam sesi lain" in busy.text
    assert (await danger.alarm(other)).is_open, "nothing was written down"


async def take_of(danger: Danger, walkin: walkin_states.Walkin) -> str:
    return f"/duty/{(await danger.alarm(walkin)).id}/take"


async def make_supervisor_too(danger: Danger, person: Person) -> None:
    async with danger.services.database.sessions.begin() as db:
        await people.set_roles(db, user=person.id, roles={Role.COUNSELOR, Role.SUPERVISOR})


async def test_who_is_on_duty_answers_whatever_fits(danger: Danger) -> None:
    tari = await make(danger.client, Role.SUPERVISOR, name="Tari")
    await danger.on_duty(tari)
    walkin = await danger.walks_in(await make(danger.client))
    await log_in(danger.client, tari)
    desk = await get(danger.client, "/duty")
    assert "Anda bertugas pada jam ini" in desk.text
    assert 'class="alarm"' in desk.text
    assert re.fullmatch(r"/room/p_\w+", await answers(danger, walkin))
    assert 'data-alarms="0"' in (await get(danger.client, "/duty")).text


async def test_a_counselor_whom_it_does_not_concern_cannot_answer(danger: Danger) -> None:
    await danger.on_duty(await make(danger.client, Role.COUNSELOR))
    walkin = await danger.walks_in(await make(danger.client))
    mine = await danger.walks_in(await make(danger.client, name="Fajar"))
    await log_in(danger.client, await make(danger.client, Role.COUNSELOR, name="Lain"))
    desk = await get(danger.client, "/duty")
    assert "Tidak ada panggilan mendesak" in desk.text
    assert 'data-alarms="0"' in desk.text
    form = (await get(danger.client, "/me/duty")).form("/me/logout")
    for one in (walkin, mine):
        sent = await post(danger.client, await take_of(danger, one), form)
        assert sent.status == 403
        assert (await danger.alarm(one)).is_open


async def test_whom_the_client_will_not_talk_to_hears_nothing_and_cannot_answer(danger: Danger) -> None:
    """Kept away by name, or by a group that both named; on duty too, where the deputy moves up."""
    ratna, sari = await danger.at_desk(), await danger.at_desk("Sari Dewi", recusals=("Dakwah",))
    tari = await make(danger.client, Role.SUPERVISOR, name="Tari")
    await danger.on_duty(sari, tari)
    person = await make(danger.client)
    async with danger.services.database.sessions.begin() as db:
        now = danger.clock.now()
        await exclusions.not_with(db, danger.services.audit, client=person.id, counselor=ratna.id, now=now)
        await exclusions.not_with_group(db, danger.services.audit, client=person.id, group="dakwah", now=now)
    walkin = await danger.walks_in(person)
    (call,) = await danger.look()
    assert await danger.story(walkin) == [("duty", tari.id)]
    assert [call.concerns(one) for one in (ratna, sari, tari)] == [False, False, True]
    await log_in(danger.client, ratna)
    page = await get(danger.client, "/me/duty")
    sent = await post(danger.client, await take_of(danger, walkin), page.form("/me/logout"))
    assert sent.status == 403
    assert (await danger.alarm(walkin)).is_open


async def test_who_closes_the_page_is_called_for_ten_minutes_and_can_be_answered(danger: Danger) -> None:
    tari = await make(danger.client, Role.SUPERVISOR, name="Tari")
    await danger.on_duty(tari)
    walkin = await danger.walks_in(await make(danger.client))
    await danger.passes(120)
    await log_in(danger.client, tari)
    desk = await get(danger.client, "/duty")
    assert "sedang tidak terbuka" in desk.text
    assert f"/duty/{(await danger.alarm(walkin)).id}/take" in desk.text
    async with danger.services.database.sessions.begin() as db:
        await walkins.leave(
            db, danger.services.audit, walkin=walkin.id, why=Ended.ABSENT, now=danger.clock.now()
        )
    await danger.look()
    assert (await danger.alarm(walkin)).course.state is State.GONE
    assert "Tidak ada panggilan mendesak" in (await get(danger.client, "/duty")).text


async def test_after_a_quick_exit_nothing_follows_until_they_come_back(danger: Danger) -> None:
    budi, tari = await make(danger.client, Role.COUNSELOR), await make(danger.client, Role.SUPERVISOR)
    await danger.on_duty(budi, tari)
    person = await make(danger.client)
    walkin = await danger.walks_in(person)
    await danger.look()
    async with danger.services.database.sessions.begin() as db:
        await walkins.leave(
            db, danger.services.audit, walkin=walkin.id, why=Ended.QUICK_EXIT, now=danger.clock.now()
        )
    before = await danger.story(walkin)
    await danger.passes(400)
    assert await danger.story(walkin) == before == [("duty", budi.id)]
    assert (await danger.alarm(walkin)).course.state is State.CALLING
    assert danger.client.app[CALLS].count(tari) == 0, "and nothing sounds"
    await log_in(danger.client, tari)
    desk = await get(danger.client, "/duty")
    assert "Jangan hubungi" in desk.text
    assert "/take" not in desk.text
    await log_in(danger.client, person)
    await get(danger.client, PAGE)
    await danger.look()
    assert (await danger.alarm(walkin)).course.state is State.TOLD, "who came back is called for on"


async def test_a_restart_in_the_middle_repeats_nothing_and_loses_nothing(danger: Danger) -> None:
    budi, tari = await make(danger.client, Role.COUNSELOR), await make(danger.client, Role.SUPERVISOR)
    await danger.on_duty(budi, tari)
    walkin = await danger.walks_in(await make(danger.client))
    await danger.look()
    services = danger.services
    danger.clock.advance(200)
    fresh = escalation.Calls(danger.client.app[CALLS].rules)
    await escalation.look(services, fresh)
    assert await danger.story(walkin) == [("deputy", tari.id), ("duty", budi.id)]
    async with services.database.sessions() as db:
        assert len(await notices.inbox(db, user=budi.id)) == 2, "the roster's, and one call"


async def test_the_call_can_be_stopped_and_begun_again(danger: Danger) -> None:
    await send(danger.client, PAGE)
    (call,) = await danger.look()
    stopped = await send(danger.client, f"{PAGE}/leave", _page=PAGE)
    assert stopped.location == f"{PAGE}?done=urgent_left"
    assert await danger.look() == ()
    assert (await danger.alarm(call.walkin)).course.state is State.GONE
    assert (await send(danger.client, PAGE)).status == 303
    assert len(await danger.look()) == 1


async def test_under_18_or_leaving_nothing(danger: Danger) -> None:
    await log_in(danger.client, await make(danger.client, adult=False))
    assert (await send(danger.client, PAGE)).location == PAGE, "crisis help is never gated"
    assert len(await danger.look()) == 1


async def test_staff_have_no_such_page(danger: Danger) -> None:
    await log_in(danger.client, await make(danger.client, Role.COUNSELOR))
    assert (await get(danger.client, PAGE)).location == "/counselor"
    assert (await post(danger.client, PAGE, {})).location == "/counselor"


async def test_who_cannot_speak_freely_sees_help_against_violence_first(danger: Danger) -> None:
    person = await make(danger.client)
    await danger.walks_in(person, alone=Alone.NO)
    await log_in(danger.client, person)
    shown = await get(danger.client, PAGE, **INDONESIAN)
    assert "<title>Catatan</title>" in shown.text
    assert "discreet" in shown.text
    said = words(shown.text)
    assert said.index("SAPA 129") < said.index("119 ext. 8")
    assert 'id="word-choose"' in shown.text
    page = await get(danger.client, "/talk/safe", **INDONESIAN)
    assert page.status == 200
    assert words(page.text).index("menyakitimu di rumah") < words(page.text).index("Kata penutup")


async def test_the_words_need_a_clinicians_signature(danger: Danger) -> None:
    unsigned = "still need a clinician"
    for path in (PAGE, "/talk/safe"):
        assert unsigned in (await get(danger.client, path)).text
    await log_in(danger.client, await make(danger.client, Role.ADMIN, name="Dewi"))
    assert (
        await send(danger.client, "/admin/crisis/sign", _page="/admin/crisis", clinician="dr. A")
    ).status == 303
    await log_out(danger.client)
    for path in (PAGE, "/talk/safe"):
        assert unsigned not in (await get(danger.client, path)).text


@pytest.mark.parametrize("day", range(7))
async def test_in_each_hour_of_a_day_the_right_one_is_called(danger: Danger, day: int) -> None:
    """Nights are one person's, days another's, and from eight to ten nobody's."""
    night, noon = await make(danger.client, Role.COUNSELOR), await make(danger.client, Role.SUPERVISOR)
    admin = await make(danger.client, Role.ADMIN)
    async with danger.services.database.sessions.begin() as db:
        for hours, person in ((range(8), night), (range(10, 24), noon)):
            await roster.set_hours(
                db,
                danger.services.audit,
                slots=list(product(range(7), hours)),
                person=person,
                deputy=None,
                actor=admin,
                now=danger.clock.now(),
            )
    danger.clock.advance(day * 86_400 + 9 * 3_600)  # Tuesday, 1 o'clock in Jakarta, on the first day
    for step in range(24):
        local = (1 + step) % 24
        walkin = await danger.walks_in(await make(danger.client, name=f"Embun {step}"))
        await danger.look()
        expected: list[tuple[str, UserId | None]] = [("duty", night.id if local < 8 else noon.id)]
        if local in {8, 9}:
            expected = [("tell_nobody", None)]
        assert await danger.story(walkin) == expected, local
        async with danger.services.database.sessions.begin() as db:
            await walkins.leave(
                db, danger.services.audit, walkin=walkin.id, why=Ended.LEFT, now=danger.clock.now()
            )
        danger.clock.advance(3_600)


async def test_a_socket_hears_when_it_begins_and_when_it_ends(danger: Danger) -> None:
    ratna = await danger.at_desk()
    await log_in(danger.client, ratna)
    async with danger.client.ws_connect("/api/v1/alarms") as socket:
        assert await socket.receive_json() == {"alarms": 0, "drops": 0, "own": 0}
        walkin = await danger.walks_in(await make(danger.client))
        await danger.look()
        assert await socket.receive_json() == {"alarms": 1, "drops": 0, "own": 0}
        await answers(danger, walkin)
        assert await socket.receive_json() == {"alarms": 0, "drops": 0, "own": 0}


async def test_a_socket_of_another_site_or_of_a_client_hears_nothing(danger: Danger) -> None:
    await log_in(danger.client, await danger.at_desk())
    async with danger.client.get("/api/v1/alarms", headers={"Origin": "https://elsewhere.example"}) as answer:
        assert answer.status == 403
    await log_in(danger.client, await make(danger.client))
    async with danger.client.get("/api/v1/alarms") as answer:
        assert answer.status == 403


async def test_when_nobody_can_say_who_fits_those_on_duty_are_called_all_the_same(
    danger: Danger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ratna, budi = await danger.at_desk(), await make(danger.client, Role.COUNSELOR, name="Budi")
    await danger.on_duty(budi)
    first = await danger.walks_in(await make(danger.client))
    second = await danger.walks_in(await make(danger.client, name="Fajar"))
    real = around.around

    async def broken(*args: Any, walkin: str, **more: Any) -> Around:
        if walkin == first.id:
            raise OSError("the rule of matching is gone for this one")
        return await real(*args, walkin=walkin, **more)

    monkeypatch.setattr(escalation, "around", broken)
    assert len(await danger.look()) == 2
    assert await danger.story(first) == [("duty", budi.id)]
    assert await danger.story(second) == [("counselor", ratna.id)]
