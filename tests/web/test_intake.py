from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date

import pytest

from accounts.people import Person
from accounts.roles import Role
from counseling import acceptances, alarms, intake, talks, walkin_states, walkins
from counseling.entry import Medium
from counseling.intake import Concerns, Content, History, Items, Safety, Skipped
from counseling.talks import Talk
from counseling.triage import Risk, Safe, Triage
from counseling.walkin_states import Alone, Walkin
from tests.fakes import FakeClock
from tests.web.browsing import get, post, send
from tests.web.conftest import Client
from tests.web.people import log_in, log_out, make
from web.intake import SCREENING, forget_old_answers
from web.pages.site import LANGUAGE_COOKIE
from web.services import SERVICES

PAGE = "/talk/intake"


def speak(client: Client, language: str) -> None:
    """Choose the language of the pages."""
    client.session.cookie_jar.update_cookies({LANGUAGE_COOKIE: language})


async def come(client: Client, person: Person) -> None:
    """Come as somebody else, in English."""
    await log_out(client)
    await log_in(client, person)
    speak(client, "en")


async def saved(client: Client, person: Person) -> Mapping[str, Content]:
    services = client.app[SERVICES]
    async with services.database.sessions() as db:
        every = await intake.own(db, services.audit, client=person.id)
    return {step: one.content for step, one in every.items()}


async def wait(client: Client, person: Person) -> Walkin:
    """Put a client into the line."""
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        return await walkins.ask(
            db,
            services.audit,
            client=person,
            language="en",
            topic="study",
            medium=Medium.CHAT,
            alone=Alone.YES,
            triage=Triage(),
            now=services.now(),
        )


async def walkin_of(client: Client, person: Person) -> Walkin:
    services = client.app[SERVICES]
    async with services.database.sessions() as db:
        found = await walkins.find_open(db, client=person.id)
    assert found is not None
    return found


async def has_alarm(client: Client, person: Person) -> bool:
    services = client.app[SERVICES]
    async with services.database.sessions() as db:
        return any(alarm.client == person.id for alarm in await alarms.open_alarms(db))


async def talk_with(client: Client, person: Person, counselor: Person) -> Talk:
    services = client.app[SERVICES]
    walkin = await wait(client, person)
    async with services.database.sessions.begin() as db:
        return await talks.begin(
            db,
            services.audit,
            client=person.id,
            counselor=counselor.id,
            medium=Medium.CHAT,
            walkin=walkin.id,
            reasons=(),
            now=services.now(),
        )


async def accept(client: Client, instrument: str, admin: Person) -> None:
    services, ours = client.app[SERVICES], client.app[SCREENING].instruments[instrument]
    async with services.database.sessions.begin() as db:
        await acceptances.accept(
            db,
            services.audit,
            instrument=ours,
            translation=ours.translations["id"],
            vouched_by="Dr. Ratna",
            vouched_on=date(2026, 3, 1),
            actor=admin,
            now=services.now(),
        )


@pytest.fixture
async def embun(client: Client) -> Person:
    person = await make(client)
    await come(client, person)
    return person


async def test_the_whole_intake_step_by_step(client: Client, embun: Person) -> None:
    await wait(client, embun)
    page = await get(client, PAGE)
    assert page.text.count("Not yet") == 4
    done = await send(client, f"{PAGE}/concerns", marked="lonely")
    assert (done.status, done.location) == (303, f"{PAGE}/history")
    done = await send(client, f"{PAGE}/history", talked="yes", words=" Halo ")
    assert done.location == f"{PAGE}/q/phq9/1"
    for number in range(1, 9):
        done = await send(client, f"{PAGE}/q/phq9/{number}", choice="1")
        assert done.location == f"{PAGE}/q/phq9/{number + 1}"
    done = await send(client, f"{PAGE}/q/phq9/9", choice="0")
    assert done.location == f"{PAGE}/q/gad7/1"
    done = await send(client, f"{PAGE}/q/gad7/1", skip="yes")
    assert done.location == f"{PAGE}?done=intake_done"
    kept = await saved(client, embun)
    assert kept["concerns"] == Concerns(("lonely",))
    assert kept["history"] == History(intake.Before.YES, None, "Halo")
    assert isinstance(kept["phq9"], Items)
    assert kept["phq9"].answers == (1,) * 8 + (0,)
    assert kept["gad7"] == Skipped()
    page = await get(client, done.location)
    assert (page.text.count("Done"), page.text.count("Left out")) == (3, 1)


