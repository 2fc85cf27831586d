from __future__ import annotations

from datetime import UTC, datetime

import pytest

from signaling.chat import MAX_BYTES, MAX_LINES, Transcript
from signaling.device import describe
from signaling.refs import MAX_REFS, Refs
from signaling.server_messages import Error, Ok, encode
from signaling.wire import MAX_QUEUED_BYTES

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def test_a_transcript_of_control_characters_stays_small_enough_to_be_sent_at_once() -> None:
    transcript = Transcript()
    for _ in range(100):
        transcript.say(sender="p", ref="r", text="\x01" * 4_000, tag="", now=NOW)
    sent = sum(len(encode(line, seq=1)) for line in transcript.lines)
    assert MAX_BYTES / 2 < sent < 1.1 * MAX_BYTES < MAX_QUEUED_BYTES


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        ("Mozilla/5.0 (Android 14; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0", "Firefox, Android"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/138.0 Safari/537.36", "Chrome, Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) CriOS/138 Safari/604", "Chrome, iPhone"),
        ("<script>", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_device_is_described_in_words_of_ours(agent: str, device: str) -> None:
    assert describe(agent) == device


def test_a_transcript_keeps_the_newest_lines() -> None:
    transcript = Transcript()
    for number in range(MAX_LINES + 5):
        transcript.say(sender="p", ref="r", text=str(number), tag="t", now=NOW)
    assert transcript.lines[0].text == "5"
    for _ in range(100):
        transcript.say(sender="p", ref="r", text="x" * 4_000, tag="t", now=NOW)
    assert sum(len(line.text) for line in transcript.lines) <= 256 * 1024


def test_refs_keep_the_newest_answers() -> None:
    refs = Refs()
    refs.keep("first", Error(code="x", message=""))
    for number in range(MAX_REFS):
        refs.keep(str(number), Ok(ref=str(number)))
    assert refs.answered("first") is None
    assert refs.answered("0") == Ok(ref="0")
