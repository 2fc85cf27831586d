"""Two independent peers through the real relay, over real sockets."""

from __future__ import annotations

import asyncio
import os
import re
import socket

import pytest

from core.errors import NotFound
from media.codecs import KIND_OF, Mode
from media.description import InvalidAnswer, OfferRequest
from media.dtls import allocate, srtp_protect
from media.events import (
    LegConnected,
    LegFailed,
    LegId,
    LegInterrupted,
    LegResumed,
    LegSpent,
    PathChanged,
    StreamsChanged,
    Transport,
)
from tests.media.rig import Rig, rig, rtp, streams_of, until
from tests.peers.checks import Nomination
from tests.peers.dtls import Certificate, SrtpProfile
from tests.peers.leg import Leg

A, B = LegId("a"), LegId("b")


def talk(peer: Leg, count: int, *, first: int = 100, size: int = 200, video: bool = False) -> list[bytes]:
    """Send packets with random payloads; returns what was sent."""
    ssrc = peer.settings.video_ssrcs[0] if video else peer.settings.audio_ssrcs[0]
    number = 96 if video else 111
    packets = [
        rtp(os.urandom(size), payload_type=number, sequence=first + i, ssrc=ssrc, timestamp=960 * i)
        for i in range(count)
    ]
    for packet in packets:
        peer.send_rtp(packet)
    return packets


async def hears(peer: Leg, packets: list[bytes]) -> None:
    """Wait until a peer has exactly these packets, bit for bit."""
    await until(lambda: len(peer.received.rtp) >= len(packets))
    assert peer.received.rtp == packets
    peer.received.rtp.clear()


async def pass_both_ways(made: Rig, a: Leg, b: Leg) -> None:
    made.pair("a", "b")
    await hears(b, talk(a, 20))
    await hears(a, talk(b, 20))
    await hears(b, talk(a, 40, size=1100, video=True))
    assert a.received.undecryptable == b.received.undecryptable == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_payloads_pass_bit_for_bit_both_ways(host: str, transport: str) -> None:
    version = 6 if ":" in host else 4
    async with rig(host) as made:
        a = await made.join("a", transport=transport, ip_version=version)
        b = await made.join("b", transport="udp", ip_version=version)
        await pass_both_ways(made, a, b)
        first = [event for event in made.events if isinstance(event, PathChanged) and event.leg == A]
        assert first == [PathChanged(A, Transport(transport), version, first=True)]


@pytest.mark.parametrize("size", [0, 1, 1460, 1472])
async def test_unlike_profiles_pass_packets_up_to_the_limit(size: int) -> None:
    async with rig() as made:
        a = await made.join("a", profiles=(SrtpProfile.AES128_CM_SHA1_80,))
        b = await made.join("b", profiles=(SrtpProfile.AEAD_AES_256_GCM,))
        made.pair("a", "b")
        await hears(b, talk(a, 70, size=size))
        await hears(a, talk(b, 70, size=size))
        assert made.relay.counters().get("internal_errors", 0) == 0


@pytest.mark.parametrize(
    ("mode", "profile"),
    [
        (Mode.VOICE, SrtpProfile.AES128_CM_SHA1_80),
        (Mode.VIDEO, SrtpProfile.AEAD_AES_256_GCM),
        (Mode.CHAT, SrtpProfile.AEAD_AES_256_GCM),
    ],
)
async def test_a_leg_that_begins_in_voice_has_the_short_tag(mode: Mode, profile: SrtpProfile) -> None:
    async with rig() as made:
        a, b = await made.join("a", mode=mode), await made.join("b", mode=mode)
        for peer in (a, b):
            assert peer.dtls is not None
            assert peer.dtls.keys is not None
            assert peer.dtls.keys.profile is profile
        await pass_both_ways(made, a, b)


async def test_a_voice_leg_takes_whatever_profile_its_client_has() -> None:
    async with rig() as made:
        a = await made.join("a", mode=Mode.VOICE, profiles=(SrtpProfile.AEAD_AES_128_GCM,))
        await pass_both_ways(made, a, await made.join("b", mode=Mode.VOICE))


