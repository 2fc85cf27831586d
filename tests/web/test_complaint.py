"""Complaints, from the form to the answer."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import FormData
from PIL import Image
from sqlalchemy import func, select

from accounts import grants, notices
from accounts.people import Person
from accounts.roles import Permission, Role
from core.errors import InvalidInput
from counseling import complaint_lists
from counseling.complaints import Topic
from counseling.duty_tables import ComplaintRow
from tests.fakes import FakeClock
from tests.web.conftest import Client
from tests.web.people import log_in, log_out, make, send
from web.duties import DUTIES, tell_late_complaints
from web.services import SERVICES
from web.uploads import UPLOADS

WRITTEN = {"topic": "boundary", "text": "Konselor meminta nomor saya."}


def photo() -> bytes:
    """A photo that says where it was taken."""
    picture, out = Image.new("RGB", (40, 30), "red"), io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "Jalan Rahasia 7"
    picture.save(out, "JPEG", exif=exif)
    return out.getvalue()


async def complain(client: Client, **more: object) -> str:
    status, text = await send(client, "/complaint", {**WRITTEN, **more})
    assert status == 200, text
    found = re.search(r'id="receipt">([^<]+)<', text)
    assert found is not None
    return found[1]


async def officers(client: Client, officer: Person) -> str:
    """Log in as the officer and open the one complaint there is; gives its address."""
    await log_out(client)
    await log_in(client, officer)
    async with client.get("/officer") as answer:
        text = await answer.text()
    assert "nomor saya" not in text
    found = re.search(r'href="(/officer/c_[^"]+)"', text)
    assert found is not None
    async with client.get(found[1]) as answer:
        assert "nomor saya" not in await answer.text(), "a purpose comes first"
    status, _ = await send(client, f"{found[1]}/open", {"purpose": "read"}, page=found[1])
    assert status == 303
    return found[1]


@pytest.mark.parametrize("known", [True, False])
async def test_from_the_form_to_the_answer(client: Client, known: bool) -> None:
    officer = await make(client, Role.OFFICER, name="Wayan")
    person = await make(client)
    if known:
        await log_in(client, person)
    async with client.get("/complaint") as answer:
        text = await answer.text()
        assert "Wayan" in text
        assert "7 hari" in text
    receipt = await complain(client)
    assert re.fullmatch(r"([0-9A-Z]{4}-){3}[0-9A-Z]{4}", receipt)
    way = await officers(client, officer)
    async with client.get(way) as answer:
        assert "nomor saya" in await answer.text()
    status, where = await send(client, f"{way}/answer", {"text": "Kami sudah menegur."}, page=way)
    assert (status, where) == (303, f"{way}?done=answered")
    assert (await send(client, f"{way}/close", {}, page=way))[0] == 303
    await log_out(client)
    status, text = await send(client, "/complaint/answer", {"receipt": receipt.lower().replace("-", " ")})
    assert status == 200
    assert "Kami sudah menegur." in text
    assert receipt not in text, "the code is shown once"
    assert "nomor saya" not in text
    if known:
        await log_in(client, person)
        async with client.get("/complaint") as answer:
            assert "Kami sudah menegur." in await answer.text()
        async with client.get("/me/notices") as answer:
            assert "Laporanmu sudah dijawab" in await answer.text()


async def test_a_client_may_stay_apart_from_the_account(client: Client) -> None:
    await log_in(client, await make(client))
    await complain(client, apart="y")
    async with client.app[SERVICES].database.sessions() as db:
        assert (await db.scalars(select(ComplaintRow.user_id))).all() == [None]


async def test_sent_five_times_at_once_it_is_one_complaint_and_one_code(client: Client) -> None:
    async with client.get("/complaint") as answer:
        text = await answer.text()
    fields = dict(WRITTEN)
    for name in ("csrf", "once"):
        found = re.search(rf'name="{name}" value="([^"]*)"', text)
        assert found is not None
        fields[name] = found[1]

    async def one() -> str:
        async with client.post("/complaint", data=fields) as answer:
            found = re.search(r'id="receipt">([^<]+)<', await answer.text())
            assert found is not None
            return found[1]

    assert len(set(await asyncio.gather(*(one() for _ in range(5))))) == 1
    async with client.app[SERVICES].database.sessions() as db:
        assert await db.scalar(select(func.count()).select_from(ComplaintRow)) == 1


@pytest.mark.parametrize("role", [Role.ADMIN, Role.COUNSELOR, Role.SUPERVISOR, Role.CLIENT])
async def test_nobody_else_sees_it(client: Client, role: Role) -> None:
    await complain(client)
    await log_in(client, await make(client, role))
    for path in ("/officer", "/officer/c_x", "/officer/c_x/evidence/e_x"):
        async with client.get(path) as answer:
            assert answer.status == 403


async def test_an_officer_with_another_role_sees_nothing(client: Client) -> None:
    await log_in(client, await make(client, Role.OFFICER, Role.COUNSELOR))
    async with client.get("/officer") as answer:
        assert answer.status == 403


async def test_what_is_wrong_is_said_and_what_was_typed_is_kept(client: Client) -> None:
    for fields, said in (
        ({"topic": "boundary", "text": ""}, "Bagian ini belum diisi"),
        ({"topic": "nonsense", "text": "Ceritaku"}, "Pilih salah satu"),
        ({**WRITTEN, "text": "x" * 10_001}, "Terlalu panjang"),
        ({**WRITTEN, "text": "Ceritaku", "code": "AAAA"}, "Ceritaku"),
        ({**WRITTEN, "text": "Ceritaku", "code": "0000-0000-0000-0000-0000"}, "Ceritaku"),
    ):
        status, text = await send(client, "/complaint", fields)
        assert status == 422
        assert said in text
    status, text = await send(client, "/complaint/answer", {"receipt": "0000-0000-0000-0000"})
    assert status == 422
    assert "tidak kami kenal" in text


async def add(client: Client, receipt: str, file: bytes) -> tuple[int, str]:
    """Read the receipt's page, and send a file from its form."""
    async with client.get("/complaint/answer") as answer:
        text = await answer.text()
    fields = {"receipt": receipt}
    for name in ("csrf", "once"):
        found = re.search(rf'name="{name}" value="([^"]*)"', text)
        assert found is not None
        fields[name] = found[1]

    data = FormData()
    for name, value in fields.items():
        data.add_field(name, value)
    data.add_field("file", file, filename="../Jalan Rahasia.jpg", content_type="image/svg+xml")
    async with client.post("/complaint/evidence", data=data) as answer:
        return answer.status, await answer.text()


