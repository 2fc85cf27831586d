"""Two independent peers through the real server: every packet arrives as it was sent."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from tests.e2e.conftest import MakePeer, Pair
from tests.e2e.server import Server
from tests.e2e.traffic import LARGEST_DATAGRAM, arrives, both_ways, media_of, packets, pass_over
from tests.peers import rtp
from tests.peers.checks import Nomination
from tests.peers.dtls import SrtpProfile
from tests.peers.leg import Leg, LegSettings
from tests.peers.peer import Peer, random_settings

TAG_BYTES = {
    SrtpProfile.AES128_CM_SHA1_80: 10,
    SrtpProfile.AEAD_AES_128_GCM: 16,
    SrtpProfile.AEAD_AES_256_GCM: 16,
}


def settings(**changes: object) -> LegSettings:
    return random_settings(**changes)


@pytest.mark.parametrize("ip_version", [4, 6])
@pytest.mark.parametrize("transports", [("udp", "udp"), ("tcp", "tcp"), ("udp", "tcp")])
async def test_media_arrives_bit_for_bit(pair: Pair, transports: tuple[str, str], ip_version: int) -> None:
    one, other = await pair(
        settings(transport=transports[0], ip_version=ip_version),
        settings(transport=transports[1], ip_version=ip_version),
    )
    await both_ways(one, other)


@pytest.mark.parametrize("mine", list(SrtpProfile))
@pytest.mark.parametrize("theirs", list(SrtpProfile))
async def test_unlike_srtp_profiles_pass_packets_at_the_limit(
    pair: Pair, mine: SrtpProfile, theirs: SrtpProfile
) -> None:
    one, other = await pair(settings(profiles=(mine,)), settings(profiles=(theirs,)))
    largest = LARGEST_DATAGRAM - max(TAG_BYTES[mine], TAG_BYTES[theirs]) - 12
    for sender, receiver in ((one, other), (other, one)):
        ssrc = sender.settings.video_ssrcs[0]
        sent = packets(ssrc, payload_type=rtp.VP8, count=20, size=(largest, largest))
        await pass_over(sender, receiver, sent)


async def test_a_packet_over_the_limit_is_dropped_and_harms_nobody(pair: Pair) -> None:
    one, other = await pair()
    ssrc = one.settings.video_ssrcs[0]
    for packet in packets(ssrc, payload_type=rtp.VP8, count=5, size=(1_700, 1_700), first=1):
        one.send_rtp(packet)
    await both_ways(one, other, first=100)


async def test_rtcp_passes_end_to_end(pair: Pair) -> None:
    one, other = await pair()
    await both_ways(one, other, count=5)
    sender, target = one.settings.video_ssrcs[0], other.settings.video_ssrcs[0]
    sent = [
        rtp.picture_loss(sender, target),
        rtp.transport_feedback(sender, target, bytes(range(12))),
        rtp.sender_report(sender, ntp=0x1122334455667788, timestamp=90_000, packets=5, octets=500),
    ]
    for packet in sent:
        one.send_rtcp(packet)
    async with asyncio.timeout(3):
        while not all(_contains(other, packet) for packet in sent):
            other.media.arrived.clear()
            await other.media.arrived.wait()


def _contains(peer: Peer, packet: bytes) -> bool:
    return any(packet in compound for compound in peer.media.received.rtcp)


async def test_the_second_participant_makes_the_first_send_a_key_frame(pair: Pair) -> None:
    one, other = await pair()
    await both_ways(one, other, count=5)
    for peer in (one, other):
        async with asyncio.timeout(3):
            while not _asked_for_picture(peer):
                peer.media.arrived.clear()
                await peer.media.arrived.wait()


def _asked_for_picture(peer: Peer) -> bool:
    return any(
        kind == 206 and form == 1 and int.from_bytes(body[8:12], "big") == peer.settings.video_ssrcs[0]
        for compound in peer.media.received.rtcp
        for kind, form, body in rtp.parts(compound)
    )


@pytest.mark.parametrize("fault", ["restart", "rebind"])
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_keys_and_place_stay_after(pair: Pair, fault: str, transport: str) -> None:
    one, other = await pair(settings(transport=transport), settings(transport=transport))
    await both_ways(one, other)
    leg, keys = one.media, one.media.dtls
    if fault == "restart":
        await one.restart()
    else:
        await one.media.rebind()
        await asyncio.wait_for(one.media.checked.wait(), 2)
    await both_ways(one, other, first=62_000)
    assert one.media is leg
    assert one.media.dtls is keys


async def test_a_rebind_without_use_candidate_brings_media_back_within_four_seconds(pair: Pair) -> None:
    """Firefox says USE-CANDIDATE once; after a NAT rebind its later checks have to move the path."""
    one, other = await pair(settings(nomination=Nomination.ONCE, checks_s=1.0))
    await both_ways(one, other)
    await one.media.rebind(nomination=Nomination.NEVER)
    assert await arrives(other, one, first=62_000) < 4


async def test_udp_blocked_in_mid_call_goes_on_over_tcp_with_the_same_keys(pair: Pair) -> None:
    one, other = await pair(settings(checks_s=0.5))
    await both_ways(one, other)
    await one.media.rebind(transport="tcp")
    assert await arrives(other, one, first=62_000) < 4
    assert await arrives(one, other, first=62_000) < 1


async def test_a_restart_keeps_the_old_path_until_the_new_one_is_checked(pair: Pair) -> None:
    one, other = await pair()
    await both_ways(one, other)
    one.answers = False
    await one.on.ask("restart")
    await one.on.expect("offer", negotiation=one.offers[-1]["negotiation"])
    await both_ways(one, other, first=62_000)


async def test_streams_that_no_answer_listed_are_learned_and_offered(pair: Pair) -> None:
    one, other = await pair(settings(list_ssrcs=False))
    (audio,), (video, _) = one.settings.audio_ssrcs, one.settings.video_ssrcs
    for number in range(61_000, 61_010):
        one.send_rtp(rtp.with_mid(rtp.Rtp(rtp.OPUS, number, number * 960, audio, b"a" * 50), "0"))
        one.send_rtp(rtp.with_mid(rtp.Rtp(rtp.VP8, number, number * 3000, video, b"v" * 50), "1"))
    await other.until(lambda leg: video in offered(leg, "video") and audio in offered(leg, "audio"))
    # These are passed on too; those still on the way are not to be counted with the next ones.
    await other.receive(20)
    await both_ways(one, other, first=62_000)


def offered(leg: Leg, kind: str) -> list[int]:
    return [] if leg.offer is None else leg.offer.line(kind).ssrcs


async def test_a_participant_that_comes_back_with_new_streams_is_heard(
    pair: Pair, make_peer: MakePeer
) -> None:
    """A reload: a new peer connection and new SSRCs, resumed with the key of the tab."""
    one, other = await pair()
    await both_ways(one, other)
    resume = one.resume_key()
    await one.close(silently=True)
    again = make_peer(one.place, settings=settings())
    welcome = await again.join(resume=resume | {"seq": 0})
    assert welcome["session"]["id"] == one.welcome["session"]["id"]
    await again.paired()
    await other.paired()
    await other.until(lambda leg: again.settings.video_ssrcs[0] in offered(leg, "video"))
    await both_ways(again, other, first=500)


async def test_voice_mode_negotiates_no_video_and_none_passes(pair: Pair) -> None:
    one, other = await pair(mode="voice")
    for peer in (one, other):
        offer = peer.media.offer
        assert offer is not None
        assert offer.line("video").direction == "inactive"
        assert offer.line("video").port != 0
        assert offer.line("audio").direction == "sendrecv"
    for packet in media_of(one):
        one.send_rtp(packet)
    await asyncio.sleep(0.5)
    kinds = {rtp.payload_type_of(packet) for packet in other.media.received.rtp}
    assert kinds == {rtp.OPUS}


async def test_media_sent_before_the_other_is_there_reaches_nobody(
    server: Server, http: aiohttp.ClientSession, make_peer: MakePeer
) -> None:
    session = await server.create_session(http)
    early, late = make_peer(session.client), make_peer(session.counselor)
    await early.join()
    await early.connected()
    for packet in media_of(early, count=20, first=1):
        early.send_rtp(packet)
    await late.join()
    await asyncio.gather(early.paired(), late.paired())
    await both_ways(early, late, first=1_000)
