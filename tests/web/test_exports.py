"""Taking a recording out: only where policy allows it, with a second person, and gone when consent is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import ClientError
from pytest_aiohttp.plugin import AiohttpClient
from sqlalchemy import select, update

from accounts import grants
from accounts.notice_tables import NoticeRow
from core.agefile import Identity, decrypt
from core.ids import new_id
from recordings.exports import State
from recordings.review_tables import RecordingExportRow
from recordings.states import Side
from tests.fakes import FakeClock
from tests.recordings.test_exports import codecs_of, webm
from tests.web.browsing import get, post, send
from tests.web.conftest import Client, FakeEngine, make_config
from tests.web.reviewed import Reviewed, reviewed
from tests.web.test_review_media import disable, end_assignment, withdraw_consent
from web.app import make_app
from web.exports import end_those_over, make_next
from web.reviews import REVIEW, REVIEWS

KEY = Identity.generate()
ASKED = {"recipient": str(KEY.recipient), "whom": "Dr. Wati", "purpose": "training of supervisors"}


@pytest.fixture
async def staged(
    aiohttp_client: AiohttpClient, tmp_path: Path, database_url: str, clock: FakeClock
) -> Reviewed:
    """A recording that the supervisor has open, where policy allows taking it out."""
    config = make_config(tmp_path, database_url, recording_export=True)
    client: Client = await aiohttp_client(make_app(config, clock=clock, make_engine=FakeEngine))
    media = {
        Side.CLIENT: webm(tmp_path / "client.webm", 440),
        Side.COUNSELOR: webm(tmp_path / "counselor.webm", 880),
    }
    made = await reviewed(client, media=media, duration_ms=4_000)
    await made.open(hours=24)
    await made.as_(made.sari)
    return made


async def asked(staged: Reviewed) -> tuple[str, str]:
    """Ask by the form; gives the page and the path that the admin decides by."""
    page = f"{staged.page}/exports"
    assert (await send(staged.client, page, **ASKED)).location == f"{page}?done=export_asked"
    await staged.as_(staged.dewi)
    waits = await get(staged.client, "/admin/exports")
    path = waits.text.partition('action="/admin/exports/')[2].partition('"')[0]
    return page, f"/admin/exports/{path}"


async def approved(staged: Reviewed) -> str:
    page, path = await asked(staged)
    led = await send(staged.client, path, _page="/admin/exports", approve="1")
    assert led.location == "/admin/exports?done=export_approved"
    return page


def files(staged: Reviewed) -> list[str]:
    folder = staged.services.config.data_dir / "recordings" / "exports"
    return sorted(one.name for one in folder.glob("*"))


async def test_it_is_off_unless_policy_allows_it(client: Client) -> None:
    staged = await reviewed(client)
    await staged.open()
    await staged.as_(staged.sari)
    assert (await get(client, f"{staged.page}/exports")).status == 404
    assert "/exports" not in (await get(client, staged.page)).text


async def test_who_asks_does_not_decide_and_what_is_made_opens_with_the_key_alone(
    staged: Reviewed, tmp_path: Path
) -> None:
    page = await approved(staged)
    await make_next(staged.services, staged.client.app[REVIEWS])
    (name,) = files(staged)
    await staged.as_(staged.sari)
    shown = await get(staged.client, page)
    assert "Ready" in shown.text
    path = shown.text.partition(f'href="{page}/')[2].partition('"')[0]
    async with staged.client.get(f"{page}/{path}") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        sealed = await answer.read()
    out = tmp_path / "out.mkv"
    out.write_bytes(decrypt(sealed, [KEY]))
    assert codecs_of(out) == ["vp8", "opus", "vp8", "opus"]
    async with staged.services.database.sessions() as db:
        kinds = set(await db.scalars(select(NoticeRow.kind).where(NoticeRow.user_id == staged.sari.id)))
    assert "export_ready" in kinds
    for person in (staged.dewi, staged.stranger, staged.ratna, staged.embun):
        await staged.as_(person)
        assert (await get(staged.client, f"{page}/{path}")).status in {403, 404}, person.name
    await staged.as_(staged.ratna)
    own = (await get(staged.client, staged.own_page)).text
    assert "Dr. Wati · training of supervisors" in own
    await staged.as_(staged.embun)
    assert (
        "Dr. Wati · training of supervisors" in (await get(staged.client, f"/me/recordings/{staged.id}")).text
    )
    history = (await get(staged.client, "/me/history?by=others")).text
    for words in ("asked for as a sealed file", "was approved", "was made", "was taken"):
        assert words in history


async def test_a_wrong_key_and_missing_words_are_said_at_their_fields(staged: Reviewed) -> None:
    page = f"{staged.page}/exports"
    for field, words, said in (
        ("recipient", "age1nonsense", "This is no age key."),
        ("recipient", "age1" + "q" * 200, "This is no age key."),
        ("purpose", "ab", "Write 3 to 200 characters."),
    ):
        wrong = await send(staged.client, page, **(ASKED | {field: words}))
        assert wrong.status == 422
        assert said in wrong.text
    for field in ("whom", "purpose", "recipient"):
        assert (await send(staged.client, page, **(ASKED | {field: ""}))).status == 422


async def test_what_is_refused_is_never_made(staged: Reviewed) -> None:
    page, path = await asked(staged)
    led = await send(staged.client, path, _page="/admin/exports", refuse="1")
    assert led.location == "/admin/exports?done=export_refused"
    await make_next(staged.services, staged.client.app[REVIEWS])
    assert files(staged) == []
    await staged.as_(staged.sari)
    assert "Refused" in (await get(staged.client, page)).text


async def test_a_consent_that_goes_takes_the_file_with_it(staged: Reviewed) -> None:
    await approved(staged)
    doers = staged.client.app[REVIEWS]
    await make_next(staged.services, doers)
    assert len(files(staged)) == 1
    await withdraw_consent(staged)
    await end_those_over(staged.services, doers)
    assert files(staged) == []


async def test_without_consent_nothing_is_approved_or_made(staged: Reviewed) -> None:
    await approved(staged)
    await withdraw_consent(staged)
    await make_next(staged.services, staged.client.app[REVIEWS])
    assert files(staged) == []
    waits = await get(staged.client, "/admin/exports")
    assert "No longer there" in waits.text


async def erase_the_asker(staged: Reviewed) -> None:
    async with staged.services.database.sessions.begin() as db:
        await db.execute(update(RecordingExportRow).values(asker_id=None))


@pytest.mark.parametrize("ends", [end_assignment, disable, erase_the_asker])
async def test_for_who_may_not_open_it_any_more_nothing_is_made_or_kept(
    staged: Reviewed, ends: Callable[[Reviewed], Awaitable[None]]
) -> None:
    await approved(staged)
    doers = staged.client.app[REVIEWS]
    await make_next(staged.services, doers)
    await staged.as_(staged.sari)
    await approved(staged)
    await ends(staged)
    await end_those_over(staged.services, doers)
    await make_next(staged.services, doers)
    assert files(staged) == []
    async with staged.services.database.sessions() as db:
        assert set(await db.scalars(select(RecordingExportRow.state))) == {State.GONE.value}


async def test_an_approval_stands_for_the_grant_that_it_was_asked_under(staged: Reviewed) -> None:
    _, path = await asked(staged)
    async with staged.services.database.sessions.begin() as db:
        await grants.end(db, permission=REVIEW, object_id=staged.id, person=staged.sari.id)
    await send(staged.client, path, _page="/admin/exports", approve="1")
    await make_next(staged.services, staged.client.app[REVIEWS])
    assert len(files(staged)) == 1


async def test_nothing_waits_for_a_decision_once_consent_is_gone(staged: Reviewed) -> None:
    _, path = await asked(staged)
    fields = (await get(staged.client, "/admin/exports")).form(path)
    await withdraw_consent(staged)
    assert "Dr. Wati" not in (await get(staged.client, "/admin/exports")).text.partition("<h2 id")[0]
    assert (await post(staged.client, path, fields | {"approve": "1"})).status == 404


async def test_the_file_is_there_for_seven_days(staged: Reviewed, clock: FakeClock) -> None:
    await approved(staged)
    doers = staged.client.app[REVIEWS]
    await make_next(staged.services, doers)
    clock.advance(6 * 86_400)
    await end_those_over(staged.services, doers)
    assert len(files(staged)) == 1
    clock.advance(86_400)
    await end_those_over(staged.services, doers)
    assert files(staged) == []


async def test_what_a_server_leaves_that_is_killed_while_it_makes_one_goes(staged: Reviewed) -> None:
    """When the recording may not be opened any more; half of a file or, named already, all of it."""
    await approved(staged)
    doers = staged.client.app[REVIEWS]
    async with staged.services.database.sessions.begin() as db:
        (row,) = await db.scalars(select(RecordingExportRow))
        row.state, number = State.MAKING.value, row.id
    await withdraw_consent(staged)
    for left in (doers.exporter._part(number), doers.exporter.path(number)):
        left.parent.mkdir(exist_ok=True)
        left.write_bytes(b"sealed")
    await make_next(staged.services, doers)
    assert files(staged) == []


async def test_a_file_of_an_export_that_nobody_knows_goes(staged: Reviewed) -> None:
    """As after an older database was restored."""
    await approved(staged)
    doers = staged.client.app[REVIEWS]
    await make_next(staged.services, doers)
    (known,) = files(staged)
    folder = doers.exporter.path(known).parent
    for name in (f"{new_id('x')}.mkv.age", f"{new_id('x')}.part", "of the operator.txt"):
        (folder / name).write_bytes(b"sealed")
    await end_those_over(staged.services, doers)
    assert files(staged) == sorted([known, "of the operator.txt"])


async def test_a_download_ends_when_the_file_may_not_be_fetched_any_more(
    staged: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = await approved(staged)
    doers = staged.client.app[REVIEWS]
    await make_next(staged.services, doers)
    (name,) = files(staged)
    path = doers.exporter.path(name.partition(".")[0])
    path.write_bytes(bytes(64 << 20))
    monkeypatch.setattr("web.pages.exports.LOOK_EVERY_S", 0)
    await staged.as_(staged.sari)
    async with staged.client.get(f"{page}/{name.partition('.')[0]}") as answer:
        await answer.content.readexactly(1_000)
        await withdraw_consent(staged)
        with pytest.raises(ClientError):
            await answer.read()


async def test_asked_for_its_head_alone_nothing_of_the_file_is_sent(staged: Reviewed) -> None:
    page = await approved(staged)
    await make_next(staged.services, staged.client.app[REVIEWS])
    (name,) = files(staged)
    await staged.as_(staged.sari)
    path = f"{page}/{name.partition('.')[0]}"
    async with staged.client.head(path) as head, staged.client.get(path) as whole:
        assert (head.status, whole.status) == (200, 200)
        assert int(head.headers["Content-Length"]) == len(await whole.read())


async def test_a_download_that_broke_off_goes_on_where_it_was(staged: Reviewed) -> None:
    page = await approved(staged)
    await make_next(staged.services, staged.client.app[REVIEWS])
    (name,) = files(staged)
    await staged.as_(staged.sari)
    path = f"{page}/{name.partition('.')[0]}"
    async with staged.client.get(path) as answer:
        whole, tag = await answer.read(), answer.headers["ETag"]
    for asked, given, status, body in (
        ("bytes=100-", tag, 206, whole[100:]),
        ("bytes=100-199", tag, 206, whole[100:200]),
        ("bytes=100-", '"another"', 200, whole),
        (f"bytes={len(whole)}-", tag, 416, b""),
    ):
        async with staged.client.get(path, headers={"Range": asked, "If-Range": given}) as answer:
            assert (answer.status, await answer.read()) == (status, body)
