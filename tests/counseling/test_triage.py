from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counseling.triage import (
    REASONS,
    RISKS,
    SUITABILITIES,
    Answers,
    Cutoff,
    Cutoffs,
    Reason,
    Risk,
    Safe,
    Score,
    Sign,
    Suitability,
    Triage,
    raised,
    triage,
)

CUTOFFS = Cutoffs(
    scores=(
        Cutoff("phq9", 10, Sign(Reason.PHQ9_RAISED)),
        Cutoff("phq9", 20, Sign(Reason.PHQ9_SEVERE, Risk.WATCH, Suitability.BOTH)),
        Cutoff("gad7", 15, Sign(Reason.GAD7_SEVERE, Risk.WATCH)),
    ),
    concerns={"voices": Sign(Reason.NOT_REAL, Risk.WATCH, Suitability.IN_PERSON)},
)
LOW = Score(points=4, answered=9, items=9)
HIGH = Score(points=21, answered=9, items=9)
ITEM_9 = Score(points=1, answered=9, items=9, flagged=True, flag=Reason.PHQ9_ITEM9)


@pytest.mark.parametrize(
    ("answers", "risk", "suitability", "reasons"),
    [
        (Answers(), "none", "online", ()),
        (Answers(danger=False), "none", "online", ()),
        (Answers(danger=True), "urgent", "both", ("danger_said",)),
        (Answers(danger=True, safe_now=Safe.SAFE), "urgent", "both", ("danger_said",)),
        (Answers(safe_now=Safe.NOT_SAFE), "urgent", "both", ("not_safe",)),
        (Answers(safe_now=Safe.NOT_SURE), "urgent", "both", ("not_sure",)),
        (Answers(safe_now=Safe.SAFE), "none", "online", ()),
        (Answers(scores={"phq9": LOW}), "none", "online", ()),
        (Answers(scores={"phq9": HIGH}), "watch", "both", ("phq9_severe", "phq9_raised")),
        (Answers(scores={"phq9": ITEM_9}), "watch", "both", ("phq9_item9",)),
        (Answers(scores={"phq9": ITEM_9}, safe_now=Safe.SAFE), "watch", "both", ("phq9_item9",)),
        (
            Answers(scores={"phq9": ITEM_9}, safe_now=Safe.NOT_SURE),
            "urgent",
            "both",
            ("not_sure", "phq9_item9"),
        ),
        (Answers(scores={"gad7": HIGH}), "watch", "online", ("gad7_severe",)),
        (Answers(concerns=frozenset({"voices", "study"})), "watch", "in_person", ("not_real",)),
        (Answers(danger=True, concerns=frozenset({"voices"})), "urgent", "in_person", None),
    ],
)
def test_both_outputs_have_their_reasons(
    answers: Answers, risk: str, suitability: str, reasons: tuple[str, ...] | None
) -> None:
    found = triage(answers, CUTOFFS)
    assert (found.risk.value, found.suitability.value) == (risk, suitability)
    assert reasons is None or found.reasons == reasons


def test_a_number_cannot_be_made_urgent() -> None:
    with pytest.raises(ValueError, match="plainly"):
        Sign(Reason.SCORE_HIGH, Risk.URGENT)


SCORES = st.builds(
    lambda points, answered, flagged: Score(points, answered, 9, flagged, Reason.PHQ9_ITEM9),
    st.integers(0, 27),
    st.integers(0, 9),
    st.booleans(),
)
ANSWERS = st.builds(
    Answers,
    danger=st.sampled_from([None, False, True]),
    safe_now=st.sampled_from([None, *Safe]),
    scores=st.dictionaries(st.sampled_from(["phq9", "gad7", "srq20"]), SCORES),
    concerns=st.frozensets(st.sampled_from(["voices", "hurt", "study"])),
)
SIGNS = st.builds(
    Sign,
    reason=st.sampled_from(REASONS),
    risk=st.sampled_from([Risk.NONE, Risk.WATCH]),
    suitability=st.sampled_from(SUITABILITIES),
)
ANY_CUTOFFS = st.builds(
    Cutoffs,
    scores=st.lists(
        st.builds(Cutoff, st.sampled_from(["phq9", "gad7", "srq20"]), st.integers(1, 27), SIGNS)
    ).map(tuple),
    concerns=st.dictionaries(st.sampled_from(["voices", "hurt"]), SIGNS),
)


def not_less(before: Triage, after: Triage) -> bool:
    return (
        RISKS.index(after.risk) >= RISKS.index(before.risk)
        and SUITABILITIES.index(after.suitability) >= SUITABILITIES.index(before.suitability)
        and set(before.reasons) <= set(after.reasons)
    )


@given(ANSWERS, ANY_CUTOFFS, st.sampled_from([Safe.NOT_SURE, Safe.NOT_SAFE]))
def test_more_danger_said_never_lowers(answers: Answers, cutoffs: Cutoffs, unsafe: Safe) -> None:
    before = triage(answers, cutoffs)
    assert not_less(before, triage(dataclasses.replace(answers, danger=True), cutoffs))
    graver = triage(dataclasses.replace(answers, safe_now=unsafe), cutoffs)
    assert RISKS.index(graver.risk) >= RISKS.index(before.risk)
    assert graver.risk is Risk.URGENT


@given(ANSWERS, ANY_CUTOFFS, st.sampled_from(["phq9", "gad7", "srq20"]), st.integers(0, 9), st.booleans())
def test_more_points_and_concerns_never_lower(
    answers: Answers, cutoffs: Cutoffs, instrument: str, more: int, flagged: bool
) -> None:
    before = triage(answers, cutoffs)
    old = answers.scores.get(instrument, Score(0, 0, 9, flag=Reason.PHQ9_ITEM9))
    new = dataclasses.replace(old, points=old.points + more, flagged=old.flagged or flagged)
    scored = dataclasses.replace(answers, scores={**answers.scores, instrument: new})
    assert not_less(before, triage(scored, cutoffs))
    told = dataclasses.replace(answers, concerns=answers.concerns | {"voices", "hurt"})
    assert not_less(before, triage(told, cutoffs))


@given(ANSWERS, ANY_CUTOFFS)
def test_urgent_is_the_plain_word_and_nothing_else(answers: Answers, cutoffs: Cutoffs) -> None:
    said = answers.danger is True or answers.safe_now in {Safe.NOT_SURE, Safe.NOT_SAFE}
    assert (triage(answers, cutoffs).risk is Risk.URGENT) == said


@given(ANSWERS, ANSWERS, ANY_CUTOFFS)
def test_joining_takes_nothing_back(one: Answers, other: Answers, cutoffs: Cutoffs) -> None:
    before, now = triage(one, cutoffs), triage(other, cutoffs)
    joined = raised(before, now)
    assert not_less(before, joined)
    assert not_less(now, joined)
    assert raised(joined, now) == joined


def test_reasons_are_told_gravest_first() -> None:
    words = ["danger_said", "not_safe", "phq9_item9", "phq9_severe"]
    for order in itertools.permutations(words):
        joined = Triage()
        for word in order:
            joined = raised(joined, Triage(reasons=(word,)))
        assert joined.reasons == tuple(words)
