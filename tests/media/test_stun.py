"""Binding requests and responses: the vectors of RFC 5769, and aioice as another opinion."""

from __future__ import annotations

import random
import secrets

import pytest
from aioice import stun

from media.stun import nominates, peek_ufrag, write_success

# RFC 5769, 2.1: a request with ICE-CONTROLLED, padded USERNAME, MESSAGE-INTEGRITY and FINGERPRINT.
REQUEST = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae"
    "802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36"
    "000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2"
    "80280004e57a3bcf"
)
KEY = b"VOkJxbRl1RmTxUk/WvJxBt"


def test_the_request_of_rfc_5769_is_read() -> None:
    assert peek_ufrag(REQUEST) == "evtj"
    assert nominates(REQUEST, KEY) is False
    assert nominates(REQUEST, KEY + b"x") is None


@pytest.mark.parametrize(
    ("host", "packed", "masked"),
    [
        ("192.0.2.1", "c0000201", "0001a147e112a643"),
        (
            "2001:db8:1234:5678:11:2233:4455:6677",
            "20010db8123456780011223344556677",
            "0002a1470113a9faa5d3f179bc25f4b5bed2b9d9",
        ),
    ],
)
def test_responses_have_the_address_as_rfc_5769_masks_it(host: str, packed: str, masked: str) -> None:
    response = write_success(REQUEST[8:20], host=bytes.fromhex(packed), port=32853, key=KEY)
    assert bytes.fromhex(masked) in response
    read = stun.parse_message(response)
    assert (read.message_method, read.message_class) == (stun.Method.BINDING, stun.Class.RESPONSE)
    assert read.transaction_id == REQUEST[8:20]
    assert read.check_message_integrity(KEY)
    assert read.attributes["XOR-MAPPED-ADDRESS"] == (host, 32853)
    assert "FINGERPRINT" in read.attributes


def request(source: random.Random, key: bytes) -> stun.Message:
    """One as browsers send it, with attributes of random lengths in any order."""
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
    given = {
        "USERNAME": f"{secrets.token_hex(4)}:{'x' * source.randrange(20)}",
        "PRIORITY": source.randrange(1 << 32),
        "ICE-CONTROLLING": source.randrange(1 << 64),
        "SOFTWARE": "s" * source.randrange(30),
        "USE-CANDIDATE": None,
    }
    names = source.sample([*given], source.randrange(1, len(given) + 1))
    message.attributes = {name: given[name] for name in names}
    message.add_message_integrity(key)
    return message


def test_what_aioice_writes_is_read_as_aioice_reads_it() -> None:
    source = random.Random(1)
    for _ in range(500):
        key = secrets.token_hex(16).encode()
        message = request(source, key)
        data = bytes(message)
        username = message.attributes.get("USERNAME")
        assert peek_ufrag(data) == (None if username is None else username.partition(":")[0])
        assert nominates(data, key) is ("USE-CANDIDATE" in message.attributes)
        assert nominates(data, b"another") is None


def test_no_changed_bit_is_authentic() -> None:
    for bit in range(8 * len(REQUEST)):
        byte = bit // 8
        changed = bytearray(REQUEST)
        changed[byte] ^= 1 << bit % 8
        data = bytes(changed)
        if len(REQUEST) - 8 <= byte < len(REQUEST) - 4:
            # FINGERPRINT has become something else, and that does not count behind MESSAGE-INTEGRITY.
            assert nominates(data, KEY) is not True
        else:
            assert nominates(data, KEY) is None


def test_what_stands_behind_the_integrity_counts_for_nothing() -> None:
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, attributes={"USERNAME": "a:b"})
    message.add_message_integrity(KEY)
    signed = bytes(message)[:-8]
    added = signed + b"\x00\x25\x00\x00"
    added = added[:2] + (len(added) - 20).to_bytes(2, "big") + added[4:]
    assert nominates(added, KEY) is False


def test_lengths_that_lie_raise_nothing() -> None:
    source = random.Random(4)
    for _ in range(20_000):
        junk = bytearray(REQUEST[: source.randrange(20, len(REQUEST) + 1)])
        for _ in range(source.randrange(1, 6)):
            junk[source.randrange(20, max(21, len(junk))) % len(junk)] = source.randrange(256)
        junk[2:4] = (len(junk) - 20).to_bytes(2, "big")
        data = bytes(junk)
        peek_ufrag(data)
        assert nominates(data, b"wrong") is None
