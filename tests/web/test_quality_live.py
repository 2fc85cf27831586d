"""The list of sessions in trouble: who sees which, and what of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pytest

from accounts.people import Person
from accounts.roles import Role
from core.ids import ParticipantId, SessionId, UserId
from counseling import roster, supervision
from counseling.roster import DAYS, HOURS
from media.codecs import Mode
from media.grading import Grade
from signaling import directory
from signaling.gaps import Blame
from signaling.quality_trouble import SideNow, TroubledSession
from tests.fakes import FakeClock
from tests.web.browsing import get
from tests.web.conftest import Client, FakeCalls
from tests.web.people import log_in, log_out, make
from web.services import SERVICES


def side(role: directory.Role, name: str, user: UserId | None, *, bad: bool = False) -> SideNow:
    return SideNow(
        participant=ParticipantId("p_x"),
        role=role,
        name=name,
        user=user,
        gone=False,
        grade=Grade.POOR if bad else Grade.GOOD,
        cause=Blame("up", "loss") if bad else None,
        rtt_ms=640.0,
        loss_pct=12.0 if bad else 0.0,
        mos=2.3 if bad else 4.2,
        recent=("", *["good"] * 58, "poor" if bad else "good"),
    )


@dataclass
class Staged:
    """Two sessions in trouble, and everybody who could look."""

    client: Client
    dewi: Person
    ratna: Person
    bima: Person
    sari: Person

    async def text(self, person: Person) -> str:
        await log_out(self.client)
        await log_in(self.client, person)
        self.client.session.cookie_jar.update_cookies({"teduh_lang": "en"})
        page = await get(self.client, "/quality")
        assert page.status == 200
        return page.text[page.text.index("<main") :]


@pytest.fixture
async def staged(client: Client, clock: FakeClock) -> Staged:
    """A session of each counselor's, and one that a program made, in trouble."""
    services, embun = client.app[SERVICES], await make(client, name="Embun")
    dewi = await make(client, Role.ADMIN, name="dewi")
    ratna, bima = [await make(client, Role.COUNSELOR, name=name) for name in ("ratna", "bima")]
    sari = await make(client, Role.SUPERVISOR, name="sari")
    async with services.database.sessions.begin() as db:
        await supervision.assign(
            db,
            services.audit,
            person=dewi,
            supervisor=sari,
            counselor=ratna,
            from_day=clock.now().date(),
            until_day=None,
            now=clock.now(),
        )
    calls = cast("FakeCalls", services.calls)
    for number, counselor in enumerate((ratna, bima, None)):
        sides = (
            side(directory.Role.CLIENT, "Embun", None if counselor is None else embun.id, bad=True),
            side(
                directory.Role.COUNSELOR,
                "Program" if counselor is None else counselor.name,
                None if counselor is None else counselor.id,
            ),
        )
        calls.troubled.append(
            TroubledSession(
                SessionId(f"s_{number}"), Mode.VOICE, stepped_down=True, began_at=clock.now(), sides=sides
            )
        )
    return Staged(client, dewi, ratna, bima, sari)


async def test_each_sees_those_whom_they_may(staged: Staged) -> None:
    for person, sessions in (
        (staged.dewi, {"s_0", "s_1", "s_2"}),
        (staged.sari, {"s_0"}),
        (staged.ratna, {"s_0"}),
        (staged.bima, {"s_1"}),
    ):
        text = await staged.text(person)
        assert {one for one in ("s_0", "s_1", "s_2") if f"/quality/sessions/{one}" in text} == sessions
        assert f"Sessions in trouble now: {len(sessions)}." in text
        assert ("Embun" in text) is (person in (staged.ratna, staged.bima)), person.name


async def test_it_says_whose_line_has_what_and_shows_its_last_minutes(staged: Staged) -> None:
    text = await staged.text(staged.sari)
    assert text.count('aria-label="The last ten minutes of this line"') == 2
    assert text.count('class="g-poor"') == 1
    assert "Packets were lost, from the client to us; round trip 640 ms; lost 12.0 %; voice 2.3 of 5" in text
    assert "stepped down for the line" in text


async def test_who_is_on_duty_sees_all_without_the_way_to_their_reports(
    staged: Staged, clock: FakeClock
) -> None:
    services = staged.client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        await roster.set_hours(
            db,
            services.audit,
            slots=[(day, hour) for day in DAYS for hour in HOURS],
            person=staged.bima,
            deputy=None,
            actor=staged.dewi,
            now=clock.now(),
        )
    text = await staged.text(staged.bima)
    assert 'href="/quality"' in (await get(staged.client, "/duty")).text
    assert "Sessions in trouble now: 3." in text
    assert "/quality/sessions/s_1" in text
    assert "/quality/sessions/s_0" not in text
    assert text.count("Embun") == 1, "the own client's name alone"


async def test_nothing_is_in_trouble(client: Client) -> None:
    await log_in(client, await make(client, Role.ADMIN))
    assert "Tidak ada sesi yang terganggu sekarang." in (await get(client, "/quality")).text
