"""What a counselor marks and a client chooses, as data: topics, and languages to talk in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from core.errors import ConfigError
from counseling.credentials import Ill, Names, names_of, read_toml, word_of

OURS: Final = Path(__file__).parent / "data" / "topics.toml"


@dataclass(frozen=True, slots=True)
class Marks:
    """All that can be marked, in the order of the file."""

    topics: Mapping[str, Names]
    languages: Mapping[str, Names]


def read_marks(path: Path = OURS) -> Marks:
    """Read topics and languages. Raises ``ConfigError`` for a file that does not fit."""
    table = read_toml(path)
    try:
        return Marks(_named(table, "topics"), _named(table, "languages"))
    except Ill as error:
        raise ConfigError(f"The topics in {path.name} do not fit: {error}.") from None


def _named(table: Mapping[str, Any], name: str) -> Mapping[str, Names]:
    named = table.get(name)
    if not isinstance(named, dict) or not named:
        raise Ill(f"there is no table {name}")
    return {word_of(key, name): names_of(words, f"{name}.{key}") for key, words in named.items()}
