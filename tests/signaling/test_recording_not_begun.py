"""No recording begins on a consent that was taken back, is of an older text, or may not be asked for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from core.ids import SessionId, UserId
from recordings.consent_steps import Terms
from recordings.states import Side
from recordings.tables import RecordingAgreementRow, RecordingRow
from signaling.directory import Recording
from signaling.server_messages import Error
from signaling.studio import Asking
from signaling.terms import Refused
from tests.signaling.conftest import MakeHouse
from tests.signaling.studio import TEXTS, FakeStudio
from tests.signaling.test_recording import (
    Room,
    agree,
    consent,
    open_house,
    record,
    rows,
    tapped,
    written,
)


@pytest.fixture
async def room(make_house: MakeHouse) -> Room:
    studio = FakeStudio()
    house = await open_house(make_house, studio)
    session = await house.session(recording=Recording.ASK)
    client, counselor = await house.pair(session)
    return house, studio, session, client, counselor


PAGE_WAITS_S = 2.0
"""The beat in which a page that hears nothing holds its socket for lost, when its media is silent too."""
NEWER = {locale: Terms(3, locale, locale[1] * 64) for locale in ("id", "en")}


async def test_a_yes_beforehand_that_was_taken_back_before_entering_does_not_count(
    make_house: MakeHouse,
) -> None:
    studio = FakeStudio(prepared=TEXTS["id"])
    house = await open_house(make_house, studio)
    session = await house.session(recording=Recording.ASK)
    counselor = await house.join(session, 1)
    studio.may_ask = False
    await house.join(session, 0)
    assert (await counselor.ask("consent", **consent(granted=True)))["code"] == "recording_off"
    assert await rows(house, RecordingAgreementRow) == []


async def test_a_yes_beforehand_that_cannot_be_read_again_does_not_count(make_house: MakeHouse) -> None:
    studio = FakeStudio(prepared=TEXTS["id"])
    house = await open_house(make_house, studio)
    assert house.hub.recordings is not None
    session = await house.session(recording=Recording.ASK)
    await house.join(session, 1)
    whole = house.hub.recordings._hands

    def away() -> None:
        raise ConnectionError("the database is away")

    house.hub.recordings._hands = replace(whole, db=cast("Any", away))
    client = await house.join(session, 0)
    assert (await client.get("recording"))["state"] == "off"
    assert await rows(house, RecordingAgreementRow) == []


async def test_whoever_may_not_be_asked_any_more_is_not_recorded_any_more(room: Room) -> None:
    house, studio, session, client, counselor = room
    await record(room)
    studio.may_ask = False
    await client.vanish()
    key = next(m["resume_key"] for m in client.heard if m["type"] == "welcome")
    await house.join(session, 0, resume={"key": key, "seq": 10_000})
    told = await counselor.get("recording", state="off", reason="overtaken")
    assert (told["may_agree"], tapped(room)) == (False, set())


async def test_a_consent_withdrawn_elsewhere_falls_where_it_was_only_agreed(make_house: MakeHouse) -> None:
    studio = FakeStudio()
    house = await open_house(make_house, studio)
    user = await house.account()
    session = await house.session(recording=Recording.ASK, user=user)
    client, counselor = await house.pair(session)
    room = (house, studio, session, client, counselor)
    await agree(client)
    await counselor.get("recording", state="asked", question="yours")
    await house.hub.stop_recordings_of(UserId("u_somebody_else"))
    assert (await client.ask("chat", text="Halo"))["type"] == "ok"
    await house.hub.stop_recordings_of(user)
    await counselor.get("recording", state="off")
    assert (await counselor.ask("consent", **consent(granted=True)))["code"] == "asked_already"
    assert tapped(room) == set()
    assert [(one.granted, one.why) for one in await rows(house, RecordingAgreementRow)] == [
        (True, "asks"),
        (False, "withdrew"),
    ]


async def test_two_versions_of_the_text_make_no_recording(room: Room) -> None:
    house, studio, session, client, counselor = room
    await agree(client)
    studio.texts = NEWER
    key = next(m["resume_key"] for m in counselor.heard if m["type"] == "welcome")
    await counselor.vanish()
    back = await house.join(session, 1, resume={"key": key, "seq": 10_000})
    await agree(back, terms="3")
    told = await client.get("recording", state="off", reason="overtaken")
    assert (told["terms"], told["may_agree"]) == ("3", True)
    assert (tapped(room), studio.recorders, await rows(house, RecordingRow)) == (set(), [], [])


async def test_a_text_that_was_overtaken_in_the_room_is_not_agreed_to(room: Room) -> None:
    _, studio, _, client, counselor = room
    studio.texts = NEWER
    assert (await counselor.ask("consent", **consent(granted=True)))["code"] == "terms_outdated"
    await counselor.get("recording", state="off", may_agree=True, terms="3")
    await agree(counselor, terms="3")
    await client.get("recording", state="asked", question="yours", terms="3")
    await agree(client, terms="3")
    await client.get("recording", state="on")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [({"texts": NEWER}, "overtaken"), ({"may_ask": False}, "overtaken"), ({"heard": False}, "withdrawn")],
)
async def test_what_changes_while_it_is_being_written_down_makes_no_recording(
    room: Room, changed: dict[str, Any], reason: str
) -> None:
    house, studio, _, client, counselor = room
    await agree(counselor)
    await client.get("recording", state="asked", question="yours")

    def meanwhile() -> None:
        for name, value in changed.items():
            setattr(studio, name, value)

    studio.meanwhile = meanwhile
    await agree(client)
    await counselor.get("recording", state="off", reason=reason)
    await written(room)
    assert (tapped(room), studio.recorders, await rows(house, RecordingRow)) == (set(), [], [])
    assert studio.keys == [], "no key is left of which no row knows"


async def test_a_client_found_at_risk_since_they_came_is_not_asked(room: Room) -> None:
    house, studio, _, client, counselor = room
    studio.may_ask = False
    assert (await counselor.ask("consent", **consent(granted=True)))["code"] == "recording_off"
    await counselor.get("recording", state="off", may_agree=False)
    assert not any(message.get("question") == "yours" for message in client.heard)
    assert await rows(house, RecordingAgreementRow) == []


async def test_a_client_found_at_risk_while_they_are_asked_is_asked_no_more(room: Room) -> None:
    house, studio, _, client, counselor = room
    await agree(counselor)
    await client.get("recording", state="asked", question="yours")
    studio.may_ask = False
    assert (await client.ask("consent", **consent(granted=True)))["code"] == "recording_off"
    await client.get("recording", state="off", may_agree=False)
    await counselor.get("recording", state="off", granted=False)
    assert (tapped(room), await rows(house, RecordingRow)) == (set(), [])


async def test_nobody_is_asked_while_nobody_can_say_whether_they_may_be(room: Room) -> None:
    house, *_, client, counselor = room
    assert house.hub.recordings is not None

    def away() -> None:
        raise ConnectionError("the database is away")

    house.hub.recordings._hands = replace(house.hub.recordings._hands, db=cast("Any", away))
    assert (await counselor.ask("consent", **consent(granted=True)))["code"] == "not_now"
    assert not any(message.get("question") == "yours" for message in client.heard)


async def test_a_client_found_at_risk_in_the_room_is_not_asked(make_house: MakeHouse) -> None:
    studio = FakeStudio()
    house = await open_house(make_house, studio)
    user = await house.account()
    session = await house.session(recording=Recording.ASK, user=user)
    _, counselor = await house.pair(session)
    studio.may_ask = False
    await house.hub.recheck_recordings_of(user)
    await counselor.get("recording", state="off", may_agree=False)
    assert (await counselor.ask("consent", **consent(granted=True)))["code"] == "recording_off"


async def test_nobody_is_asked_while_the_database_does_not_answer(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, studio, _, _, counselor = room
    monkeypatch.setattr("signaling.recording.WITHIN_S", 0.05)

    async def hangs(db: AsyncSession, session: SessionId) -> Asking | None:
        await asyncio.sleep(60)
        return None

    monkeypatch.setattr(studio, "asking", hangs)
    assert (await counselor.ask("consent", **consent(granted=True)))["code"] == "not_now"


class Slowly:
    """A studio whose next answer takes until it is let go."""

    def __init__(self, studio: FakeStudio, patch: pytest.MonkeyPatch) -> None:
        self.reads, self.may_go_on = asyncio.Event(), asyncio.Event()
        self._asking = studio.asking
        patch.setattr(studio, "asking", self.asking)

    async def asking(self, db: AsyncSession, session: SessionId) -> Asking | None:
        self.reads.set()
        await self.may_go_on.wait()
        return await self._asking(db, session)


async def answered(room: Room, index: int, ref: str) -> str:
    """Wait until a request is answered; gives the code of its error, nothing for ``ok``."""
    house, _, session, *_ = room
    live = house.hub._lives.get(session.id)
    assert live is not None
    async with asyncio.timeout(3):
        while (answer := live.answered(session.participants[index].id, ref)) is None:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.01)
    return answer.code if isinstance(answer, Error) else ""


async def test_a_slow_database_refuses_a_yes_before_the_page_drops_its_socket(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, studio, _, client, counselor = room
    await agree(counselor)
    await client.get("recording", state="asked", question="yours")
    with monkeypatch.context() as patch:
        Slowly(studio, patch)
        async with asyncio.timeout(PAGE_WAITS_S):
            assert (await client.ask("consent", **consent(granted=True)))["code"] == "not_now"
    await agree(client)
    await counselor.get("recording", state="on")


async def test_a_request_sent_again_while_it_is_looked_up_is_handled_once(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, studio, session, client, _ = room
    slowly = Slowly(studio, monkeypatch)
    await client.send("consent", ref="c", **consent(granted=True))
    await slowly.reads.wait()
    monkeypatch.undo()
    # The page holds this socket for lost; the server has not noticed.
    key = next(m["resume_key"] for m in client.heard if m["type"] == "welcome")
    back = await house.join(session, 0, resume={"key": key, "seq": 10_000})
    await back.send("consent", ref="c", **consent(granted=True))
    assert (await back.ask("chat", text="Halo"))["type"] == "ok"
    slowly.may_go_on.set()
    assert (await back.get("error", ref="c"))["code"] == "not_now"
    await written(room)
    assert await rows(house, RecordingAgreementRow) == []


async def test_who_left_while_it_was_looked_up_has_agreed_to_nothing(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, studio, session, client, counselor = room
    slowly = Slowly(studio, monkeypatch)
    await client.send("consent", ref="c", **consent(granted=True))
    await slowly.reads.wait()
    house.hub.leave_quickly(session.participants[0].id)
    slowly.may_go_on.set()
    assert await answered(room, 0, "c") == "not_now"
    await written(room)
    assert await rows(house, RecordingAgreementRow) == []
    assert not any(message.get("question") == "yours" for message in counselor.heard)


async def test_a_no_elsewhere_is_not_overtaken_by_a_yes_that_was_being_looked_up(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    house, studio, session, client, counselor = room
    slowly = Slowly(studio, monkeypatch)
    await client.send("consent", ref="c", **consent(granted=True))
    await slowly.reads.wait()
    await house.hub.stop_recording(session.participants[0].id)
    slowly.may_go_on.set()
    assert await answered(room, 0, "c") == "not_now"
    await written(room)
    assert await rows(house, RecordingAgreementRow) == []
    assert not any(message.get("question") == "yours" for message in counselor.heard)
    await agree(client)
    await counselor.get("recording", state="asked", question="yours")


async def test_nothing_is_kept_of_a_session_that_ended_while_it_was_looked_up(
    make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = FakeStudio()
    house = await open_house(make_house, studio)
    user = await house.account()
    session = await house.session(recording=Recording.ASK, user=user)
    await house.pair(session)
    assert house.hub.recordings is not None
    ((live, place),) = house.hub.recordings.of_client(user)
    slowly = Slowly(studio, monkeypatch)
    agreeing = asyncio.create_task(house.hub.recordings.agree(live, place, terms="2", locale="id"))
    await slowly.reads.wait()
    await house.hub.end(session.id, reason="ended")
    slowly.may_go_on.set()
    with pytest.raises(Refused):
        await agreeing
    assert house.hub.recordings.of_client(user) == []


async def test_nothing_goes_on_while_one_page_cannot_see_that_it_does(room: Room) -> None:
    *_, client, counselor = room
    await record(room)
    await counselor.ask("recording", off_record=True)
    await client.get("recording", state="paused")
    await client.vanish()
    assert (await counselor.ask("recording", off_record=False))["type"] == "ok"
    await counselor.get("recording", state="paused", off_record=[])
    assert tapped(room) == set()


async def test_nothing_begins_while_one_page_cannot_see_that_it_does(room: Room) -> None:
    house, _, session, client, counselor = room
    await agree(client)
    await counselor.get("recording", state="asked", question="yours")
    key = next(m["resume_key"] for m in client.heard if m["type"] == "welcome")
    await client.vanish()
    await agree(counselor)
    await counselor.get("recording", state="paused")
    assert tapped(room) == set()
    await house.join(session, 0, resume={"key": key, "seq": 10_000})
    await counselor.get("recording", state="on")
    assert tapped(room) == set(Side)