async def test_evidence_is_cleaned_and_served_as_an_attachment(client: Client) -> None:
    officer = await make(client, Role.OFFICER)
    receipt = await complain(client)
    status, text = await add(client, receipt, photo())
    assert (status, "Berkas sudah ditambahkan" in text) == (200, True), text
    for bad, said in (
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "Hanya JPEG"),
        (b"<html><script>alert(1)</script>", "Hanya JPEG"),
        (b"", "Pilih berkas"),
        (b"\xff\xd8\xff" + b"x" * 100, "rusak"),
    ):
        status, text = await add(client, receipt, bad)
        assert (status, said in text) == (422, True), text
    assert (await add(client, "0000-0000-0000-0000", photo()))[0] == 422
    way = await officers(client, officer)
    async with client.get(way) as answer:
        found = re.search(r'href="(/officer/[^"]+/evidence/[^"]+)"', await answer.text())
    assert found is not None
    async with client.get(found[1]) as answer:
        body = await answer.read()
        assert answer.status == 200
        assert answer.headers["Content-Disposition"].startswith("attachment;")
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert answer.headers["Content-Type"] == "image/jpeg"
    assert b"Rahasia" not in body
    assert Image.open(io.BytesIO(body)).size == (40, 30)


def half_sent(*parts: tuple[str, str]) -> bytes:
    """The beginning of a form: fields, then a file that has only begun."""
    body = "".join(f'--x\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in parts)
    return (
        body.encode()
        + b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        + b"x" * 60_000
    )


async def hidden(client: Client) -> list[tuple[str, str]]:
    async with client.get("/complaint/answer") as answer:
        text = await answer.text()
    return [(name, text.split(f'name="{name}" value="')[1].split('"')[0]) for name in ("csrf", "once")]


async def test_a_file_is_not_read_before_its_form_holds(client: Client) -> None:
    receipt = ("receipt", await complain(client))
    good = await hidden(client)
    for fields, wanted in (
        ([], 403),
        ([receipt], 403),
        ([("csrf", "x"), good[1], receipt], 403),
        (good, 422),
        ([*good, ("receipt", "0000-0000-0000-0000")], 422),
    ):

        async def body(start: bytes = half_sent(*fields)) -> AsyncIterator[bytes]:
            yield start
            await asyncio.sleep(5)  # the rest never comes: who waits for it is too late
            yield b"x"

        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        async with (
            asyncio.timeout(4),
            client.post("/complaint/evidence", data=body(), headers=headers) as got,
        ):
            assert got.status == wanted, fields


async def test_few_files_are_read_at_once_and_none_for_ever(client: Client) -> None:
    uploads = client.app[UPLOADS]
    uploads.turns, uploads.file_within_s = asyncio.Semaphore(1), 0.5
    fields = [*await hidden(client), ("receipt", await complain(client))]

    async def body() -> AsyncIterator[bytes]:
        yield half_sent(*fields)
        await asyncio.sleep(3)

    async def one() -> int:
        headers = {"Content-Type": "multipart/form-data; boundary=x"}
        async with client.post("/complaint/evidence", data=body(), headers=headers) as got:
            return got.status

    began = asyncio.get_running_loop().time()
    assert await asyncio.gather(*(one() for _ in range(3))) == [408, 408, 408]
    assert asyncio.get_running_loop().time() - began >= 1.4, "one after the other"
    assert not uploads.turns.locked()
    status, text = await add(client, fields[-1][1], photo())
    assert (status, "Berkas sudah ditambahkan" in text) == (200, True)


async def test_nothing_about_a_complaint_reaches_the_audit_in_words(client: Client) -> None:
    officer = await make(client, Role.OFFICER)
    await complain(client)
    way = await officers(client, officer)
    number = way.rpartition("/")[2]
    async with client.app[SERVICES].database.sessions.begin() as db:
        with pytest.raises(InvalidInput):
            await grants.give(
                db,
                client.app[SERVICES].audit,
                person=officer,
                permission=Permission.HANDLE_COMPLAINTS,
                subject=None,
                object_id=number,
                purpose="Sekar accuses Bima",
                now=client.app[SERVICES].now(),
            )
    await complain(client)
    async with client.get("/officer") as answer:
        every = re.findall(r'href="(/officer/c_[^"]+)"', await answer.text())
    (other,) = set(every) - {way}
    status, _ = await send(client, f"{other}/open", {"purpose": "Sekar accuses Bima"}, page=other)
    assert status == 422


async def test_the_list_leads_on_and_junk_is_closed_for_a_reason(
    client: Client,
) -> None:
    officer = await make(client, Role.OFFICER)
    receipt = await complain(client)
    way = await officers(client, officer)
    status, text = await send(client, f"{way}/dismiss", {}, page=way)
    assert (status, 'id="reason-wrong"' in text) == (422, True)
    status, where = await send(client, f"{way}/dismiss", {"reason": "junk"}, page=way)
    assert (status, where) == (303, "/officer?done=complaint_closed")
    async with client.get("/officer") as answer:
        assert way in await answer.text(), "it stands among the closed ones"
    await log_out(client)
    status, text = await send(client, "/complaint/answer", {"receipt": receipt})
    assert (status, "ditutup tanpa jawaban" in text) == (200, True)


async def test_behind_a_page_of_others_the_next_one_is_reached(client: Client) -> None:
    officer = await make(client, Role.OFFICER)
    services = client.app[SERVICES]
    ours = client.app[DUTIES].complaints
    made = set()
    for number in range(complaint_lists.PAGE + 1):
        async with services.database.sessions.begin() as db:
            one = await ours.file(
                db,
                receipt=ours.receipt_for(f"{number}"),
                user=None,
                language="id",
                topic=Topic.OTHER,
                text="x",
                days=7,
                now=services.now(),
            )
        made.add(f"/officer/{one.id}")
    await log_in(client, officer)
    seen: set[str] = set()
    path: str | None = "/officer"
    while path is not None:
        async with client.get(path) as answer:
            text = await answer.text()
        seen |= set(re.findall(r'href="(/officer/c_[^"]+)"', text))
        found = re.search(r'href="(/officer\?after=[^"]+)"', text)
        path = None if found is None else found[1]
    assert seen == made
    for bad in ("x", "0~x~c", "2~2026-03-02T09:00:00+00:00~c_x", "0~2026-03-02T09:00:00~c_x"):
        async with client.get("/officer", params={"after": bad}) as answer:
            assert answer.status == 404


async def test_many_from_one_address_wait_and_none_is_refused(client: Client, clock: FakeClock) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    client.app[DUTIES].sleep = sleep
    for _ in range(7):
        await complain(client)
    assert slept == [30.0, 30.0]
    await log_in(client, await make(client))
    await complain(client)
    assert len(slept) == 2, "whoever is logged in waits for nobody else"
    await log_out(client)
    clock.advance(60)
    await complain(client)
    assert len(slept) == 2


async def test_a_grant_ends_after_an_hour(client: Client, clock: FakeClock) -> None:
    officer = await make(client, Role.OFFICER)
    await complain(client)
    way = await officers(client, officer)
    for _ in range(2):
        clock.advance(31 * 60)
        async with client.get(way) as answer:
            text = await answer.text()
    assert "nomor saya" not in text


async def test_late_ones_are_told_to_the_officer(client: Client, clock: FakeClock) -> None:
    officer = await make(client, Role.OFFICER)
    await complain(client)
    clock.advance(8 * 86_400)
    for _ in range(2):
        await tell_late_complaints(client.app[SERVICES])
    async with client.app[SERVICES].database.sessions() as db:
        kinds = [one.kind for one in await notices.inbox(db, user=officer.id)]
    assert kinds == ["complaint_late", "complaint_new"]
    await log_in(client, officer)
    async with client.get("/officer") as answer:
        assert "terlambat" in await answer.text()
