"""What recvmmsg leaves in the places: bytes, lengths, and where they came from."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import pytest

from media.dtls import SRTP_SLACK
from media.inbox import MAX_PACKET, PLACE_BYTES, PLACES, Inbox, address_of, sockaddr


@contextlib.contextmanager
def sockets(host: str) -> Iterator[tuple[socket.socket, socket.socket]]:
    """One that receives and one that sends, on the loopback."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as at, socket.socket(family, socket.SOCK_DGRAM) as stranger:
        for one in (at, stranger):
            one.bind((host, 0))
        stranger.connect(at.getsockname())
        yield at, stranger


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_datagrams_stand_in_their_places_with_length_and_source(host: str) -> None:
    view = memoryview(bytearray(PLACES * PLACE_BYTES))
    with sockets(host) as (at, stranger):
        inbox = Inbox(at, view)
        assert inbox.receive() == 0
        sent = [b"first", b"", bytes(range(256)) * 5]
        for data in sent:
            stranger.send(data)
        assert inbox.receive() == len(sent)
        for place, data in enumerate(sent):
            start = place * PLACE_BYTES
            assert inbox.sizes[place] == len(data)
            assert bytes(view[start : start + len(data)]) == data
            assert address_of(inbox.sources[place].tobytes()) == stranger.getsockname()
        assert inbox.receive() == 0


def test_a_place_is_used_again_and_a_full_inbox_leaves_the_rest_for_later() -> None:
    with sockets("127.0.0.1") as (at, stranger):
        inbox = Inbox(at, memoryview(bytearray(PLACES * PLACE_BYTES)))
        for _ in range(PLACES + 3):
            stranger.send(b"x" * 99)
        assert [inbox.receive(), inbox.receive(), inbox.receive()] == [PLACES, 3, 0]
        assert inbox.sizes[0] == 99


def test_what_is_too_long_is_cut_within_its_place_and_shows_it() -> None:
    view = memoryview(bytearray(PLACES * PLACE_BYTES))
    with sockets("127.0.0.1") as (at, stranger):
        inbox = Inbox(at, view)
        stranger.send(b"y" * 9_000)
        assert inbox.receive() == 1
        assert inbox.sizes[0] > MAX_PACKET
        assert view[: MAX_PACKET + 1 + SRTP_SLACK].tobytes().rstrip(b"\0") == b"y" * (MAX_PACKET + 1)


def test_behind_the_longest_packet_a_place_has_room_for_what_srtp_adds() -> None:
    assert PLACE_BYTES - MAX_PACKET >= SRTP_SLACK


@pytest.mark.parametrize(
    "address", [("127.0.0.1", 1), ("203.0.113.9", 65_535), ("2001:db8::7", 5004, 0, 0), ("fe80::1", 9, 0, 3)]
)
def test_an_address_survives_the_kernels_form(address: tuple[str, int]) -> None:
    assert address_of(sockaddr(address)) == address
