"""Checkpoints: what the chain of the audit was at a moment, signed, and kept outside.

A chain proves that its rows hang together. It cannot prove that its end was not cut off, nor, against
somebody who has the master key too, that it is the one that was written: that takes a checkpoint which they
cannot reach. One is a line of JSON:

    {"count":1204,"head":"9f…","at":"2026-03-02T09:00:00.000Z","key":"5c1e…","signature":"…"}

``signature`` is Ed25519 (RFC 8032) over the canonical JSON of the others; ``key`` begins the SHA-256 of the
public key. ``head`` is in hex, ``signature`` in base64.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.trust_tables import AuditHeadRow
from core.clock import rfc3339
from core.derive import derive
from core.errors import Malformed, TeduhError

logger = logging.getLogger(__name__)

FILE: Final = "audit-checkpoints.jsonl"
EVERY: Final = timedelta(hours=1)
AGAIN_AFTER: Final = timedelta(minutes=15)
MAX_LINES: Final = 1_000_000
_DOMAIN: Final = b"teduh audit checkpoint v1\n"
_KEY_CHARS: Final = 16


class CheckpointUnsent(TeduhError):
    """A checkpoint did not get to every place outside where it should be."""

    code = "checkpoint_unsent"


class Letters(Protocol):
    """What sends e-mail (``core.mail.Mail``)."""

    async def send(
        self,
        to: str,
        subject: str,
        text: str,
        *,
        operator: bool = False,
        told: Callable[[bool], None] | None = None,
    ) -> None:
        """Take a letter to be sent, and tell once whether a server took it."""
        ...


class _Line(msgspec.Struct, frozen=True):
    count: int
    head: str
    at: str
    key: str
    signature: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How many rows there were, and the hash of the last. ``at`` is RFC 3339, as it was signed."""

    count: int
    head: bytes
    at: str
    key: str
    signature: bytes

    def line(self) -> str:
        """Write it as one line of JSON, without the line's end."""
        signature = base64.b64encode(self.signature).decode()
        return msgspec.json.encode(_Line(self.count, self.head.hex(), self.at, self.key, signature)).decode()


class Signer:
    """Signs checkpoints, and says whether one is its own."""

    def __init__(self, master: bytes) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(derive(master, "audit checkpoint"))
        self.public: bytes = self._private.public_key().public_bytes_raw()
        self.key = hashlib.sha256(self.public).hexdigest()[:_KEY_CHARS]

    def sign(self, *, count: int, head: bytes, now: datetime) -> Checkpoint:
        """Sign what the chain is now."""
        at = str(rfc3339(now))
        return Checkpoint(count, head, at, self.key, self._private.sign(_signed(count, head, at, self.key)))

    def is_own(self, checkpoint: Checkpoint) -> bool:
        """Whether a checkpoint was signed with this key, and not changed since."""
        signed = _signed(checkpoint.count, checkpoint.head, checkpoint.at, checkpoint.key)
        try:
            self._private.public_key().verify(checkpoint.signature, signed)
        except InvalidSignature:
            return False
        return True


def _signed(count: int, head: bytes, at: str, key: str) -> bytes:
    return _DOMAIN + msgspec.json.encode({"count": count, "head": head.hex(), "at": at, "key": key})


def read_lines(text: str) -> list[Checkpoint]:
    """Read the checkpoints of a file or of a saved letter: every line that begins with ``{``.

    Raises ``Malformed`` for one that is no checkpoint, or when there is none at all.
    """
    found: list[Checkpoint] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.lstrip("> ").startswith("{"):
            continue
        try:
            one = msgspec.json.decode(line.strip("> \t\r"), type=_Line)
            found.append(
                Checkpoint(
                    one.count, bytes.fromhex(one.head), one.at, one.key, base64.b64decode(one.signature)
                )
            )
        except (msgspec.MsgspecError, ValueError, binascii.Error):
            raise Malformed(f"Line {number} is no checkpoint.") from None
    if not found:
        raise Malformed("There is no checkpoint in it.")
    return found


class Checkpoints:
    """Takes checkpoints and brings them outside: into a file of ``directory``, and to ``addresses``."""

    def __init__(
        self, master: bytes, *, directory: Path | None = None, addresses: Sequence[str] = ()
    ) -> None:
        self.signer = Signer(master)
        self._directory = directory
        self._addresses = tuple(addresses)
        self.sent_at: datetime | None = None
        """When the last one was taken from this process that got everywhere outside."""
        self._tried_at: datetime | None = None

    @property
    def go_outside(self) -> bool:
        """Whether there is any place outside."""
        return self._directory is not None or bool(self._addresses)

    async def take(self, db: AsyncSession, *, now: datetime) -> Checkpoint:
        """Sign what is committed now."""
        count, head = (await db.execute(select(AuditHeadRow.count, AuditHeadRow.hash))).one()
        return self.signer.sign(count=count, head=head, now=now)

    def is_due(self, now: datetime) -> bool:
        """Whether it is time: an hour after the last that got out; after one that did not, sooner."""
        if self._tried_at is not None and now - self._tried_at < AGAIN_AFTER:
            return False
        return self.sent_at is None or now - self.sent_at >= EVERY

    async def send(self, checkpoint: Checkpoint, *, letters: Letters | None, now: datetime) -> None:
        """Bring one outside, everywhere it can go; then raise ``CheckpointUnsent`` for where it could not.

        It counts as sent when it is in the directory and the mail server took every letter.
        """
        self._tried_at = now
        line = checkpoint.line()
        failed = await self._into_directory(line)
        if self._addresses and letters is None:
            failed.append("there is no mail server (TEDUH_SMTP_URL)")
        elif letters is not None and self._addresses:
            await self._by_letter(checkpoint, letters, now, fine=not failed)
        elif not failed:
            self._got_out(now)
        if failed:
            raise CheckpointUnsent(f"The checkpoint did not get everywhere: {'; '.join(failed)}.")

    async def _into_directory(self, line: str) -> list[str]:
        """Add it to the file; gives what went wrong."""
        if self._directory is None:
            return []
        try:
            await asyncio.to_thread(_add, self._directory / FILE, line)
        except OSError as error:
            return [f"the directory cannot be written ({error.strerror})"]
        return []

    async def _by_letter(
        self, checkpoint: Checkpoint, letters: Letters, now: datetime, *, fine: bool
    ) -> None:
        """Send the letters; when the last of them was taken, and all else was fine, it is outside."""
        left = len(self._addresses)

        def told(taken: bool) -> None:  # noqa: FBT001  # the one thing that is told
            nonlocal left
            left -= taken
            if not taken:
                logger.error("checkpoint.letter_lost", extra={"count": checkpoint.count})
            elif not left and fine:
                self._got_out(now)

        for address in self._addresses:
            subject = f"teduh: {checkpoint.count}"
            await letters.send(address, subject, _letter(checkpoint.line()), operator=True, told=told)

    def _got_out(self, at: datetime) -> None:
        self.sent_at = at if self.sent_at is None else max(at, self.sent_at)


def _add(path: Path, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, line.encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _letter(line: str) -> str:
    return (
        "Titik periksa audit. Simpanlah e-mail ini; jangan diubah.\n"
        "A checkpoint of the audit. Please keep this letter as it is.\n\n"
        f"{line}\n\n"
        "teduh audit verify --checkpoint FILE\n"
    )