async def test_no_page_of_the_client_shows_a_score(client: Client, embun: Person) -> None:
    await wait(client, embun)
    for number in range(1, 10):
        await send(client, f"{PAGE}/q/phq9/{number}", choice="3" if number < 9 else "0")
    for path in (
        PAGE,
        f"{PAGE}/q/phq9/1",
        f"{PAGE}/q/phq9/9",
        f"{PAGE}?done=intake_done",
        "/home",
        "/me/history",
    ):
        text = re.sub(r"<[^>]*>", " ", (await get(client, path)).text).lower()
        for word in ("24", "severe", "of 27", "phq-9", "diagnos"):
            assert word not in text, (path, word)


async def test_each_question_can_be_left_out_and_answered_again(client: Client, embun: Person) -> None:
    done = await send(client, f"{PAGE}/q/gad7/1", choice="")
    assert done.location == f"{PAGE}/q/gad7/2"
    done = await send(client, f"{PAGE}/q/gad7/2", choice="3")
    page = await get(client, PAGE)
    assert f'href="{PAGE}/q/gad7/3"' in page.text, "resumed at the first that was not passed"
    page = await get(client, f"{PAGE}/q/gad7/2")
    assert re.search(r'value="3" aria-pressed="true">Nearly every day', page.text)
    await send(client, f"{PAGE}/q/gad7/2", choice="")
    kept = (await saved(client, embun))["gad7"]
    assert isinstance(kept, Items)
    assert kept.answers == (None, None)


async def test_steps_left_out_empty_or_as_a_whole_are_kept(client: Client, embun: Person) -> None:
    assert (await send(client, f"{PAGE}/concerns")).status == 303
    assert (await saved(client, embun))["concerns"] == Concerns()
    await send(client, f"{PAGE}/concerns", skip="yes", marked="lonely")
    assert (await saved(client, embun))["concerns"] == Skipped()
    assert (await send(client, f"{PAGE}/history")).status == 303
    assert (await saved(client, embun))["history"] == History()


async def test_what_was_told_stands_in_the_form_again(client: Client, embun: Person) -> None:
    await send(client, f"{PAGE}/concerns", marked="money")
    await send(client, f"{PAGE}/history", treated="now", words="Halo <b>")
    assert (await get(client, f"{PAGE}/concerns")).form(f"{PAGE}/concerns")["marked"] == "money"
    page = await get(client, f"{PAGE}/history")
    assert page.form(f"{PAGE}/history")["treated"] == "now"
    assert "Halo &lt;b&gt;" in page.text


async def test_what_does_not_fit_is_said_at_the_field(client: Client, embun: Person) -> None:
    page = await send(client, f"{PAGE}/history", words="x" * 1001)
    assert page.status == 422
    assert 'href="#words"' in page.text
    assert (await send(client, f"{PAGE}/concerns", marked="moon")).status == 422
    assert await saved(client, embun) == {}


async def test_a_form_sent_twice_is_done_once(client: Client, embun: Person) -> None:
    page = await get(client, f"{PAGE}/q/phq9/1")
    fields = page.form(f"{PAGE}/q/phq9/1")
    first = await post(client, f"{PAGE}/q/phq9/1", fields | {"choice": "2"})
    again = await post(client, f"{PAGE}/q/phq9/1", fields | {"choice": "3"})
    assert first.location == again.location
    kept = (await saved(client, embun))["phq9"]
    assert isinstance(kept, Items)
    assert kept.answers == (2,)


@pytest.mark.parametrize(
    "path",
    [f"{PAGE}/q/phq9/0", f"{PAGE}/q/phq9/10", f"{PAGE}/q/phq9/1000", f"{PAGE}/q/none/1", f"{PAGE}/q/phq9/x"],
)
async def test_there_are_no_other_questions(client: Client, embun: Person, path: str) -> None:
    assert (await get(client, path)).status == 404


