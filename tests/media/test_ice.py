"""The path rules, one table; and the reading of Binding requests."""

from __future__ import annotations

import random

import pytest
from aioice import stun

from media.events import Transport
from media.ice import Check, PathRecord, make_credentials, read_check, takes_over, write_response
from media.stun import peek_ufrag

NOW = 100.0


def record(transport: Transport, *, heard: float, selected: float, generation: int = 0) -> PathRecord:
    made = PathRecord(transport)
    made.heard_at, made.selected_at, made.generation = NOW - heard, NOW - selected, generation
    return made


def check(*, nominates: bool, generation: int = 0) -> Check:
    return Check(b"x" * 12, make_credentials(generation, 0.0), nominates)


UDP, TCP = Transport.UDP, Transport.TCP


@pytest.mark.parametrize(
    ("name", "came_over", "chosen", "nominates", "generation", "chosen_generation", "moves"),
    [
        ("a nomination moves at once", UDP, (UDP, 0.1, 0.1), True, 0, 0, True),
        ("a plain check does not while the path is heard", UDP, (UDP, 0.9, 0.9), False, 0, 0, False),
        ("a plain check does after a second of silence", UDP, (UDP, 1.0, 1.0), False, 0, 0, True),
        ("TCP does not take over a chosen UDP", TCP, (UDP, 0.1, 0.1), True, 0, 0, False),
        ("TCP does when UDP is only checked, not chosen", TCP, (UDP, 0.1, 2.0), True, 0, 0, True),
        ("UDP takes over TCP at once", UDP, (TCP, 0.0, 0.0), True, 0, 0, True),
        ("older credentials never move it back", UDP, (UDP, 9.0, 9.0), True, 0, 1, False),
        ("newer credentials move it by nomination", UDP, (UDP, 0.0, 0.0), True, 1, 0, True),
        ("newer credentials over TCP move it too", TCP, (UDP, 0.0, 0.0), True, 1, 0, True),
        ("newer ones without nomination wait for silence", UDP, (UDP, 0.5, 0.5), False, 1, 0, False),
    ],
)
def test_which_check_moves_the_path(  # noqa: PLR0917  # one column each
    name: str,
    came_over: Transport,
    chosen: tuple[Transport, float, float],
    nominates: bool,
    generation: int,
    chosen_generation: int,
    moves: bool,
) -> None:
    present = record(chosen[0], heard=chosen[1], selected=chosen[2], generation=chosen_generation)
    other = record(came_over, heard=5.0, selected=5.0)
    current = max(generation, chosen_generation)
    found = takes_over(
        other, present, check(nominates=nominates, generation=generation), current=current, now=NOW
    )
    assert found is moves, name


def test_the_first_check_gives_the_first_path_and_the_same_path_never_moves() -> None:
    path = record(TCP, heard=0.0, selected=0.0)
    assert takes_over(path, None, check(nominates=False), current=0, now=NOW)
    assert not takes_over(path, path, check(nominates=True), current=0, now=NOW)


def request(username: str, pwd: str, *, nominate: bool = False) -> bytes:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    message.attributes["USERNAME"] = username
    if nominate:
        message.attributes["USE-CANDIDATE"] = None
    message.add_message_integrity(pwd.encode())
    return bytes(message)


def test_a_request_is_read_and_answered() -> None:
    ours = make_credentials(3, 0.0)
    data = request(f"{ours.ufrag}:theirs", ours.pwd, nominate=True)
    assert peek_ufrag(data) == ours.ufrag
    found = read_check(data, ours)
    assert found is not None
    assert found.nominates
    answer = stun.parse_message(write_response(found, bytes.fromhex("20010db8" + "00" * 11 + "01"), 4242))
    assert answer.check_message_integrity(ours.pwd.encode())
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == ("2001:db8::1", 4242)


def test_a_wrong_or_absent_integrity_is_no_check() -> None:
    ours = make_credentials(0, 0.0)
    assert read_check(request(f"{ours.ufrag}:x", "wrong" * 5), ours) is None
    bare = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    bare.attributes["USERNAME"] = f"{ours.ufrag}:x"
    assert read_check(bytes(bare), ours) is None


def test_junk_names_nobody_and_raises_nothing() -> None:
    ours = make_credentials(0, 0.0)
    good = request(f"{ours.ufrag}:x", ours.pwd)
    for cut in range(len(good)):
        assert peek_ufrag(good[:cut]) is None
        assert read_check(good[:cut], ours) is None
    source = random.Random(5)
    for _ in range(5_000):
        junk = bytearray(good)
        for _ in range(3):
            junk[source.randrange(len(junk))] = source.randrange(256)
        peek_ufrag(bytes(junk))
        # What stands behind MESSAGE-INTEGRITY (8 bytes of FINGERPRINT) is not covered by it.
        assert read_check(bytes(junk), ours) is None or junk[:-8] == good[:-8]
