"""The whole way of a recording: two people talk, a supervisor watches, and who holds the escrow opens it too.

Their cameras show what time it is and their microphones sound like it (``stamps.py``), so that each second of
the recording can be asked whether it is the right one, on both sides.
"""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import statistics
import time
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
from core.config import Config
from core.ids import ParticipantId
from counseling import supervision
from media.codecs import Mode
from recordings.states import Side
from signaling import directory
from signaling.directory import NewParticipant, Recording
from tests.browser import stamps
from tests.browser.conftest import ONE_LOOP
from tests.browser.counselors import audit_of, counselor, database_of, enter
from tests.browser.rooms import DESK, PHONE, Room, Shape, room
from tests.browser.stamps import OFF_HZ, Filmed, hertz_at
from tests.browser.test_own_recordings import until_it_says
from tests.browser.test_review import APART, JUMP, STEP_MS, Staged, open_it, state_is
from tests.e2e.server import Server
from tests.recordings.test_by_hand import commands, plays, run
from tests.web.commanding import command

pytestmark = ONE_LOOP

logger = logging.getLogger(__name__)

ON_PHONE, AT_DESK = Shape(PHONE, "light", "id-ID"), Shape(DESK, "light", "en-GB")
SPOKEN_S, OFF_S, FIRST_S = 6.0, 3.0, 2.0
NEAR_MS = 250
"""How far what a camera saw may be from its place on the timeline: a picture is made, coded and sent."""
NEAR_HZ = 90
"""A voice coder is made for voices: of a plain tone it may make one that is somewhat beside it."""
LATE_MS, EARLY_MS = 400, 50
"""How far a tone may be from the picture that was painted with it: a microphone of Web Audio hears late."""
HEARD_MS = 171
"""What a tone in the player is told from."""
STEADY = 10
WITHIN_MS = 60_000
COMMENT = "Here it turns."
WATCHED = re.compile(r"\d+:\d\d\u2013\d+:\d\d")
PURPOSE = "membahas pembukaan sesi"


@dataclass(frozen=True, slots=True)
class House:
    """A server whose recordings may be opened at once and have an escrow; its people; a session of two."""

    server: Server
    embun: Person
    ratna: Person
    sari: Person
    dewi: Person
    places: dict[Side, ParticipantId]
    halves: tuple[str, str]

    def room_of(self, side: Side) -> str:
        return f"{self.server.url}/room/{self.places[side]}"


@dataclass(frozen=True, slots=True)
class Talk:
    """When both saw what sign, in ms since 1970: on, off the record (from, until), on again, ended."""

    began_ms: float
    off_ms: tuple[float, float]
    resumed_ms: float
    ended_ms: float

    def second(self, at_ms: float) -> float:
        """Where about a moment is on the timeline, to half a second, as the page seeks."""
        return round((at_ms - self.began_ms) / 500) / 2


