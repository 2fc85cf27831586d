"""Codes that people read aloud, type and print: Crockford's base32, and how they are kept.

The alphabet has no i, l, o, u; who types them is understood (https://www.crockford.com/base32.html).
A code of high entropy is kept as a keyed hash: without the server's key a copied table says nothing.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from core.derive import derive

ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
MOST_TYPED_CHARS: Final = 80
_MEANT: Final = str.maketrans("oil", "011")
_BITS: Final = 5
_BETWEEN: Final = frozenset(" -\u2010\u2011\u2012\u2013\u2014\u2212_.\t\r\n\u00a0\u200b\u2009")


def normal(typed: str) -> str:
    """Read what was typed: case, spaces, dashes, o for 0, i and l for 1.

    Other characters stay as they are, so that ``is_code`` can refuse them.
    """
    text = typed[:MOST_TYPED_CHARS].lower()
    return "".join(sign for sign in text if sign not in _BETWEEN).translate(_MEANT)


def is_code(text: str, chars: int) -> bool:
    """Whether a normal text has the form of a code of this length."""
    return len(text) == chars and all(sign in ALPHABET for sign in text)


def shown(code: str, group: int = 4) -> str:
    """Write a code for people: capitals, in groups."""
    return "-".join(code[at : at + group] for at in range(0, len(code), group)).upper()


class Codes:
    """Makes codes and their keyed hashes, each purpose with a key of its own."""

    def __init__(self, master: bytes) -> None:
        self._master = master
        self._keys: dict[str, bytes] = {}

    def hash(self, purpose: str, code: str) -> str:
        """Give what may be stored of a code: 64 hexadecimal digits."""
        return hmac.new(self._key(f"kept {purpose}"), _bytes(code), hashlib.sha256).hexdigest()

    def make(self, purpose: str, seed: str, chars: int) -> str:
        """Make the code that belongs to a seed, such as a form's one-time number and whose form it is.

        The same seed gives the same code: a form that is sent twice shows one code, not two. Without the
        key nobody can tell it from a random one. At most 51 characters.
        """
        number = int.from_bytes(self.secret(purpose, seed))
        return "".join(ALPHABET[(number >> (_BITS * place)) & 31] for place in range(chars))

    def secret(self, purpose: str, seed: str) -> bytes:
        """Make the 32 secret bytes that belong to a seed, as ``make`` does."""
        return hmac.new(self._key(f"new {purpose}"), _bytes(seed), hashlib.sha256).digest()

    def token(self, purpose: str, seed: str) -> str:
        """Make the login token that belongs to a seed: 256 bits, as ``make`` does."""
        return hmac.new(self._key(f"token {purpose}"), _bytes(seed), hashlib.sha256).hexdigest()

    def _key(self, purpose: str) -> bytes:
        if purpose not in self._keys:
            self._keys[purpose] = derive(self._master, f"codes: {purpose}")
        return self._keys[purpose]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
