"""The header of an age v1 file (C2SP ``age.md``): who may open it.

A random file key of 16 bytes is wrapped for each recipient in a stanza of its own::

    age-encryption.org/v1
    -> X25519 TEiF0ypqr+bpvcqXNyCVJpL7OuwPdVwPL7KQEbFDOCc
    hjabGXwSLQ9c3S6Lw2i+S2Tu2fiwQHHslbBN6B41FLE
    --- WyJp9F/9FOZh7gJdheq2WIJcwHgYc8NIVh3ddwhrcNg

The last line is an HMAC under the file key: nobody who cannot open the file can take a stanza out
or put one in. Only X25519 is known here. Other stanzas are passed over, as the format demands.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core import bech32
from core.errors import TeduhError

VERSION_LINE: Final = b"age-encryption.org/v1\n"
FILE_KEY_BYTES: Final = 16
KEY_BYTES: Final = 32
WRAPPED_BYTES: Final = FILE_KEY_BYTES + 16
COLUMNS: Final = 64
MAC_CHARACTERS: Final = 43
_ZERO_NONCE: Final = bytes(12)


class AgeError(TeduhError):
    """An age file or key cannot be used."""

    code = "age"


class KeyMalformed(AgeError):
    """This is not an age key; the text does not quote it."""

    code = "age_key"


class HeaderBroken(AgeError):
    """The header is not one of age v1."""

    code = "age_header"


class NoMatch(AgeError):
    """The file is sealed to others."""

    code = "age_no_match"


class HeaderForged(AgeError):
    """The header was changed after the file was sealed."""

    code = "age_hmac"


class PayloadBroken(AgeError):
    """What follows the header was changed, or is not all there."""

    code = "age_payload"


@dataclass(frozen=True, slots=True)
class Recipient:
    """The public half: who has it can seal and not open."""

    public: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``age1…``. Raises ``KeyMalformed``."""
        return cls(_parse(text, "age"))

    def __str__(self) -> str:
        return bech32.write("age", self.public)


