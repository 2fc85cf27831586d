from __future__ import annotations

from pathlib import Path

import pytest
from pytest_aiohttp.plugin import AiohttpClient

from accounts.people import Person
from accounts.roles import Role
from core.errors import ConfigError
from counseling import acceptances
from counseling.instruments import OURS
from tests.fakes import FakeClock
from tests.web.browsing import get, post, send
from tests.web.conftest import Client, FakeEngine, make_config
from tests.web.people import log_in, make
from web.app import make_app
from web.intake import SCREENING
from web.pages.site import LANGUAGE_COOKIE
from web.services import SERVICES

PAGE = "/admin/instruments"
ONE = f"{PAGE}/phq9/id"
FILLED = {"vouched_by": " Dr.  Ratna Dewi ", "vouched_on": "2026-03-01"}


async def is_on(client: Client, instrument: str = "phq9") -> bool:
    services, ours = client.app[SERVICES], client.app[SCREENING].instruments[instrument]
    async with services.database.sessions() as db:
        return acceptances.is_on(ours.translations["id"], await acceptances.acceptances(db))


async def tags(client: Client) -> list[str]:
    services = client.app[SERVICES]
    async with services.database.sessions() as db:
        return await services.audit.tags(db)


@pytest.fixture
async def admin(client: Client) -> Person:
    person = await make(client, Role.ADMIN, name="Adi")
    await log_in(client, person)
    client.session.cookie_jar.update_cookies({LANGUAGE_COOKIE: "en"})
    return person


async def test_the_list_says_where_everything_is_from(client: Client, admin: Person) -> None:
    text = (await get(client, PAGE)).text
    for words in (
        "PHQ-9",
        "GAD-7",
        "10.1046/j.1525-1497.2001.016009606.x",
        "No permission required to reproduce",
        "a translation that was not validated",
        "From 20 on:",
        "A decision of the teduh project",
        "Item 9: an answer of 1 or more asks",
    ):
        assert words in text, words
    assert text.count(">Off<") == 2
    assert text.count(">In use<") == 2


async def test_an_admin_accepts_and_withdraws_a_translation(client: Client, admin: Person) -> None:
    page = await get(client, ONE)
    assert "Made by proyek teduh (the teduh project) and not validated" in page.text
    assert "Kurang berminat" in page.text
    done = await send(client, ONE, **FILLED)
    assert (done.status, done.location) == (303, f"{ONE}?done=instrument_accepted")
    assert await is_on(client)
    assert not await is_on(client, "gad7")
    text = (await get(client, ONE)).text
    assert "Dr. Ratna Dewi vouches for these words" in text
    done = await send(client, f"{ONE}/withdraw", _page=ONE)
    assert done.location == f"{ONE}?done=instrument_withdrawn"
    assert not await is_on(client)
    assert "Was accepted in the name of Dr. Ratna Dewi" in (await get(client, ONE)).text
    assert {"instrument:accept", "instrument:withdraw"} <= set(await tags(client))


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"vouched_by": " "}, "vouched_by"),
        ({"vouched_by": "x" * 121}, "vouched_by"),
        ({"vouched_on": ""}, "vouched_on"),
        ({"vouched_on": "soon"}, "vouched_on"),
        ({"vouched_on": "2026-03-03"}, "vouched_on"),
    ],
)
async def test_a_name_and_a_day_that_has_come_are_needed(
    client: Client, admin: Person, changed: dict[str, str], field: str
) -> None:
    assert admin.roles == {Role.ADMIN}
    page = await send(client, ONE, **FILLED | changed)
    assert page.status == 422
    assert f'href="#{field}"' in page.text
    assert not await is_on(client)


async def test_words_that_changed_since_they_were_read_are_not_accepted(
    client: Client, admin: Person
) -> None:
    assert admin.roles == {Role.ADMIN}
    page = await get(client, ONE)
    done = await post(client, ONE, page.form(ONE) | FILLED | {"digest": "0" * 64})
    assert done.status == 409
    assert not await is_on(client)


async def test_the_original_has_nothing_to_accept(client: Client, admin: Person) -> None:
    assert admin.roles == {Role.ADMIN}
    assert "These words need no acceptance" in (await get(client, f"{PAGE}/phq9/en")).text
    for path in (f"{PAGE}/phq9/fr", f"{PAGE}/phq8/id"):
        assert (await get(client, path)).status == 404


async def test_only_admins_see_it(client: Client) -> None:
    await log_in(client, await make(client, Role.COUNSELOR, Role.SUPERVISOR, Role.OFFICER, name="Sari"))
    for path in (PAGE, ONE):
        assert (await get(client, path)).status == 403


async def test_an_operators_files_are_used(
    aiohttp_client: AiohttpClient, tmp_path: Path, clock: FakeClock
) -> None:
    (tmp_path / "own").mkdir()
    phq9 = (OURS / "phq9.toml").read_text(encoding="utf-8")
    (tmp_path / "own" / "mine.toml").write_text(phq9.replace('"PHQ-9"', '"Mine"'), encoding="utf-8")
    (tmp_path / "cut.toml").write_text(
        '[[mine]]\npoints = 7\nrisk = "watch"\nsuitability = "both"\n'
        'reason = "score_high"\nsource = "We did."\n',
        encoding="utf-8",
    )
    config = make_config(tmp_path, instruments=tmp_path / "own", cutoffs=tmp_path / "cut.toml")
    client = await aiohttp_client(make_app(config, clock=clock, make_engine=FakeEngine))
    ours = client.app[SCREENING]
    assert set(ours.instruments) == {"phq9", "gad7", "mine"}
    assert [rule.cutoff.points for rule in ours.in_force.rules["mine"]] == [7]


def test_a_file_that_does_not_fit_stops_the_start(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "mine.toml").write_text('name = "Mine"\n', encoding="utf-8")
    config = make_config(tmp_path, instruments=tmp_path / "own")
    with pytest.raises(ConfigError, match=r"mine\.toml does not fit: adults_only is missing"):
        make_app(config, clock=clock, make_engine=FakeEngine)
