from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from signaling.outbox import MAX_BYTES, MAX_MESSAGES, Outbox
from signaling.server_messages import Error, Offer, Ok, PeerTyping, Quality, ServerMessage


def seqs(texts: list[str]) -> list[int]:
    return [msgspec.json.decode(text)["seq"] for text in texts]


def test_numbers_count_up_from_one() -> None:
    outbox = Outbox()
    assert seqs([outbox.post(Ok(ref="a")), outbox.post(Ok(ref="b"))]) == [1, 2]


def test_what_was_missed_is_replayed_in_order_and_without_the_transient() -> None:
    outbox = Outbox()
    outbox.post(Ok(ref="seen"))
    outbox.post(Ok(ref="missed"))
    outbox.post(PeerTyping(sender="p"))
    outbox.post(Quality(participants={}))
    outbox.post(Ok(ref="too"))
    assert outbox.can_resume(1)
    assert seqs(outbox.replay(1)) == [2, 5]
    assert seqs(outbox.replay(5)) == []


def test_only_the_open_offer_comes_again_unchanged_and_last() -> None:
    outbox = Outbox()
    outbox.post(Offer(leg="l", negotiation=1, sdp="old"))
    outbox.close_offer()
    outbox.post(Offer(leg="l", negotiation=2, sdp="new"))
    outbox.post(Ok(ref="a"))
    again = [msgspec.json.decode(text) for text in outbox.replay(2)]
    assert [message["type"] for message in again] == ["ok", "offer"]
    assert again[1] == {"type": "offer", "seq": 4, "leg": "l", "negotiation": 2, "sdp": "new"}


def test_beyond_256_messages_nothing_is_resumed() -> None:
    outbox = Outbox()
    for _ in range(MAX_MESSAGES):
        outbox.post(Ok(ref="a"))
    assert outbox.can_resume(1)
    outbox.post(Ok(ref="a"))
    outbox.post(Ok(ref="a"))
    assert not outbox.can_resume(1)
    assert outbox.can_resume(2)


def test_beyond_256_kib_nothing_is_resumed() -> None:
    outbox = Outbox()
    outbox.post(Ok(ref="a"))
    for _ in range(5):
        outbox.post(Error(code="x", message="y" * (MAX_BYTES // 4)))
    assert not outbox.can_resume(1)


def test_a_number_of_another_life_is_not_resumed() -> None:
    outbox = Outbox()
    outbox.post(Ok(ref="a"))
    assert not outbox.can_resume(0)
    assert not outbox.can_resume(2)


def test_another_device_gets_nothing_of_the_past() -> None:
    outbox = Outbox()
    for _ in range(3):
        outbox.post(Ok(ref="a"))
    outbox.clear()
    assert not outbox.can_resume(2)
    assert outbox.can_resume(3)
    assert outbox.replay(3) == []


MESSAGES: st.SearchStrategy[ServerMessage] = st.sampled_from(
    [
        Ok(ref="a"),
        PeerTyping(sender="p"),
        Offer(leg="l", negotiation=1, sdp="x" * 300),
        Error(code="x", message="y" * 20_000),
    ]
)


@given(st.lists(MESSAGES, max_size=400), st.integers(0, 400))
def test_a_replay_is_complete_in_order_and_each_once(messages: list[ServerMessage], seq: int) -> None:
    outbox = Outbox()
    numbered = [(msgspec.json.decode(outbox.post(message))["seq"], message) for message in messages]
    if not outbox.can_resume(seq):
        return
    replayed = [msgspec.json.decode(text) for text in outbox.replay(seq)]
    numbers = [message["seq"] for message in replayed]
    assert numbers == sorted(set(numbers))
    expected = [number for number, message in numbered if number > seq and isinstance(message, Ok | Error)]
    assert [message["seq"] for message in replayed if message["type"] != "offer"] == expected
    assert sum(message["type"] == "offer" for message in replayed) <= 1
