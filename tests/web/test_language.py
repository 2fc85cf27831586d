"""The switch of languages: it keeps the page on which one is, and loses nothing that is shown once."""

from __future__ import annotations

import re

import pytest

from accounts.roles import Role
from tests.web.browsing import get, post, send
from tests.web.conftest import Client
from tests.web.people import log_in, make
from web.gate import PERMISSIONS
from web.pages.back import page_of

SWITCH = re.compile(r'<a href="(/lang/en\?to=[^"]*)"')


def switch_in(page: str) -> str | None:
    """The link to English, if there is one."""
    found = SWITCH.search(page)
    return None if found is None else found[1].replace("&amp;", "&")


@pytest.mark.parametrize(
    ("path", "back"),
    [
        ("/me/history?by=others", "/me/history?by=others"),
        ("/me/consents?done=consent_given", "/me/consents"),
        ("/complaint/answer", "/complaint/answer"),
    ],
)
async def test_it_keeps_the_page_and_what_is_chosen_on_it(client: Client, path: str, back: str) -> None:
    await log_in(client, await make(client))
    switch = switch_in((await get(client, path)).text)
    assert switch is not None
    answer = await get(client, switch)
    assert (answer.status, answer.location) == (303, back)


async def test_a_form_with_something_wrong_leads_to_where_it_stands(client: Client) -> None:
    await log_in(client, await make(client, Role.ADMIN))
    opened = await get(client, "/admin/crisis")
    fields = opened.form("/admin/crisis/sign")
    page = await post(client, "/admin/crisis/sign", fields)
    assert page.status == 422
    assert (await get(client, switch_in(page.text) or "")).location == "/admin/crisis"


async def test_what_is_shown_once_has_no_switch(client: Client) -> None:
    await log_in(client, await make(client))
    page = await send(client, "/me/recovery")
    assert page.status == 200
    assert 'id="code"' in page.text
    assert switch_in(page.text) is None


async def test_every_form_stands_below_a_page(client: Client) -> None:
    """Some stand on the home of whoever sends them; from there the front page leads on."""
    routes = client.app[PERMISSIONS]
    lost = set()
    for method, route in routes:
        parts = route.split("/")
        above = ["/".join(parts[:count]) for count in range(2, len(parts) + 1)]
        if (
            method == "POST"
            and not route.startswith("/api/")
            and all(("GET", one) not in routes for one in above)
        ):
            lost.add(route)
    assert lost == {"/me/logout", "/staff/leave", "/drops/{drop}/see", "/drops/{drop}/close"}


@pytest.mark.parametrize(
    ("wanted", "page"),
    [
        ("/admin/register?view=all&page=2", "/admin/register?view=all&page=2"),
        ("/admin/people?name=R%C3%A9&role=", "/admin/people?name=R%C3%A9&role="),
        ("?x=1", "/"),
        ("//evil.example?x", "/"),
        ("/me/history?by=a\r\nSet-Cookie: a=b", "/"),
        ("/me/history?by=a#b", "/"),
        ("/lang/id?to=/lang/en", "/"),
    ],
)
def test_only_pages_of_ours_are_led_to(wanted: str, page: str) -> None:
    assert page_of(wanted) == page
