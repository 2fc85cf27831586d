"""The offer template, and answers: of browsers, and of people who mean harm."""

from __future__ import annotations

import contextlib
import random
import time

import pytest
from aiortc.sdp import SessionDescription

from media.codecs import FIRST_OFFER, Kind, Mode, common, recordable
from media.description import (
    Direction,
    Endpoint,
    InvalidAnswer,
    OfferRequest,
    VoiceProfile,
    read_answer,
    write_offer,
)
from media.events import Streams

ENDPOINT = Endpoint(
    7, "ufragufr", "p" * 32, ":".join(["AB"] * 32), (("192.0.2.1", 3478), ("2001:db8::1", 3478))
)
ALL = (111, 63, 96, 97, 98, 99, 100, 101, 102, 103)


def offer(mode: Mode = Mode.VIDEO, **changes: object) -> str:
    return write_offer(ENDPOINT, OfferRequest(3, mode, **changes))  # type: ignore[arg-type]  # names checked at run time


def answer(sdp: str | None = None) -> str:
    """Answer as a browser does: the same lines, active."""
    text = (sdp or offer()).replace("setup:actpass", "setup:active").replace("a=ice-lite\r\n", "")
    return text.replace("a=rtcp-mux\r\n", "a=rtcp-mux\r\na=ssrc:11 cname:x\r\n", 1)


@pytest.mark.parametrize("mode", list(Mode))
def test_an_independent_parser_reads_the_offer(mode: Mode) -> None:
    text = offer(mode, payload_types=ALL, peer="p_other", streams=Streams((1,), (2, 3)))
    read = SessionDescription.parse(text)
    assert [media.kind for media in read.media] == ["audio", "video"]
    assert [media.port for media in read.media] == [9, 9]
    assert [media.rtp.muxId for media in read.media] == ["0", "1"]
    active = {Mode.VIDEO: ["sendrecv"] * 2, Mode.VOICE: ["sendrecv", "inactive"], Mode.CHAT: ["inactive"] * 2}
    assert [media.direction for media in read.media] == active[mode]
    for media, direction in zip(read.media, active[mode], strict=True):
        assert bool(media.ssrc) is (direction == "sendrecv")
        assert {(c.ip, c.protocol, c.tcpType) for c in media.ice_candidates} == {
            (host, protocol, kind)
            for host in ("192.0.2.1", "2001:db8::1")
            for protocol, kind in (("udp", None), ("tcp", "passive"))
        }
    wide = "transport-wide-cc" in text
    assert wide is (mode is Mode.VIDEO)
    assert ("abs-send-time" in text) is wide
    assert ("transport-cc" in text.replace("transport-wide-cc", "")) is wide
    assert ("ssrc-audio-level" in text) is wide


def test_voice_says_how_opus_is_to_be_sent() -> None:
    text = offer(Mode.VOICE, voice=VoiceProfile(12_000, 60))
    assert "maxaveragebitrate=12000" in text
    assert "useinbandfec=1;usedtx=1;stereo=0" in text
    assert "a=ptime:60\r\na=maxptime:60\r\n" in text
    assert "ptime" not in offer(Mode.VIDEO).replace("minptime", "")


def test_the_first_offer_lists_three_numbers_and_the_others_stay_behind_vp8() -> None:
    assert "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n" in offer()
    assert "m=video 9 UDP/TLS/RTP/SAVPF 96 97\r\n" in offer()
    both = [["audio/opus", "audio/red", "video/VP8", "video/VP9", "video/AV1"]] * 2
    assert common(both, turned_on=frozenset()) == (111, 63, 96, 97)
    assert common(both, turned_on=frozenset({"VP9", "H264"})) == (111, 63, 96, 97, 98, 99)
    assert common([both[0], ["audio/opus", "video/vp8"]], turned_on=frozenset({"VP9"})) == FIRST_OFFER


