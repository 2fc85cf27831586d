"""Codes are understood however they are typed, and are kept as keyed hashes."""

from __future__ import annotations

import pytest

from accounts.codes import ALPHABET, Codes, is_code, normal, shown

CODES = Codes(bytes(32))


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("ABCD-EFGH", "abcdefgh"),
        ("  abcd efgh\t", "abcdefgh"),
        ("OoIiLl", "001111"),
        ("ab\u2013cd\u2011ef\u00a0gh", "abcdefgh"),
        ("a.b_c", "abc"),
        ("uuuu", "uuuu"),
    ],
)
def test_a_code_is_read_however_it_is_typed(typed: str, read: str) -> None:
    assert normal(typed) == read


def test_what_is_no_code_is_refused() -> None:
    assert is_code("0123", 4)
    assert not is_code("012", 4)
    assert not is_code("012u", 4)
    assert not is_code("012é", 4)
    assert len(normal("a" * 10_000)) < 100


def test_one_seed_gives_one_code_and_another_gives_another() -> None:
    assert CODES.make("x", "seed", 20) == CODES.make("x", "seed", 20)
    others = {
        CODES.make("x", "seed2", 20),
        CODES.make("y", "seed", 20),
        Codes(bytes(31) + b"1").make("x", "seed", 20),
    }
    assert CODES.make("x", "seed", 20) not in others
    assert len(others) == 3


def test_codes_use_the_whole_alphabet() -> None:
    made = "".join(CODES.make("x", str(number), 20) for number in range(500))
    assert set(made) == set(ALPHABET)


def test_a_code_is_shown_in_groups_and_read_again() -> None:
    code = CODES.make("x", "seed", 20)
    assert shown(code).count("-") == 4
    assert normal(shown(code)) == code


def test_hashes_of_two_purposes_differ() -> None:
    assert CODES.hash("a", "code") != CODES.hash("b", "code")
    assert len(CODES.hash("a", "code")) == 64
