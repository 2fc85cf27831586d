"""What an alarm sends outside: to a real mail server, and to a real receiver of webhooks."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web as http
from aiohttp.test_utils import TestServer
from pytest_aiohttp.plugin import AiohttpClient

from accounts import contacts
from accounts.people import Person
from accounts.roles import Role
from core.shapes import Smtp, Webhook
from counseling import alarms, roster
from tests.core.test_mail import Post, serve
from tests.fakes import FakeClock
from tests.web.conftest import FakeEngine, make_config
from tests.web.danger import Danger
from tests.web.people import make
from web.app import make_app
from web.commands.doctor import unreached
from web.duties import DUTIES
from web.escalation import CALLS, Outside
from web.jobs import JOBS
from web.pages.site import SITE
from web.webhook import DELIVERY, SIGNATURE, Hook, sign

SECRET = "a secret of the pager"
NAME = "Embun Pagi"


@dataclass
class Pager:
    """A receiver of webhooks: keeps what came, and answers as told."""

    answers: list[int] = field(default_factory=list)
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def take(self, request: http.Request) -> http.Response:
        self.came.append((dict(request.headers), await request.read()))
        status = self.answers.pop(0) if self.answers else 204
        return http.Response(status=status, headers={"Location": "/elsewhere"})


@dataclass
class Outward:
    """A service that sends outside, its receivers, and a process that may be stopped in the middle."""

    danger: Danger
    pager: Pager
    post: Post
    target: Webhook
    outside: Outside
    jobs: list[Any]
    """The application's own, which stand still but in one test."""

    async def run(self) -> None:
        """One run of the job, until all that it sent has arrived or failed."""
        services = self.danger.services
        await self.outside.send_due(services)
        if self.outside.tasks:
            await asyncio.wait(self.outside.tasks)
        assert services.mail is not None
        await services.mail.sent()
        await self.outside.send_due(services)


@pytest.fixture
async def outward(
    aiohttp_client: AiohttpClient, tmp_path: Path, database_url: str, clock: FakeClock
) -> AsyncIterator[Outward]:
    """The application with a mail server and a pager of the test's own; its own jobs send nothing."""
    pager, post = Pager(), Post()
    receiver = http.Application()
    receiver.router.add_post("/in", pager.take)
    server, mail = TestServer(receiver), await serve(post)
    await server.start_server()
    target = Webhook(str(server.make_url("/in")), SECRET)
    config = make_config(tmp_path, database_url, smtp=Smtp("127.0.0.1", post.port), alert_webhook=target)
    app = make_app(config, clock=clock, make_engine=FakeEngine)
    planned = app[JOBS]
    jobs = list(planned)
    planned.clear()
    client = await aiohttp_client(app)
    outside = Outside(client.app[SITE].renderer, Hook(target))
    assert outside.hook is not None
    await outside.hook.start()
    made = Outward(Danger(client, clock), pager, post, target, outside, jobs)
    yield made
    await made.outside.close()
    mail.close()
    await server.close()


async def with_address(outward: Outward, person: Person, address: str) -> Person:
    """Somebody who confirmed an address."""
    services = outward.danger.services
    async with services.database.sessions.begin() as db:
        await contacts.keep_email(
            db, services.subjects, user=person.id, email=address, code_hash=address, now=services.now()
        )
        await contacts.confirm_email(db, code_hash=address, now=services.now())
    return person


async def test_the_duty_person_is_called_by_letter_and_webhook_which_say_nothing(outward: Outward) -> None:
    danger = outward.danger
    budi = await with_address(outward, await make(danger.client, Role.COUNSELOR), "budi@example.org")
    tari = await make(danger.client, Role.SUPERVISOR, name="Tari")
    await danger.on_duty(budi, tari)
    walkin = await danger.walks_in(await make(danger.client, name=NAME))
    await danger.look()
    danger.clock.advance(180)
    await danger.look()
    await outward.run()
    (letter,) = outward.post.came
    assert letter["To"] == "budi@example.org"
    text = f"{letter['Subject']} {letter.get_content()}"
    assert "/duty" in text
    bodies = [json.loads(body) for _, body in outward.pager.came]
    assert sorted(body["step"] for body in bodies) == ["deputy", "duty"]
    assert all(set(body) == {"type", "step", "at", "open"} for body in bodies)
    said = text + "".join(str(one) for one in outward.pager.came)
    for secret in (NAME, walkin.id, walkin.client, "study", "danger", budi.id):
        assert secret not in said
    await outward.run()
    assert (len(outward.post.came), len(outward.pager.came)) == (1, 2), "each goes out once"