async def test_a_datagram_over_the_limit_is_dropped_and_counted() -> None:
    async with rig() as made:
        a, b = await made.join("a"), await made.join("b")
        made.pair("a", "b")
        talk(a, 1, size=1480)
        await hears(b, talk(a, 1, first=7))
        assert made.relay.counters()["oversized"] == 1


async def test_nothing_passes_before_the_pair_or_of_a_kind_that_is_off() -> None:
    async with rig() as made:
        a, b = await made.join("a"), await made.join("b")
        talk(a, 5)
        await asyncio.sleep(0.05)
        made.relay.pair(A, B)
        talk(a, 5, first=200)
        await asyncio.sleep(0.05)
        made.relay.forward(A, audio=True, video=False)
        talk(a, 5, video=True)
        await hears(b, talk(a, 5, first=300))
        made.relay.unpair(B)
        talk(a, 5, first=400)
        await asyncio.sleep(0.1)
        assert not b.received.rtp


@pytest.mark.parametrize("number", sorted(KIND_OF))
async def test_every_number_of_the_table_passes_unchanged(number: int) -> None:
    async with rig() as made:
        a, b = await made.join("a"), await made.join("b")
        made.pair("a", "b")
        sent = [rtp(os.urandom(100), payload_type=number, sequence=i, ssrc=number) for i in range(1, 6)]
        for packet in sent:
            a.send_rtp(packet)
        await hears(b, sent)


async def test_a_number_outside_the_table_is_dropped() -> None:
    async with rig() as made:
        a, b = await made.join("a"), await made.join("b")
        made.pair("a", "b")
        a.send_rtp(rtp(b"x", payload_type=0, sequence=1, ssrc=5))
        await hears(b, talk(a, 1))


async def test_streams_that_the_answer_left_out_are_learned() -> None:
    async with rig() as made:
        a, b = await made.join("a", list_ssrcs=False), await made.join("b")
        made.pair("a", "b")
        await hears(b, talk(a, 1))
        await hears(b, talk(a, 1, video=True))
        learned = [event for event in made.events if isinstance(event, StreamsChanged)][-1]
        assert learned.streams.audio == streams_of(a).audio
        assert learned.streams.video == streams_of(a).video[:1]


@pytest.mark.parametrize("nomination", [Nomination.ALWAYS, Nomination.NEVER])
async def test_a_rebound_address_keeps_the_keys(nomination: Nomination) -> None:
    async with rig() as made:
        a, b = await made.join("a"), await made.join("b")
        await pass_both_ways(made, a, b)
        await a.rebind(nomination=nomination)
        await until(lambda: len([e for e in made.told(PathChanged) if e.leg == A]) == 2)
        await hears(b, talk(a, 5, first=500))
        await hears(a, talk(b, 5, first=500))


async def test_udp_lost_goes_on_over_tcp_and_back() -> None:
    async with rig() as made:
        a, b = await made.join("a"), await made.join("b")
        await pass_both_ways(made, a, b)
        for transport, first in (("tcp", 500), ("udp", 600)):
            await a.rebind(transport=transport)
            await until(lambda t=transport: made.relay.sample(A).transport == t)  # type: ignore[misc]
            await hears(b, talk(a, 5, first=first))
            await hears(a, talk(b, 5, first=first))


async def test_a_restart_keeps_the_keys_and_old_checks_still_count_until_then() -> None:
    async with rig() as made:
        a, b = await made.join("a"), await made.join("b")
        await pass_both_ways(made, a, b)
        sdp = made.relay.offer(A, OfferRequest(2, Mode.VIDEO, restart=True))
        before = a.checks_succeeded
        a.check_now()
        await until(lambda: a.checks_succeeded > before)
        made.relay.answer(A, a.take(sdp))
        await a.start()
        await asyncio.wait_for(a.checked.wait(), 2)
        await hears(b, talk(a, 5, first=500))
        await hears(a, talk(b, 5, first=500))


