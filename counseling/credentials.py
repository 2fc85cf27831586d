"""Kinds of credential, as data: what is asked of each, and what each may take on.

``data/credentials.toml`` ships; an operator's own file (``TEDUH_CREDENTIALS``) takes its place. A file that
does not fit stops the start with a sentence that says where.
"""

from __future__ import annotations

import enum
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from core.errors import ConfigError
from counseling.triage import Risk

OURS: Final = Path(__file__).parent / "data" / "credentials.toml"
LANGUAGES: Final = ("id", "en")
_WORD: Final = re.compile(r"[a-z][a-z_]{1,39}")

Names = Mapping[str, str]
"""The same words in each language, by its code."""


class Verified(enum.StrEnum):
    """A field that an admin checks against a proof; to change it is to be verified anew."""

    KIND = "kind"
    LICENCE_NUMBER = "licence_number"
    ISSUING_BODY = "issuing_body"
    LICENCE_REGION = "licence_region"
    VALID_UNTIL = "valid_until"
    DEGREE = "degree"
    BACKGROUND_CHECKED_ON = "background_checked_on"
    SHOWN_NAME = "shown_name"
    TITLE = "title"


MAY_REQUIRE: Final = (
    Verified.LICENCE_NUMBER,
    Verified.ISSUING_BODY,
    Verified.LICENCE_REGION,
    Verified.VALID_UNTIL,
    Verified.BACKGROUND_CHECKED_ON,
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of credential. ``required`` holds fields beside name and degree, which are always asked."""

    key: str
    name: Names
    about: Names
    source: str
    required: frozenset[Verified]
    risk: frozenset[Risk]
    degree: str
    background_check: bool
    supervisor: bool
    minors: bool
    proofs: tuple[str, ...]

    def may_take(self, risk: Risk) -> bool:
        """Whether somebody of this kind may take a client at this risk."""
        return risk in self.risk


@dataclass(frozen=True, slots=True)
class Credentials:
    """One whole file. ``degrees`` are in rising order."""

    kinds: Mapping[str, Kind]
    degrees: Mapping[str, Names]
    proof_kinds: Mapping[str, Names]

    def kind(self, key: str) -> Kind | None:
        """Look a kind up; None for one that the file does not have (any more)."""
        return self.kinds.get(key)

    def degree_suffices(self, degree: str, kind: Kind) -> bool:
        """Whether a degree is at least what the kind asks; an unknown one never is."""
        order = tuple(self.degrees)
        return degree in order and order.index(degree) >= order.index(kind.degree)


def read_credentials(path: Path | None = None) -> Credentials:
    """Read the kinds of credential. Raises ``ConfigError`` with a sentence for a file that does not fit."""
    path = path or OURS
    table = read_toml(path)
    try:
        return _credentials(table)
    except Ill as error:
        raise ConfigError(f"The kinds of credential in {path.name} do not fit: {error}.") from None


class Ill(ValueError):
    """An entry of a data file does not fit; the text says which and why."""


def read_toml(path: Path) -> dict[str, Any]:
    """Read a file of data. Raises ``ConfigError``."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path.name} cannot be read ({type(error).__name__}).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path.name} is not TOML: {error}.") from None


def names_of(value: object, where: str) -> Names:
    """Read words in every language. Raises ``Ill``."""
    if not isinstance(value, dict) or set(value) != set(LANGUAGES):
        raise Ill(f"{where} needs words in {' and '.join(LANGUAGES)}, and in no other language")
    if not all(isinstance(words, str) and words.strip() for words in value.values()):
        raise Ill(f"{where} has empty words")
    return {language: value[language].strip() for language in LANGUAGES}


def word_of(key: str, where: str) -> str:
    """Read a key for programs. Raises ``Ill``."""
    if not _WORD.fullmatch(key):
        raise Ill(f"{where}.{key} must be 2 to 40 small letters and underscores")
    return key


def _credentials(table: Mapping[str, Any]) -> Credentials:
    _only(table, {"degrees", "proof_kinds", "kinds"}, "the file")
    degrees = dict(_table(table, "degrees"))
    order = _words(degrees.pop("order", None), "degrees.order")
    if set(order) != set(degrees):
        raise Ill("degrees.order must name each degree once, and no other")
    named = {key: names_of(degrees[key], f"degrees.{key}") for key in order}
    proofs = {
        word_of(key, "proof_kinds"): names_of(words, f"proof_kinds.{key}")
        for key, words in _table(table, "proof_kinds").items()
    }
    kinds = {
        word_of(key, "kinds"): _kind(key, entry, named, proofs)
        for key, entry in _table(table, "kinds").items()
    }
    if not kinds:
        raise Ill("there is no kind at all")
    return Credentials(kinds, named, proofs)


_FIELDS: Final = {
    "name",
    "about",
    "source",
    "required",
    "risk",
    "degree",
    "background_check",
    "supervisor",
    "minors",
    "proofs",
}


def _kind(key: str, entry: object, degrees: Mapping[str, Names], proof_kinds: Mapping[str, Names]) -> Kind:
    where = f"kinds.{key}"
    if not isinstance(entry, dict):
        raise Ill(f"{where} must be a table")
    _only(entry, _FIELDS, where)
    if missing := sorted(_FIELDS - set(entry)):
        raise Ill(f"{where} lacks {', '.join(missing)}")
    if not isinstance(entry["source"], str) or not entry["source"].strip():
        raise Ill(f"{where}.source must name the law or rule that it follows")
    if entry["degree"] not in degrees:
        raise Ill(f"{where}.degree must be one of {', '.join(degrees)}")
    flags = {name: entry[name] for name in ("background_check", "supervisor", "minors")}
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise Ill(f"{where}.{name} must be true or false")
    required = frozenset(map(Verified, _among(entry["required"], MAY_REQUIRE, f"{where}.required")))
    if flags["background_check"]:
        required |= {Verified.BACKGROUND_CHECKED_ON}
    risk = frozenset(map(Risk, _among(entry["risk"], tuple(Risk), f"{where}.risk")))
    if Risk.NONE not in risk or (Risk.URGENT in risk and Risk.WATCH not in risk):
        raise Ill(f"{where}.risk must start at none and leave out no level in between")
    return Kind(
        key=key,
        name=names_of(entry["name"], f"{where}.name"),
        about=names_of(entry["about"], f"{where}.about"),
        source=entry["source"].strip(),
        required=required,
        risk=risk,
        degree=entry["degree"],
        proofs=_among(entry["proofs"], tuple(proof_kinds), f"{where}.proofs"),
        **flags,
    )


def _table(table: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = table.get(name)
    if not isinstance(value, dict):
        raise Ill(f"there is no table {name}")
    return value


def _only(table: Mapping[str, Any], known: set[str], where: str) -> None:
    if unknown := sorted(set(table) - known):
        raise Ill(f"{where} has what is not known: {', '.join(unknown)}")


def _words(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Ill(f"{where} must be a list of words")
    if len(set(value)) != len(value):
        raise Ill(f"{where} names something twice")
    return tuple(value)


def _among(value: object, known: Sequence[str], where: str) -> tuple[str, ...]:
    words = _words(value, where)
    if strange := [word for word in words if word not in known]:
        raise Ill(f"{where} has {', '.join(strange)}; there are {', '.join(known)}")
    return words
