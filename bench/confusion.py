"""What the monitor said against what was done: verdicts, the confusion matrix, precision and recall. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.report import Figure
from tests.netem.faults import BOTH, Fault, Kind, Side

NOTHING = "nothing"
INTERRUPTED, RESUMED, GRADE, PATH_CHANGED = "interrupted", "resumed", "grade", "path_changed"
PICTURE = "picture"
GRADES = ("good", "fair", "poor", "lost")
TARGET = 0.9


@dataclass(frozen=True, slots=True)
class Said:
    """One event of a session's record. ``after_s`` counts from the fault; ``kind`` "": it blames nothing.

    ``grade`` is what a line has become, "" for events that are none of a grade.
    """

    after_s: float
    event: str
    side: str
    kind: str = ""
    direction: str = ""
    grade: str = ""

    @property
    def accuses(self) -> bool:
        """Whether it says that something is wrong, and what. A way that changed is no fault by itself."""
        return self.kind != "" and self.event in {INTERRUPTED, RESUMED, GRADE, PICTURE}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a reader of the record takes for the cause."""

    side: str
    kind: str
    direction: str

    def is_right(self, fault: Fault) -> bool:
        """Whether side and kind are those of the fault."""
        return self.names_side(fault) and self.kind == fault.kind

    def names_side(self, fault: Fault) -> bool:
        """Whether it is laid at the right door. The server's has no row of a participant."""
        return (Side.SERVER if self.kind == Kind.SERVER else self.side) == fault.side


def verdict(said: Sequence[Said]) -> Verdict | None:
    """What it was: the last interruption's cause, else that of the worst grade; None: it was not seen.

    An interruption's cause is known best when it is over. Where no grade became worse, because the picture
    was made smaller in time, it is what that was done for. A way that changed without these stands last.
    """
    accusing = [one for one in said if one.accuses]
    for event in (RESUMED, INTERRUPTED):
        found = [one for one in accusing if one.event == event]
        if found:
            return _verdict(found[-1])
    grades = [one for one in accusing if one.event == GRADE]
    if grades:
        return _verdict(max(grades, key=lambda one: (GRADES.index(one.grade), -one.after_s)))
    pictures = [one for one in accusing if one.event == PICTURE]
    if pictures:
        return _verdict(pictures[0])
    ways = [one for one in said if one.event == PATH_CHANGED]
    return Verdict(ways[-1].side, PATH_CHANGED, BOTH) if ways else None


def _verdict(one: Said) -> Verdict:
    return Verdict(one.side, one.kind, one.direction)


@dataclass(frozen=True, slots=True)
class Trial:
    """One fault that was done, and what was said while it lasted and until the line was well again."""

    fault: Fault
    said: tuple[Said, ...]

    @property
    def verdict(self) -> Verdict | None:
        """What a reader takes for the cause."""
        return verdict(self.said)


def matrix(pairs: Iterable[tuple[str, str]], rows: Sequence[str]) -> str:
    """How often which of ``rows`` (what was done) was called what, as a Markdown table."""
    counts = Counter(pairs)
    columns = [*rows, *sorted({named for _, named in counts} - {*rows, NOTHING}), NOTHING]
    lines = ["| done \\ named | " + " | ".join(columns) + " |", "|" + " --- |" * (len(columns) + 1)]
    for done in rows:
        cells = (str(counts[done, named] or "") for named in columns)
        lines.append(f"| **{done}** | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def kinds(trials: Sequence[Trial]) -> str:
    """The matrix of kinds."""
    found = ((one.fault.kind.value, one.verdict.kind if one.verdict else NOTHING) for one in trials)
    return matrix(found, [kind.value for kind in Kind])


def sides(trials: Sequence[Trial]) -> str:
    """The matrix of sides."""
    found = []
    for one in trials:
        if one.verdict is None:
            named = NOTHING
        else:
            named = Side.SERVER.value if one.verdict.kind == Kind.SERVER else one.verdict.side
        found.append((one.fault.side.value, named))
    return matrix(found, [side.value for side in Side])


def figures(trials: Sequence[Trial]) -> list[Figure]:
    """Recall, precision and what they are made of, with their targets."""
    found = [(one.fault, one.verdict) for one in trials]
    seen = [(fault, named) for fault, named in found if named is not None]
    one_way = [(fault, named) for fault, named in seen if fault.direction != BOTH]
    named_right = sum(named.is_right(fault) for fault, named in seen)
    accusations = [(one.fault, _verdict(said)) for one in trials for said in one.said if said.accuses]
    return [
        Figure("faults seen", _share(len(seen), len(found)), "all", len(seen) == len(found)),
        Figure(
            "side and kind named right (recall)",
            _share(named_right, len(found)),
            f"{TARGET:.0%}",
            named_right >= TARGET * len(found),
        ),
        Figure("side named right", _share(sum(named.names_side(fault) for fault, named in seen), len(found))),
        Figure(
            "kind named right", _share(sum(named.kind == fault.kind for fault, named in seen), len(found))
        ),
        Figure(
            "way (up or down) named right, of the faults of one way that were seen",
            _share(sum(named.direction == fault.direction for fault, named in one_way), len(one_way)),
        ),
        Figure(
            "of all single accusations right (precision)",
            _share(sum(named.is_right(fault) for fault, named in accusations), len(accusations)),
        ),
    ]


def wrong(trials: Sequence[Trial]) -> list[str]:
    """Each fault that was not named right, and what was said instead."""
    return [
        f"{one.fault.name}: {_words(one.verdict)}"
        for one in trials
        if one.verdict is None or not one.verdict.is_right(one.fault)
    ]


def _words(named: Verdict | None) -> str:
    return NOTHING if named is None else f"{named.side} {named.kind} {named.direction}"


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.1%})" if whole else "none of none"
