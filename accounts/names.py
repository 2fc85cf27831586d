"""Names for clients, made of two kind words in their language (``data/names.toml``).

Two people may bear one name; it is avoided where that is easy, with a number behind it at last.
"""

from __future__ import annotations

import secrets
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.tables import UserRow

FILE: Final = Path(__file__).parent / "data" / "names.toml"
DRAWN: Final = 8
HIGHEST_NUMBER: Final = 99


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language; ``thing_first`` is their order."""

    things: tuple[str, ...]
    manners: tuple[str, ...]
    thing_first: bool

    def name(self) -> str:
        """Draw a name."""
        thing, manner = secrets.choice(self.things), secrets.choice(self.manners)
        return f"{thing} {manner}" if self.thing_first else f"{manner} {thing}"


async def new_name(db: AsyncSession, *, language: str, but: str = "") -> str:
    """Make a name that probably nobody has, and that is not ``but``."""
    words = words_of(language)
    drawn = list(dict.fromkeys(name for name in (words.name() for _ in range(DRAWN)) if name != but))
    taken = set(await db.scalars(select(UserRow.name).where(UserRow.name.in_(drawn)).distinct()))
    free = [name for name in drawn if name not in taken]
    if free:
        return free[0]
    return f"{words.name()} {2 + secrets.randbelow(HIGHEST_NUMBER - 1)}"


@cache
def words_of(language: str) -> Words:
    """Read the words of a language; Indonesian for one that has none."""
    table = tomllib.loads(FILE.read_text(encoding="utf-8"))
    found = table.get(language, table["id"])
    thing_first = found["order"].startswith("thing")
    return Words(tuple(found["things"]), tuple(found["manners"]), thing_first)
