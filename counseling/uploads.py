"""What people upload, made harmless in a process of its own: bounded in memory, in time and in number.

The server itself decodes nothing that strangers send.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from core.errors import TeduhError

logger = logging.getLogger(__name__)

MAX_BYTES: Final = 10 * 1024 * 1024
AT_ONCE: Final = 2
WITHIN_S: Final = 60.0
PROGRAM: Final = Path(__file__).with_name("cleaning.py")


class Refused(TeduhError):
    """A file that is not taken; ``key`` says why: type, broken, pixels, locked, pages, bomb, size, slow."""

    code = "refused"

    def __init__(self, key: str) -> None:
        super().__init__(f"This file is not taken: {key}.")
        self.key = key


@dataclass(frozen=True, slots=True)
class Clean:
    """A file that was written anew."""

    content_type: str
    data: bytes


class Cleaner:
    """Cleans files, ``AT_ONCE`` at a time; the others wait."""

    def __init__(self, *, within_s: float = WITHIN_S) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._within_s = within_s

    async def clean(self, data: bytes) -> Clean:
        """Make a file harmless. Raises ``Refused``."""
        if len(data) > MAX_BYTES:
            raise Refused("size")
        if not data:
            raise Refused("empty")
        async with self._turns:
            out = await self._run(data)
        head, _, body = out.partition(b"\n")
        try:
            said = json.loads(head)
        except ValueError:
            # Killed by one of its limits, or by a decoder that broke.
            logger.warning("upload.broke", extra={"size_bytes": len(data)})
            raise Refused("bomb") from None
        if "refused" in said:
            raise Refused(said["refused"])
        return Clean(said["type"], body)

    async def _run(self, data: bytes) -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            str(PROGRAM),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={"MALLOC_ARENA_MAX": "2"},
            cwd="/",
        )
        try:
            async with asyncio.timeout(self._within_s):
                out, _ = await process.communicate(data)
        except TimeoutError:
            raise Refused("slow") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        return out
