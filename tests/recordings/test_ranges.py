"""Range requests: which bytes, which chunks, and what is refused."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.agefile import CHUNK_BYTES
from recordings.ranges import MOST_CHUNKS, Span, Unsatisfiable, pieces, wanted

SIZE = 200_000


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, (0, 199_999, False)),
        ("bytes=0-", (0, 199_999, True)),
        ("bytes=0-0", (0, 0, True)),
        ("bytes=5-9", (5, 9, True)),
        (" Bytes= 5-9 ", (5, 9, True)),
        ("bytes=199999-", (199_999, 199_999, True)),
        ("bytes=100-999999999", (100, 199_999, True)),
        ("bytes=-1", (199_999, 199_999, True)),
        ("bytes=-999999999", (0, 199_999, True)),
        ("pages=1-2", (0, 199_999, False)),
        ("", (0, 199_999, False)),
    ],
)
def test_one_range_is_read(header: str | None, expected: tuple[int, int, bool]) -> None:
    span = wanted(header, SIZE)
    assert (span.first, span.last, span.partial) == expected


@pytest.mark.parametrize(
    "header",
    [
        "bytes=200000-",
        "bytes=9-5",
        "bytes=-0",
        "bytes=-",
        "bytes=",
        "bytes=0-1,5-6",
        "bytes=0-1, -1",
        "bytes=a-b",
        "bytes=--1",
        "bytes=1",
        "bytes=\u0661-\u0662",
        "bytes=" + "9" * 5000 + "-",
        "bytes=1-2-3",
        "bytes=0x0-0x9",
    ],
)
def test_what_is_not_one_range_that_is_there_is_refused(header: str) -> None:
    with pytest.raises(Unsatisfiable):
        wanted(header, SIZE)


def test_nothing_is_in_what_is_empty() -> None:
    with pytest.raises(Unsatisfiable):
        wanted(None, 0)


def test_the_header_of_the_answer() -> None:
    assert wanted("bytes=-10", SIZE).content_range(SIZE) == "bytes 199990-199999/200000"


@given(size=st.integers(1, 30 * CHUNK_BYTES), data=st.data())
def test_the_pieces_are_the_span_in_order_without_a_gap(size: int, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, size - 1))
    last = data.draw(st.integers(first, size - 1))
    found = list(pieces(Span(first, last, partial=True)))
    covered = [(one.first * CHUNK_BYTES + one.begin, one.first * CHUNK_BYTES + one.end) for one in found]
    assert covered[0][0] == first
    assert covered[-1][1] == last + 1
    assert found[0].first == found[0].last, "a seek is answered with the first chunk"
    assert all(0 < one.end <= (one.last - one.first + 1) * CHUNK_BYTES for one in found)
    assert all(one.last - one.first < MOST_CHUNKS for one in found)
    assert all(before[1] == after[0] for before, after in pairwise(covered))


@given(header=st.text(max_size=40))
def test_no_header_asks_for_what_is_not_there(header: str) -> None:
    try:
        span = wanted(header, SIZE)
    except Unsatisfiable:
        return
    assert 0 <= span.first <= span.last < SIZE
