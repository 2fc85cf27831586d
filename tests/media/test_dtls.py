"""DTLS without a network: the handshake, what is lost of it, who may shake hands, and how it ends."""

from __future__ import annotations

import random
import time

import pytest

from media import dtls
from media.dtls import DtlsSession, HandshakeFailed, allocate, generate_certificate, srtp_protect
from tests.peers.dtls import Certificate, DtlsClient, SrtpProfile
from tests.peers.srtp import SrtpContexts

GCM, SHA1 = SrtpProfile.AEAD_AES_128_GCM, SrtpProfile.AES128_CM_SHA1_80
SERVER = generate_certificate()
CLIENT = Certificate()
RECORD = 13


class Pair:
    """A session and a client, and what each has sent that the other has not taken."""

    def __init__(
        self,
        *,
        profiles: tuple[SrtpProfile, ...] = (GCM, SHA1),
        named: tuple[tuple[str, str], ...] = (),
        short_tags: bool = False,
    ) -> None:
        self.to_client: list[bytes] = []
        self.session = DtlsSession(SERVER, self.to_client.append)
        self.session.prefer_short_tags(prefer=short_tags)
        algorithm, _, value = CLIENT.fingerprint().partition(" ")
        self.session.start(named or ((algorithm, value),), 0.0)
        self.client = DtlsClient(CLIENT, profiles=profiles, fingerprint=f"sha-256 {SERVER.fingerprint}")
        self.to_server = self.client.start()

    def to_and_fro(self) -> None:
        """Carry datagrams until nobody says anything."""
        while self.to_server or self.to_client:
            coming, self.to_server = self.to_server, []
            for datagram in coming:
                self.session.feed(datagram)
            going = [*self.to_client]
            self.to_client.clear()
            for datagram in going:
                self.to_server += self.client.feed(datagram)


def shaken(**options: object) -> Pair:
    pair = Pair(**options)  # type: ignore[arg-type]  # names are checked at run time
    pair.to_and_fro()
    return pair


@pytest.mark.parametrize(
    ("offered", "short_tags", "chosen"),
    [
        ((GCM, SHA1), False, GCM),
        ((SHA1, GCM), False, GCM),
        ((GCM, SHA1), True, SHA1),
        ((SHA1,), False, SHA1),
    ],
)
def test_both_have_the_same_keys_of_the_profile_that_the_server_prefers(
    offered: tuple[SrtpProfile, ...], *, short_tags: bool, chosen: SrtpProfile
) -> None:
    pair = shaken(profiles=offered, short_tags=short_tags)
    assert pair.client.keys is not None
    assert pair.client.keys.profile is chosen
    packet = bytes([0x80, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9]) + b"voice"
    buffer, view, length = allocate(300)
    view[: len(packet)] = packet
    length[0] = len(packet)
    assert srtp_protect(pair.session.tx, buffer, length) == 0
    keys = pair.client.keys
    assert SrtpContexts(keys).unprotect(bytes(view[: length[0]])) == packet
    # The same number again would be two payloads under one nonce.
    view[: len(packet)] = packet
    length[0] = len(packet)
    assert srtp_protect(pair.session.tx, buffer, length) != 0


@pytest.mark.parametrize(
    "named",
    [
        (("sha-256", "00:" * 31 + "00"),),
        (("sha-256", CLIENT.fingerprint().split()[1]), ("sha-384", "00:" * 47 + "00")),
        (("md5", "00:" * 15 + "00"),),
    ],
)
def test_another_certificate_than_the_answer_named_gets_no_keys(named: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(HandshakeFailed, match="fingerprint"):
        shaken(named=named)


def test_hashes_that_nobody_knows_are_passed_over() -> None:
    known = ("sha-256", CLIENT.fingerprint().split()[1])
    assert shaken(named=(("md5", "00"), known)).session.rx is not None


def test_without_a_common_profile_there_are_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dtls, "_PROFILES", tuple(p for p in dtls._PROFILES if b"GCM" in p.openssl_profile))
    monkeypatch.setattr(SERVER, "_contexts", None)
    with pytest.raises(HandshakeFailed):
        shaken(profiles=(SHA1,))


