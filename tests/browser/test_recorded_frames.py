"""A browser's own pictures and voice, for each codec, through the relay into a file.

The page paints a counter as eight stripes and sounds at one frequency; what is decoded from the file must
count on.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from pathlib import Path

import pytest
from aiohttp import web as http
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page

from media.codecs import Mode
from media.description import OfferRequest
from media.events import LegConnected, LegId
from recordings.container import Codec
from recordings.events import Failed, KeyFrameWanted, RecorderEvent
from recordings.sides import Side
from tests.browser.conftest import ONE_LOOP, own_address
from tests.browser.media import BLUE, RED
from tests.media.rig import rig, until
from tests.recordings.booth import booth

pytestmark = ONE_LOOP

A = LegId("a")
NUMBERS = {Codec.VP8: (96, 97), Codec.VP9: (98, 99), Codec.AV1: (102, 103)}
SECONDS = 6.0
FPS = 20
SCRIPT = r"""async ([sdp, fps, hertz]) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [320, 240];
    const paint = canvas.getContext("2d");
    let number = 0;
    setInterval(() => {
        for (let bit = 0; bit < 8; bit += 1) {
            paint.fillStyle = (number >> bit) & 1 ? "#e0e0e0" : "#202020";
            paint.fillRect(bit * 40, 0, 40, 240);
        }
        number += 1;
    }, 1000 / fps);
    let voice;
    if (hertz) {
        const sound = new AudioContext();
        const tone = new OscillatorNode(sound, { frequency: hertz });
        const out = sound.createMediaStreamDestination();
        tone.connect(out);
        tone.start();
        voice = out.stream;
    } else {
        const raw = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
        voice = await navigator.mediaDevices.getUserMedia({ audio: raw });
    }
    const pc = new RTCPeerConnection();
    globalThis.kept = pc;
    // Nobody reports how the line is: without this it would code with next to nothing.
    const rate = "x-google-start-bitrate=2000;x-google-min-bitrate=2000";
    sdp = sdp.replace(/a=fmtp:98 profile-id=0/, (line) => `${line};${rate}`);
    sdp = sdp.replace(/a=rtpmap:(96|102) .*\r\n/, (line, number) => `${line}a=fmtp:${number} ${rate}\r\n`);
    await pc.setRemoteDescription({ type: "offer", sdp });
    const [audio] = voice.getAudioTracks();
    const [video] = canvas.captureStream().getVideoTracks();
    video.contentHint = "detail"; // The counter is no noise: nothing is to be smoothed away.
    const tracks = { audio, video };
    for (const each of pc.getTransceivers()) {
        each.direction = "sendrecv";
        await each.sender.replaceTrack(tracks[each.receiver.track.kind]);
    }
    await pc.setLocalDescription();
    return pc.localDescription.sdp;
}"""


@pytest.mark.parametrize("codec", list(NUMBERS))
async def test_what_chromium_codes_is_counted_in_the_file(
    red_browser: Browser, tmp_path: Path, codec: Codec
) -> None:
    page = await red_browser.new_page()
    await counted(page, tmp_path, codec, hertz=RED.tone_hz, own_tone=True)
    await page.close()


async def test_what_firefox_codes_is_counted_in_the_file(blue_firefox: Browser, tmp_path: Path) -> None:
    """Its microphone is the fake device: without a sound sink its Web Audio stands still."""
    page = await blue_firefox.new_page()
    async with TestServer(http.Application()) as somewhere:
        await page.goto(str(somewhere.make_url("/")))  # A device is given to a page of localhost alone.
        await counted(page, tmp_path, Codec.VP8, hertz=BLUE.tone_hz, own_tone=False)
    await page.close()


async def counted(page: Page, tmp_path: Path, codec: Codec, *, hertz: int, own_tone: bool) -> None:
    """Record what a page sends, and count what is in the file."""
    async with rig(own_address()) as made, booth(tmp_path) as kept:
        await made.join("b")
        made.relay.open_leg(A)
        request = OfferRequest(1, Mode.VIDEO, payload_types=(111, *NUMBERS[codec]), recordable=True)
        asked = [made.relay.offer(A, request), FPS, hertz if own_tone else 0]
        made.relay.answer(A, await page.evaluate(SCRIPT, asked))
        await until(lambda: LegConnected(A) in made.events, seconds=10)
        made.pair("a", "b")

        def hear(event: RecorderEvent) -> None:
            kept.events.append((time.monotonic(), event))
            if isinstance(event, KeyFrameWanted):
                made.relay.request_key_frame(A)

        kept.started_s = time.monotonic()
        recorder = kept.record(kept.recorder.recording_id, on_event=hear)
        made.relay.tap(A, recorder.sink(Side.CLIENT))
        await asyncio.sleep(SECONDS)
        made.relay.tap(A, None)
        await recorder.close()
        assert kept.told(Failed) == []
        done, shown = await asyncio.to_thread(kept.finalize, expected=kept.chain())
    assert (done.codec, done.complete) == (codec.word, True)
    assert done.duration_ms == pytest.approx(1000 * SECONDS, abs=500)
    # The first pictures may be missing until a key frame came, which was asked for at once.
    assert shown.pictures_ms[0] < 1_500
    steps = [(b - a) % 256 for a, b in itertools.pairwise(shown.numbers)]
    # Chromium's AV1 at its fastest may leave a stripe as it was for one picture.
    assert sum(step >= FPS for step in steps) <= len(steps) // 50, shown.numbers
    assert len(shown.numbers) > FPS * (SECONDS - 2) * 0.9
    seconds = (shown.pictures_ms[-1] - shown.pictures_ms[0]) / 1000
    assert seconds > SECONDS - 2
    assert shown.numbers[-1] - shown.numbers[0] == pytest.approx(FPS * seconds, rel=0.15)
    tones = [tone for at, tone in shown.tones if 700 < at < 1000 * SECONDS - 700]
    assert sum(abs(tone - hertz) < 20 for tone in tones) > 0.9 * len(tones)
    assert all(b - a <= 65 for a, b in itertools.pairwise(shown.voice_ms))
