"""The tap of a leg: who else gets its packets, when, and what becomes of a call whose sink breaks."""

from __future__ import annotations

import asyncio
import os
import struct
import time

import pytest

from core.errors import NotFound
from media.codecs import Kind
from media.events import LegId
from media.rtcp import SenderReport
from tests.media.rig import Rig, rig, rtp, until
from tests.peers.leg import Leg

A, B = LegId("a"), LegId("b")


class Taken:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.packets: list[tuple[bytes, Kind]] = []
        self.reports: list[SenderReport] = []
        self.times_s: list[float] = []

    def rtp(self, packet: memoryview, kind: Kind, now_s: float) -> None:
        self.packets.append((bytes(packet), kind))
        self.times_s.append(now_s)

    def sender_report(self, report: SenderReport, now_s: float) -> None:
        self.reports.append(report)
        self.times_s.append(now_s)


class Broken:
    """Raises at whatever it is given."""

    def rtp(self, *_: object) -> None:
        raise ValueError("a broken sink")

    def sender_report(self, *_: object) -> None:
        raise ValueError("a broken sink")


def speak(peer: Leg, count: int, *, first: int = 100, video: bool = False) -> list[bytes]:
    ssrc = peer.settings.video_ssrcs[0] if video else peer.settings.audio_ssrcs[0]
    number = 96 if video else 111
    sent = [rtp(os.urandom(200), payload_type=number, sequence=first + i, ssrc=ssrc) for i in range(count)]
    for packet in sent:
        peer.send_rtp(packet)
    return sent


async def arrived(peer: Leg, packets: list[bytes]) -> None:
    await until(lambda: len(peer.received.rtp) >= len(packets))
    assert peer.received.rtp == packets
    peer.received.rtp.clear()


async def joined(made: Rig) -> tuple[Leg, Leg]:
    return await made.join("a"), await made.join("b")


async def test_a_sink_gets_the_packets_as_they_were_sent_and_the_peer_too() -> None:
    async with rig() as made:
        a, b = await joined(made)
        made.pair("a", "b")
        sink = Taken()
        made.relay.tap(A, sink)
        sent = speak(a, 10)
        await arrived(b, sent)
        pictures = speak(a, 10, video=True)
        await arrived(b, pictures)
        speak(b, 5)
        await until(lambda: len(a.received.rtp) == 5)
        assert sink.packets == [(p, Kind.AUDIO) for p in sent] + [(p, Kind.VIDEO) for p in pictures]
        assert sink.times_s == sorted(sink.times_s)
        assert 0 <= time.monotonic() - sink.times_s[-1] < 5


async def test_a_sink_gets_nothing_that_the_peer_may_not_have() -> None:
    async with rig() as made:
        a, b = await joined(made)
        sink = Taken()
        made.relay.tap(A, sink)
        speak(a, 5)
        await asyncio.sleep(0.05)
        made.relay.pair(A, B)
        speak(a, 5, first=200)
        await asyncio.sleep(0.05)
        made.relay.forward(A, audio=True, video=False)
        speak(a, 5, video=True)
        sent = speak(a, 1, first=300)
        await arrived(b, sent)
        assert sink.packets == [(sent[0], Kind.AUDIO)]


async def test_a_sink_that_was_taken_off_gets_nothing_more() -> None:
    async with rig() as made:
        a, b = await joined(made)
        made.pair("a", "b")
        sink = Taken()
        made.relay.tap(A, sink)
        first = speak(a, 3)
        await arrived(b, first)
        made.relay.tap(A, None)
        await arrived(b, speak(a, 3, first=200))
        assert [packet for packet, _ in sink.packets] == first


async def test_a_sink_gets_the_sender_reports_of_known_streams() -> None:
    async with rig() as made:
        a, b = await joined(made)
        made.pair("a", "b")
        sink = Taken()
        made.relay.tap(A, sink)
        ssrc = a.settings.audio_ssrcs[0]
        await arrived(b, speak(a, 1))
        for about in (ssrc, ssrc ^ 1):
            a.send_rtcp(struct.pack("!BBHIIIIII", 0x80, 200, 6, about, 0x11112222, 0x33334444, 960, 1, 200))
        await until(lambda: bool(sink.reports))
        assert sink.reports == [SenderReport(ssrc, 0x22223333, 960)]


@pytest.mark.parametrize("what", ["packet", "report"])
async def test_a_sink_that_breaks_is_taken_off_and_the_call_goes_on(what: str) -> None:
    async with rig() as made:
        a, b = await joined(made)
        made.pair("a", "b")
        await arrived(b, speak(a, 1))
        made.relay.tap(A, Broken())
        if what == "packet":
            await arrived(b, speak(a, 5, first=200))
        else:
            ssrc = a.settings.audio_ssrcs[0]
            a.send_rtcp(struct.pack("!BBHIIIIII", 0x80, 200, 6, ssrc, 1, 2, 3, 4, 5))
        await until(lambda: made.relay.counters().get("sinks_failed") == 1)
        await arrived(b, speak(a, 5, first=300))
        assert made.relay.counters().get("internal_errors", 0) == 0


async def test_a_closed_leg_has_no_tap() -> None:
    async with rig() as made:
        await joined(made)
        made.relay.close_leg(A)
        made.relay.tap(A, None)
        with pytest.raises(NotFound):
            made.relay.tap(A, Taken())
