"""The trends as pages: whose sessions are in them, and words for everything that is counted."""

from __future__ import annotations

from datetime import timedelta

from accounts.roles import Role
from counseling import supervision
from signaling.summaries import EndedWhy
from tests.fakes import FakeClock
from tests.web.browsing import get
from tests.web.conftest import Client
from tests.web.people import log_in, log_out, make
from tests.web.sessions import bad_quarter, make_session, sum_up_all
from web.pages.quality_trends import PERIODS
from web.pages.site import SITE
from web.services import SERVICES


async def test_admins_see_all_and_supervisors_those_whom_they_supervise(
    client: Client, clock: FakeClock
) -> None:
    services = client.app[SERVICES]
    embun, dewi = await make(client, name="Embun"), await make(client, Role.ADMIN, name="dewi")
    ratna, bima = [await make(client, Role.COUNSELOR, name=name) for name in ("ratna", "bima")]
    sari, wulan = [await make(client, Role.SUPERVISOR, name=name) for name in ("sari", "wulan")]
    async with services.database.sessions.begin() as db:
        await supervision.assign(
            db,
            services.audit,
            person=dewi,
            supervisor=sari,
            counselor=ratna,
            from_day=clock.now().date() - timedelta(days=1),
            until_day=None,
            now=clock.now(),
        )
        for number in range(13):
            counselor = ratna if number < 6 else bima
            session = await make_session(db, client=embun, counselor=counselor, now=clock.now())
            await bad_quarter(db, session, began_at=clock.now())
    clock.advance(3_600)
    async with services.database.sessions.begin() as db:
        await sum_up_all(db, now=clock.now())
    client.session.cookie_jar.update_cookies({"teduh_lang": "en"})
    for person, said, unsaid in (
        (dewi, ('<td data-label="Sessions">13</td>', "ratna", "bima", "16:00"), ("Embun",)),
        (sari, ('<td data-label="Sessions">6</td>', "ratna"), ("bima", "Embun")),
        (wulan, ("Fewer than 5",), ("ratna", "bima")),
    ):
        await log_out(client)
        await log_in(client, person)
        client.session.cookie_jar.update_cookies({"teduh_lang": "en"})
        for days in (*PERIODS, "x"):
            text = (await get(client, f"/quality/trends?days={days}")).text
            main = text[text.index("<main") :]
            for words in said:
                assert words in main, (person.name, words)
            for words in unsaid:
                assert words not in main, (person.name, words)
    await log_out(client)
    await log_in(client, ratna)
    assert (await get(client, "/quality/trends")).status == 403


async def test_causes_are_said_with_whose_line_it_was(client: Client, clock: FakeClock) -> None:
    services, dewi = client.app[SERVICES], await make(client, Role.ADMIN, name="dewi")
    async with services.database.sessions.begin() as db:
        for _ in range(5):
            session = await make_session(db, client=None, counselor=None, now=clock.now())
            await bad_quarter(db, session, began_at=clock.now())
    clock.advance(3_600)
    async with services.database.sessions.begin() as db:
        await sum_up_all(db, now=clock.now())
    await log_in(client, dewi)
    client.session.cookie_jar.update_cookies({"teduh_lang": "en"})
    text = (await get(client, "/quality/trends?days=7")).text
    assert "The client&#39;s line: Nothing came through, from the client to us" in text
    assert "The client&#39;s line: Packets were lost, from the client to us" in text
    assert "a program" in text
    assert "style=" not in text


async def test_there_is_a_word_for_every_end(client: Client) -> None:
    texts = client.app[SITE].renderer.texts
    keys = {f"quality.ended_{why.value}" for why in EndedWhy}
    assert all(keys <= texts[language].keys() for language in texts)
