"""The recorder as the server has it: a process beside it, real files, and what happens when something
breaks."""

from __future__ import annotations

import asyncio
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from media.codecs import Kind
from media.rtcp import SenderReport
from recordings.events import Failed, Failure, Grew, KeyFrameWanted
from recordings.log import check_log, read_log
from recordings.sides import Side
from tests.media.rig import until
from tests.recordings.booth import KEY, NAME, OTHER, Booth, at_once, booth, both, hand, in_time
from tests.recordings.coded import voice
from tests.recordings.sending import Sender, Sent


async def test_both_sides_are_recorded_and_their_chains_are_told(tmp_path: Path) -> None:
    async with booth(tmp_path) as made:
        for side, ssrc in ((Side.CLIENT, 50), (Side.COUNSELOR, 60)):
            sink = made.recorder.sink(side)
            assert made.recorder.sink(side) is sink
            at_once(made, sink, both(2, picture_ssrc=ssrc))
            sink.sender_report(SenderReport(ssrc, 1, 2), made.started_s)
        await made.recorder.close()
        await made.recorder.close()
        assert made.told(Failed) == []
        for side in Side:
            state = check_log(made.log(side), recording_id=NAME, side=side, expected=made.chain(side))
            assert state.chain == made.chain(side)
            done, shown = made.finalize(side, expected=made.chain(side))
            assert done.complete
            assert shown.numbers == list(range(60))
            last = [event for event in made.told(Grew) if isinstance(event, Grew) and event.side is side][-1]
            assert isinstance(last, Grew)
            assert (last.bytes, last.until_ms) == (made.log(side).stat().st_size, done.duration_ms)


async def test_a_key_frame_is_wanted_of_the_side_that_shows_something(tmp_path: Path) -> None:
    async with booth(tmp_path) as made:
        made.recorder.sink(Side.CLIENT)
        sink = made.recorder.sink(Side.COUNSELOR)
        await in_time(made, sink, [one for one in both(1) if one.data[1] & 127 == 96])
        await made.recorder.close()
        assert made.told(KeyFrameWanted)[0] == KeyFrameWanted(Side.COUNSELOR)
        assert KeyFrameWanted(Side.CLIENT) not in made.told(KeyFrameWanted)


async def test_nothing_of_a_time_off_the_record_is_kept(tmp_path: Path) -> None:
    async with booth(tmp_path) as made:
        sink, sent = made.recorder.sink(Side.CLIENT), both(3)
        at_once(made, sink, [one for one in sent if one.at_s < 1])
        made.recorder.pause(made.started_s + 1)
        at_once(made, sink, [one for one in sent if 1 <= one.at_s < 2])
        made.recorder.resume(made.started_s + 2)
        at_once(made, sink, [one for one in sent if one.at_s >= 2])
        await made.recorder.close()
        _, shown = made.finalize()
        assert shown.numbers == [*range(30), *range(60, 90)]
        assert shown.pictures_ms[30] == pytest.approx(2_000, abs=3)
        assert not {at for at, tone in shown.tones if tone and 1_100 < at < 1_900}


async def test_a_side_that_comes_while_off_the_record_is_off_it_too(tmp_path: Path) -> None:
    async with booth(tmp_path) as made:
        at_once(made, made.recorder.sink(Side.CLIENT), Sender().voice(voice(50)))
        made.recorder.pause(made.started_s + 1)
        sink, sent = made.recorder.sink(Side.COUNSELOR), both(2)
        at_once(made, sink, [one for one in sent if one.at_s < 1])
        made.recorder.resume(made.started_s + 1)
        at_once(made, sink, [one for one in sent if one.at_s >= 1])
        await made.recorder.close()
        assert made.finalize(Side.COUNSELOR)[1].numbers == list(range(30, 60))


async def test_after_the_end_a_sink_takes_nothing(tmp_path: Path) -> None:
    async with booth(tmp_path) as made:
        sink, sent = made.recorder.sink(Side.CLIENT), both(2)
        at_once(made, sink, [one for one in sent if one.at_s < 1])
        await made.recorder.close()
        size = made.log().stat().st_size
        at_once(made, sink, [one for one in sent if one.at_s >= 1])
        made.recorder.sink(Side.COUNSELOR)
        await asyncio.sleep(0.2)
        assert made.log().stat().st_size == size
        assert not made.log(Side.COUNSELOR).exists()


async def test_a_side_that_never_said_anything_is_an_empty_log(tmp_path: Path) -> None:
    async with booth(tmp_path) as made:
        made.recorder.sink(Side.CLIENT)
        await made.recorder.close()
        found = list(read_log(made.log(), recording_id=NAME, side=Side.CLIENT, identity=KEY))
        assert [(one.plain, one.final) for one in found] == [(b"", True)]