async def test_an_answer_that_is_none_is_refused(client: Client, embun: Person) -> None:
    for choice in ("4", "-1", "x", "00"):
        assert (await send(client, f"{PAGE}/q/phq9/1", choice=choice)).status == 404
    assert (await send(client, f"{PAGE}/safety", choice="perhaps")).status == 404
    assert await saved(client, embun) == {}


async def test_item_9_asks_and_safe_is_no_alarm(client: Client, embun: Person) -> None:
    await wait(client, embun)
    done = await send(client, f"{PAGE}/q/phq9/9", choice="1")
    assert done.location == f"{PAGE}/safety"
    assert (await walkin_of(client, embun)).triage.reasons == ("phq9_item9",)
    assert "One question about right now" in (await get(client, PAGE)).text
    done = await send(client, f"{PAGE}/safety", choice="safe")
    assert done.location == f"{PAGE}/concerns"
    triage = (await walkin_of(client, embun)).triage
    assert (triage.risk, triage.reasons) == (Risk.WATCH, ("phq9_item9",))
    assert not await has_alarm(client, embun)


@pytest.mark.parametrize("answer", ["not_sure", "not_safe"])
async def test_item_9_and_not_safe_calls_for_help(client: Client, embun: Person, answer: str) -> None:
    await wait(client, embun)
    await send(client, f"{PAGE}/q/phq9/9", choice="3")
    assert not await has_alarm(client, embun)
    done = await send(client, f"{PAGE}/safety", choice=answer)
    assert (done.status, done.location) == (303, "/talk/urgent")
    triage = (await walkin_of(client, embun)).triage
    assert (triage.risk, triage.reasons) == (Risk.URGENT, (answer, "phq9_item9"))
    assert await has_alarm(client, embun)
    await send(client, f"{PAGE}/q/phq9/9", choice="0")
    assert (await walkin_of(client, embun)).triage.risk is Risk.URGENT, "nothing said is taken back"


async def test_the_question_left_out_is_told_to_the_counselor_only(client: Client, embun: Person) -> None:
    await wait(client, embun)
    await send(client, f"{PAGE}/q/phq9/9", choice="2")
    done = await send(client, f"{PAGE}/safety", skip="yes")
    assert done.location == f"{PAGE}/concerns"
    assert (await walkin_of(client, embun)).triage.risk is Risk.WATCH
    assert not await has_alarm(client, embun)
    await send(client, f"{PAGE}/q/phq9/9", choice="3")
    assert "safety" not in await saved(client, embun), "asked anew with each such answer"


async def test_another_question_does_not_ask_about_safety_again(client: Client, embun: Person) -> None:
    await send(client, f"{PAGE}/q/phq9/9", choice="2")
    await send(client, f"{PAGE}/safety", choice="safe")
    done = await send(client, f"{PAGE}/q/phq9/3", choice="1")
    assert done.location == f"{PAGE}/q/phq9/4"
    assert (await saved(client, embun))["safety"] == Safety(Safe.SAFE)


async def test_what_was_answered_stays_when_the_rest_is_left_out(client: Client, embun: Person) -> None:
    await send(client, f"{PAGE}/q/gad7/1", choice="2")
    assert "Leave the rest out" in (await get(client, f"{PAGE}/q/gad7/2")).text
    await send(client, f"{PAGE}/q/gad7/2", skip="yes")
    kept = (await saved(client, embun))["gad7"]
    assert isinstance(kept, Items)
    assert kept.answers == (2, *(None,) * 6)
    done = await send(client, f"{PAGE}/q/gad7/7", choice="1")
    assert done.location == f"{PAGE}/concerns"
    await send(client, f"{PAGE}/q/gad7/3", skip="yes")
    again = (await saved(client, embun))["gad7"]
    assert isinstance(again, Items)
    assert again.answers == (2, *(None,) * 5, 1)


