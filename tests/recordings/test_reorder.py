"""Packets in order, waited for and given up."""

from __future__ import annotations

import random

import pytest

from recordings.reorder import MOST_HELD, Packet, Reorder

WAIT_S = 0.3


def one(number: int, came_s: float) -> Packet:
    return Packet(number, marker=False, payload_type=96, payload=b"", came_s=came_s)


def stamps(packets: object) -> list[int]:
    assert isinstance(packets, list | tuple)
    return [packet.timestamp for packet in packets]


def started(first: int = 65_530) -> Reorder:
    order = Reorder(WAIT_S)
    assert stamps(order.push(first, one(0, 0.0))) == []
    assert stamps(order.look(WAIT_S)) == [0]
    return order


def test_the_first_is_held_until_it_is_known_to_be_the_first() -> None:
    order = Reorder(WAIT_S)
    for place, number in enumerate((3, 1, 0, 2)):
        assert stamps(order.push(65_534 + number & 0xFFFF, one(number, place / 100))) == []
    assert stamps(order.look(0.29)) == []
    assert stamps(order.look(0.31)) == [0, 1, 2, 3]


def test_what_is_in_order_is_not_held() -> None:
    order = started()
    for number in range(1, 20):
        assert stamps(order.push(65_530 + number & 0xFFFF, one(number, 1.0))) == [number]


def test_a_hole_is_waited_for_and_filled() -> None:
    order = started()
    assert stamps(order.push(65_532, one(2, 1.0))) == []
    assert stamps(order.push(65_533, one(3, 1.1))) == []
    assert stamps(order.push(65_531, one(1, 1.2))) == [1, 2, 3]


def test_a_hole_is_given_up_and_what_is_behind_it_says_so() -> None:
    order = started()
    order.push(65_533, one(3, 1.0))
    order.push(65_535, one(5, 1.1))
    assert stamps(order.look(1.29)) == []
    (third,) = order.look(1.31)
    assert (third.timestamp, third.after_loss) == (3, True)
    (fifth,) = order.look(1.41)
    assert (fifth.timestamp, fifth.after_loss) == (5, True)
    assert stamps(order.push(65_531, one(1, 1.5))) == []


def test_one_that_is_here_twice_is_given_out_once() -> None:
    order = started()
    assert stamps(order.push(65_532, one(2, 1.0))) == []
    assert stamps(order.push(65_532, one(99, 1.0))) == []
    assert stamps(order.push(65_531, one(1, 1.0))) == [1, 2]
    assert stamps(order.push(65_531, one(98, 1.0))) == []


def test_at_the_end_all_that_is_held_comes_out() -> None:
    order = started()
    order.push(65_532, one(2, 1.0))
    order.push(65_534, one(4, 1.0))
    assert [(packet.timestamp, packet.after_loss) for packet in order.rest()] == [(2, True), (4, True)]
    assert order.rest() == []


def test_not_more_than_a_bound_is_held() -> None:
    order = started(0)
    for number in range(2, MOST_HELD + 2):
        assert order.push(number, one(number, 1.0)) == []
    assert len(order.push(MOST_HELD + 2, one(MOST_HELD + 2, 1.0))) == MOST_HELD + 1


@pytest.mark.parametrize("seed", range(20))
def test_any_order_within_the_wait_comes_out_in_order(seed: int) -> None:
    source = random.Random(seed)
    sent = [
        (number / 100 + source.random() * 0.25, number) for number in range(500) if source.random() > 0.02
    ]
    order, given = Reorder(WAIT_S), list[int]()
    first = source.randrange(65_536)
    for came_s, number in sorted(sent):
        given += stamps(order.push(first + number & 0xFFFF, one(number, came_s)))
    given += stamps(order.rest())
    assert given == sorted(number for _, number in sent)


def test_a_hole_of_half_the_numbers_begins_the_order_anew() -> None:
    order = started(0)
    far = 35_001
    assert stamps(order.push(far, one(1, 300.0))) == []
    (second,) = order.push(far + 1, one(2, 300.01))
    assert (second.timestamp, second.after_loss) == (2, True)
    assert stamps(order.push(far + 2, one(3, 300.02))) == [3]


def test_two_late_packets_in_a_row_begin_nothing_anew() -> None:
    order = started(100)
    assert stamps(order.push(101, one(1, 0.4))) == [1]
    for number in (60, 61, 62):
        assert stamps(order.push(number, one(9, 0.5))) == []
    assert stamps(order.push(102, one(2, 0.5))) == [2]