async def test_two_recordings_at_once_do_not_mix(tmp_path: Path) -> None:
    async with booth(tmp_path) as made:
        other = made.record(OTHER)
        first, second = made.recorder.sink(Side.CLIENT), other.sink(Side.CLIENT)
        for one in both(1):
            hand(first, one, made.started_s + one.at_s)
            hand(second, one, made.started_s + one.at_s)
        await other.close()
        await made.recorder.close()
        assert made.finalize()[1].numbers == list(range(30))


# --- what breaks


async def failure(made: Booth) -> Failure:
    await until(lambda: bool(made.told(Failed)))
    (failed,) = made.told(Failed)
    assert isinstance(failed, Failed)
    return failed.reason


async def test_a_process_that_is_killed_ends_the_recording_and_another_one_starts(tmp_path: Path) -> None:
    async with booth(tmp_path) as made:
        sink, sent = made.recorder.sink(Side.CLIENT), both(2)
        at_once(made, sink, sent)
        await until(lambda: bool(made.told(Grew)))
        before = made.desk.pid
        assert before is not None
        os.kill(before, signal.SIGKILL)
        assert await failure(made) is Failure.INTERNAL
        at_once(made, sink, sent)
        await made.recorder.close()
        await until(lambda: made.desk.pid not in (None, before))
        again = made.record(OTHER)
        at_once(made, again.sink(Side.CLIENT), sent)
        await again.close()
        assert made.told(Failed) == [Failed(Failure.INTERNAL)]
        log = made.log(name=OTHER)
        assert [r.final for r in read_log(log, recording_id=OTHER, side=Side.CLIENT, identity=KEY)][-1]


async def test_no_module_of_the_working_directory_runs_where_packets_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "queue.py").write_text("raise SystemExit('not the one of the library')")
    monkeypatch.chdir(tmp_path)
    async with booth(tmp_path / "logs") as made:
        at_once(made, made.recorder.sink(Side.CLIENT), both(1))
        await made.recorder.close()
        assert made.told(Failed) == []
        assert made.finalize()[1].numbers == list(range(30))


async def test_without_a_process_a_recording_fails_at_once(tmp_path: Path) -> None:
    made = Booth(tmp_path)
    made.recorder.sink(Side.CLIENT)
    assert await failure(made) is Failure.INTERNAL
    await made.recorder.close()


async def test_a_server_that_is_gone_leaves_all_that_it_sent(tmp_path: Path) -> None:
    """The process finishes what it has, and the log is without its last record: somebody was torn away."""
    made = Booth(tmp_path)
    made.desk.start()
    sink, sent = made.recorder.sink(Side.CLIENT), both(2)
    at_once(made, sink, sent)
    await made.desk.close()
    done, shown = made.finalize()
    assert not done.complete
    assert shown.numbers == list(range(60))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_signals_that_stop_the_server_do_not_stop_the_process(tmp_path: Path, number: int) -> None:
    async with booth(tmp_path) as made:
        sink, sent = made.recorder.sink(Side.CLIENT), both(1)
        at_once(made, sink, sent)
        await until(lambda: bool(made.told(Grew)))
        assert made.desk.pid is not None
        os.kill(made.desk.pid, number)
        await made.recorder.close()
        assert made.finalize()[0].complete


async def test_a_full_disk_ends_the_recording_and_says_so(tmp_path: Path) -> None:
    """A file may not grow over 20 kB: what the kernel says then is one of the ways to be full."""
    sent = both(12)  # coding it takes a slow machine seconds, in which nobody would hear the process
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        made = Booth(tmp_path)
        made.desk.start()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    try:
        at_once(made, made.recorder.sink(Side.COUNSELOR), Sender().voice(voice(50)))
        sink = made.recorder.sink(Side.CLIENT)
        at_once(made, sink, sent)
        assert await failure(made) is Failure.DISK_FULL
        await made.recorder.close()
        assert made.told(Failed) == [Failed(Failure.DISK_FULL)]
        # What was on the disk is whole, and the other side has its end.
        check_log(made.log(), recording_id=NAME, side=Side.CLIENT, expected=made.chain())
        done, shown = made.finalize(Side.COUNSELOR)
        assert shown.voice_s == pytest.approx(1.0, abs=0.02)
        assert done.complete
    finally:
        await made.desk.close()


