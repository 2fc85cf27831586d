"""Making exports: both sides opened, and handed through pipes to a shut-in process that seals them as one.

What is opened is in this process's memory a piece at a time and on no disk. The file appears under its name
when all of it is there and sealed (``recordings/bundle.py`` is the process).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from core.agefile import Payload
from core.errors import TeduhError
from core.warrants import Purpose, Warrants
from recordings import ranges
from recordings.exports import Export
from recordings.playback import Vault, open_media, read_chunks
from recordings.ranges import Span
from recordings.reserve import demand
from recordings.reviews import MediaSide, Recording
from recordings.store import Store

logger = logging.getLogger(__name__)

SUFFIX: Final = ".mkv.age"
PART: Final = ".part"
WITHIN_S: Final = 3_600.0
WARRANT: Final = timedelta(minutes=5)
READ_BYTES: Final = 1 << 18
ENDS_WITHIN_S: Final = 10.0
ROOT: Final = Path(__file__).parent.parent


class NotExported(TeduhError):
    """The process that seals an export failed or took too long."""

    code = "not_exported"


class Exporter:
    """Makes exports, one at a time as its caller calls. ``directory`` is for the sealed files."""

    def __init__(self, store: Store, vault: Vault, warrants: Warrants, directory: Path) -> None:
        self._store = store
        self._vault = vault
        self._warrants = warrants
        self._directory = directory

    def path(self, export: str) -> Path:
        """Say where the file of an export is."""
        return self._directory / f"{export}{SUFFIX}"

    def there(self) -> set[str]:
        """Name the exports that have a file, whole or begun."""
        found = self._directory.glob("x_*")
        return {path.name.partition(".")[0] for path in found if path.name.endswith((SUFFIX, PART))}

    def remove(self, export: str) -> None:
        """Delete the file of an export, whole or begun."""
        for path in (self.path(export), self._part(export)):
            path.unlink(missing_ok=True)

    async def make(
        self, export: Export, recording: Recording, *, now: datetime, told: Callable[[int], None]
    ) -> int:
        """Make the file of an export and give its size; ``told`` hears how far it is, in percent.

        Raises ``NotExported``, ``NoRoom``, and as ``playback.open_media``; nothing is left behind then.
        """
        payloads: list[tuple[MediaSide, Payload]] = []
        for media in recording.sides:
            warrant = self._warrants.issue(
                recording_id=recording.id,
                viewer=export.asker or "",
                purpose=Purpose.EXPORT,
                now=now,
                lasts=WARRANT,
            )
            payloads.append((media, await open_media(self._store, self._vault, warrant, media)))
        await asyncio.to_thread(self._directory.mkdir, mode=0o700, parents=True, exist_ok=True)
        await asyncio.to_thread(demand, self._directory, sum(payload.size for _, payload in payloads))
        part = self._part(export.id)
        try:
            async with asyncio.timeout(WITHIN_S):
                await self._run(export.recipient, payloads, part, _percent(recording, told))
            return await asyncio.to_thread(_put_in_place, part, self.path(export.id))
        except TimeoutError:
            raise NotExported("The export took too long.") from None
        finally:
            part.unlink(missing_ok=True)

    async def _run(
        self,
        recipient: str,
        payloads: list[tuple[MediaSide, Payload]],
        part: Path,
        told: Callable[[int], None],
    ) -> None:
        pipes = [os.pipe() for _ in payloads]
        try:
            # The process gets no setting of ours, and so no secret.
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "recordings.bundle",
                recipient,
                *(str(read) for read, _ in pipes),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=[read for read, _ in pipes],
                env={"PYTHONPATH": str(ROOT), "MALLOC_ARENA_MAX": "2"},
                cwd="/",
            )
        except BaseException:
            for _, write in pipes:
                os.close(write)
            raise
        finally:
            for read, _ in pipes:
                os.close(read)
        done = False
        try:
            if process.stdout is None or process.stderr is None:
                raise NotExported("The process that seals the export has no output.")
            async with asyncio.TaskGroup() as group:
                for (media, payload), (_, write) in zip(payloads, pipes, strict=True):
                    group.create_task(self._feed(media, payload, write))
                group.create_task(_keep(process.stdout, part))
                group.create_task(_listen(process.stderr, told))
            done = True
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        finally:
            if not done:
                # Never one that ends by itself: looking whether it lives takes its status from who waits.
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            await _ended(process)
        if process.returncode != 0:
            raise NotExported("The process that seals the export failed.")

    async def _feed(self, media: MediaSide, payload: Payload, write: int) -> None:
        """Open one side piece by piece into a pipe; a process that is gone is found out by its status."""
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_write_pipe(
            lambda: asyncio.streams.FlowControlMixin(loop=loop), os.fdopen(write, "wb", 0)
        )
        pipe = asyncio.StreamWriter(transport, protocol, None, loop)
        with contextlib.closing(pipe), contextlib.suppress(ConnectionError):
            for piece in ranges.pieces(Span(0, payload.size - 1, partial=False)):
                pipe.write(await read_chunks(self._store, media.object_name, payload, piece))
                await pipe.drain()

    def _part(self, export: str) -> Path:
        return self._directory / f"{export}{PART}"


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Wait for the end of a process that has nothing left to do, and end one that stays."""
    try:
        async with asyncio.timeout(ENDS_WITHIN_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _keep(sealed_out: asyncio.StreamReader, part: Path) -> None:
    opened = await asyncio.to_thread(os.open, part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(opened, "wb") as file:
        while sealed := await sealed_out.read(READ_BYTES):
            await asyncio.to_thread(file.write, sealed)
        await asyncio.to_thread(file.flush)
        await asyncio.to_thread(os.fsync, opened)


async def _listen(said: asyncio.StreamReader, told: Callable[[int], None]) -> None:
    async for line in said:
        if (text := line.strip()).isdigit():
            told(int(text))
        else:
            # A decoder's own words may repeat what it read.
            logger.debug("export.said_something")


def _percent(recording: Recording, told: Callable[[int], None]) -> Callable[[int], None]:
    length = max(1, recording.duration_ms)
    return lambda ms: told(min(99, 100 * ms // length))


def _put_in_place(part: Path, path: Path) -> int:
    part.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return path.stat().st_size
