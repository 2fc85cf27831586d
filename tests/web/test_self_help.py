"""The exercises: for anybody, in both languages, dated, also on the kept page, signed off by a clinician."""

from __future__ import annotations

import pytest

from accounts.roles import Role
from counseling.self_help import shipped
from tests.web.browsing import get
from tests.web.browsing import send as browse
from tests.web.conftest import Client
from tests.web.people import log_in, log_out, make
from tests.web.test_walkin import ask
from web.duties import clinical_texts
from web.pages.site import SITE

PAGE = "/self-help"


@pytest.mark.parametrize("language", ["id", "en"])
@pytest.mark.parametrize("path", [PAGE, "/offline"])
async def test_all_of_it_stands_on_its_page_and_on_the_kept_one(
    client: Client, path: str, language: str
) -> None:
    page = await get(client, path, **{"Accept-Language": language})
    assert page.status == 200
    for one in shipped().exercises:
        for words in one.words().values():
            assert words[language].partition('"')[0] in page.text
        assert one.source in page.text
    assert "2026" in page.text.split("kB")[0]


async def test_it_is_reached_from_the_front_and_while_waiting(client: Client) -> None:
    for path in ("/", "/talk/else"):
        assert f'href="{PAGE}"' in (await get(client, path)).text, path
    await ask(client)
    assert f'href="{PAGE}"' in (await get(client, "/talk/waiting")).text
    read = await get(client, PAGE)
    assert "data-line-bar" in read.text, "who waits is called from there"
    assert 'href="/crisis"' in read.text


async def test_a_clinician_signs_it_off_with_the_other_words(client: Client) -> None:
    keys = {key for key, _, _ in clinical_texts(client.app[SITE].renderer)}
    assert "self_help.breath.step_1" in keys
    assert "crisis.say_safe" in keys
    unsigned = "still need a clinician"
    assert unsigned in (await get(client, PAGE)).text
    await log_in(client, await make(client, Role.ADMIN))
    signed = await browse(client, "/admin/crisis/sign", _page="/admin/crisis", clinician="dr. Sp")
    assert signed.status == 303
    await log_out(client)
    assert unsigned not in (await get(client, PAGE)).text