def test_a_browsers_answer_is_read() -> None:
    read = read_answer(answer(offer(payload_types=ALL)))
    assert read.audio.payload_types == (111, 63)
    assert read.video.payload_types == (96, 97, 98, 99, 100, 101, 102, 103)
    assert read.audio.direction is Direction.SENDRECV
    assert read.streams.audio == (11,)
    assert read.fingerprints == (("sha-256", ENDPOINT.fingerprint),)


def test_retransmission_is_told_from_media_by_its_group() -> None:
    text = answer().replace(
        "a=mid:1\r\n", "a=mid:1\r\na=ssrc:9 cname:x\r\na=ssrc:8 cname:x\r\na=ssrc-group:FID 8 9\r\n"
    )
    assert read_answer(text).streams.video == (8, 9)


def test_directions_and_port_0() -> None:
    text = answer().replace("a=sendrecv", "a=recvonly")
    assert not read_answer(text).audio.sends
    assert read_answer(text).audio.active
    assert not read_answer(answer().replace("a=sendrecv", "a=inactive")).video.active
    rejected = read_answer(answer().replace("m=video 9", "m=video 0")).video
    assert rejected.rejected
    assert not rejected.active


def test_a_kind_that_was_rejected_stays_inactive() -> None:
    read = SessionDescription.parse(
        offer(inactive=frozenset({Kind.AUDIO}), peer="p", streams=Streams((1,), (2, 3)))
    )
    assert [media.direction for media in read.media] == ["inactive", "sendrecv"]
    assert [len(media.ssrc) for media in read.media] == [0, 2]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("v=0", "v=1"), "v=0"),
        (("m=video 9", "m=audio 9"), "video"),
        (("m=video 9 UDP", "x=video 9 UDP"), "one audio and one video"),
        (("a=fingerprint", "a=nothing"), "fingerprint"),
        (("a=fingerprint:sha-256 ", "a=fingerprint:"), "fingerprint"),
        (("setup:active", "setup:passive"), "setup:active"),
        (("a=mid:1", "a=mid:7"), "a=mid:1"),
        (("a=rtcp-mux", "a=rtcp-mux-not"), "rtcp-mux"),
    ],
)
def test_an_answer_that_does_not_fit_says_why(change: tuple[str, str], says: str) -> None:
    with pytest.raises(InvalidAnswer, match=says):
        read_answer(answer().replace(*change))


def test_garbage_and_a_million_candidates_are_refused_quickly_or_read() -> None:
    began = time.process_time()
    for text in (
        "x" * 100_000,
        "v=0\r\n" + "m=audio 9 X 1\r\n" * 5_000,
        answer() + "a=candidate:1\r\n" * 1_000_000,
    ):
        with pytest.raises(InvalidAnswer):
            read_answer(text)
    read_answer(answer() + "a=candidate:1 1 udp 1 1.2.3.4 5 typ host\r\n" * 1_000)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("seed", range(20))
def test_mutilated_answers_are_read_or_refused_and_nothing_else(seed: int) -> None:
    source = random.Random(seed)
    good = answer(offer(payload_types=ALL))
    for _ in range(100):
        text = list(good)
        for _ in range(source.randrange(1, 40)):
            text[source.randrange(len(text))] = chr(
                source.choice([0, 10, 48, 57, 0xB2, 0x661, 0x1F600, 61, 58, 32])
            )
        with contextlib.suppress(InvalidAnswer):
            read_answer("".join(text))


def test_what_may_be_recorded_has_no_h264_and_pictures_that_stand_upright() -> None:
    everything = [["audio/opus", "video/VP8", "video/VP9", "video/H264", "video/AV1"]] * 2
    numbers = common(everything, turned_on=recordable(frozenset({"VP9", "h264", "H264", "AV1"})))
    assert numbers == (111, 96, 97, 98, 99, 102, 103)
    assert "video-orientation" in offer(payload_types=numbers)
    assert "video-orientation" not in offer(payload_types=numbers, recordable=True)