@dataclass(frozen=True, slots=True)
class Shown:
    """What one side's player showed at a moment of the timeline; while it played, its sound too."""

    at_ms: float
    code: int
    hertz: float | None = None


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    nowhere = Config(data_dir=tmp_path_factory.mktemp("holders") / "var")
    made = await asyncio.to_thread(command, nowhere, "escrow", "new", typed="\n" * 4)
    first, second, setting = made.split()
    name, _, recipient = setting.partition("=")
    server = Server(tmp_path_factory.mktemp("proof"), extra={"TEDUH_RECORDING_HOLD": "0", name: recipient})
    server.start()
    ratna = await counselor(server, name="Ratna")
    now = datetime.now(UTC)
    async with database_of(server) as db:
        audit = audit_of(server)
        sari, dewi = [
            await people.create_staff(db, name=name, language="en", roles=[role], now=now)
            for name, role in (("Sari", Role.SUPERVISOR), ("Dewi", Role.ADMIN))
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
        session = await directory.create(
            db,
            mode=Mode.VIDEO,
            recording=Recording.ASK,
            participants=[
                NewParticipant(directory.Role.CLIENT, embun.name, embun.id),
                NewParticipant(directory.Role.COUNSELOR, ratna.name, ratna.id),
            ],
            owner=None,
            starts_at=None,
            max_minutes=None,
            now=now,
        )
    places = dict(zip(Side, (one.id for one in session.session.participants), strict=True))
    yield House(server, embun, ratna, sari, dewi, places, (first, second))
    server.stop()


async def signs(both: tuple[Room, Room], state: str) -> None:
    """Wait until both signs say so."""
    await asyncio.gather(*(one.sees(f"#rec[data-state={state}]") for one in both))


async def agree(asker: Room, other: Room) -> None:
    await asker.act("rec-ask")
    await asker.act("rec-yes")
    await other.sees("#rec-question")
    await other.act("rec-yes")


async def hears(one: Room, hertz: float) -> None:
    """Wait until this is what comes from the other side of the call."""
    await one.page.wait_for_function(
        "([hertz, near]) => Math.abs(stamps.heard() - hertz) < near", arg=[hertz, NEAR_HZ], polling=100
    )


def now_ms() -> float:
    return time.time() * 1_000


async def talk(house: House, client: Room, ratna: Room) -> Talk:
    """Talk: recorded, taken back, recorded again, off the record and on again, and ended."""
    both = client, ratna
    await asyncio.gather(enter(client, house.server, house.embun), enter(ratna, house.server, house.ratna))
    for one, side in zip(both, Side, strict=True):
        await one.open(house.room_of(side))
        await one.join()
    await asyncio.gather(*(one.reaches("connected") for one in both))
    await agree(ratna, client)
    await signs(both, "on")
    await asyncio.sleep(FIRST_S)
    await client.act("rec-stop")
    await client.page.click("#rec-dialog button[value=yes]")
    await signs(both, "off")

    await client.act("rec-ask")
    await client.act("rec-yes")
    await signs(both, "on")
    began_ms = now_ms()
    await asyncio.sleep(SPOKEN_S)
    await ratna.act("rec-pause")
    await signs(both, "paused")
    off_from_ms = now_ms()
    await asyncio.gather(*(one.page.evaluate("stamps.offTheRecord = true") for one in both))
    await asyncio.gather(hears(client, OFF_HZ[Side.COUNSELOR]), hears(ratna, OFF_HZ[Side.CLIENT]))
    await asyncio.sleep(OFF_S)
    await asyncio.gather(*(one.page.evaluate("stamps.offTheRecord = false") for one in both))
    off_until_ms = now_ms()
    await asyncio.sleep(1)  # What is on its way is off the record too.
    await ratna.act("rec-resume")
    await signs(both, "on")
    resumed_ms = now_ms()
    await asyncio.sleep(SPOKEN_S)
    ended_ms = now_ms()
    await ratna.act("end")
    await ratna.page.click("#end-yes")
    await asyncio.gather(*(one.reaches("ended") for one in both))
    for one in both:
        assert await one.page.get_attribute("#gone-kept-link:visible", "href") == "/me/recordings"
    return Talk(began_ms, (off_from_ms, off_until_ms), resumed_ms, ended_ms)


async def stored(house: House, client: Room) -> str:
    """Find both recordings on the client's page; the first is destroyed, the second's id is given."""
    await client.page.goto(f"{house.server.url}/me/recordings")
    links = [str(await one.get_attribute("href")) for one in await client.page.locator(".cards a").all()]
    assert len(links) == 2
    for link, state in zip(links, ("stored", "destroyed"), strict=True):
        await client.page.goto(f"{house.server.url}{link}")
        await until_it_says(client, state, WITHIN_MS)
    return links[0].rpartition("/")[2]


async def watch(page: Page, said: Talk) -> dict[Side, list[Shown]]:
    """Seek and play as a supervisor does; gives what both players showed, and what they sounded like."""
    seen = dict[Side, list[Shown]]({side: [] for side in Side})
    moments = (said.off_ms[1], said.began_ms + 2_000, said.resumed_ms + 4_000, said.resumed_ms - 4_000)
    for second in (*(said.second(one) for one in moments), 4.5):
        await page.evaluate(JUMP, second * 1_000)
        for side, (at_ms, code) in zip(Side, await page.evaluate("stamps.shown()"), strict=True):
            seen[side].append(Shown(at_ms, code))
    await page.evaluate(JUMP, 1_000)
    await page.click("[data-do=toggle]")
    await state_is(page, "playing")
    await in_step(page)
    await page.click("[data-do=toggle]")
    for second in (1.5, said.second(said.resumed_ms + 500)):
        await page.evaluate(JUMP, second * 1_000)
        await page.click("[data-do=toggle]")
        await state_is(page, "playing")
        for row in await page.evaluate("stamps.played(3000)"):
            for side, (at_ms, code, hertz) in zip(Side, row, strict=True):
                seen[side].append(Shown(at_ms, code, hertz))
        await page.click("[data-do=toggle]")
        await state_is(page, "paused")
    return seen


async def in_step(page: Page) -> None:
    """Both sides come within ``STEP_MS`` of one another, and stay there for a second."""
    apart = list[float]()
    while len(apart) < STEADY or max(apart[-STEADY:]) > STEP_MS:
        assert await page.get_attribute("[data-player]", "data-state") == "playing", apart
        apart.append(float(await page.evaluate(APART)))
        await page.wait_for_timeout(100)
    logger.info("players apart in ms: %s", [round(one) for one in apart])


async def comment(page: Page) -> None:
    """Say something at where the player stands."""
    await page.keyboard.press("c")
    await page.keyboard.type(COMMENT)
    await page.click("[data-comment-form] button[type=submit]")
    await expect(page.locator("[data-comments] li", has_text=COMMENT)).to_be_visible()


async def opened_by_the_holders(house: House, recording: str, said: Talk, folder: Path) -> dict[Side, Filmed]:
    """Hand the key to the holders of the escrow, who have ``age`` and ``ffmpeg`` and the sealed files."""
    words = ["--reason", "Permintaan pengadilan.", "--reason-en", "A court asks.", "--out", str(folder)]
    await asyncio.to_thread(house.server.command, "escrow", "take", recording, *words)
    first, second = house.halves
    nowhere = Config(data_dir=folder / "var")
    joined = await asyncio.to_thread(command, nowhere, "escrow", "join", typed=f"{first}\n{second}\n")
    (folder / "escrow.txt").write_text(joined)
    for side in Side:
        (path,) = (house.server.data_dir / "recordings").rglob(f"{recording}/{side}.webm.age")
        shutil.copy(path, folder)
    await run(commands("age -d -i escrow.txt", "ffmpeg"), folder)
    tracks = await plays(folder / "both.mkv")
    assert len(tracks) == 4
    return {
        side: await asyncio.to_thread(
            Filmed.of, side, (folder / f"{side}.webm").read_bytes(), near_ms=said.began_ms
        )
        for side in Side
    }


def tone_between(side: Side, from_ms: float, to_ms: float) -> int | None:
    """The only tone that may be heard in a stretch of time; None near the beginning of a second."""
    first, last = hertz_at(side, from_ms - LATE_MS), hertz_at(side, to_ms + EARLY_MS)
    return first if first == last else None


def wrong_ones(tones: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """Of what should have been heard and what was, what is not the same."""
    return [(expected, tone) for expected, tone in tones if abs(tone - expected) >= NEAR_HZ]


def check_file(film: Filmed, said: Talk) -> None:
    """Each second is in its place, and what was off the record is nowhere."""
    began_ms, shown = film.began_ms, film.played
    off_from_ms, off_until_ms = said.off_ms
    off = [time_ms for time_ms in film.times_ms if off_from_ms <= time_ms <= off_until_ms]
    assert off == []
    assert not [tone for _, tone in shown.tones if any(abs(tone - hertz) < 100 for hertz in OFF_HZ.values())]
    wrong = [
        abs(time_ms - began_ms - at) for time_ms, at in zip(film.times_ms, shown.pictures_ms, strict=True)
    ]
    logger.info(
        "%s: %d pictures, %d of them more than %d ms from their place; farthest %d ms",
        film.side, len(wrong), sum(one > NEAR_MS for one in wrong), NEAR_MS, max(wrong),
    )  # fmt: skip
    assert sum(one > NEAR_MS for one in wrong) <= len(wrong) // 10
    for from_ms, to_ms in ((said.began_ms, off_from_ms), (said.resumed_ms, said.ended_ms)):
        seconds = {int(time_ms // 1_000) for time_ms in film.times_ms if from_ms <= time_ms <= to_ms}
        assert len(seconds) >= (to_ms - from_ms) / 1_000 - 2, "a second without a picture"
        tones = [
            (expected, tone)
            for at, tone in shown.tones
            if from_ms <= began_ms + at - LATE_MS and began_ms + at + 100 <= to_ms
            if (expected := tone_between(film.side, began_ms + at, began_ms + at + 100)) is not None
        ]
        assert len(tones) >= 10
        assert len(wrong_ones(tones)) <= len(tones) // 10, wrong_ones(tones)


def check_player(film: Filmed, seen: list[Shown], said: Talk) -> None:
    """What the supervisor saw and heard at each moment is what was there then."""
    began_ms = film.began_ms
    late = list[float]()
    tones = list[tuple[int, float]]()
    for one in seen:
        time_ms = stamps.time_of(one.code, said.began_ms)
        assert not said.off_ms[0] <= time_ms <= said.off_ms[1], one
        if one.hertz is None:
            assert time_ms in film.around(one.at_ms), one
            continue
        late.append(abs(time_ms - began_ms - one.at_ms))
        until_ms = began_ms + one.at_ms
        expected = tone_between(film.side, until_ms - HEARD_MS, until_ms)
        if expected is not None:
            tones.append((expected, one.hertz))
    logger.info("%s played: late by %s ms", film.side, [round(one) for one in statistics.quantiles(late)])
    assert sum(one > NEAR_MS for one in late) <= len(late) // 10, late
    assert len(tones) >= 10
    assert len(wrong_ones(tones)) <= len(tones) // 5, wrong_ones(tones)


async def test_two_people_talk_and_the_right_second_is_shown_to_whom_it_may_be(
    red_browser: Browser, blue_browser: Browser, house: House, tmp_path: Path
) -> None:
    async with (
        room(red_browser, ON_PHONE, script=stamps.script(Side.CLIENT)) as client,
        room(blue_browser, AT_DESK, script=stamps.script(Side.COUNSELOR)) as ratna,
        room(blue_browser, AT_DESK, script=stamps.script(Side.COUNSELOR)) as sari,
    ):
        said = await talk(house, client, ratna)
        recording = await stored(house, client)
        staged = Staged(house.server, house.embun, house.ratna, house.sari, house.dewi, recording)
        page = await open_it(sari, staged)
        seen = await watch(page, said)
        await comment(page)

        films = await opened_by_the_holders(house, recording, said, tmp_path)
        for side, film in films.items():
            check_file(film, said)
            check_player(film, seen[side], said)
        apart_ms = films[Side.CLIENT].began_ms - films[Side.COUNSELOR].began_ms
        logger.info("sides apart in ms: %.1f", apart_ms)
        assert abs(apart_ms) <= STEP_MS

        await client.page.goto(f"{house.server.url}/me/recordings/{recording}")
        await ratna.page.goto(f"{house.server.url}/counselor/reviews/{recording}")
        for one in (client, ratna):
            for words in (house.sari.name, PURPOSE, WATCHED):
                await expect(one.page.locator("main")).to_contain_text(words)
        await expect(ratna.page.locator("main")).to_contain_text(COMMENT)
        await client.page.goto(f"{house.server.url}/me/notices")
        await expect(client.page.locator("main")).to_contain_text("Permintaan pengadilan.")
