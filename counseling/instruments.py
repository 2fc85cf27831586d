"""Screening instruments, as data: their words, points, bands and cut-offs, and where each of these is from.

``data/instruments/*.toml`` ship; an operator's directory (``TEDUH_INSTRUMENTS``) adds others, and a file of
the same name there takes the place of ours. A file that does not fit, or that does not say where something
is from, stops the start with a sentence that names the file and the field. What a translation that nobody
validated needs before anybody is asked with it stands in ``acceptances.py``.
"""

from __future__ import annotations

import enum
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from core.errors import ConfigError
from counseling.credentials import LANGUAGES, Ill, Names, names_of, read_toml
from counseling.triage import Cutoff, Reason, Risk, Sign, Suitability

OURS: Final = Path(__file__).parent / "data" / "instruments"
MAX_ITEMS: Final = 60
MAX_POINTS: Final = 10
MAX_TEXT_CHARS: Final = 600
SIGN: Final = {"risk", "suitability", "reason"}
_ID: Final = re.compile(r"[a-z][a-z0-9_]{1,23}")


class Status(enum.StrEnum):
    """What a wording is."""

    ORIGINAL = "original"
    VALIDATED = "validated"
    """A translation that a study has tried, word for word."""
    UNVALIDATED = "unvalidated"
    """Any other: off until an admin accepts it."""


