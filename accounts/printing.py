"""Having a proof printed: ``accounts/paper.py`` runs as a process of its own, few at once, not for long."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from accounts.standing import Standing
from accounts.texts import CONSENTS
from core.errors import TeduhError

AT_ONCE: Final = 2
WITHIN_S: Final = 30.0
ROOT: Final = Path(__file__).parent.parent

WORDS: Final = (
    *(f"proof.{word}" for word in ("title", "what", "person", "made", "key", "standing", "entries")),
    *(f"proof.{word}" for word in ("none", "row", "text", "page")),
    *(f"consent.{kind.value}" for kind in CONSENTS),
    *(f"standing.{standing.value}" for standing in Standing),
    "consent.was_given",
    "consent.was_withdrawn",
)
"""The keys of the texts that stand on the paper."""


class NotPrinted(TeduhError):
    """The program that makes the PDF failed or took too long."""

    code = "not_printed"


class Printer:
    """Has proofs printed. One for each application."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(AT_ONCE)

    async def pdf(self, proof: bytes, *, say: Callable[[str], str], language: str) -> bytes:
        """Give the PDF of what ``accounts.proof.as_json`` gave; ``say`` gives a text by its key.

        Raises ``NotPrinted``.
        """
        words = {key: say(key) for key in WORDS}
        asked = json.dumps({"json": proof.decode(), "words": words, "language": language}).encode()
        async with self._free:
            return await _printed(asked)


async def _printed(asked: bytes) -> bytes:
    # The process gets no setting of ours, and so no secret, and takes no module from this directory (-P).
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "accounts.paper",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONPATH": str(ROOT)},
    )
    try:
        async with asyncio.timeout(WITHIN_S):
            made, _ = await process.communicate(asked)
    except TimeoutError:
        raise NotPrinted("The PDF took too long.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise NotPrinted("The PDF could not be made.")
    return made
