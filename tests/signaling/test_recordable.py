"""What is negotiated where somebody may ask for a recording."""

from __future__ import annotations

import pytest

from signaling.directory import Recording
from tests.signaling.conftest import MakeHouse

EVERYTHING = ["audio/opus", "video/VP8", "video/VP9", "video/H264", "video/AV1"]


@pytest.mark.parametrize(
    ("policy", "numbers"),
    [(Recording.ASK, {111, 96, 97, 98, 99}), (Recording.OFF, {111, 96, 97, 98, 99, 100, 101})],
)
async def test_only_what_a_recording_can_hold(
    make_house: MakeHouse, policy: Recording, numbers: set[int]
) -> None:
    house = await make_house(turned_on=frozenset({"VP9", "H264"}))
    session = await house.session(recording=policy)
    people = [await house.join(session, index, codecs=EVERYTHING) for index in (0, 1)]
    for _ in range(2):
        for person in people:
            await person.answer()
    for person in people:
        await person.get("peer", state="connected")
    last = [requests[-1] for requests in house.relay.requests.values()]
    assert [set(request.payload_types) for request in last] == [numbers, numbers]
    assert {request.recordable for requests in house.relay.requests.values() for request in requests} == {
        policy is Recording.ASK
    }
