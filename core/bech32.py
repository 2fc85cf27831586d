"""Bech32 (BIP 173) as age uses it: of any length, to write keys for people.

A checksum of 30 bits finds a mistyped character; no character looks like another.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

ALPHABET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
CHECKSUM_CHARACTERS: Final = 6
_VALUES: Final = {character: value for value, character in enumerate(ALPHABET)}
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def write(prefix: str, payload: bytes) -> str:
    """Write bytes as lower-case Bech32 under a prefix in lower case."""
    words = list(_regroup(payload, take=8, give=5))
    checksum = _checksum([*_expand(prefix), *words, *[0] * CHECKSUM_CHARACTERS]) ^ 1
    words += [checksum >> 5 * place & 31 for place in reversed(range(CHECKSUM_CHARACTERS))]
    return f"{prefix}1{''.join(ALPHABET[word] for word in words)}"


def read(text: str) -> tuple[str, bytes]:
    """Give prefix (lower case) and bytes. Raises ``ValueError`` for what is not Bech32.

    The text may be all in lower case or all in upper case, never mixed.
    """
    if text not in {text.lower(), text.upper()}:
        raise ValueError("upper and lower case are mixed")
    prefix, _, body = text.lower().rpartition("1")
    if not prefix or not prefix.isascii() or not prefix.isprintable():
        raise ValueError("it has no prefix")
    try:
        words = [_VALUES[character] for character in body]
    except KeyError:
        raise ValueError("a character does not belong in it") from None
    if len(words) < CHECKSUM_CHARACTERS or _checksum([*_expand(prefix), *words]) != 1:
        raise ValueError("a character is wrong or missing")
    words = words[:-CHECKSUM_CHARACTERS]
    payload = bytes(_regroup(words, take=5, give=8))[: len(words) * 5 // 8]
    if list(_regroup(payload, take=8, give=5)) != words:
        raise ValueError("its last bits are not those that belong there")
    return prefix, payload


def _expand(prefix: str) -> list[int]:
    return [ord(character) >> 5 for character in prefix] + [0] + [ord(character) & 31 for character in prefix]


def _checksum(words: Iterable[int]) -> int:
    state = 1
    for word in words:
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ word
        for bit, generator in enumerate(_GENERATOR):
            state ^= generator if top >> bit & 1 else 0
    return state


def _regroup(words: Iterable[int], *, take: int, give: int) -> Iterable[int]:
    """Cut a row of ``take``-bit words anew into ``give``-bit words; zero bits fill the last one."""
    held = bits = 0
    for word in words:
        held, bits = held << take | word, bits + take
        while bits >= give:
            bits -= give
            yield held >> bits & (1 << give) - 1
        held &= (1 << bits) - 1
    if bits:
        yield held << give - bits & (1 << give) - 1
