from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.ids import UserId
from counseling.matching import (
    AGAIN_AFTER,
    PREFERRED_FOR,
    TOPIC_FOR,
    Candidate,
    Match,
    Waiting,
    fits,
    in_order,
    pairs,
    rank,
)
from counseling.triage import Risk

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
RATNA, JOKO, SITI = UserId("u_ratna"), UserId("u_joko"), UserId("u_siti")
EMBUN = Waiting(
    walkin="w_embun",
    client=UserId("u_embun"),
    language="id",
    topic="study",
    medium="video",
    risk=Risk.NONE,
    adult=True,
    region=None,
    prefers=None,
    waits_for_preferred=False,
    passed=(),
    asked_at=NOW,
)
ABLE = Candidate(
    counselor=RATNA,
    languages=("id", "jv"),
    topics=("study",),
    media=("video", "chat"),
    risks=tuple(Risk),
    minors=False,
)


def client(**change: Any) -> Waiting:
    return dataclasses.replace(EMBUN, **change)


def counselor(who: UserId = RATNA, **change: Any) -> Candidate:
    return dataclasses.replace(ABLE, counselor=who, **change)


def chosen(one: Waiting, *candidates: Candidate, after: timedelta = timedelta()) -> UserId | None:
    match = rank(one, candidates, now=NOW + after)
    return None if match is None else match.counselor


@pytest.mark.parametrize(
    ("one", "candidate", "fit"),
    [
        (client(), counselor(), True),
        (client(language="en"), counselor(), False),
        (client(medium="voice"), counselor(), False),
        (client(risk=Risk.WATCH), counselor(risks=(Risk.NONE,)), False),
        (client(risk=Risk.URGENT), counselor(risks=(Risk.NONE, Risk.WATCH)), False),
        (client(adult=False), counselor(), False),
        (client(adult=None), counselor(), False),
        (client(adult=False), counselor(minors=True), True),
        (client(risk=Risk.URGENT, adult=None), counselor(), True),
        (client(), counselor(full=True), False),
        (client(), counselor(full=True, clients=(EMBUN.client,)), True),
        (client(risk=Risk.URGENT), counselor(full=True), True),
        (client(keeps=(RATNA,)), counselor(), False),
        (client(keeps=(RATNA,), risk=Risk.URGENT), counselor(), False),
        (client(groups=frozenset({"fakultas teknik"})), counselor(), True),
        (
            client(groups=frozenset({"fakultas teknik"})),
            counselor(recusals=frozenset({"fakultas teknik"})),
            False,
        ),
    ],
)
def test_who_may_be_sent_to_whom(one: Waiting, candidate: Candidate, fit: bool) -> None:
    assert fits(one, candidate) is fit
    assert (chosen(one, candidate) == RATNA) is fit


def test_the_topic_must_fit_at_first_and_is_only_better_later() -> None:
    other = counselor(topics=("grief",))
    almost = TOPIC_FOR - timedelta(seconds=1)
    assert chosen(client(), other, after=almost) is None
    assert rank(client(), [other], now=NOW + TOPIC_FOR) == Match("w_embun", RATNA, ("other_topic",))
    assert chosen(client(), other, counselor(JOKO), after=TOPIC_FOR) == JOKO
    assert chosen(client(risk=Risk.URGENT), other) == RATNA


def test_the_same_counselor_is_waited_for_ten_minutes_while_they_are_there() -> None:
    known, ratna = client(prefers=RATNA), counselor(free=False)
    almost = PREFERRED_FOR - timedelta(seconds=1)
    assert chosen(known, counselor(), counselor(JOKO)) == RATNA
    assert chosen(known, ratna, counselor(JOKO), after=almost) is None
    assert chosen(known, ratna, counselor(JOKO), after=PREFERRED_FOR) == JOKO
    assert chosen(known, counselor(JOKO)) == JOKO, "nobody waits for somebody who is not there"
    assert chosen(client(prefers=RATNA, risk=Risk.URGENT), ratna, counselor(JOKO)) == JOKO
    full = counselor(free=False, full=True)
    assert chosen(known, full, counselor(JOKO)) == JOKO, "nor for somebody who cannot take them"


def test_who_chose_to_wait_waits_as_long_as_it_takes() -> None:
    patient = client(prefers=RATNA, waits_for_preferred=True)
    late = PREFERRED_FOR * 3
    assert chosen(patient, counselor(free=False), counselor(JOKO), after=late) is None
    assert chosen(patient, counselor(JOKO), after=late) is None
    assert chosen(patient, counselor(), counselor(JOKO), after=late) == RATNA