async def test_a_webhook_can_be_known_to_be_ours(outward: Outward) -> None:
    danger = outward.danger
    await danger.on_duty(await make(danger.client, Role.COUNSELOR))
    await danger.walks_in(await make(danger.client))
    await danger.look()
    await outward.run()
    ((headers, body),) = outward.pager.came
    stamp, _, mac = headers[SIGNATURE].partition(",v1=")
    seconds = stamp.removeprefix("t=")
    expected = hmac.new(SECRET.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    assert (int(seconds), mac) == (int(danger.clock.now().timestamp()), expected)


async def test_what_is_refused_is_tried_again_under_the_same_name(outward: Outward) -> None:
    danger = outward.danger
    await danger.on_duty(await make(danger.client, Role.COUNSELOR))
    walkin = await danger.walks_in(await make(danger.client))
    await danger.look()
    outward.pager.answers = [500, 302, 200]
    for waits_s in (0, 2, 5, 60):
        danger.clock.advance(waits_s)
        await outward.run()
    assert len(outward.pager.came) == 3, "it is not followed elsewhere, and ends with a 2xx"
    assert len({headers[DELIVERY] for headers, _ in outward.pager.came}) == 1
    assert (await danger.alarm(walkin)).is_open


async def test_a_restart_sends_what_was_not_taken_and_only_that(outward: Outward) -> None:
    danger = outward.danger
    await danger.on_duty(
        await make(danger.client, Role.COUNSELOR), await make(danger.client, Role.SUPERVISOR)
    )
    await danger.walks_in(await make(danger.client))
    danger.clock.advance(180)
    await danger.look()
    outward.pager.answers = [204, 503]
    await outward.run()
    first = [headers[DELIVERY] for headers, _ in outward.pager.came]
    await outward.outside.close()
    hook = Hook(outward.target)
    await hook.start()
    outward.outside = Outside(outward.outside.renderer, hook)
    danger.clock.advance(2)
    await outward.run()
    again = [headers[DELIVERY] for headers, _ in outward.pager.came][2:]
    assert len(first) == 2
    assert again == [first[1]]


async def test_once_somebody_answered_nothing_goes_out_any_more(outward: Outward) -> None:
    danger = outward.danger
    budi = await with_address(outward, await make(danger.client, Role.COUNSELOR), "budi@example.org")
    await danger.on_duty(budi)
    walkin = await danger.walks_in(await make(danger.client))
    await danger.look()
    services = danger.services
    async with services.database.sessions.begin() as db:
        alarm = await danger.alarm(walkin)
        await alarms.acknowledge(db, services.audit, alarm=alarm.id, person=budi.id, now=services.now())
    await outward.run()
    assert (outward.post.came, outward.pager.came) == ([], [])


async def test_a_pager_that_is_not_there_holds_up_nothing(outward: Outward) -> None:
    danger = outward.danger
    await outward.outside.close()
    hook = outward.outside.hook = Hook(Webhook("http://127.0.0.1:9/in", SECRET))
    await hook.start()
    budi = await with_address(outward, await make(danger.client, Role.COUNSELOR), "budi@example.org")
    await danger.on_duty(budi)
    await danger.walks_in(await make(danger.client))
    await danger.look()
    await outward.run()
    assert len(outward.post.came) == 1


async def test_the_services_own_jobs_do_it_all(outward: Outward) -> None:
    """Nobody looks but the jobs of the running application, as its clock goes on."""
    danger = outward.danger
    await danger.on_duty(await make(danger.client, Role.COUNSELOR))
    await danger.walks_in(await make(danger.client))
    danger.client.app[JOBS].extend(outward.jobs)
    async with asyncio.timeout(30):
        while not outward.pager.came:
            danger.clock.advance(1)
            await asyncio.sleep(0.3)
    assert len(danger.client.app[CALLS].now) == 1


async def test_the_doctor_names_who_can_be_called_on_an_open_page_only(outward: Outward) -> None:
    danger = outward.danger
    budi = await with_address(
        outward, await make(danger.client, Role.COUNSELOR, name="Budi"), "b@example.org"
    )
    tari = await make(danger.client, Role.SUPERVISOR, name="Tari")
    await danger.on_duty(budi, tari)
    async with danger.services.database.sessions() as db:
        held = await roster.load(db, zone=danger.client.app[DUTIES].zone, now=danger.clock.now())
        assert await unreached(db, held, mailed=True) == ["Tari"]
        assert sorted(await unreached(db, held, mailed=False)) == ["Budi", "Tari"]


def test_a_signature_is_as_it_was_said() -> None:
    at = datetime(2026, 3, 2, 9, 1, tzinfo=UTC)
    assert sign("0123456789abcdef", b"{}", at=at) == (
        "t=1772442060,v1=" + hmac.new(b"0123456789abcdef", b"1772442060.{}", "sha256").hexdigest()
    )


async def test_a_letter_that_broke_here_keeps_no_other_back_and_is_tried_again(
    outward: Outward, monkeypatch: pytest.MonkeyPatch
) -> None:
    danger = outward.danger
    budi = await with_address(outward, await make(danger.client, Role.COUNSELOR), "budi@example.org")
    await danger.on_duty(budi)
    await danger.walks_in(await make(danger.client))
    await danger.look()
    real, tries = contacts.is_confirmed, 0

    async def breaks_once(*args: Any, **more: Any) -> bool:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError("the database was busy")
        return await real(*args, **more)

    monkeypatch.setattr(contacts, "is_confirmed", breaks_once)
    await outward.run()
    assert (len(outward.post.came), len(outward.pager.came)) == (0, 1)
    danger.clock.advance(2)
    await outward.run()
    assert len(outward.post.came) == 1
