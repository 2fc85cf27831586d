"""The vault: a key for each recording, made with it, opened for a warrant, destroyed before its media.

A recording's own identity (``core/agefile.py``) is made here and forgotten at once: the recorder has the
public half, ``keys.db`` the secret half, wrapped (``core/keyring.py``). Without its row nothing that was
sealed for a recording opens again, wherever copies of it lie.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

from accounts.tombstones import Tombstones
from core.agefile import Identity, KeyMalformed, Recipient, encrypt
from core.clock import Clock
from core.config import Config
from core.derive import derive
from core.errors import InvalidState, NotFound
from core.keyring import KeyBroken, KeyMissing, Keys, Wrapped, key_file
from core.keyrings import keyring_for
from core.warrants import Warrant, Warrants
from recordings.keystore import KeptKey, KeyStore

TOMBSTONES: Final = "destructions.jsonl"
BACKUPS_KEPT: Final = timedelta(days=7)
"""How long a backup of ``keys.db`` may exist: so long a destroyed key can come back."""


LINGERS: Final = timedelta(hours=1)
"""How long a wrapping key stays when nothing hangs on it and it is not the newest.

So nobody destroys it under another process that has just wrapped with it and has yet to write that down.
"""


@dataclass(frozen=True, slots=True)
class KeyGone:
    """A key was destroyed: nothing opens the recording now, and no backup after ``backups_until``."""

    at: datetime
    backups_until: datetime


class Vault:
    """The keys of all recordings. Any process may have its own."""

    def __init__(
        self,
        store: KeyStore,
        keys: Keys,
        *,
        clock: Clock,
        tombstones: Tombstones[str] | None = None,
        escrow: Recipient | None = None,
    ) -> None:
        """Have each new key sealed to ``escrow`` too; that lies beside the wrapped one, and goes with it.

        A backup has no ``tombstones``: nothing is destroyed in it.
        """
        self._store = store
        self._keys = keys
        self._clock = clock
        self._tombstones = tombstones
        self._escrow = escrow

    @classmethod
    def of(cls, config: Config, *, master: bytes, clock: Clock) -> Self:
        """Build the vault that the settings ask for; nothing is read or made before it is used."""
        keys = keyring_for(config, signer=Warrants(master).public, clock=clock)
        escrow = None if config.escrow is None else Recipient.parse(config.escrow)
        tombstones: Tombstones[str] = Tombstones(
            config.data_dir / TOMBSTONES, derive(master, "destructions"), what="recording"
        )
        return cls(KeyStore(config.keys_file), keys, clock=clock, tombstones=tombstones, escrow=escrow)

    @property
    def path(self) -> Path:
        """Where ``keys.db`` is."""
        return self._store.path

    @property
    def is_there(self) -> bool:
        """Whether there is such a file; the first key makes it. Raises ``KeysUnusable``."""
        return self._store.is_there

    async def check(self) -> None:
        """Raise ``KeyMissing`` if a wrapping key that something hangs on is not there, or is another.

        ``guard.check`` does it at the start, before anything is made or destroyed.
        """
        if not self.is_there:
            return
        known = await asyncio.to_thread(self._store.key_ids)
        missing = sorted(known - await self._keys.held()) if known else []
        if missing:
            raise KeyMissing(
                f"Recordings hang on the key {', '.join(missing)}, which is not there: bring it back from "
                "its backup. Nothing was changed."
            )

    async def create(self, recording_id: str) -> Recipient:
        """Make the key of a new recording; it is on disk when this returns.

        Raises ``InvalidState`` if the recording has one, ``KeyMissing`` as ``check``.
        """
        await self.check()
        identity = Identity.generate()
        secret = str(identity).encode()
        wrapped = await self._keys.wrap(secret, about=recording_id)
        kept = KeptKey(
            recording_id,
            str(identity.recipient),
            wrapped.key_id,
            wrapped.sealed,
            None if self._escrow is None else _escrowed(secret, recording_id, self._escrow),
            self._clock.now(),
        )
        await asyncio.to_thread(self._store.add, kept)
        return identity.recipient

    async def open(self, warrant: Warrant) -> Identity:
        """Give the key of the recording that the warrant names.

        Raises ``NotFound`` when there is none (any more), and as ``Keyring.unwrap``.
        """
        kept = await self._find(warrant.recording_id)
        secret = await self._keys.unwrap(Wrapped(kept.key_id, kept.recording_id, kept.sealed), warrant)
        try:
            identity = Identity.parse(secret.decode("ascii"))
        except (UnicodeDecodeError, KeyMalformed):
            raise KeyBroken("What was wrapped is no key.") from None
        if str(identity.recipient) != kept.recipient:
            raise KeyBroken("The key is not the one that the recording was sealed to.")
        return identity

    async def has(self, recording_id: str) -> bool:
        """Whether there is a key for a recording."""
        return await asyncio.to_thread(self._store.find, recording_id) is not None

    async def destroy(self, recording_id: str, *, now: datetime) -> KeyGone:
        """Destroy a key for good; again is fine. That it goes is on the disk first, in no database.

        Raises ``KeyLingers`` when a trace of it is left for now: then destroy it again.
        """
        if self._tombstones is not None:
            await asyncio.to_thread(self._tombstones.add, recording_id, now)
        await asyncio.to_thread(self._store.remove, recording_id, now=now)
        return KeyGone(now, now + BACKUPS_KEPT)

    async def destroyed(self) -> set[str]:
        """Name the recordings whose keys were ever destroyed, whatever the databases say.

        Raises ``ConfigError`` when what was written down of it does not hold.
        """
        if self._tombstones is None:
            return set()
        return set(await asyncio.to_thread(self._tombstones.read))

    async def rotate(self) -> int:
        """Make a new wrapping key and move all recordings' keys to it; gives how many were moved.

        For when the old ones may be known to somebody: ``tidy`` destroys them an hour later. Stopped in
        between, it is done again. What somebody has copied they keep. Raises ``KeyBroken`` with the
        recordings whose keys do not open, after all others were moved.
        """
        await self.check()
        newest = await self._keys.renew()
        moved, broken = 0, list[str]()
        for kept in await asyncio.to_thread(self._store.every):
            if kept.key_id == newest:
                continue
            try:
                wrapped = await self._keys.rewrap(Wrapped(kept.key_id, kept.recording_id, kept.sealed))
            except KeyBroken:
                broken.append(kept.recording_id)
                continue
            moved += await asyncio.to_thread(
                self._store.replace,
                kept,
                key_id=wrapped.key_id,
                sealed=wrapped.sealed,
                now=self._clock.now(),
            )
        if moved:
            await asyncio.to_thread(self._store.empty_log)
        if broken:
            names = ", ".join(broken)
            raise KeyBroken(f"{moved} recordings were moved. The keys of these do not open: {names}.")
        return moved

    async def tidy(self, *, saved_at: datetime | None = None) -> list[str]:
        """Destroy wrapping keys that nothing has hung on for an hour; gives their ids.

        Only keys that ``keys.db`` has seen emptied: an empty or lost one destroys nothing. ``saved_at`` is
        when ``keys.db`` was last backed up, None where it is not: what was emptied later opens that backup.
        """
        if not self.is_there:
            return []
        now, gone = self._clock.now(), list[str]()
        await asyncio.to_thread(self._store.pull_back, now=now)
        before = now - LINGERS if saved_at is None else min(now - LINGERS, saved_at)
        for key_id in await asyncio.to_thread(self._store.emptied, before=before):
            try:
                await self._keys.drop(key_id)
            except InvalidState:  # no newer one yet
                await asyncio.to_thread(self._store.wait_again, key_id, now=now)
                continue
            await asyncio.to_thread(self._store.forget, key_id)
            gone.append(key_id)
        return gone

    async def escrowed(self, recording_id: str) -> bytes:
        """Give the key of a recording, sealed to the escrow. Raises ``NotFound`` when there is none."""
        sealed = (await self._find(recording_id)).escrow
        if sealed is None:
            raise NotFound("This recording was made while there was no escrow.")
        return sealed

    async def _find(self, recording_id: str) -> KeptKey:
        kept = await asyncio.to_thread(self._store.find, recording_id)
        if kept is None:
            raise NotFound("There is no key for this recording.")
        return kept


def _escrowed(secret: bytes, recording_id: str, escrow: Recipient) -> bytes:
    return encrypt(key_file(secret, about=recording_id), [escrow])