async def test_a_neighbor_cannot_take_a_path_with_one_check() -> None:
    async with rig() as made:
        a, b = await made.join("a"), await made.join("b")
        await pass_both_ways(made, a, b)
        stranger = Leg(a.certificate, made.settings())
        made.relay.open_leg(LegId("c"))
        stranger.take(made.relay.offer(LegId("c"), OfferRequest(1, Mode.VIDEO)))
        assert a.link is not None
        stranger.link = a.link
        stranger._begin_checks(type(stranger._local)(stranger.offer.ufrag, stranger.offer.pwd))  # type: ignore[union-attr]
        await asyncio.sleep(0.2)
        stranger._checking.cancel()  # type: ignore[union-attr]
        stranger.link = None
        await hears(b, talk(a, 5, first=500))
        await hears(a, talk(b, 5, first=500))


async def test_another_certificate_is_refused() -> None:
    async with rig() as made:
        a = await made.join("a")
        sdp = a.take(made.relay.offer(A, OfferRequest(2, Mode.VIDEO)))
        changed = sdp.replace("fingerprint:sha-256 ", "fingerprint:sha-256 00:")
        with pytest.raises(InvalidAnswer, match="certificate"):
            made.relay.answer(A, changed)


async def test_a_handshake_with_a_wrong_fingerprint_fails_and_closes_the_leg() -> None:
    async with rig() as made:
        leg, peer = A, Leg(Certificate(), made.settings())
        made.peers[leg] = peer
        made.relay.open_leg(leg)
        sdp = peer.take(made.relay.offer(leg, OfferRequest(1, Mode.VIDEO)))
        made.relay.answer(leg, re.sub("sha-256 [0-9A-F:]+", "sha-256 " + "AB:" * 31 + "AB", sdp))
        await peer.start()
        await until(lambda: bool(made.told(LegFailed)))
        with pytest.raises(NotFound):
            made.relay.offer(leg, OfferRequest(2, Mode.VIDEO))


async def test_dtls_that_comes_before_the_answer_waits_for_it() -> None:
    async with rig() as made:
        peer = Leg(Certificate(), made.settings())
        made.peers[A] = peer
        made.relay.open_leg(A)
        sdp = peer.take(made.relay.offer(A, OfferRequest(1, Mode.VIDEO)))
        await peer.start()
        await asyncio.sleep(0.15)
        assert LegConnected(A) not in made.events
        made.relay.answer(A, sdp)
        await until(lambda: LegConnected(A) in made.events, seconds=0.5)


async def test_an_ssrc_that_a_former_leg_used_is_refused() -> None:
    async with rig() as made:
        a, b = await made.join("a"), await made.join("b")
        await pass_both_ways(made, a, b)
        again = await made.join("c", audio_ssrcs=a.settings.audio_ssrcs)
        made.pair("c", "b")
        talk(again, 5)
        await hears(b, talk(again, 5, video=True))
        assert made.relay.counters()["reused_ssrc"] == 5


async def test_a_packet_is_never_encrypted_twice() -> None:
    async with rig() as made:
        await made.join("a")
        tx = made.relay._legs[A].tx
        buffer, view, length = allocate(300)
        for payload, works in ((b"first", True), (b"other", False)):
            packet = rtp(payload, payload_type=111, sequence=1, ssrc=9)
            view[: len(packet)] = packet
            length[0] = len(packet)
            assert (srtp_protect(tx, buffer, length) == 0) is works


async def test_a_voice_that_calls_itself_a_picture_is_not_counted_as_if_it_were_sent_on() -> None:
    """Else every second packet of a sender that means harm would be missing on the receiver's line."""
    async with rig() as made:
        a, b = await made.join("a"), await made.join("b")
        made.pair("a", "b")
        made.relay.forward(A, audio=True, video=False)
        await hears(b, talk(a, 5))
        (ssrc,) = a.settings.audio_ssrcs
        for number in range(900, 910):
            a.send_rtp(rtp(b"x", payload_type=96, sequence=number, ssrc=ssrc))
        await until(lambda: made.relay.counters().get("other_kind", 0) == 10)
        seen = made.relay.sample(A, take=True).seen
        assert seen is not None
        assert seen.expected_up == 5


async def test_at_most_eight_streams() -> None:
    async with rig() as made:
        a, b = await made.join("a"), await made.join("b")
        made.pair("a", "b")
        for ssrc in range(1000, 1020):
            a.send_rtp(rtp(b"x", payload_type=111, sequence=1, ssrc=ssrc))
        await until(lambda: made.relay.counters().get("excess_streams", 0) == 12)
        assert len(b.received.rtp) == 8