def test_who_chose_to_wait_is_not_given_to_another_when_the_preferred_let_the_turn_go_by() -> None:
    patient = client(prefers=RATNA, waits_for_preferred=True, passed=(RATNA,), last_offer=NOW)
    assert chosen(patient, counselor(), counselor(JOKO)) is None
    assert chosen(patient, counselor(), counselor(JOKO), after=AGAIN_AFTER) == RATNA


def test_the_same_counselor_needs_no_topic() -> None:
    assert rank(client(prefers=RATNA), [counselor(topics=())], now=NOW) == Match(
        "w_embun", RATNA, ("preferred", "other_topic")
    )


@pytest.mark.parametrize(
    ("region", "licence", "reason"),
    [
        ("Jawa Tengah", "jawa  tengah", "region"),
        ("Jawa Tengah", "Bali", "other_region"),
        (None, "Bali", None),
        ("Bali", "", None),
    ],
)
def test_another_region_only_warns(region: str | None, licence: str, reason: str | None) -> None:
    match = rank(client(region=region), [counselor(region=licence)], now=NOW)
    assert match is not None
    assert match.reasons == ("topic", *([reason] if reason else []))
    nearer = counselor(JOKO, region=region or licence)
    if reason == "other_region":
        assert chosen(client(region=region), counselor(region=licence), nearer) == JOKO


def test_of_those_who_fit_alike_the_longest_free_is_first() -> None:
    lately, long_ago = NOW - timedelta(minutes=5), NOW - timedelta(hours=5)
    there = [counselor(last_talk=lately), counselor(JOKO, last_talk=long_ago), counselor(SITI, last_talk=NOW)]
    assert chosen(client(), *there) == JOKO
    assert chosen(client(), *there, counselor(UserId("u_new"))) == "u_new"


def test_whose_turn_went_by_comes_last_and_again_only_after_a_while() -> None:
    passed = client(passed=(RATNA,), last_offer=NOW)
    assert chosen(passed, counselor(), counselor(JOKO)) == JOKO
    assert chosen(passed, counselor(), after=AGAIN_AFTER - timedelta(seconds=1)) is None
    assert rank(passed, [counselor()], now=NOW + AGAIN_AFTER) == Match("w_embun", RATNA, ("topic", "again"))
    urgent = client(passed=(RATNA,), risk=Risk.URGENT)
    assert chosen(urgent, counselor()) == RATNA


def test_urgent_first_then_the_longest_waiting() -> None:
    early = client(walkin="w_early", asked_at=NOW - timedelta(minutes=9))
    watch = client(walkin="w_watch", risk=Risk.WATCH)
    urgent = client(walkin="w_urgent", risk=Risk.URGENT, asked_at=NOW + timedelta(minutes=1))
    assert [one.walkin for one in in_order([watch, early, urgent])] == ["w_urgent", "w_early", "w_watch"]


def test_each_counselor_is_paired_once_and_in_order() -> None:
    line = [client(walkin=f"w_{n}", client=UserId(f"u_{n}"), asked_at=NOW + timedelta(n)) for n in range(3)]
    found = pairs(line, [counselor(), counselor(JOKO)], now=NOW)
    assert [(match.walkin, match.counselor) for match in found] == [("w_0", JOKO), ("w_1", RATNA)]
    assert len(pairs(line, [counselor(), counselor(JOKO)], now=NOW, most=1)) == 1


def test_a_pair_leaves_the_preferred_counselor_busy_for_the_next() -> None:
    first = client(walkin="w_1", client=UserId("u_1"), prefers=RATNA, asked_at=NOW - timedelta(seconds=5))
    second = client(walkin="w_2", client=UserId("u_2"), prefers=RATNA)
    found = pairs([second, first], [counselor(), counselor(JOKO)], now=NOW)
    assert [(match.walkin, match.counselor) for match in found] == [("w_1", RATNA)]


def test_pairs_and_rank_agree() -> None:
    there = [counselor(), counselor(JOKO, free=False), counselor(SITI, topics=("grief",))]
    for one in (client(), client(topic="grief"), client(prefers=JOKO), client(language="en")):
        match = rank(one, there, now=NOW)
        assert pairs([one], there, now=NOW) == ([match] if match else [])
