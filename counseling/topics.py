"""What clients come with, as data: the topics that a counselor can mark and a client can choose."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from core.errors import ConfigError
from counseling.credentials import Ill, Names, names_of, read_toml, word_of

OURS: Final = Path(__file__).parent / "data" / "topics.toml"


def read_topics(path: Path = OURS) -> Mapping[str, Names]:
    """Read the topics, in the order of the file. Raises ``ConfigError`` for a file that does not fit."""
    table = read_toml(path)
    try:
        return _topics(table)
    except Ill as error:
        raise ConfigError(f"The topics in {path.name} do not fit: {error}.") from None


def _topics(table: Mapping[str, Any]) -> Mapping[str, Names]:
    topics = table.get("topics")
    if not isinstance(topics, dict) or not topics:
        raise Ill("there is no table topics")
    return {word_of(key, "topics"): names_of(words, f"topics.{key}") for key, words in topics.items()}
