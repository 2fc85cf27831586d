"""A recording's media over HTTP: for whom, which bytes, and that it ends when leave ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta

import aiohttp
import pytest
from sqlalchemy import update

from accounts import consents, logins, people
from accounts.audit import Filter
from accounts.texts import Kind
from counseling import supervision
from recordings import reviews
from recordings.playback import AT_ONCE
from recordings.reviews import Opening
from recordings.states import Side, State
from recordings.tables import RecordingRow
from tests.fakes import FakeClock
from tests.web.browsing import get
from tests.web.conftest import Client
from tests.web.people import log_out
from tests.web.reviewed import SAME_PAGE, Reviewed, reviewed
from web.review_media import LOOK_EVERY_S
from web.reviews import REVIEWS, forget_ended


@pytest.fixture
async def staged(client: Client) -> Reviewed:
    """A recording that the supervisor may open."""
    return await reviewed(client)


async def test_who_has_a_grant_plays_both_sides(staged: Reviewed) -> None:
    await staged.open()
    await staged.as_(staged.sari)
    for side in Side:
        status, body, headers = await staged.play(side.value)
        assert (status, body) == (200, staged.plain[side])
        assert headers["Content-Type"] == "video/webm"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Accept-Ranges"] == "bytes"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert (await staged.play("both"))[0] == 404


@pytest.mark.parametrize(
    ("asked", "status", "begin", "end"),
    [
        ("bytes=0-", 206, 0, 400_000),
        ("bytes=100000-100009", 206, 100_000, 100_010),
        ("bytes=-5", 206, 399_995, 400_000),
        ("bytes=399999-999999", 206, 399_999, 400_000),
        ("bytes=400000-", 416, 0, 0),
        ("bytes=5-4", 416, 0, 0),
        ("bytes=0-1,2-3", 416, 0, 0),
        ("bytes=x", 416, 0, 0),
        ("lines=1-2", 200, 0, 400_000),
    ],
)
async def test_a_range_gives_its_bytes_and_nothing_else(
    staged: Reviewed, asked: str, status: int, begin: int, end: int
) -> None:
    await staged.open()
    await staged.as_(staged.sari)
    got, body, headers = await staged.play(headers={"Range": asked})
    assert got == status
    if status == 416:
        assert headers["Content-Range"] == "bytes */400000"
        assert body == b""
    else:
        assert body == staged.plain[Side.CLIENT][begin:end]
    if status == 206:
        assert headers["Content-Range"] == f"bytes {begin}-{end - 1}/400000"


async def test_a_condition_that_cannot_be_met_gives_all_of_it(staged: Reviewed) -> None:
    await staged.open()
    await staged.as_(staged.sari)
    status, body, _ = await staged.play(headers={"Range": "bytes=0-9", "If-Range": '"x"'})
    assert (status, len(body)) == (200, 400_000)


async def test_no_other_page_and_no_link_plays_it(staged: Reviewed) -> None:
    await staged.open()
    await staged.as_(staged.sari)
    for site in ("cross-site", "same-site", "none", ""):
        headers = {"Sec-Fetch-Site": site} if site else {}
        async with staged.client.get(staged.media(), headers=headers) as answer:
            assert answer.status == 403, site


async def test_nobody_else_plays_it_with_the_same_address(staged: Reviewed) -> None:
    await staged.open()
    for person, status in (
        (staged.stranger, 404),
        (staged.ratna, 403),
        (staged.embun, 403),
        (staged.dewi, 403),
    ):
        await staged.as_(person)
        assert (await staged.play())[0] == status, person.name
    await log_out(staged.client)
    assert (await staged.play())[0] == 401


async def test_without_a_grant_it_does_not_play_and_after_its_end_neither(
    staged: Reviewed, clock: FakeClock
) -> None:
    await staged.as_(staged.sari)
    assert (await staged.play())[0] == 403
    await staged.open(hours=1)
    assert (await staged.play())[0] == 200
    clock.advance(3_601)
    await staged.as_(staged.sari)
    assert (await staged.play())[0] == 403


async def withdraw_consent(staged: Reviewed) -> None:
    services = staged.services
    async with services.database.sessions.begin() as db:
        await consents.withdraw(
            db,
            services.audit,
            person=staged.embun,
            kind=Kind.SUPERVISION,
            page="/me/consents",
            now=services.now(),
        )


async def leave(staged: Reviewed) -> None:
    async with staged.services.database.sessions.begin() as db:
        await people.leave(db, user=staged.embun.id, at=staged.services.now() + timedelta(hours=72))


async def take_back(staged: Reviewed) -> None:
    services = staged.services
    async with services.database.sessions.begin() as db:
        await reviews.take_back(
            db, services.audit, recording=staged.id, person=staged.ratna, now=services.now()
        )


async def counselor_withdraws(staged: Reviewed) -> None:
    async with staged.services.database.sessions.begin() as db:
        await db.execute(update(RecordingRow).values(closed_at=staged.services.now()))


async def end_assignment(staged: Reviewed) -> None:
    services = staged.services
    today = services.now().date()
    async with services.database.sessions.begin() as db:
        (one,) = await supervision.of_supervisor(db, supervisor=staged.sari.id, day=today)
        await supervision.end(
            db,
            services.audit,
            person=staged.dewi,
            counselor=staged.ratna.id,
            supervision=one.id,
            today=today,
            now=services.now(),
        )


async def disable(staged: Reviewed) -> None:
    async with staged.services.database.sessions.begin() as db:
        await people.disable(db, user=staged.sari.id, at=staged.services.now())


async def destroy(staged: Reviewed) -> None:
    async with staged.services.database.sessions.begin() as db:
        await db.execute(update(RecordingRow).values(state=State.DESTROYING.value))


async def log_everywhere_out(staged: Reviewed) -> None:
    async with staged.services.database.sessions.begin() as db:
        await logins.end_all(db, user=staged.sari.id)


End = Callable[[Reviewed], Awaitable[None]]
ENDS: list[End] = [
    withdraw_consent,
    leave,
    take_back,
    counselor_withdraws,
    end_assignment,
    disable,
    destroy,
    log_everywhere_out,
]


@pytest.mark.parametrize("end", ENDS, ids=lambda one: one.__name__)
async def test_whatever_ends_leave_ends_the_next_request(staged: Reviewed, end: End) -> None:
    await staged.open(hours=24)
    await staged.as_(staged.sari)
    assert (await staged.play(headers={"Range": "bytes=0-9"}))[0] == 206
    await end(staged)
    assert (await staged.play(headers={"Range": "bytes=0-9"}))[0] in {401, 403, 404}
    async with staged.client.post(f"/api/v1/recordings/{staged.id}/watched", json={}) as answer:
        assert answer.status in {401, 403, 404}


@pytest.mark.parametrize("end", [one for one in ENDS if one is not log_everywhere_out])
async def test_whatever_ends_a_grant_takes_the_opened_key_out_of_memory(staged: Reviewed, end: End) -> None:
    playback = staged.client.app[REVIEWS].playback
    await staged.open(hours=24)
    await staged.as_(staged.sari)
    for side in Side:
        await staged.play(side.value)
    await forget_ended(staged.services, playback)
    assert [use.viewer for use in playback.in_use()] == [staged.sari.id]
    await end(staged)
    await forget_ended(staged.services, playback)
    assert playback.in_use() == set()


@pytest.mark.parametrize("end", ENDS, ids=lambda one: one.__name__)
async def test_whatever_ends_leave_ends_what_is_being_sent(
    client: Client, clock: FakeClock, end: End
) -> None:
    long = {side: bytes(40_000_000) for side in Side}
    staged = await reviewed(client, media=long)
    await staged.open(hours=24)
    await staged.as_(staged.sari)
    async with staged.client.get(staged.media(), headers=SAME_PAGE) as answer:
        got = len(await answer.content.readexactly(65_536))
        await end(staged)
        clock.advance(LOOK_EVERY_S)
        with pytest.raises(aiohttp.ClientError):
            got += await _rest_of(answer)
    assert got < 20_000_000, "what was on its way arrives; the rest does not"


async def _rest_of(answer: aiohttp.ClientResponse) -> int:
    got = 0
    while piece := await answer.content.readany():
        got += len(piece)
    return got


async def test_short_requests_wait_for_one_another(staged: Reviewed) -> None:
    await staged.open()
    await staged.as_(staged.sari)
    many = await asyncio.gather(*(staged.play(headers={"Range": f"bytes={n}-{n}"}) for n in range(12)))
    assert [(status, body) for status, body, _ in many] == [
        (206, staged.plain[Side.CLIENT][n : n + 1]) for n in range(12)
    ]


async def test_a_grant_has_four_requests_at_once_and_those_given_up_count_no_more(client: Client) -> None:
    staged = await reviewed(client, media={side: bytes(40_000_000) for side in Side})
    await staged.open()
    await staged.as_(staged.sari)
    async with AsyncExitStack() as going:
        for _ in range(AT_ONCE):
            answer = await going.enter_async_context(client.get(staged.media(), headers=SAME_PAGE))
            assert answer.status == 200
        status, _, headers = await staged.play()
        assert (status, headers["Retry-After"]) == (429, "1")
    assert (await staged.play(headers={"Range": "bytes=0-9"}))[0] == 206


async def test_playing_is_written_down_once_and_seen_by_the_client(staged: Reviewed) -> None:
    await staged.open()
    await staged.as_(staged.sari)
    for _ in range(3):
        await staged.play(headers={"Range": "bytes=0-9"})
    async with staged.services.database.sessions() as db:
        rows = await staged.services.audit.matching(db, wanted=Filter(tag="review:open"))
    assert [(row.actor, row.subject, row.object_id) for row in rows] == [
        (staged.sari.id, staged.embun.id, staged.id)
    ]


async def test_what_is_fetched_without_the_page_is_counted_and_both_read_it(staged: Reviewed) -> None:
    await staged.open()
    await staged.as_(staged.sari)
    whole = sum(len(plain) for plain in staged.plain.values())
    for asked in ("bytes=0-99999", f"bytes=100000-{whole // 4 - 1}"):
        await staged.play(headers={"Range": asked})
    assert await sent_bytes(staged, at_least=whole // 4) == whole // 4
    assert (await one_opening(staged)).watched == ()
    for person, page in ((staged.embun, f"/me/recordings/{staged.id}"), (staged.ratna, staged.own_page)):
        await staged.as_(person)
        assert "Up to 25 % of it was sent to their browser" in (await get(staged.client, page)).text


async def test_what_was_sent_is_counted_though_access_ends_meanwhile(
    client: Client, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = client.server.runner
    assert served is not None
    monkeypatch.setattr(served.server, "handler_cancellation", False)  # as teduh serve has it
    staged = await reviewed(client, media={side: bytes(40_000_000) for side in Side})
    await staged.open()
    await staged.as_(staged.sari)
    async with staged.client.get(staged.media(), headers=SAME_PAGE) as answer:
        got = len(await answer.content.readexactly(65_536))
        await take_back(staged)
        clock.advance(LOOK_EVERY_S)
        with pytest.raises(aiohttp.ClientError):
            got += await _rest_of(answer)
    assert await sent_bytes(staged, at_least=got) < 20_000_000


async def sent_bytes(staged: Reviewed, *, at_least: int) -> int:
    """How much was sent, once it is written down: that is after the browser has it."""
    async with asyncio.timeout(10):
        while True:
            sent = (await one_opening(staged)).sent_bytes
            if sent >= at_least:
                return sent
            await asyncio.sleep(0.01)


async def one_opening(staged: Reviewed) -> Opening:
    async with staged.services.database.sessions() as db:
        recording = await reviews.find(db, recording=staged.id)
        (opening,) = await reviews.openings(
            db, staged.services.audit, recording=recording, participant=staged.embun.id
        )
    return opening


async def test_what_was_watched_is_told_and_what_cannot_have_been_is_not_taken(staged: Reviewed) -> None:
    await staged.open()
    await staged.as_(staged.sari)
    path = f"/api/v1/recordings/{staged.id}/watched"
    for body, status in (
        ({}, 204),
        ({"from_ms": 0, "to_ms": 5_000}, 204),
        ({"from_ms": 5_000, "to_ms": 4_000}, 422),
        ({"from_ms": -1, "to_ms": 4_000}, 422),
        ({"from_ms": "x"}, 422),
        ({"other": 1}, 422),
    ):
        async with staged.client.post(path, json=body) as answer:
            assert answer.status == status, body
    async with staged.client.post(path, json={}, headers={"Origin": "https://elsewhere.example"}) as answer:
        assert answer.status == 403


@pytest.mark.parametrize("number", ["x", "r_00000000000000000000", "..%2Fkeys", "%00"])
async def test_what_is_no_recording_is_not_found(staged: Reviewed, number: str) -> None:
    await staged.as_(staged.sari)
    for path in (f"/api/v1/recordings/{number}/client", f"/supervisor/recordings/{number}"):
        async with staged.client.get(path, headers=SAME_PAGE) as answer:
            assert answer.status in {400, 404}, path