class Identity:
    """The secret half. ``str(identity)`` is the secret itself; ``repr`` names the public half only."""

    __slots__ = ("_key", "recipient")

    def __init__(self, secret: bytes) -> None:
        """Take 32 secret bytes; any are good."""
        self._key = X25519PrivateKey.from_private_bytes(secret)
        self.recipient = Recipient(self._key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls) -> Self:
        """Make a new one."""
        return cls(os.urandom(KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``AGE-SECRET-KEY-1…``. Raises ``KeyMalformed``."""
        return cls(_parse(text, "age-secret-key-"))

    @property
    def secret(self) -> bytes:
        """The 32 bytes that it was made from."""
        return self._key.private_bytes_raw()

    def exchange(self, share: bytes) -> bytes:
        """Give the X25519 shared secret (RFC 7748, 6.1). Raises ``ValueError`` if it is all zero."""
        return self._key.exchange(X25519PublicKey.from_public_bytes(share))

    def __str__(self) -> str:
        return bech32.write("age-secret-key-", self.secret).upper()

    def __repr__(self) -> str:
        return f"<Identity of {self.recipient}>"


@dataclass(frozen=True, slots=True)
class _Stanza:
    arguments: tuple[bytes, ...]
    body: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """A header as it was read; ``length`` is where the payload begins."""

    stanzas: tuple[_Stanza, ...]
    signed: bytes
    mac: bytes
    length: int

    def file_key(self, identities: Sequence[Identity]) -> bytes:
        """Give the file key. Raises ``NoMatch``, ``HeaderBroken`` or ``HeaderForged``."""
        if len(self.stanzas) > 1 and any(stanza.arguments[0] == b"scrypt" for stanza in self.stanzas):
            raise HeaderBroken("A stanza for a passphrase does not stand alone.")
        key = next(
            (key for one in identities for stanza in self.stanzas if (key := _unwrap(stanza, one))), None
        )
        if key is None:
            raise NoMatch("This is sealed to other keys.")
        if not hmac.compare_digest(_mac(key, self.signed), self.mac):
            raise HeaderForged("The header was changed after sealing.")
        return key


def write_header(file_key: bytes, recipients: Sequence[Recipient]) -> bytes:
    """Write a header that gives the file key to each recipient; there must be one at least."""
    if not recipients:
        raise ValueError("sealed to nobody")
    signed = VERSION_LINE + b"".join(_wrap(file_key, one) for one in recipients) + b"---"
    return signed + b" " + _base64(_mac(file_key, signed)) + b"\n"


def read_header(start: bytes) -> Header:
    """Read the header at the start of a file. Raises ``HeaderBroken``."""
    if not start.startswith(VERSION_LINE):
        raise HeaderBroken("This is not an age file of version 1.")
    at, stanzas = len(VERSION_LINE), list[_Stanza]()
    while not start.startswith(b"---", at):
        stanza, at = _read_stanza(start, at)
        stanzas.append(stanza)
    line, end = _line(start, at)
    if not stanzas or line[3:4] != b" " or len(line) != 4 + MAC_CHARACTERS:
        raise HeaderBroken("The last line of the header does not fit.")
    return Header(tuple(stanzas), start[: at + 3], _unbase64(line[4:]), end)


def derive(secret: bytes, *, salt: bytes, info: bytes) -> bytes:
    """HKDF-SHA-256 (RFC 5869) to 32 bytes."""
    return HKDF(SHA256(), KEY_BYTES, salt, info).derive(secret)


def _parse(text: str, prefix: str) -> bytes:
    try:
        found, key = bech32.read(text.strip())
    except ValueError as error:
        raise KeyMalformed(f"This is not an age key: {error}.") from None
    if found != prefix or len(key) != KEY_BYTES:
        raise KeyMalformed(f"This is not an age key: those begin with {prefix}1.")
    return key


def _read_stanza(start: bytes, at: int) -> tuple[_Stanza, int]:
    line, at = _line(start, at)
    arguments = tuple(line[3:].split(b" "))
    if not line.startswith(b"-> ") or any(not one or not _visible(one) for one in arguments):
        raise HeaderBroken("A stanza of the header does not fit.")
    body = bytearray()
    while True:
        line, at = _line(start, at)
        if len(line) > COLUMNS:
            raise HeaderBroken("A line of the header is too long.")
        body += line
        if len(line) < COLUMNS:
            return _Stanza(arguments, _unbase64(bytes(body))), at


def _line(start: bytes, at: int) -> tuple[bytes, int]:
    end = start.find(b"\n", at)
    if end < 0:
        raise HeaderBroken("The header has no end.")
    return start[at:end], end + 1


def _visible(argument: bytes) -> bool:
    return all(0x21 <= byte <= 0x7E for byte in argument)


def _wrap(file_key: bytes, recipient: Recipient) -> bytes:
    passing = Identity.generate()
    share = passing.recipient.public
    try:
        secret = passing.exchange(recipient.public)
    except ValueError:
        raise KeyMalformed("Nothing can be sealed to this age key.") from None
    body = ChaCha20Poly1305(_wrapping_key(secret, share, recipient)).encrypt(_ZERO_NONCE, file_key, None)
    return b"-> X25519 " + _base64(share) + b"\n" + _base64(body) + b"\n"


def _unwrap(stanza: _Stanza, identity: Identity) -> bytes | None:
    """Give the file key, or None when the stanza is another's."""
    if stanza.arguments[0] != b"X25519":
        return None
    if len(stanza.arguments) != 2 or len(stanza.body) != WRAPPED_BYTES:
        raise HeaderBroken("An X25519 stanza does not fit.")
    share = _unbase64(stanza.arguments[1])
    if len(share) != KEY_BYTES:
        raise HeaderBroken("The share of an X25519 stanza does not fit.")
    try:
        secret = identity.exchange(share)
    except ValueError:
        raise HeaderBroken("The share of an X25519 stanza is of low order.") from None
    cipher = ChaCha20Poly1305(_wrapping_key(secret, share, identity.recipient))
    try:
        return cipher.decrypt(_ZERO_NONCE, stanza.body, None)
    except InvalidTag:
        return None


def _wrapping_key(secret: bytes, share: bytes, recipient: Recipient) -> bytes:
    return derive(secret, salt=share + recipient.public, info=b"age-encryption.org/v1/X25519")


def _mac(file_key: bytes, signed: bytes) -> bytes:
    return hmac.digest(derive(file_key, salt=b"", info=b"header"), signed, hashlib.sha256)


def _base64(plain: bytes) -> bytes:
    return base64.b64encode(plain).rstrip(b"=")


def _unbase64(text: bytes) -> bytes:
    """Read base64 without padding (RFC 4648, 4), in its one canonical form only."""
    try:
        plain = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        plain = None
    if plain is None or _base64(plain) != text:
        raise HeaderBroken("The header holds base64 that is not in its one form.")
    return plain
