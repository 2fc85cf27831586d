"""What may be asked is read by several at once: whoever began last is right."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from core.ids import SessionId, UserId
from recordings.states import Side
from signaling.directory import Recording
from signaling.studio import Asking
from signaling.terms import Refused
from tests.signaling.conftest import House, MakeHouse, Person
from tests.signaling.studio import FakeStudio
from tests.signaling.test_recording import Room, agree, consent, open_house, record, tapped


class Late:
    """A studio whose next answer is read at once and comes when it is let go, or not at all."""

    def __init__(self, studio: FakeStudio, patch: pytest.MonkeyPatch) -> None:
        self.reads, self.may_go_on = asyncio.Event(), asyncio.Event()
        self.fails = False
        self._asking = studio.asking
        patch.setattr(studio, "asking", self.asking)

    async def asking(self, db: AsyncSession, session: SessionId) -> Asking | None:
        answer = await self._asking(db, session)
        if not self.reads.is_set():
            self.reads.set()
            await self.may_go_on.wait()
            if self.fails:
                raise ConnectionError("the database is away")
        return answer


@dataclass
class Known:
    """A room whose client has an account, so that it can be looked again whether they may be asked."""

    room: Room
    user: UserId

    @property
    def house(self) -> House:
        return self.room[0]

    @property
    def studio(self) -> FakeStudio:
        return self.room[1]

    @property
    def pages(self) -> tuple[Person, Person]:
        return self.room[3], self.room[4]

    def rechecks(self) -> asyncio.Task[None]:
        return asyncio.create_task(self.house.hub.recheck_recordings_of(self.user))


@pytest.fixture
async def known(make_house: MakeHouse) -> Known:
    studio = FakeStudio()
    house = await open_house(make_house, studio)
    user = await house.account()
    session = await house.session(recording=Recording.ASK, user=user)
    client, counselor = await house.pair(session)
    return Known((house, studio, session, client, counselor), user)


async def test_what_was_read_first_and_comes_last_does_not_count(
    known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, counselor = known.pages
    await record(known.room)
    late = Late(known.studio, monkeypatch)
    older = known.rechecks()
    await late.reads.wait()
    known.studio.may_ask = False
    await known.rechecks()
    await counselor.get("recording", state="off", may_agree=False)
    late.may_go_on.set()
    await older
    assert (await client.ask("chat", text="Halo"))["type"] == "ok"
    assert (await counselor.ask("chat", text="Halo"))["type"] == "ok"
    for page in known.pages:
        *_, told = [one for one in page.heard if one["type"] == "recording"]
        assert not told["may_agree"]


async def test_what_could_not_be_read_first_ends_nothing_that_was_read_since(
    known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    await record(known.room)
    late = Late(known.studio, monkeypatch)
    late.fails = True
    older = known.rechecks()
    await late.reads.wait()
    await known.rechecks()
    late.may_go_on.set()
    await older
    assert tapped(known.room) == set(Side)


async def test_nobody_agrees_by_what_was_read_before_it_could_not_be_read_any_more(
    known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = known.house
    assert house.hub.recordings is not None
    ((live, place),) = house.hub.recordings.of_client(known.user)
    late = Late(known.studio, monkeypatch)
    agreeing = asyncio.create_task(house.hub.recordings.agree(live, place, terms="2", locale="id"))
    await late.reads.wait()
    with monkeypatch.context() as patch:

        async def away(db: AsyncSession, session: SessionId) -> Asking | None:
            raise ConnectionError("the database is away")

        patch.setattr(known.studio, "asking", away)
        await known.rechecks()
    late.may_go_on.set()
    with pytest.raises(Refused, match="nobody can say"):
        await agreeing


async def test_what_was_read_for_a_beginning_does_not_count_when_it_was_read_again(
    known: Known, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, counselor = known.pages
    await agree(counselor)
    await client.get("recording", state="asked", question="yours")

    def meanwhile() -> None:
        known.studio.may_ask = False
        lates.append(Late(known.studio, monkeypatch))

    lates: list[Late] = []
    known.studio.meanwhile = meanwhile
    await agree(client)
    async with asyncio.timeout(3):
        while not lates:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.01)
        await lates[0].reads.wait()
    known.studio.may_ask = True
    await known.rechecks()
    lates[0].may_go_on.set()
    await counselor.get("recording", state="off", reason="overtaken", may_agree=True)
    assert tapped(known.room) == set()


async def test_whoever_enters_a_session_that_is_forgotten_meanwhile_can_be_asked(
    make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = FakeStudio()
    house = await open_house(make_house, studio)
    session = await house.session(recording=Recording.ASK)
    late = Late(studio, monkeypatch)
    counselor = await house.enter(session, 1)
    await late.reads.wait()
    house.pass_time(6)
    assert house.hub._lives.get(session.id) is None
    late.may_go_on.set()
    await counselor.get("welcome")
    await counselor.get("recording", state="off", may_agree=True)
    await house.join(session, 0)
    assert (await counselor.ask("consent", **consent(granted=True)))["type"] == "ok"
