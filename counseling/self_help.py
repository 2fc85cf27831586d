"""Self-help: short exercises for a hard moment, as data with its version, its day and what it follows.

They are no treatment and no answer to danger; where they stand, crisis help stands too.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

from core.errors import ConfigError
from counseling.credentials import Ill, Names, names_of, read_toml, word_of
from counseling.instruments import text_of

OURS: Final = Path(__file__).parent / "data" / "self_help.toml"
FIELDS: Final = frozenset({"minutes", "source", "title", "lead", "steps", "last"})


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise. ``last`` is what is said after the steps."""

    key: str
    minutes: int
    source: str
    title: Names
    lead: Names
    steps: tuple[Names, ...]
    last: Names

    def words(self) -> dict[str, Names]:
        """List everything that it says, by the place where it stands."""
        steps = {f"step_{number}": words for number, words in enumerate(self.steps, 1)}
        return {"title": self.title, "lead": self.lead, **steps, "last": self.last}


@dataclass(frozen=True, slots=True)
class SelfHelp:
    """All exercises of one version, in the order of the file."""

    version: int
    written: date
    exercises: tuple[Exercise, ...]

    def size_kb(self, language: str) -> int:
        """Say how long it is to load, in kB of its words, rounded up."""
        said = (words[language] for one in self.exercises for words in one.words().values())
        return math.ceil(sum(len(text.encode()) for text in said) / 1000)


def read_self_help(path: Path = OURS) -> SelfHelp:
    """Read the exercises. Raises ``ConfigError`` for a file that does not fit, or says no source."""
    table = read_toml(path)
    try:
        return _self_help(table)
    except Ill as error:
        raise ConfigError(f"The exercises in {path.name} do not fit: {error}.") from None


@functools.cache
def shipped() -> SelfHelp:
    """Give what ships; nothing of it changes while the program runs."""
    return read_self_help()


def _self_help(table: dict[str, Any]) -> SelfHelp:
    version, written = table.pop("version", None), table.pop("written", None)
    if type(version) is not int or version < 1:
        raise Ill("version must be a whole number from 1")
    if type(written) is not date:
        raise Ill("written must be a day")
    if not table:
        raise Ill("there is no exercise")
    return SelfHelp(version, written, tuple(_exercise(key, entry) for key, entry in table.items()))


def _exercise(key: str, entry: object) -> Exercise:
    word_of(key, "the file")
    if not isinstance(entry, dict) or set(entry) != FIELDS:
        raise Ill(f"{key} must hold {', '.join(sorted(FIELDS))}, and nothing else")
    minutes = entry["minutes"]
    if type(minutes) is not int or not 1 <= minutes <= 60:
        raise Ill(f"{key}.minutes must be from 1 to 60")
    return Exercise(
        key,
        minutes,
        text_of(entry["source"], f"{key}.source"),
        names_of(entry["title"], f"{key}.title"),
        names_of(entry["lead"], f"{key}.lead"),
        _steps(entry["steps"], key),
        names_of(entry["last"], f"{key}.last"),
    )


def _steps(value: Any, key: str) -> tuple[Names, ...]:  # noqa: ANN401  # as TOML has it
    if not isinstance(value, list) or not value:
        raise Ill(f"{key}.steps must be a list")
    return tuple(names_of(step, f"{key}.steps[{place}]") for place, step in enumerate(value))
