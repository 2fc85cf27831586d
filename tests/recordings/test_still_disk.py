"""A disk that takes nothing and says nothing: its recording ends, the others and the calls do not."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest

from recordings import desk, writing
from recordings.events import Failed, Failure, Grew
from recordings.log import check_log, read_log
from recordings.sides import Side
from tests.media.rig import until
from tests.recordings.booth import KEY, NAME, OTHER, booth, both, hand

PATIENCE_S = 4.0
"""Half of what it is: a loaded machine may keep a disk that works from answering for a second or two."""
WITHIN_S = 30.0
PROCESS = """
import os, runpy, sys
import recordings.writing

whose, fifo, patience_s = sys.argv[1], sys.argv[2], float(sys.argv[3])
sys.argv = ["taping", sys.argv[-1]]
real = os.fdatasync

def fdatasync(descriptor):
    if whose in os.readlink(f"/proc/self/fd/{descriptor}") and os.path.exists(fifo):
        os.close(os.open(fifo, os.O_RDONLY))  # stands in the kernel until somebody opens its other end
    real(descriptor)

os.fdatasync = fdatasync
recordings.writing.PATIENCE_S = patience_s
runpy.run_module("recordings.taping", run_name="__main__")
"""


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have the disk under one recording stand still as long as there is this FIFO."""
    fifo, program, python = (tmp_path / name for name in ("still", "process.py", "python"))
    program.write_text(PROCESS)
    python.write_text(f"#!/bin/sh\nexec {sys.executable} {program} {NAME} {fifo} {PATIENCE_S} $4\n")
    python.chmod(0o700)
    monkeypatch.setattr("recordings.desk.sys.executable", str(python))
    return fifo


def go_on(fifo: Path) -> None:
    """Let the disk answer, whether somebody stands there or not."""
    if not fifo.exists():
        return
    descriptor = os.open(fifo, os.O_RDWR)
    fifo.unlink()
    time.sleep(0.1)  # who has opened it meanwhile is through
    os.close(descriptor)


async def test_a_disk_that_stands_still_ends_its_recording_and_no_other(tmp_path: Path, disk: Path) -> None:
    sent = both(8)
    async with booth(tmp_path / "logs") as made:
        other = made.record(OTHER, on_event=lambda _event: None)
        sinks, took_s = (made.recorder.sink(Side.CLIENT), other.sink(Side.CLIENT)), list[float]()

        async def talk() -> None:
            for one in sent:
                before_s = time.perf_counter()
                for sink in sinks:
                    hand(sink, one, time.monotonic())
                took_s.append(time.perf_counter() - before_s)
                await asyncio.sleep(0.01)

        talking = asyncio.create_task(talk())
        try:
            await until(lambda: bool(made.told(Grew)), seconds=WITHIN_S)
            os.mkfifo(disk)
            still_s = time.monotonic()
            await until(lambda: bool(made.told(Failed)), seconds=WITHIN_S)
            assert made.told(Failed) == [Failed(Failure.DISK_FAILED)]
            assert time.monotonic() - still_s > PATIENCE_S
            await other.close()
            found = list(read_log(made.log(name=OTHER), recording_id=OTHER, side=Side.CLIENT, identity=KEY))
            assert found[-1].final, "the other one was written to its end meanwhile"
            assert sorted(took_s)[len(took_s) * 99 // 100] < 0.005, "nobody waited for the disk"
        finally:
            talking.cancel()
            await asyncio.to_thread(go_on, disk)
        await made.recorder.close()
        await made.desk.close()
        check_log(made.log(), recording_id=NAME, side=Side.CLIENT, expected=made.chain())
        assert not made.finalize()[0].complete


def test_a_disk_is_found_before_its_process_counts_as_gone() -> None:
    """Or the one would end all recordings, and the log would not say why."""
    assert writing.PATIENCE_S < desk.PATIENCE_S