async def test_silence_while_audio_is_expected_is_told_and_so_is_the_return() -> None:
    async with rig() as made:
        a, b = await made.join("a", checks_s=60.0), await made.join("b", checks_s=60.0)
        made.pair("a", "b")
        await hears(b, talk(a, 3))
        await until(lambda: bool(made.told(LegInterrupted)), seconds=2)
        event = made.told(LegInterrupted)[0]
        assert isinstance(event, LegInterrupted)
        assert event.leg == A
        assert 1000 <= event.gap_ms < 1300
        talk(a, 1, first=103)
        await until(lambda: bool(made.told(LegResumed)), seconds=1)


async def test_an_announced_silence_is_none() -> None:
    async with rig() as made:
        a, b = await made.join("a", checks_s=60.0), await made.join("b", checks_s=60.0)
        made.pair("a", "b")
        await hears(b, talk(a, 3))
        made.relay.expect(A, audio=False, video=False)
        await asyncio.sleep(1.6)
        assert not made.told(LegInterrupted)


async def test_a_quiet_connected_leg_gets_a_sign_of_life() -> None:
    async with rig() as made:
        a, _ = await made.join("a"), await made.join("b")
        made.pair("a", "b")
        await until(lambda: len(a.received.rtcp) >= 3, seconds=2)
        assert {packet[1] for packet in a.received.rtcp} == {201}


async def test_a_key_frame_is_asked_for_until_one_passes() -> None:
    async with rig() as made:
        a, b = await made.join("a"), await made.join("b")
        made.pair("a", "b")
        made.relay.request_key_frame(A)
        media = a.settings.video_ssrcs[0].to_bytes(4, "big")

        def asked() -> int:
            return sum(
                packet[9] == 206 and packet.endswith(media) for packet in a.received.rtcp if len(packet) > 9
            )

        await until(lambda: asked() == 2, seconds=2)
        a.send_rtp(rtp(b"\x10\x00key", payload_type=96, sequence=1, ssrc=a.settings.video_ssrcs[0]))
        await until(lambda: len(b.received.rtp) == 1)
        await asyncio.sleep(1.3)
        assert asked() == 2


async def test_closing_says_goodbye_and_is_idempotent() -> None:
    async with rig() as made:
        await made.join("a")
        made.relay.close_leg(A)
        made.relay.close_leg(A)
        await until(lambda: made.relay.counters()["legs"] == 0)
        await made.relay.close()
        await made.relay.close()
        assert not made.relay.ready


async def test_a_peer_that_closes_ends_its_leg() -> None:
    async with rig() as made:
        a = await made.join("a")
        await a.close()
        await until(lambda: bool(made.told(LegFailed)))


async def test_the_port_number_is_one_for_udp_and_tcp_at_every_address() -> None:
    async with rig("127.0.0.1", "::1") as made:
        for host in ("127.0.0.1", "::1"):
            reader, writer = await asyncio.open_connection(host, made.relay.port)
            writer.close()
            del reader
        with (
            pytest.raises(OSError, match="in use"),
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
        ):
            other.bind(("127.0.0.1", made.relay.port))


async def test_after_32_returns_the_side_that_stayed_needs_a_new_leg() -> None:
    async with rig() as made:
        b = await made.join("b")
        for index in range(34):
            name = f"a{index}"
            a = await made.join(name)
            made.pair(name, "b")
            await hears(b, talk(a, 1))
            made.relay.close_leg(LegId(name))
        await until(lambda: bool(made.told(LegSpent)))
        await asyncio.sleep(0.25)
        assert made.told(LegSpent) == [LegSpent(B, "returns")]


async def test_a_side_whose_packets_are_all_refused_needs_a_new_leg() -> None:
    async with rig() as made:
        a, _ = await made.join("a"), await made.join("b")
        assert a.link is not None
        for _ in range(250):
            a.link.send(b"\x80\x6f" + os.urandom(60))
            await asyncio.sleep(0)
        await until(lambda: made.told(LegSpent) == [LegSpent(A, "refused_packets")])
