"""From a log to a finished file that any player opens and seeks in."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from core.agefile import Identity, Reader, decrypt
from recordings.container import (
    CUE_POINT,
    CUE_TIME,
    CUES,
    OPUS_TRACK,
    SEGMENT,
    Codec,
    Frame,
    Track,
    cluster,
    live_head,
)
from recordings.ebml import walk
from recordings.finalize import Finalized, finalize
from recordings.log import Chain, LogBroken, LogWriter
from recordings.sides import Side, log_path
from tests.recordings.coded import pictures, voice
from tests.recordings.playing import play, probe

NAME = "r_" + "a" * 20
KEY = Identity.generate()


def records(codec: Codec | None, seconds: int, *, tracks: list[Track] | None = None) -> list[bytes]:
    """One record for each second: 50 packets of voice, and 30 pictures if there is a codec."""
    sound = voice(50 * seconds)
    seen = pictures(codec, 30 * seconds) if codec is not None else []
    made = [live_head(tracks or [OPUS_TRACK])]
    for second in range(seconds):
        frames = [
            Frame(Codec.OPUS, 20 * at, key=True, data=sound[at])
            for at in range(50 * second, 50 * second + 50)
        ]
        if codec is not None:
            frames += [
                Frame(codec, at * 1000 // 30, key=seen[at].key, data=seen[at].data)
                for at in range(30 * second, 30 * second + 30)
            ]
        made.append(cluster(sorted(frames, key=lambda frame: frame.at_ms)))
    return made


def logged(directory: Path, plain: list[bytes], *, final: bool = True) -> tuple[Path, Chain]:
    path = log_path(directory, NAME, Side.CLIENT)
    writer = LogWriter(path, recording_id=NAME, side=Side.CLIENT, recipient=KEY.recipient)
    for one in plain:
        writer.append(one)
    if final:
        writer.append(b"", final=True)
    writer.close()
    return path, writer.chain


def finished(log: Path, out: Path, expected: Chain | None = None) -> Finalized:
    return finalize(
        log,
        recording_id=NAME,
        side=Side.CLIENT,
        identity=KEY,
        recipient=KEY.recipient,
        out=out,
        expected=expected,
    )


def cues(webm: bytes) -> list[int]:
    """The times that the index names."""
    spans = [(0, len(webm))]
    for wanted in (SEGMENT, CUES, CUE_POINT, CUE_TIME):
        spans = [
            (one.content, one.end)
            for begin, end in spans
            for one in walk(webm, begin, end)
            if one.identifier == wanted
        ]
    return [int.from_bytes(webm[begin:end], "big") for begin, end in spans]


@pytest.mark.parametrize("codec", [Codec.VP8, Codec.VP9])
def test_a_finished_file_plays_from_start_to_end(tmp_path: Path, codec: Codec) -> None:
    log, chain = logged(tmp_path, records(codec, 3, tracks=[Track(codec, 160, 120), OPUS_TRACK]))
    made = finished(log, tmp_path / "out.age", chain)
    sealed = (tmp_path / "out.age").read_bytes()
    assert made.sha256 == hashlib.sha256(sealed).digest()
    assert (made.bytes, made.complete, made.codec) == (len(sealed), True, codec.word)
    played = play(decrypt(sealed, [KEY]))
    assert played.numbers == list(range(90))
    assert played.pictures_ms == [at * 1000 // 30 for at in range(90)]
    assert played.duration_ms == made.duration_ms == 3000
    assert played.voice_s == pytest.approx(3.0, abs=0.02)
    assert all(abs(tone - 440) < 20 for at, tone in played.tones if 100 < at < 2900)


def test_a_voice_alone_has_places_to_enter(tmp_path: Path) -> None:
    log, _ = logged(tmp_path, records(None, 25))
    made = finished(log, tmp_path / "out.age")
    assert (made.codec, made.duration_ms) == ("opus", 25_000)
    plain = decrypt((tmp_path / "out.age").read_bytes(), [KEY])
    assert cues(plain) == [0, 10_000, 20_000]


def test_age_and_ffmpeg_open_it_alone(tmp_path: Path) -> None:
    """Whoever holds the key in escrow needs nothing of ours."""
    log, _ = logged(tmp_path, records(Codec.VP8, 2, tracks=[Track(Codec.VP8, 160, 120), OPUS_TRACK]))
    finished(log, tmp_path / "out.age")
    (tmp_path / "key").write_text(f"{KEY}\n")
    subprocess.run(
        ["age", "-d", "-i", tmp_path / "key", "-o", tmp_path / "out.webm", tmp_path / "out.age"], check=True
    )
    told = probe(tmp_path / "out.webm", "-count_frames", "-show_entries", "stream=codec_name,nb_read_frames")
    assert told == ["vp8,60", "opus,100"]


def test_after_a_crash_the_rest_plays_and_is_not_called_complete(tmp_path: Path) -> None:
    log, _ = logged(
        tmp_path, records(Codec.VP8, 3, tracks=[Track(Codec.VP8, 160, 120), OPUS_TRACK]), final=False
    )
    data = log.read_bytes()
    log.write_bytes(data[:-10])
    made = finished(log, tmp_path / "out.age")
    assert (made.complete, made.duration_ms) == (False, 2000)
    assert play(decrypt((tmp_path / "out.age").read_bytes(), [KEY])).numbers == list(range(60))


def test_a_draft_of_a_crashed_try_is_written_over(tmp_path: Path) -> None:
    log, _ = logged(tmp_path, records(None, 1))
    (tmp_path / ".out.age.draft").write_bytes(b"half" * 100_000)
    (tmp_path / "out.age").write_bytes(b"of an earlier try")
    made = finished(log, tmp_path / "out.age")
    assert made.bytes == (tmp_path / "out.age").stat().st_size
    assert not (tmp_path / ".out.age.draft").exists()


def test_a_log_that_was_cut_or_changed_gives_no_file(tmp_path: Path) -> None:
    log, chain = logged(tmp_path, records(None, 2))
    whole = log.read_bytes()
    other = Chain(chain.records, b"\0" * 32)
    for expected, data, what in (
        (Chain(chain.records + 1, chain.head), whole, "cut"),
        (other, whole, "mismatch"),
        (None, whole[:100] + b"\0" + whole[101:], "changed"),
    ):
        log.write_bytes(data)
        with pytest.raises(LogBroken, match=what):
            finished(log, tmp_path / "out.age", expected)
        assert not (tmp_path / "out.age").exists()


def test_a_log_without_a_frame_gives_no_file(tmp_path: Path) -> None:
    log, chain = logged(tmp_path, [])
    with pytest.raises(LogBroken, match="empty"):
        finished(log, tmp_path / "out.age", chain)


def test_the_index_leads_to_key_frames(tmp_path: Path) -> None:
    """A player that reads only what it must finds the frame of a moment."""
    log, _ = logged(tmp_path, records(Codec.VP8, 5, tracks=[Track(Codec.VP8, 160, 120), OPUS_TRACK]))
    finished(log, tmp_path / "out.age")
    sealed = (tmp_path / "out.age").read_bytes()
    reader = Reader(lambda offset, length: sealed[offset : offset + length], len(sealed), [KEY])
    plain = reader.read_at(0, reader.size)
    (tmp_path / "out.webm").write_bytes(plain)
    told = probe(
        tmp_path / "out.webm",
        *("-read_intervals", "3.5%+0.01", "-select_streams", "v"),
        *("-show_entries", "packet=pts_time,flags"),
    )
    assert told[0].startswith("3.000000,K")