def test_lost_flights_are_sent_again_in_their_time() -> None:
    pair = Pair()
    pair.session.feed(pair.to_server.pop())
    pair.to_client.clear()
    pair.session.look(0.1)
    assert pair.to_client == []
    time.sleep(1.05)  # OpenSSL waits a second, by its own clock
    pair.session.look(1.1)
    assert pair.to_client
    for datagram in pair.to_client:
        pair.to_server += pair.client.feed(datagram)
    pair.to_client.clear()
    for datagram in pair.to_server:
        pair.session.feed(datagram)
    assert pair.session.rx is not None
    # Our last flight is lost: the client sends its own again, which asks for it.
    pair.to_client.clear()
    time.sleep(1.05)
    pair.to_server = pair.client.on_timer()
    pair.to_and_fro()
    assert pair.client.keys is not None


def test_who_does_not_finish_within_ten_seconds_has_failed() -> None:
    pair = Pair()
    pair.session.feed(pair.to_server.pop())
    pair.session.look(9.9)
    with pytest.raises(HandshakeFailed, match="timeout"):
        pair.session.look(10.0)


def test_what_is_sent_again_goes_in_datagrams_of_whole_records() -> None:
    pair = Pair()
    hello = pair.to_server.pop()
    for _ in range(3):
        pair.session.feed(hello * 3)
    assert pair.to_client
    for datagram in pair.to_client:
        assert len(datagram) <= dtls.DATAGRAM_BYTES
        at = 0
        while at < len(datagram):
            assert datagram[at] in {20, 21, 22, 23}
            at += RECORD + int.from_bytes(datagram[at + 11 : at + 13], "big")
        assert at == len(datagram)


def test_either_side_may_close() -> None:
    pair = shaken()
    for datagram in pair.client.close():
        pair.session.feed(datagram)
    assert pair.session.ended
    other = shaken()
    other.session.close()
    other.session.close()
    assert other.to_client
    assert other.session.rx is other.session.tx is None
    assert other.client.feed(other.to_client.pop()) == []


def junk(source: random.Random, good: list[bytes]) -> bytes:
    """A datagram of the handshake with changed bytes, cut short or doubled, or one of noise."""
    if source.random() < 0.2:
        return bytes([source.randrange(20, 64)]) + source.randbytes(source.randrange(1400))
    data = bytearray(source.choice(good))
    for _ in range(source.randrange(1, 8)):
        data[source.randrange(len(data))] = source.randrange(256)
    return bytes(data[: source.randrange(1, len(data) + 1)]) * source.randrange(1, 3)


def test_junk_fails_a_handshake_at_worst() -> None:
    source = random.Random(7)
    seen = Pair()
    flights = [*seen.to_server]
    while seen.to_server:
        for datagram in seen.to_server:
            seen.session.feed(datagram)
        seen.to_server = [one for datagram in seen.to_client for one in seen.client.feed(datagram)]
        flights += seen.to_server
        seen.to_client.clear()
    failed = 0
    for _ in range(400):
        pair = Pair()
        if source.random() < 0.5:
            pair.session.feed(pair.to_server[0])
        try:
            for _ in range(5):
                pair.session.feed(junk(source, flights))
        except HandshakeFailed:
            failed += 1
        assert pair.session.rx is None
        pair.session.close()
    assert failed


def test_junk_does_nothing_to_an_association_that_is_up() -> None:
    source = random.Random(8)
    pair = Pair()
    good = [*pair.to_server]
    pair.to_and_fro()
    for _ in range(2_000):
        pair.session.feed(junk(source, good))
    assert not pair.session.ended
    assert pair.session.rx is not None
    for datagram in pair.client.close():
        pair.session.feed(datagram)
    assert pair.session.ended


def test_what_comes_before_the_start_or_after_the_end_is_dropped() -> None:
    session = DtlsSession(SERVER, lambda _: None)
    session.look(0.0)
    session.feed(b"\x16")
    pair = shaken()
    pair.session.close()
    pair.session.feed(b"\x16\xfe\xfd")
    pair.session.look(99.0)
    assert pair.session.rx is None