async def test_a_directory_that_cannot_be_written_fails_the_recording(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("in the way")
    async with booth(tmp_path) as made:
        made.recorder.sink(Side.CLIENT)
        assert await failure(made) is Failure.DISK_FAILED


async def test_a_log_that_is_there_already_is_left_alone(tmp_path: Path) -> None:
    async with booth(tmp_path) as made:
        path = made.log()
        path.parent.mkdir()
        path.write_bytes(b"of another time")
        at_once(made, made.recorder.sink(Side.CLIENT), both(1))
        assert await failure(made) is Failure.DISK_FAILED
        assert path.read_bytes() == b"of another time"


@pytest.mark.parametrize(("what", "amount"), [("MOST_BYTES", 2 << 20), ("PATIENCE_S", 1.0)])
async def test_a_process_that_stands_still_costs_no_time_and_then_the_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, amount: float
) -> None:
    monkeypatch.setattr(f"recordings.desk.{what}", amount)
    async with booth(tmp_path) as made:
        sink = made.recorder.sink(Side.CLIENT)
        await asyncio.sleep(0.1)
        assert made.desk.pid is not None
        os.kill(made.desk.pid, signal.SIGSTOP)
        packet, took_s = memoryview(bytes(1_200)), list[float]()
        for turn in range(20_000):
            before_s = time.perf_counter()
            sink.rtp(packet, Kind.VIDEO, time.monotonic())
            took_s.append(time.perf_counter() - before_s)
            if made.told(Failed):
                break
            if what == "PATIENCE_S" or turn % 100 == 0:
                await asyncio.sleep(0.005)
        assert await failure(made) is Failure.INTERNAL
        assert sorted(took_s)[len(took_s) * 99 // 100] < 0.001


# --- kill -9


def nothing_in_the_clear(directory: Path, sent: list[Sent]) -> None:
    """Search every file for pieces of what was said and shown, of WebM, and of the names inside."""
    wanted = [one.data[20:36] for one in sent if len(one.data) > 60] + [
        b"webm",
        b"V_VP8",
        b"OpusHead",
        b"TLG1",
    ]
    for path in directory.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not [one for one in wanted if one in data], path


AT_ONCE = 5


@pytest.mark.parametrize("first", range(0, 20, AT_ONCE))
async def test_killed_at_any_moment_little_is_lost_and_the_rest_plays(
    tmp_path: Path, first: int, talk: list[Sent]
) -> None:
    """Twenty processes, each killed at a moment of its own: at most 1.5 s of voice and picture are lost."""
    async with asyncio.TaskGroup() as tries:
        for seed in range(first, first + AT_ONCE):
            tries.create_task(
                killed(tmp_path / str(seed), talk, after_s=1.5 + random.Random(seed).random() * 2)
            )
    nothing_in_the_clear(tmp_path, talk)


async def killed(directory: Path, talk: list[Sent], *, after_s: float) -> None:
    """Record, kill, and look at what is there."""
    async with booth(directory) as made:
        sink = made.recorder.sink(Side.CLIENT)
        pid = made.desk.pid
        assert pid is not None
        await until(made.log().exists, seconds=20)
        await in_time(made, sink, talk, until_s=after_s)
        end_s = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        await until(lambda: bool(made.told(Failed)))
    done, shown = await asyncio.to_thread(lambda: made.finalize(expected=made.chain()))
    assert not done.complete
    end_ms = (end_s - made.started_s) * 1000
    assert end_ms - shown.voice_ms[-1] < 1_500
    assert end_ms - shown.pictures_ms[-1] < 1_500
    assert shown.numbers == list(range(len(shown.numbers)))


@pytest.fixture(scope="module")
def talk() -> list[Sent]:
    """A talk that is long enough for all."""
    return both(4)


def open_files(pid: int | None) -> set[str]:
    """The files that a process holds open, without devices, pipes, sockets, and what it was given to write
    to."""
    kept = [one for one in Path(f"/proc/{pid}/fd").iterdir() if int(one.name) > 2]
    names = {str(one.readlink()) for one in kept}
    return {name for name in names if name.startswith("/") and not name.startswith("/dev/")}


async def test_no_file_but_the_log_is_open(tmp_path: Path) -> None:
    """So nothing lies in a temporary file either."""
    async with booth(tmp_path) as made:
        at_once(made, made.recorder.sink(Side.CLIENT), both(1))
        await until(lambda: bool(made.told(Grew)))
        assert open_files(made.desk.pid) == {str(made.log())}
        await made.recorder.close()


def test_the_process_has_no_library_that_it_does_not_need() -> None:
    """No decoder, no web server, no database, nothing of DTLS."""
    program = "import recordings.taping, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"av", "aiohttp", "aiortc", "sqlalchemy", "OpenSSL", "pylibsrtp", "jinja2"}
