"""A supervisor reviews an hour of recording: both sides in step, the right second after a jump, an end."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from accounts import consents, people, texts
from accounts.people import Person
from accounts.roles import Role
from accounts.texts import Kind
from core.agefile import Identity
from core.clock import SystemClock
from core.config import Config
from core.ids import new_id
from core.keyfile import master_key
from counseling import supervision
from recordings import reviews
from recordings.states import Side
from recordings.vault import Vault
from signaling.directory import Role as Sits
from tests.browser.conftest import ONE_LOOP
from tests.browser.counselors import audit_of, database_of, enter
from tests.browser.paper import look
from tests.browser.rooms import DESK, PHONE, Room, Shape, room
from tests.e2e.server import Server
from tests.recordings.staged import make_recording
from tests.web.reviewed import seal_and_store
from tests.web.sessions import bad_quarter, make_session, place_of

pytestmark = ONE_LOOP

logger = logging.getLogger(__name__)

ON_PHONE, AT_DESK = Shape(PHONE, "light", "id-ID"), Shape(DESK, "dark", "en-GB")
HOUR_S, LOOP_S = 3_600, 20
SEEK_MS, STEP_MS, ENDS_MS = 500, 40, 5_000

# The brightness of a frame counts its second, from dark to light on the one side and back on the other.
COUNTS = {Side.CLIENT: "40+mod(floor(T)\\,20)*9", Side.COUNSELOR: "230-mod(floor(T)\\,20)*9"}
BRIGHTNESS = """(side) => {
  const video = document.querySelector(`video[data-side=${side}]`);
  const canvas = document.createElement('canvas');
  canvas.width = canvas.height = 8;
  const paint = canvas.getContext('2d');
  paint.drawImage(video, 0, 0, 8, 8);
  return paint.getImageData(4, 4, 1, 1).data[1];
}"""
WHERE = "document.querySelector('video').currentTime"
APART = """() => {
  const [one, other] = [...document.querySelectorAll('video')];
  return Math.abs(one.currentTime - other.currentTime) * 1000;
}"""
JUMP = """async (ms) => {
  const seek = document.querySelector('[data-seek]');
  const videos = [...document.querySelectorAll('video')];
  const began = performance.now();
  const seen = videos.map((one) => new Promise((done) => one.requestVideoFrameCallback(done)));
  seek.value = String(ms);
  seek.dispatchEvent(new Event('input', { bubbles: true }));
  await Promise.all(seen);
  return performance.now() - began;
}"""


@dataclass(frozen=True, slots=True)
class Staged:
    """An hour of recording, and its people."""

    server: Server
    embun: Person
    ratna: Person
    sari: Person
    dewi: Person
    id: str

    @property
    def url(self) -> str:
        return f"{self.server.url}/supervisor/recordings/{self.id}"


def an_hour(folder: Path, side: Side) -> bytes:
    """Have ffmpeg make an hour of VP8 and Opus whose brightness counts the seconds; its cues are in front."""
    short, long = folder / f"{side.value}-short.webm", folder / f"{side.value}.webm"
    subprocess.run(
        [
            "ffmpeg", "-v", "error", "-f", "lavfi",
            "-i", f"nullsrc=size=320x240:rate=10,format=yuv420p,geq=lum='{COUNTS[side]}':cb=128:cr=128",
            "-f", "lavfi", "-i", f"sine=frequency={440 if side is Side.CLIENT else 880}",
            "-t", str(LOOP_S), "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-g", "100",
            "-b:v", "200k", "-c:a", "libopus", "-b:a", "24k", str(short),
        ],
        check=True,
    )  # fmt: skip
    subprocess.run(
        [
            "ffmpeg", "-v", "error", "-stream_loop", str(HOUR_S // LOOP_S - 1), "-i", str(short),
            "-c", "copy", "-cues_to_front", "1", str(long),
        ],
        check=True,
    )  # fmt: skip
    return long.read_bytes()


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def staged(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Staged]:
    """A recording of a session with a bad quarter of an hour, where policy allows taking it out."""
    server = Server(tmp_path_factory.mktemp("house"), extra={"TEDUH_RECORDING_EXPORT": "1"})
    server.start()
    now, folder = datetime.now(UTC), tmp_path_factory.mktemp("hour")
    config = Config(data_dir=server.data_dir)
    vault = Vault.of(config, master=master_key(server.data_dir), clock=SystemClock())
    recording = new_id("r")
    sizes = await seal_and_store(config, vault, recording, {side: an_hour(folder, side) for side in Side})
    async with database_of(server) as db:
        audit = audit_of(server)
        ratna, sari, dewi = [
            await people.create_staff(db, name=name, language="id", roles=[role], now=now)
            for name, role in (
                ("ratna", Role.COUNSELOR),
                ("sari", Role.SUPERVISOR),
                ("dewi", Role.ADMIN),
            )
        ]
        embun = await people.create_client(db, name="Embun", language="id", adult=True, now=now)
        text = await texts.current(db, kind=Kind.SUPERVISION)
        await consents.give(
            db,
            audit,
            person=embun,
            kind=Kind.SUPERVISION,
            version=text.number,
            locale="id",
            page="/me/consents",
            now=now,
        )
        session = await make_session(db, client=embun, counselor=ratna, now=now - timedelta(days=5))
        ended_at = now - timedelta(days=4)
        await bad_quarter(db, session, began_at=ended_at - timedelta(minutes=50))
        await make_recording(
            db,
            client=embun,
            counselor=ratna,
            now=now,
            session=session.id,
            places=(place_of(session, Sits.CLIENT), place_of(session, Sits.COUNSELOR)),
            duration_ms=HOUR_S * 1_000,
            sealed_bytes=sizes,
            recording=recording,
        )
        await supervision.assign(
            db,
            audit,
            person=dewi,
            supervisor=sari,
            counselor=ratna,
            from_day=now.date() - timedelta(days=1),
            until_day=None,
            now=now,
        )
    yield Staged(server, embun, ratna, sari, dewi, recording)
    server.stop()


async def come(one: Room, staged: Staged, person: Person) -> None:
    """Log somebody in, in the language of the room."""
    await enter(one, staged.server, person)
    await one.page.context.add_cookies(
        [{"name": "teduh_lang", "value": one.shape.locale[:2], "url": staged.server.public_url}]
    )


async def release(one: Room, staged: Staged) -> None:
    """Have the counselor release it by the page."""
    await come(one, staged, staged.ratna)
    await one.page.goto(f"{staged.server.url}/counselor/reviews/{staged.id}")
    if await one.page.locator("form[action$='/release'] button.primary").count():
        await one.page.click("form[action$='/release'] button")


async def open_it(one: Room, staged: Staged) -> Page:
    """Have the supervisor open it for a purpose; gives the page once both sides can play."""
    await release(one, staged)
    await come(one, staged, staged.sari)
    page = one.page
    await page.goto(staged.url)
    if await page.locator("#purpose").count():
        await page.fill("#purpose", "membahas pembukaan sesi")
        await page.click("form[action$='/open'] button[type=submit]")
    await expect(page.locator("[data-player]")).to_be_visible()
    for side in Side:
        await expect(page.locator(f"video[data-side={side.value}]")).to_have_js_property("readyState", 4)
    return page


async def state_is(page: Page, state: str, *, within_ms: float = 10_000) -> None:
    await expect(page.locator("[data-player]")).to_have_attribute("data-state", state, timeout=within_ms)


@pytest.mark.parametrize("shape", [ON_PHONE, AT_DESK], ids=["phone-id", "desk-en"])
async def test_every_page_of_a_review_is_looked_at(
    red_browser: Browser, staged: Staged, shape: Shape
) -> None:
    async with room(red_browser, shape) as one:
        page = one.page
        await come(one, staged, staged.ratna)
        await page.goto(f"{staged.server.url}/counselor/reviews")
        await look(one, "review-own-list")
        await release(one, staged)
        await look(one, "review-own-one")
        await come(one, staged, staged.sari)
        await page.goto(f"{staged.server.url}/supervisor/recordings")
        await look(one, "review-list")
        await page.click(f"a[href$='{staged.id}']")
        if await page.locator("#purpose").count():
            await look(one, "review-opening")
        page = await open_it(one, staged)
        await page.keyboard.press("Space")
        await state_is(page, "playing")
        await page.keyboard.press("Space")
        await state_is(page, "paused")
        await page.fill("[data-comment-form] [name=text]", "Diamnya tepat: klien mendapat waktu.")
        await page.click("[data-comment-form] button[type=submit]")
        await expect(page.locator("[data-comment-form] [name=text]")).to_have_value("")
        await expect(page.locator("[data-comments] li").first).to_be_visible()
        await look(one, "review-one")
        await page.click(".controls [data-do=comment]")
        await look(one, "review-commenting")
        await page.click("a[href$='/exports']")
        await page.fill("#whom", "Dr. Wati")
        await page.fill("#recipient", "age1nonsense")
        await page.fill("#purpose", "pelatihan supervisor")
        await page.click("main form button[type=submit]")
        await look(one, "review-export-wrong")
        await page.fill("#recipient", str(Identity.generate().recipient))
        await page.click("main form button[type=submit]")
        await look(one, "review-export")
        await come(one, staged, staged.dewi)
        await page.goto(f"{staged.server.url}/admin/exports")
        await look(one, "review-export-list")
        await page.click("button[name=refuse] >> nth=0")
        await expect(page.locator("[role=status].done")).to_be_visible()
        await come(one, staged, staged.ratna)
        await page.goto(f"{staged.server.url}/counselor/reviews/{staged.id}")
        await page.click("details summary >> nth=0")
        await look(one, "review-own-comments")


async def test_both_sides_show_the_right_second_after_a_jump_and_stay_in_step(
    red_browser: Browser, staged: Staged
) -> None:
    async with room(red_browser, AT_DESK) as one:
        page = await open_it(one, staged)
        took = list[float]()
        for second in (1_807, 3, 3_593, 2_405, 611, 3_001, 1_214, 58):
            took.append(await page.evaluate(JUMP, second * 1_000 + 400))
            for side in Side:
                bright = await page.evaluate(BRIGHTNESS, side.value)
                count = second % LOOP_S
                expected = 40 + count * 9 if side is Side.CLIENT else 230 - count * 9
                # Studio range is spread to all of it on the way to the screen (ITU-R BT.601).
                shown = (expected - 16) * 255 / 219
                assert abs(bright - shown) <= 6, (second, side, bright, shown)
        await page.keyboard.press("k")
        await state_is(page, "playing")
        began = float(await page.evaluate(WHERE))
        await page.evaluate("document.querySelector('video').currentTime += 0.3")
        await page.wait_for_timeout(4_000)
        assert float(await page.evaluate(WHERE)) >= began + 3, "it plays"
        apart = [float(await page.evaluate(APART))]
        for _ in range(40):
            await page.wait_for_timeout(100)
            apart.append(float(await page.evaluate(APART)))
        for key in (".", "."):
            await page.keyboard.press(key)
        await page.wait_for_timeout(3_000)
        fast = list[float]()
        for _ in range(20):
            await page.wait_for_timeout(100)
            fast.append(float(await page.evaluate(APART)))
        for name, figures in (("jumps", took), ("apart", apart), ("apart, faster", fast)):
            logger.info("%s in ms: %s", name, sorted(round(one, 1) for one in figures))
        assert max(took) <= SEEK_MS, took
        assert max(apart) <= STEP_MS, apart
        assert max(fast) <= STEP_MS, fast


async def test_a_comment_is_kept_without_leaving_and_the_counselor_reads_it(
    red_browser: Browser, staged: Staged
) -> None:
    async with room(red_browser, AT_DESK) as one:
        page = await open_it(one, staged)
        await page.evaluate(JUMP, 754_000)
        await page.keyboard.press("c")
        await expect(page.locator("[data-comment-form] [name=at]")).to_have_value("12:34")
        await page.keyboard.type("Here it turns.")
        await page.click("[data-comment-form] button[type=submit]")
        said = page.locator("[data-comments] li", has_text="Here it turns.")
        await expect(said).to_be_visible()
        await expect(page.locator("[data-position]")).to_have_text("12:34")
        await expect(page.locator("[data-told]")).to_have_text("The comment is there.")
        await page.evaluate(JUMP, 0)
        await page.click("h1")
        for _ in range(9):
            await page.keyboard.press("]")
        await expect(page.locator("[data-position]")).to_have_text("12:34")
        await expect(said).to_have_class("card now")
        await come(one, staged, staged.ratna)
        await page.goto(f"{staged.server.url}/counselor/reviews/{staged.id}")
        await expect(page.locator("main")).to_contain_text("Here it turns.")
        await expect(page.locator("main")).to_contain_text("membahas pembukaan sesi")


async def test_a_comment_that_does_not_get_through_is_still_there(
    red_browser: Browser, staged: Staged
) -> None:
    async with room(red_browser, AT_DESK) as one:
        page = await open_it(one, staged)
        words, told = page.locator("[data-comment-form] [name=text]"), page.locator("[data-told]")
        await page.fill("[data-comment-form] [name=at]", "0:10")
        await words.fill("Here she hesitates.")
        for answers in (lambda route: route.abort(), lambda route: route.fulfill(status=503)):
            await page.route("**/comments", answers)
            await page.click("[data-comment-form] button[type=submit]")
            await expect(told).to_contain_text("try again")
            await expect(words).to_have_value("Here she hesitates.")
            await state_is(page, "paused")
            await page.unroute("**/comments")
            await told.evaluate("one => (one.textContent = '')")
        await page.click("[data-comment-form] button[type=submit]")
        await expect(page.locator("[data-comments] li", has_text="Here she hesitates.")).to_be_visible()


async def test_a_withdrawal_ends_it_while_it_plays(red_browser: Browser, staged: Staged) -> None:
    async with room(red_browser, AT_DESK) as one:
        page = await open_it(one, staged)
        await page.keyboard.press("k")
        await state_is(page, "playing")
        now = datetime.now(UTC)
        async with database_of(staged.server) as db:
            await reviews.take_back(
                db, audit_of(staged.server), recording=staged.id, person=staged.ratna, now=now
            )
        await state_is(page, "over", within_ms=ENDS_MS + 1_000)
        assert datetime.now(UTC) - now < timedelta(milliseconds=ENDS_MS + 1_000)
        assert await page.locator("video[src]").count() == 0
        assert await page.locator("[data-comments] li").count() == 0
        assert await page.evaluate("document.querySelectorAll('.controls button:enabled').length") == 0
        await look(one, "review-over")
        await page.reload()
        await expect(page.locator("[data-player]")).to_have_count(0)
