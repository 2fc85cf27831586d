"""Passwords: Argon2id with a pepper, few at once, beside the calls and never before them.

19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet, 2025). At most two are computed at
once, in threads of the lowest priority that hold no lock of the interpreter meanwhile: 50 logins at
once cost two times 19 MiB and time, and the relay goes on. This file owns argon2-cffi.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import os
import secrets
import threading
import unicodedata
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from accounts.turns import NOBODY, Asker, Turns
from core.derive import derive

AT_ONCE: Final = 2
FEWEST_CHARS: Final = 10
MOST_CHARS: Final = 200
LOWEST_PRIORITY: Final = 19
SALT_BYTES: Final = 16
HASH_BYTES: Final = 32
FEWEST_DIFFERENT: Final = 4
FEWEST_BESIDE: Final = 6
COMMON_FILE: Final = Path(__file__).parent / "data" / "common_passwords.txt"


Look = Callable[[], Awaitable[str | None]]
"""Says which hash counts, once it is one's turn; may refuse by raising."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one password costs: passes over so much memory, in one lane."""

    memory_kib: int = 19_456
    passes: int = 2


class Passwords:
    """Makes and checks the hashes of one installation. ``close`` ends its threads."""

    def __init__(self, master: bytes, *, cost: Cost | None = None) -> None:
        self._pepper = derive(master, "passwords")
        self._cost = cost or Cost()
        self._hasher = PasswordHasher(
            time_cost=self._cost.passes,
            memory_cost=self._cost.memory_kib,
            parallelism=1,
            hash_len=HASH_BYTES,
            salt_len=SALT_BYTES,
        )
        self._turns = Turns(AT_ONCE)
        self._threads = ThreadPoolExecutor(AT_ONCE, "argon2", initializer=_step_back)
        self._nobody = self._impossible()

    async def hash(self, secret: str, *, asker: Asker = NOBODY) -> str:
        """Hash a secret. ``asker`` says in whose line it waits. Raises ``TooMany`` as ``Turns`` does."""
        async with self._turns.turn(asker):
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._hash, secret)

    async def fits(self, secret: str, kept: str | Look | None, *, asker: Asker = NOBODY) -> bool:
        """Whether a secret has this hash. With None the same work is done, and the answer is no.

        What is looked up in turn cannot be asked for faster than Argon2 goes. Raises what looking raises,
        and ``TooMany`` as ``Turns`` does.
        """
        async with self._turns.turn(asker):
            found = await kept() if callable(kept) else kept
            checked = self._nobody if found is None else found
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, self._verify, checked, secret
            )

    def is_old(self, kept: str) -> bool:
        """Whether a hash was made at another cost and should be made anew."""
        return self._hasher.check_needs_rehash(kept)

    def close(self) -> None:
        """End the threads once they have done what they are at. Idempotent."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _hash(self, secret: str) -> str:
        return self._hasher.hash(self._peppered(secret))

    def _verify(self, kept: str, secret: str) -> bool:
        try:
            return self._hasher.verify(kept, self._peppered(secret))
        except (VerificationError, InvalidHashError):
            return False

    def _peppered(self, secret: str) -> bytes:
        text = unicodedata.normalize("NFKC", secret).encode("utf-8", "surrogatepass")
        return hmac.new(self._pepper, text, hashlib.sha256).digest()

    def _impossible(self) -> str:
        """Write a hash that no secret has, of the same cost."""
        salt, digest = (
            base64.b64encode(secrets.token_bytes(count)).rstrip(b"=").decode()
            for count in (SALT_BYTES, HASH_BYTES)
        )
        return f"$argon2id$v=19$m={self._cost.memory_kib},t={self._cost.passes},p=1${salt}${digest}"


def what_is_wrong(password: str, *, names: tuple[str, ...] = ()) -> str | None:
    """Say why a new password will not do: ``short``, ``long``, ``common`` or ``name``; None when it will.

    Length and a list are what helps (NIST SP 800-63B, 3.1.1.2); no kinds of characters are asked for.
    ``names`` are what others know of the person.
    """
    text = unicodedata.normalize("NFKC", password)
    plain = text.casefold().strip()
    if len(text) < FEWEST_CHARS:
        return "short"
    if len(text) > MOST_CHARS:
        return "long"
    if plain in _common() or len(set(plain)) < FEWEST_DIFFERENT or _is_row(plain):
        return "common"
    letters = _letters(plain)
    for known in map(_letters, names):
        if len(known) > 2 and known in letters and len(letters) - len(known) < FEWEST_BESIDE:
            return "name"
    return None


def _letters(text: str) -> str:
    return "".join(sign for sign in text.casefold() if sign.isalnum())


def _is_row(text: str) -> bool:
    """Whether each character follows the one before, as in 2345678901."""
    rows = ("abcdefghijklmnopqrstuvwxyz" * 2, "01234567890" * 10, "qwertyuiopasdfghjklzxcvbnm")
    return any(text in row or text[::-1] in row for row in rows)


@cache
def _common() -> frozenset[str]:
    return frozenset(COMMON_FILE.read_text(encoding="utf-8").split())


def _step_back() -> None:
    """Give this thread the lowest priority; where a system does not know that, it stays as it is."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
