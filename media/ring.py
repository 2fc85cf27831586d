"""Ten minutes of seconds of one line, in columns of small integers: under 50 kB a line, 100 kB a session.

Values are cut to what a column holds; unknown is its highest number. The oldest second gives way.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any

SECONDS = 600


@dataclass(frozen=True, slots=True)
class Second:
    """What one second of a line showed; None is unknown.

    ``up`` is from the participant to the server. ``delay_up_ms`` is how much later audio came than the
    quickest of late, ``spread_up_ms`` how far apart the quickest and the slowest of this second were.
    ``lost_*`` may be negative: a packet was overtaken, a receiver's report corrects an earlier one. ``cut``:
    the line carried nothing, or has just come back, so its gaps are not loss.
    """

    at_s: int
    packets_up: int = 0
    packets_down: int = 0
    bytes_up: int = 0
    bytes_down: int = 0
    expected_up: int = 0
    lost_up: int = 0
    expected_down: int = 0
    lost_down: int = 0
    jitter_up_ms: int | None = None
    jitter_down_ms: int | None = None
    rtt_ms: int | None = None
    ws_rtt_ms: int | None = None
    delay_up_ms: int | None = None
    spread_up_ms: int | None = None
    silent_ms: int | None = None
    buffer_ms: int | None = None
    concealed_pct: int | None = None
    available_kbps: int | None = None
    cut: bool = False


# Code of the ``array`` module for each column; capitals are unsigned.
_CODES = {"at_s": "I", "bytes_up": "I", "bytes_down": "I", "lost_up": "h", "lost_down": "h", "cut": "B"}
_NAMES = tuple(Second.__slots__)
_KNOWN = {"B": (0, 0xFE), "H": (0, 0xFFFE), "h": (-0x8000, 0x7FFE), "I": (0, 0xFFFF_FFFE)}


class Ring:
    """The last ten minutes of one line, a second each."""

    __slots__ = ("_columns", "_next")

    def __init__(self) -> None:
        self._columns = tuple(array(_CODES.get(name, "H")) for name in _NAMES)
        self._next = 0

    def __len__(self) -> int:
        """How many seconds are kept."""
        return len(self._columns[0])

    def add(self, second: Second) -> None:
        """Keep a second."""
        full = len(self) == SECONDS
        for name, column in zip(_NAMES, self._columns, strict=True):
            lowest, highest = _KNOWN[column.typecode]
            value = getattr(second, name)
            kept = highest + 1 if value is None else min(max(int(value), lowest), highest)
            if full:
                column[self._next] = kept
            else:
                column.append(kept)
        self._next = (self._next + 1) % SECONDS

    def last(self, count: int) -> list[Second]:
        """Return the last seconds, the oldest first."""
        size = len(self)
        places = [(self._next - back) % SECONDS for back in range(min(count, size), 0, -1)]
        return [self._second(place) for place in places]

    def _second(self, place: int) -> Second:
        values: dict[str, Any] = {}
        for name, column in zip(_NAMES, self._columns, strict=True):
            value = column[place]
            values[name] = None if value == _KNOWN[column.typecode][1] + 1 else value
        values["cut"] = bool(values["cut"])
        return Second(**values)

    def column(self, name: str, count: int) -> list[int]:
        """Return what is known of one column over the last seconds, the oldest first."""
        column = self._columns[_NAMES.index(name)]
        unknown = _KNOWN[column.typecode][1] + 1
        places = [(self._next - back) % SECONDS for back in range(min(count, len(self)), 0, -1)]
        return [column[place] for place in places if column[place] != unknown]

    @property
    def size_bytes(self) -> int:
        """How much memory the columns take."""
        return sum(column.buffer_info()[1] * column.itemsize for column in self._columns)
