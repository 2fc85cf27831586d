"""Keys as people type them. The texts that hold and that do not are those of BIP 173."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import bech32


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("A12UEL5L", "a"),
        (
            "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
            "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio",
        ),
    ],
)
def test_what_has_nothing_in_it_reads(text: str, prefix: str) -> None:
    assert bech32.read(text) == (prefix, b"")


@pytest.mark.parametrize(
    "text",
    [
        "pzry9x0s0muk",  # no separator
        "1pzry9x0s0muk",  # no prefix
        "x1b4n0q5v",  # a character that is not in the alphabet
        "li1dgmt3",  # too short a checksum
        "A1G7SGD8",  # a checksum made over upper case
        "A12uEL5L",  # mixed case
        "a12uel5m",  # one wrong character
        "de1lg7wt\xff",
        "10a06t8",
        "1qzzfhee",
        "",
    ],
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each text has its own sentence
        bech32.read(text)


@given(st.binary(max_size=80))
def test_what_was_written_reads_the_same(payload: bytes) -> None:
    text = bech32.write("age", payload)
    assert bech32.read(text) == bech32.read(text.upper()) == ("age", payload)


@given(st.binary(min_size=32, max_size=32), st.data())
def test_one_mistyped_character_is_always_found(payload: bytes, data: st.DataObject) -> None:
    text = bech32.write("age", payload)
    at = data.draw(st.integers(4, len(text) - 1))
    other = data.draw(st.sampled_from([c for c in bech32.ALPHABET if c != text[at]]))
    with pytest.raises(ValueError, match="wrong"):
        bech32.read(text[:at] + other + text[at + 1 :])
