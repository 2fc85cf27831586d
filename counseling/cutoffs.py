"""Cut-offs and signs in force: the instruments' own and those of ``data/concerns.toml``, or an operator's.

An operator's file (``TEDUH_CUTOFFS``; ``examples/cutoffs.toml`` shows one) has a list for each instrument
it names, which takes the place of that instrument's own, and ``[concerns.<word>]`` for signs. Each entry
says who decided it. A file that does not fit stops the start with a sentence that names the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from core.errors import ConfigError
from counseling.credentials import Ill, Names, names_of, read_toml, word_of
from counseling.instruments import SIGN, Instrument, Rule, read_rules, read_sign, text_of
from counseling.triage import Cutoffs, Sign

CONCERNS: Final = Path(__file__).parent / "data" / "concerns.toml"


@dataclass(frozen=True, slots=True)
class InForce:
    """What clients can mark, and all that triage goes by; each rule and sign with its source."""

    concerns: Mapping[str, Names]
    rules: Mapping[str, tuple[Rule, ...]]
    signs: Mapping[str, tuple[Sign, str]]

    @property
    def cutoffs(self) -> Cutoffs:
        """Give it in triage's words."""
        return Cutoffs(
            scores=tuple(rule.cutoff for rules in self.rules.values() for rule in rules),
            concerns={word: sign for word, (sign, _source) in self.signs.items()},
        )


def read_cutoffs(
    instruments: Mapping[str, Instrument], theirs: Path | None = None, *, ours: Path = CONCERNS
) -> InForce:
    """Read what is in force. Raises ``ConfigError`` for a file that does not fit."""
    concerns, signs = _concerns(ours)
    rules = {one.id: one.rules for one in instruments.values()}
    if theirs is None:
        return InForce(concerns, rules, signs)
    table = read_toml(theirs)
    try:
        signs |= _signs(table.pop("concerns", {}), concerns, "concerns")
        rules |= {name: _changed(instruments, name, entries) for name, entries in table.items()}
    except Ill as error:
        raise ConfigError(f"The cut-offs in {theirs.name} do not fit: {error}.") from None
    return InForce(concerns, rules, signs)


def _changed(instruments: Mapping[str, Instrument], name: str, entries: object) -> tuple[Rule, ...]:
    if name not in instruments:
        raise Ill(f"{name} is none of the instruments {', '.join(instruments)}")
    return read_rules(name, entries, most=instruments[name].most, where=name)


def _concerns(path: Path) -> tuple[Mapping[str, Names], dict[str, tuple[Sign, str]]]:
    table = read_toml(path)
    try:
        named = {
            word_of(word, "concerns"): names_of(names, f"concerns.{word}")
            for word, names in table["concerns"].items()
        }
        return named, _signs(table["signs"], named, "signs")
    except Ill as error:
        raise ConfigError(f"The concerns in {path.name} do not fit: {error}.") from None


def _signs(value: Any, concerns: Mapping[str, Names], where: str) -> dict[str, tuple[Sign, str]]:  # noqa: ANN401  # as TOML has it
    if not isinstance(value, dict):
        raise Ill(f"{where} must be a table")
    found = {}
    for word, entry in value.items():
        here = f"{where}.{word}"
        if word not in concerns:
            raise Ill(f"{here} is none of the concerns {', '.join(concerns)}")
        if not isinstance(entry, dict) or set(entry) != {*SIGN, "source"}:
            raise Ill(f"{here} must hold {', '.join(sorted({*SIGN, 'source'}))}, and nothing else")
        found[word] = (read_sign(entry, here), text_of(entry["source"], f"{here}.source"))
    return found
