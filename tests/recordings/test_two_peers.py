"""Two independent peers talk through the real relay, and what they said and showed is in the two files."""

from __future__ import annotations

import asyncio
import struct
import time
from pathlib import Path

import pytest

from media.events import LegId
from recordings.container import Codec
from recordings.events import Failed, KeyFrameWanted, RecorderEvent
from recordings.recorder import Recorder
from recordings.sides import Side
from tests.media.rig import Rig, rig
from tests.peers.leg import Leg
from tests.recordings.booth import Booth, booth
from tests.recordings.coded import pictures, voice
from tests.recordings.sending import Sender, Sent

HERTZ = {Side.CLIENT: 440.0, Side.COUNSELOR: 880.0}
FIRST = {Side.CLIENT: 0, Side.COUNSELOR: 128}
LEGS = {Side.CLIENT: "a", Side.COUNSELOR: "b"}


def speech(peer: Leg, side: Side, codec: Codec, seconds: int) -> list[Sent]:
    """What a side says and shows: its own tone, its own numbers; reports as RTCP."""
    sender = Sender(voice_ssrc=peer.settings.audio_ssrcs[0], picture_ssrc=peer.settings.video_ssrcs[0])
    sent = sender.voice(voice(50 * seconds, hertz=HERTZ[side]))
    sent += sender.pictures(codec, pictures(codec, 30 * seconds, first=FIRST[side]))
    sent += sender.reports(seconds)
    return sorted(sent, key=lambda one: one.at_s)


async def say(peer: Leg, sent: list[Sent]) -> None:
    start_s = time.monotonic()
    for one in sent:
        wait_s = start_s + one.at_s - time.monotonic()
        if wait_s > 0.002:
            await asyncio.sleep(wait_s)
        if one.report is None:
            peer.send_rtp(one.data)
        else:
            ssrc, middle, stamp = one.report
            times = middle >> 16, middle << 16 & 0xFFFFFFFF, stamp
            peer.send_rtcp(struct.pack("!BBHIIIIII", 0x80, 200, 6, ssrc, *times, 1, 9))


def record(made: Rig, kept: Booth) -> Recorder:
    """A recorder on both legs, whose wishes for key frames go to the relay."""

    def hear(event: RecorderEvent) -> None:
        kept.events.append((time.monotonic(), event))
        if isinstance(event, KeyFrameWanted):
            made.relay.request_key_frame(LegId(LEGS[event.side]))

    kept.started_s = time.monotonic()
    recorder = kept.record(kept.recorder.recording_id, on_event=hear)
    for side, leg in LEGS.items():
        made.relay.tap(LegId(leg), recorder.sink(side))
    return recorder


@pytest.mark.parametrize("codec", [Codec.VP8, Codec.VP9, Codec.AV1])
async def test_what_two_people_say_and_show_is_in_their_files(tmp_path: Path, codec: Codec) -> None:
    async with rig() as made, booth(tmp_path) as kept:
        peers = {side: await made.join(leg) for side, leg in LEGS.items()}
        made.pair("a", "b")
        spoken = {side: speech(peer, side, codec, 3) for side, peer in peers.items()}
        recorder = record(made, kept)
        async with asyncio.TaskGroup() as talking:
            for side, peer in peers.items():
                talking.create_task(say(peer, spoken[side]))
        for leg in LEGS.values():
            made.relay.tap(LegId(leg), None)
        await recorder.close()
        assert kept.told(Failed) == []
        assert {KeyFrameWanted(side) for side in Side} <= set(kept.told(KeyFrameWanted))
        for side in Side:
            done, shown = await asyncio.to_thread(kept.finalize, side, expected=kept.chain(side))
            assert (done.complete, done.codec) == (True, codec.word)
            assert shown.numbers == [number % 256 for number in range(FIRST[side], FIRST[side] + 90)]
            tones = [tone for at, tone in shown.tones if 500 < at < 2_500]
            assert all(abs(tone - HERTZ[side]) < 20 for tone in tones)
            assert done.duration_ms == pytest.approx(3_000, abs=400)
        for peer in peers.values():
            assert len(peer.received.rtp) > 200  # The recorder takes nothing away from the other.


async def test_a_consent_that_is_taken_back_ends_the_file_at_that_packet(tmp_path: Path) -> None:
    """What is sent after the sinks are off is in no file, though the talk goes on."""
    async with rig() as made, booth(tmp_path) as kept:
        peers = {side: await made.join(leg) for side, leg in LEGS.items()}
        made.pair("a", "b")
        sent = speech(peers[Side.CLIENT], Side.CLIENT, Codec.VP8, 2)
        recorder = record(made, kept)
        await say(peers[Side.CLIENT], [one for one in sent if one.at_s < 1.0])
        await asyncio.sleep(0.05)
        for leg in LEGS.values():
            made.relay.tap(LegId(leg), None)
        rest = [Sent(one.at_s - 1, one.data) for one in sent if one.at_s >= 1 and one.data]
        await say(peers[Side.CLIENT], rest)
        await recorder.close()
        _, shown = await asyncio.to_thread(kept.finalize, Side.CLIENT, expected=kept.chain())
        assert shown.numbers == list(range(30))
        assert shown.voice_s < 1.4