async def test_who_is_not_safe_and_not_in_the_line_is_put_into_it(client: Client, embun: Person) -> None:
    done = await send(client, f"{PAGE}/safety", choice="not_safe")
    assert done.location == "/talk/urgent"
    walkin = await walkin_of(client, embun)
    assert (walkin.medium, walkin.alone, walkin.triage.risk) == (Medium.CHAT, Alone.UNSURE, Risk.URGENT)
    assert await has_alarm(client, embun)


async def test_an_old_page_keeps_nobody_from_help(client: Client, embun: Person) -> None:
    old = {"csrf": "grown old", "once": ""}
    assert (await post(client, f"{PAGE}/safety", old | {"choice": "safe"})).status == 403
    done = await post(client, f"{PAGE}/safety", old | {"choice": "not_sure"})
    assert done.location == "/talk/urgent"
    assert await has_alarm(client, embun)


async def test_whose_talk_goes_on_stays_in_it_and_its_counselor_is_called(
    client: Client, embun: Person
) -> None:
    await talk_with(client, embun, await make(client, Role.COUNSELOR, name="Ratna"))
    done = await send(client, f"{PAGE}/safety", choice="not_safe")
    assert done.location == f"{PAGE}?done=intake_tell"
    assert await has_alarm(client, embun), "its counselor is called (tests/web/test_answering.py)"
    assert (await walkin_of(client, embun)).triage.risk is Risk.URGENT
    assert (await saved(client, embun))["safety"] == Safety(Safe.NOT_SAFE)


async def test_not_safe_last_time_is_not_urgent_this_time(
    client: Client, embun: Person, clock: FakeClock
) -> None:
    services = client.app[SERVICES]
    walkin = await wait(client, embun)
    await send(client, f"{PAGE}/q/phq9/9", choice="3")
    await send(client, f"{PAGE}/safety", choice="not_safe")
    async with services.database.sessions.begin() as db:
        await walkins.leave(
            db, services.audit, walkin=walkin.id, why=walkin_states.Ended.LEFT, now=services.now()
        )
    clock.advance(3600)
    await wait(client, embun)
    await send(client, f"{PAGE}/concerns", marked="money")
    triage = (await walkin_of(client, embun)).triage
    assert (triage.risk, triage.reasons) == (Risk.WATCH, ("phq9_item9",))
    assert "One question about right now" in (await get(client, PAGE)).text


async def test_concerns_raise_the_risk_of_who_waits(client: Client, embun: Person) -> None:
    await wait(client, embun)
    await send(client, f"{PAGE}/concerns", marked="unreal")
    triage = (await walkin_of(client, embun)).triage
    assert (triage.risk, triage.suitability.value, triage.reasons) == (Risk.WATCH, "in_person", ("not_real",))


async def test_every_page_is_a_sign_of_life(client: Client, embun: Person, clock: FakeClock) -> None:
    await wait(client, embun)
    for path in (PAGE, f"{PAGE}/concerns", f"{PAGE}/history", f"{PAGE}/safety", f"{PAGE}/q/phq9/1"):
        clock.advance(40)
        assert (await get(client, path)).status == 200
        assert (await walkin_of(client, embun)).seen_at == clock.now()


async def test_the_page_says_without_script_when_a_counselor_is_there(client: Client, embun: Person) -> None:
    await wait(client, embun)
    assert "<noscript>" not in (await get(client, f"{PAGE}/concerns")).text
    await talk_with(client, embun, await make(client, Role.COUNSELOR, name="Ratna"))
    assert re.search(r'<noscript>.*href="/talk/waiting"', (await get(client, f"{PAGE}/concerns")).text)


async def test_a_client_deletes_all_answers(client: Client, embun: Person) -> None:
    await send(client, f"{PAGE}/concerns", marked="money")
    done = await send(client, f"{PAGE}/remove", _page=PAGE)
    assert done.location == f"{PAGE}?done=intake_removed"
    assert await saved(client, embun) == {}
    assert f"{PAGE}/remove" not in (await get(client, PAGE)).text


async def test_what_was_answered_long_ago_is_forgotten(
    client: Client, embun: Person, clock: FakeClock
) -> None:
    await send(client, f"{PAGE}/concerns", marked="money")
    clock.advance(90 * 86_400 + 1)
    await forget_old_answers(client.app[SERVICES])
    assert await saved(client, embun) == {}