@dataclass(frozen=True, slots=True)
class Translation:
    """An instrument's words in one language, and whose they are. ``validation`` is empty without one."""

    language: str
    status: Status
    made_by: str
    source: str
    validation: str
    lead: str
    choices: tuple[str, ...]
    items: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Name exactly these words by their SHA-256: they are what is accepted."""
        words = json.dumps([self.language, self.made_by, self.lead, self.choices, self.items])
        return hashlib.sha256(words.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Band:
    """What a whole score from ``low`` to ``high`` is called, among counselors."""

    low: int
    high: int
    name: Names


@dataclass(frozen=True, slots=True)
class Rule:
    """A cut-off, and where it is from."""

    cutoff: Cutoff
    source: str


@dataclass(frozen=True, slots=True)
class Instrument:
    """One instrument. ``title`` is what clients read, ``points`` what each choice counts.

    ``flag_item`` is the number, from 1, of the item that asks about harming oneself; None without one.
    """

    id: str
    name: str
    title: Names
    source: str
    license: str
    adults_only: bool
    points: tuple[int, ...]
    flag_item: int | None
    flag: Reason
    bands: tuple[Band, ...]
    bands_source: str
    rules: tuple[Rule, ...]
    translations: Mapping[str, Translation]

    @property
    def length(self) -> int:
        """How many items there are."""
        return len(next(iter(self.translations.values())).items)

    @property
    def most(self) -> int:
        """The highest score."""
        return self.length * max(self.points)

    def band(self, points: int) -> Band:
        """Say in which band a whole score is."""
        return next(band for band in self.bands if band.low <= points <= band.high)


def read_instruments(theirs: Path | None = None, *, ours: Path = OURS) -> Mapping[str, Instrument]:
    """Read all instruments, ours first. Raises ``ConfigError`` for a file that does not fit."""
    files = {path.name: path for path in sorted(ours.glob("*.toml"))}
    if theirs is not None:
        if not theirs.is_dir():
            raise ConfigError("TEDUH_INSTRUMENTS must be a directory with a TOML file for each instrument.")
        files |= {path.name: path for path in sorted(theirs.glob("*.toml"))}
    return {path.stem: read_instrument(path) for path in files.values()}


def read_instrument(path: Path) -> Instrument:
    """Read one file. Raises ``ConfigError`` that names the file and the field."""
    table = read_toml(path)
    try:
        return _instrument(path.stem, table)
    except Ill as error:
        raise ConfigError(f"The instrument {path.name} does not fit: {error}.") from None


def read_rules(instrument: str, entries: object, *, most: int, where: str) -> tuple[Rule, ...]:
    """Read the cut-offs of an instrument. Raises ``Ill``."""
    found = []
    for number, entry in enumerate(_list(entries, where), 1):
        here = f"{where}[{number}]"
        points = _whole(_only(entry, {"points", *SIGN, "source"}, here)["points"], here + ".points", 1, most)
        found.append(
            Rule(
                Cutoff(instrument, points, read_sign(entry, here)), text_of(entry["source"], here + ".source")
            )
        )
    return tuple(found)


def read_sign(entry: Mapping[str, Any], where: str) -> Sign:
    """Read what a cut-off or a concern stands for. Raises ``Ill``."""
    if entry["risk"] not in {Risk.NONE, Risk.WATCH}:
        raise Ill(f"{where}.risk must be none or watch: only what a client says plainly is urgent")
    return Sign(
        Reason(_one_of(entry["reason"], tuple(Reason), where + ".reason")),
        Risk(entry["risk"]),
        Suitability(_one_of(entry["suitability"], tuple(Suitability), where + ".suitability")),
    )


def text_of(value: object, where: str) -> str:
    """Read a text that may not be missing. Raises ``Ill``."""
    if not isinstance(value, str) or not value.strip():
        raise Ill(f"{where} must be a text, and not empty")
    if len(value) > MAX_TEXT_CHARS:
        raise Ill(f"{where} has more than {MAX_TEXT_CHARS} characters")
    return " ".join(value.split())


_FIELDS: Final = {
    "name",
    "title",
    "source",
    "license",
    "adults_only",
    "points",
    "range",
    "bands",
    "bands_source",
    "cutoffs",
    "translations",
}
_WORDS: Final = {"status", "made_by", "source", "lead", "choices", "items"}


def _instrument(stem: str, table: Mapping[str, Any]) -> Instrument:
    if not _ID.fullmatch(stem):
        raise Ill("its name must be 2 to 24 small letters, digits and underscores")
    _only(table, _FIELDS, "", optional={"flag"})
    points = tuple(
        _whole(one, f"points[{number}]", 0, MAX_POINTS)
        for number, one in enumerate(_list(table["points"], "points"), 1)
    )
    if len(points) < 2 or list(points) != sorted(set(points)):
        raise Ill("points must rise from choice to choice, two choices at least")
    translations = _translations(table["translations"], choices=len(points))
    length = len(next(iter(translations.values())).items)
    most = length * max(points)
    if table["range"] != [length * min(points), most]:
        raise Ill(f"range must be [{length * min(points)}, {most}], as its items and points come to")
    if not isinstance(table["adults_only"], bool):
        raise Ill("adults_only must be true or false")
    flag = _only(table.get("flag", {"item": 1, "reason": "self_harm_item"}), {"item", "reason"}, "flag")
    reason = _one_of(flag["reason"], (Reason.PHQ9_ITEM9, Reason.SELF_HARM_ITEM), "flag.reason")
    item = _whole(flag["item"], "flag.item", 1, length)
    return Instrument(
        id=stem,
        name=text_of(table["name"], "name"),
        title=names_of(table["title"], "title"),
        source=text_of(table["source"], "source"),
        license=text_of(table["license"], "license"),
        adults_only=table["adults_only"],
        points=points,
        flag_item=item if "flag" in table else None,
        flag=Reason(reason),
        bands=_bands(table["bands"], table["range"]),
        bands_source=text_of(table["bands_source"], "bands_source"),
        rules=read_rules(stem, table["cutoffs"], most=most, where="cutoffs"),
        translations=translations,
    )


def _translations(value: object, *, choices: int) -> Mapping[str, Translation]:
    if not isinstance(value, dict) or not value or not set(value) <= set(LANGUAGES):
        raise Ill(f"translations must hold {' or '.join(LANGUAGES)}")
    found = {
        language: _translation(language, entry, choices=choices)
        for language, entry in sorted(value.items(), reverse=True)
    }
    if len({len(one.items) for one in found.values()}) != 1:
        raise Ill("translations must have as many items as each other")
    return found


def _translation(language: str, entry: object, *, choices: int) -> Translation:
    where = f"translations.{language}"
    words = _only(entry, _WORDS, where, optional={"validation"})
    status = Status(_one_of(words["status"], tuple(Status), f"{where}.status"))
    if status is Status.UNVALIDATED and "validation" in words:
        raise Ill(f"{where}.validation must be left out where the status is unvalidated")
    if status is not Status.UNVALIDATED and "validation" not in words:
        raise Ill(f"{where}.validation is missing: name the study, or let the status be unvalidated")
    items = _texts(words["items"], f"{where}.items")
    named = _texts(words["choices"], f"{where}.choices")
    if len(named) != choices:
        raise Ill(f"{where}.choices must be as many as points")
    if len(items) > MAX_ITEMS:
        raise Ill(f"{where}.items are more than {MAX_ITEMS}")
    return Translation(
        language=language,
        status=status,
        made_by=text_of(words["made_by"], f"{where}.made_by"),
        source=text_of(words["source"], f"{where}.source"),
        validation=text_of(words["validation"], f"{where}.validation") if "validation" in words else "",
        lead=text_of(words["lead"], f"{where}.lead"),
        choices=named,
        items=items,
    )


def _bands(value: object, whole: Sequence[int]) -> tuple[Band, ...]:
    bands = []
    following = whole[0]
    for number, entry in enumerate(_list(value, "bands"), 1):
        where = f"bands[{number}]"
        band = _only(entry, {"from", "to", "name"}, where)
        if band["from"] != following:
            raise Ill(f"{where}.from must be {following}: bands leave nothing out and do not overlap")
        high = _whole(band["to"], f"{where}.to", following, whole[1])
        bands.append(Band(following, high, names_of(band["name"], f"{where}.name")))
        following = high + 1
    if following != whole[1] + 1:
        raise Ill(f"bands must reach to {whole[1]}")
    return tuple(bands)


def _only(
    value: object, needed: set[str], where: str, *, optional: frozenset[str] | set[str] = frozenset()
) -> Mapping[str, Any]:
    before = f"{where}." if where else ""
    if not isinstance(value, dict):
        raise Ill(f"{where} must be a table")
    if unknown := sorted(set(value) - needed - optional):
        raise Ill(f"{before}{unknown[0]} means nothing here")
    if missing := sorted(needed - set(value)):
        raise Ill(f"{before}{missing[0]} is missing")
    return value


def _list(value: object, where: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise Ill(f"{where} must be a list, and not empty")
    return value


def _texts(value: object, where: str) -> tuple[str, ...]:
    return tuple(text_of(one, f"{where}[{number}]") for number, one in enumerate(_list(value, where), 1))


def _whole(value: object, where: str, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise Ill(f"{where} must be a whole number from {low} to {high}")
    return value


def _one_of(value: object, known: Sequence[str], where: str) -> str:
    if not isinstance(value, str) or value not in known:
        raise Ill(f"{where} must be one of {', '.join(known)}")
    return value
