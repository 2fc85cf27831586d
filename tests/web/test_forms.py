from __future__ import annotations

import asyncio

from aiohttp import web as http
from pytest_aiohttp.plugin import AiohttpClient
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import StringField
from wtforms.validators import InputRequired

from accounts import people
from accounts.roles import Permission
from accounts.tables import UserRow
from core.config import Config
from tests.fakes import FakeClock
from tests.web.conftest import Client, FakeEngine
from tests.web.people import log_in, log_out, make
from web.app import make_app
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add
from web.services import SERVICES

Numbers = dict[str, str]


class NameForm(PageForm):
    name = StringField("nav.name", [InputRequired("form.missing")])


async def show(request: http.Request) -> http.Response:
    form = blank(request, NameForm)
    return http.json_response({"csrf": form.csrf.data, "once": form.once.data})


async def take(request: http.Request) -> http.Response:
    form = await sent(request, NameForm)
    if not form.validate():
        return http.json_response({field.name: field.errors for field in form.wrong}, status=422)
    services = request.app[SERVICES]

    async def act(db: AsyncSession) -> str:
        person = await people.create_client(
            db, name=str(form.name.data), language="id", adult=True, now=services.now()
        )
        if form.name.data == "taken":
            raise Wrong("name", "form.long")
        return f"/made/{person.id}"

    try:
        return await do_once(request, form, act)
    except Wrong as error:
        form.say_wrong(error)
        return http.json_response({field.name: field.errors for field in form.wrong}, status=422)


async def with_form(aiohttp_client: AiohttpClient, config: Config, clock: FakeClock) -> Client:
    app = make_app(config, clock=clock, make_engine=FakeEngine)
    add(app, "GET", "/t", show, Permission.OPEN)
    add(app, "POST", "/t", take, Permission.OPEN)
    return await aiohttp_client(app)


async def numbers(client: Client) -> Numbers:
    async with client.get("/t") as answer:
        found: Numbers = await answer.json()
        return found


async def send(client: Client, **fields: str) -> tuple[int, str]:
    async with client.post("/t", data=fields, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location", "") or await answer.text()


async def made(client: Client) -> int:
    async with client.app[SERVICES].database.sessions() as db:
        return await db.scalar(select(func.count()).select_from(UserRow)) or 0


async def test_sending_twice_does_it_once_and_leads_to_the_same_place(
    aiohttp_client: AiohttpClient, config: Config, clock: FakeClock
) -> None:
    client = await with_form(aiohttp_client, config, clock)
    form = await numbers(client)
    answers = await asyncio.gather(*(send(client, name="Embun", **form) for _ in range(5)))
    answers.append(await send(client, name="Embun", **form))
    assert {status for status, _ in answers} == {303}
    assert len({location for _, location in answers}) == 1
    assert await made(client) == 1


async def test_what_failed_may_be_sent_again(
    aiohttp_client: AiohttpClient, config: Config, clock: FakeClock
) -> None:
    client = await with_form(aiohttp_client, config, clock)
    form = await numbers(client)
    assert (await send(client, name="", **form))[0] == 422
    assert (await send(client, name="taken", **form))[0] == 422
    assert await made(client) == 0
    assert (await send(client, name="Embun", **form))[0] == 303
    assert await made(client) == 1


async def test_a_form_of_another_login_is_none_of_ours(
    aiohttp_client: AiohttpClient, config: Config, clock: FakeClock
) -> None:
    client = await with_form(aiohttp_client, config, clock)
    nobodys = await numbers(client)
    await log_in(client, await make(client))
    assert (await send(client, name="Embun", **nobodys))[0] == 403
    mine = await numbers(client)
    await log_out(client)
    assert (await send(client, name="Embun", **mine))[0] == 403
    for wrong in ({}, {"csrf": ""}, {"csrf": "x" * 48}, {"csrf": "é" * 48}, {"once": ""}, {"once": "é" * 22}):
        async with client.post("/t", data={"name": "E", **nobodys, **wrong}, allow_redirects=False) as answer:
            fits = wrong in ({}, {"once": "é" * 22})
            assert (answer.status == 303) is fits, wrong


async def test_the_proof_in_a_page_differs_each_time(
    aiohttp_client: AiohttpClient, config: Config, clock: FakeClock
) -> None:
    client = await with_form(aiohttp_client, config, clock)
    assert len({(await numbers(client))["csrf"] for _ in range(5)}) == 5
