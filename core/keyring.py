"""The seam for whoever keeps keys: ``wrap``, ``unwrap``, ``rewrap``.

A recording's secret is kept only wrapped. ``KeyringHere`` is the one that decides: it opens a secret for a
signed warrant alone, so many times an hour at most, and writes each opening down before it gives anything
out. Where the wrapping keys are is its ``Shelf``'s business: files (``core/filekeys.py``) or Vault
(``core/transit.py``). It may run in another process (``core/keyd.py``), which looks the same from here.

Wrapping keys are of a month. A key id, such as ``2026-11.1.9f3c0a77``, names month, number and, where it can
be known, the key itself, so that another key under the same name is told from the right one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from core.clock import Clock
from core.errors import ConfigError, Unavailable
from core.keylog import KeyLog
from core.warrants import Checker, Warrant, WarrantRefused


class KeyringError(Unavailable):
    """Keys cannot be reached or used now; nothing was lost by it."""

    code = "keyring"


class KeyMissing(ConfigError, KeyringError):
    """A wrapping key that is needed is not there, or another is in its place; the text names its id."""

    code = "key_missing"


class KeyBroken(KeyringError):
    """A wrapped key does not open: it was changed, or belongs to another recording."""

    code = "key_broken"


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A secret as it is kept. ``about`` is what it belongs to, and is bound into ``sealed``."""

    key_id: str
    about: str
    sealed: bytes


class Keyring(Protocol):
    """Who wraps and unwraps."""

    async def wrap(self, secret: bytes, *, about: str) -> Wrapped:
        """Wrap a secret (one line of ASCII) under the newest key, for what ``about`` names."""
        ...

    async def unwrap(self, wrapped: Wrapped, warrant: Warrant) -> bytes:
        """Give the secret.

        Raises ``WarrantRefused``, ``TooMany``, ``KeyMissing`` or ``KeyBroken``.
        """
        ...

    async def rewrap(self, wrapped: Wrapped) -> Wrapped:
        """Wrap the same secret under the newest key; nobody gets to see it. Raises as ``unwrap``."""
        ...


class Months(Protocol):
    """Which wrapping keys there are; for rotating, and for destroying those that nothing hangs on."""

    async def held(self) -> AbstractSet[str]:
        """Name the ids of all keys. Raises ``KeyringError`` when that cannot be told."""
        ...

    async def renew(self) -> str:
        """Make another key for this month; what is wrapped from now on goes to it. Gives its id."""
        ...

    async def drop(self, key_id: str) -> None:
        """Destroy a key for good; one that is not there is fine. Never the newest: ``InvalidState``."""
        ...


class Keys(Keyring, Months, Protocol):
    """Both."""


class Shelf(Months, Protocol):
    """Where wrapping keys are."""

    async def seal(self, plain: bytes) -> tuple[str, bytes]:
        """Seal under the newest key of this month, made when there is none; gives its id too."""
        ...

    async def open(self, key_id: str, sealed: bytes) -> bytes:
        """Open what ``seal`` made. Raises ``KeyMissing`` or ``KeyBroken``."""
        ...


class KeyringHere:
    """A keyring in this process."""

    def __init__(self, shelf: Shelf, *, checker: Checker, log: KeyLog, clock: Clock) -> None:
        self._shelf = shelf
        self._checker = checker
        self._log = log
        self._clock = clock

    async def wrap(self, secret: bytes, *, about: str) -> Wrapped:
        """Wrap a secret."""
        key_id, sealed = await self._shelf.seal(key_file(secret, about=about))
        return Wrapped(key_id, about, sealed)

    async def unwrap(self, wrapped: Wrapped, warrant: Warrant) -> bytes:
        """Check the warrant, open, write it down, then give the secret."""
        now = self._clock.now()
        try:
            self._checker.check(warrant, recording_id=wrapped.about, now=now)
        except WarrantRefused as refused:
            await asyncio.to_thread(self._log.refused, warrant, why=refused.why, now=now)
            raise
        secret = _secret_of(await self._shelf.open(wrapped.key_id, wrapped.sealed), wrapped.about)
        await asyncio.to_thread(self._log.opened, warrant, now=now)
        return secret

    async def rewrap(self, wrapped: Wrapped) -> Wrapped:
        """Open and wrap again; the secret stays in here."""
        secret = _secret_of(await self._shelf.open(wrapped.key_id, wrapped.sealed), wrapped.about)
        return await self.wrap(secret, about=wrapped.about)

    async def held(self) -> AbstractSet[str]:
        """Name the ids of all keys."""
        return await self._shelf.held()

    async def renew(self) -> str:
        """Make another key."""
        return await self._shelf.renew()

    async def drop(self, key_id: str) -> None:
        """Destroy a key."""
        await self._shelf.drop(key_id)


def key_file(secret: bytes, *, about: str) -> bytes:
    """Put what it belongs to above a secret, as a comment: an age key stays a key file that ``age`` reads."""
    if b"\n" in secret or "\n" in about:
        raise ValueError("a secret and what it is about are one line each")
    return b"# %s\n%s\n" % (about.encode(), secret)


def _secret_of(plain: bytes, about: str) -> bytes:
    before = b"# %s\n" % about.encode()
    if not plain.startswith(before):
        raise KeyBroken("This wrapped key belongs to something else.")
    return plain.removeprefix(before).removesuffix(b"\n")
