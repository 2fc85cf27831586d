"""One key in two halves: both make it, one says nothing."""

from __future__ import annotations

import pytest

from core import bech32
from core.agefile import Identity
from core.errors import InvalidInput
from core.escrow import PREFIX, join, split


def test_both_halves_make_the_key_in_whichever_order() -> None:
    identity = Identity.generate()
    one, two = split(identity)
    assert str(join(one, two)) == str(join(two, one)) == str(identity)


def test_halves_are_read_as_people_type_them() -> None:
    identity = Identity.generate()
    one, two = split(identity)
    spaced = " ".join(one.lower()[at : at + 5] for at in range(0, len(one), 5))
    assert str(join(spaced, f" {two}\n")) == str(identity)


def test_one_half_says_nothing() -> None:
    """The same key splits differently each time, and neither half holds a byte of it where it was."""
    identity = Identity.generate()
    halves = [half for _ in range(50) for half in split(identity)]
    assert len(set(halves)) == 100
    bodies = [bech32.read(half)[1][5:] for half in halves]
    for place, secret_byte in enumerate(identity.secret):
        seen = {body[place] for body in bodies}
        assert len(seen) > 40, (place, secret_byte)


@pytest.mark.parametrize("what", ["two keys", "the same twice", "mistyped", "an age key", "forged"])
def test_what_does_not_belong_together_is_told(what: str) -> None:
    identity = Identity.generate()
    one, two = split(identity)
    payload = bytearray(bech32.read(two)[1])
    payload[20] ^= 1
    pairs = {
        "two keys": (one, split(Identity.generate())[1]),
        "the same twice": (one, one),
        "mistyped": (one, two[:-1] + ("Q" if two[-1] != "Q" else "P")),
        "an age key": (one, str(identity)),
        "forged": (one, bech32.write(PREFIX, bytes(payload))),
    }
    with pytest.raises(InvalidInput) as told:
        join(*pairs[what])
    assert two not in str(told.value)
    assert str(identity) not in str(told.value)
