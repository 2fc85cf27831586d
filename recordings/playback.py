"""Playing a recording to who has a grant: opened chunk by chunk as the browser asks, written nowhere.

The key of a recording is asked for once for each grant and side, with a warrant that names the viewer; what
stays in memory then opens this one file and no other, and goes with the grant. A grant has ``AT_ONCE``
requests at once. Whether the grant holds is asked by the caller, before each ``open`` and while it sends.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol
from weakref import WeakValueDictionary

from accounts.grants import Grant
from accounts.roles import Permission
from core.agefile import START_BYTES, Identity, Payload, PayloadBroken
from core.errors import TooMany
from core.ids import UserId
from core.warrants import LASTS, Purpose, Warrant, Warrants
from recordings import ranges
from recordings.ranges import Piece, Span
from recordings.reviews import MediaSide, Recording
from recordings.store import Store

AT_ONCE: Final = 4
WAIT_S: Final = 1.0
"""How long a request waits for one before it to end: a player that seeks drops the old one and asks anew."""
KEPT: Final = 64
KIND: Final = "video/webm"


class Vault(Protocol):
    """Who opens the key of a recording (``recordings.vault.Vault``)."""

    async def open(self, warrant: Warrant) -> Identity:
        """Give the identity that a warrant is for."""
        ...


@dataclass(frozen=True, slots=True)
class Use:
    """Whose grant it is under which a recording is open."""

    grant: str
    recording: str
    viewer: UserId


@dataclass(frozen=True, slots=True)
class Medium:
    """One side, open under one grant. ``size`` is of the WebM file."""

    use: Use
    name: str
    payload: Payload
    until: datetime

    @property
    def size(self) -> int:
        """How many bytes there are to play."""
        return self.payload.size


class _Turns:
    """How many requests of one grant go on."""

    __slots__ = ("free", "users")

    def __init__(self) -> None:
        self.free = asyncio.Semaphore(AT_ONCE)
        self.users = 0


class Playback:
    """Plays recordings. One for each application."""

    def __init__(self, store: Store, vault: Vault, warrants: Warrants) -> None:
        self._store = store
        self._vault = vault
        self._warrants = warrants
        self._open = OrderedDict[tuple[str, str], Medium]()
        self._opening = WeakValueDictionary[tuple[str, str], asyncio.Lock]()
        self._turns: dict[str, _Turns] = {}

    @asynccontextmanager
    async def turn(self, grant: Grant, *, wait_s: float = WAIT_S) -> AsyncIterator[None]:
        """Have one of a grant's requests. Raises ``TooMany`` when all of them go on."""
        turns = self._turns.setdefault(grant.id, _Turns())
        turns.users += 1
        try:
            try:
                async with asyncio.timeout(wait_s):
                    await turns.free.acquire()
            except TimeoutError:
                raise TooMany("This recording is played too often at once.", retry_after_s=1) from None
            try:
                yield
            finally:
                turns.free.release()
        finally:
            turns.users -= 1
            if not turns.users:
                del self._turns[grant.id]

    async def open(self, grant: Grant, *, recording: Recording, media: MediaSide, now: datetime) -> Medium:
        """Open one side for a grant; opened before, it is given again.

        Raises ``Forbidden`` for a grant that is not for this, what the keyring raises, ``StoreFailed`` or
        ``NotStored``, and ``AgeError`` for a file that is broken.
        """
        grant.require(Permission.REVIEW_RECORDINGS, recording.client, now, object_id=recording.id)
        key = (grant.id, media.side.value)
        self._forget_ended(now)
        if (found := self._open.get(key)) is None:
            # Whatever hangs while one is opened holds up nobody else.
            lock = self._opening.setdefault(key, asyncio.Lock())
            async with lock:
                if (found := self._open.get(key)) is None:
                    found = self._open[key] = await self._opened(grant, recording, media, now)
        self._open.move_to_end(key)
        while len(self._open) > KEPT:
            self._open.popitem(last=False)
        return found

    async def read(self, medium: Medium, span: Span) -> AsyncIterator[bytes]:
        """Give the bytes of a span, piece by piece. Raises as ``open``."""
        for piece in ranges.pieces(span):
            plain = await read_chunks(self._store, medium.name, medium.payload, piece)
            yield plain[piece.begin : piece.end]

    def in_use(self) -> set[Use]:
        """Say what is open, and under which grants."""
        return {one.use for one in self._open.values()}

    def forget(self, grant_id: str) -> None:
        """Drop what is open under a grant that has ended."""
        for key in [key for key in self._open if key[0] == grant_id]:
            del self._open[key]

    async def _opened(self, grant: Grant, recording: Recording, media: MediaSide, now: datetime) -> Medium:
        warrant = self._warrants.issue(
            recording_id=recording.id,
            viewer=grant.person,
            purpose=Purpose.REVIEW,
            now=now,
            lasts=min(LASTS, max(grant.expires_at - now, timedelta(seconds=1))),
        )
        payload = await open_media(self._store, self._vault, warrant, media)
        use = Use(grant.id, recording.id, grant.person)
        return Medium(use, media.object_name, payload, grant.expires_at)

    def _forget_ended(self, now: datetime) -> None:
        for key in [key for key, one in self._open.items() if one.until <= now]:
            del self._open[key]


async def open_media(store: Store, vault: Vault, warrant: Warrant, media: MediaSide) -> Payload:
    """Open one side by a warrant. Raises as ``Playback.open``."""
    identity = await vault.open(warrant)
    size = await store.size(media.object_name)
    if size != media.sealed_bytes:
        raise PayloadBroken("The file is another than was stored.")
    start = await store.read(media.object_name, 0, min(size, START_BYTES))
    payload = Payload(start, size, [identity])
    # "Seeking readers must check the last chunk": else a file cut at a chunk would look whole.
    await read_chunks(store, media.object_name, payload, Piece(payload.last, payload.last, 0, 0))
    return payload


async def read_chunks(store: Store, name: str, payload: Payload, piece: Piece) -> bytes:
    """Read and open the chunks of a piece, whole."""
    offset, length = payload.span(piece.first, piece.last)
    sealed = await store.read(name, offset, length)
    if len(sealed) != length:
        raise PayloadBroken("The file is shorter than it was.")
    return payload.open(piece.first, sealed)