async def test_indonesian_questionnaires_are_off_until_accepted(client: Client, embun: Person) -> None:
    speak(client, "id")
    assert "/q/" not in (await get(client, PAGE)).text
    assert (await get(client, f"{PAGE}/q/phq9/1")).status == 404
    await accept(client, "phq9", await make(client, Role.ADMIN, name="Adi"))
    page = await get(client, f"{PAGE}/q/phq9/1")
    assert "Kurang berminat" in page.text
    assert "belum diuji" in page.text
    assert "the teduh project" in page.text
    assert "gad7" not in (await get(client, PAGE)).text
    speak(client, "en")
    assert "has not been tested" not in (await get(client, f"{PAGE}/q/phq9/1")).text


async def test_who_is_under_18_is_not_asked_what_was_made_for_adults(client: Client) -> None:
    await come(client, await make(client, adult=False))
    assert "/q/" not in (await get(client, PAGE)).text
    assert (await get(client, f"{PAGE}/q/phq9/1")).status == 404


async def test_other_languages_begin_the_questions_anew(client: Client, embun: Person) -> None:
    await accept(client, "phq9", await make(client, Role.ADMIN, name="Adi"))
    await send(client, f"{PAGE}/q/phq9/1", choice="2")
    speak(client, "id")
    assert "aria-pressed" not in (await get(client, f"{PAGE}/q/phq9/1")).text
    await send(client, f"{PAGE}/q/phq9/1", choice="1")
    words = client.app[SCREENING].instruments["phq9"].translations["id"]
    assert (await saved(client, embun))["phq9"] == Items(words.digest, (1,))


async def test_the_counselor_reads_hints_and_the_client_reads_that(client: Client, embun: Person) -> None:
    counselor = await make(client, Role.COUNSELOR, name="Ratna")
    await send(client, f"{PAGE}/concerns", marked="hurt_self")
    await send(client, f"{PAGE}/history", talked="now", words="Halo <i>")
    for number in range(1, 8):
        await send(client, f"{PAGE}/q/gad7/{number}", choice="3")
    await send(client, f"{PAGE}/q/phq9/1", choice="3")
    talk = await talk_with(client, embun, counselor)
    path = f"/counselor/talks/{talk.id}/hints"
    assert (await get(client, path)).status == 403, "not the client"
    await come(client, await make(client, Role.COUNSELOR, name="Sari"))
    assert (await get(client, path)).status == 404, "nor another counselor"
    await come(client, counselor)
    page = await get(client, path)
    assert page.status == 200
    for words in (
        "21 of 21",
        "severe",
        "3 of 27",
        "8 not answered",
        "I have hurt myself before",
        "Halo &lt;i&gt;",
    ):
        assert words in page.text, words
    await come(client, embun)
    text = (await get(client, "/me/history?by=others")).text
    assert "Answers given while waiting were opened by the counselor" in text
    assert "Ratna" in text
    assert "untuk obrolan denganmu" in text


async def test_hints_of_an_unvalidated_translation_say_so(client: Client, embun: Person) -> None:
    await accept(client, "gad7", await make(client, Role.ADMIN, name="Adi"))
    speak(client, "id")
    await send(client, f"{PAGE}/q/gad7/1", choice="1")
    counselor = await make(client, Role.COUNSELOR, name="Ratna")
    talk = await talk_with(client, embun, counselor)
    await come(client, counselor)
    text = (await get(client, f"/counselor/talks/{talk.id}/hints")).text
    assert "Translated by proyek teduh (the teduh project), not validated" in text
    assert "Dr. Ratna vouches for these words" in text


async def test_there_may_be_nothing_to_read(client: Client, embun: Person) -> None:
    counselor = await make(client, Role.COUNSELOR, name="Ratna")
    talk = await talk_with(client, embun, counselor)
    await come(client, counselor)
    assert "Nothing was answered yet" in (await get(client, f"/counselor/talks/{talk.id}/hints")).text
    assert (await get(client, "/counselor/talks/t_none/hints")).status == 404
