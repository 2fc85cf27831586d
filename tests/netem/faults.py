"""The script of faults: what is done to whose line, how strongly, and what the monitor ought to call it.

Two people talk, each behind a ``Network`` of their own; a fault is done to one of them (or to the
server), and everything else stays whole. ``script()`` lists them all; nothing here waits or sends.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass

from tests.netem.model import CLEAN, CUT, Conditions, bursts


class Kind(enum.StrEnum):
    """What is wrong. The words are those of the monitor's causes."""

    LOSS = "loss"
    DELAY = "delay"
    JITTER = "jitter"
    RATE = "rate"
    CUT = "cut"
    PATH_CHANGED = "path_changed"
    UDP_BLOCKED = "udp_blocked"
    BROWSER_CLOSED = "browser_closed"
    SERVER = "server"


class Side(enum.StrEnum):
    """Whose line, or the server itself."""

    CLIENT = "client"
    COUNSELOR = "counselor"
    SERVER = "server"


class Deed(enum.Enum):
    """What is done to the side. ``LINE`` sets ``up`` and ``down`` and heals afterwards."""

    LINE = "line"
    REBIND = "rebind"
    MOVE = "move"
    BLOCK_UDP = "block UDP"
    CLOSE_PAGE = "close the page"
    STAND_STILL = "stand still"


UP, DOWN, BOTH = "up", "down", "both"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``seconds`` is how long it lasts; 0: it is done at once and cannot be undone."""

    kind: Kind
    side: Side
    what: str
    seconds: float
    direction: str = BOTH
    mode: str = "video"
    deed: Deed = Deed.LINE
    up: Conditions = CLEAN
    down: Conditions = CLEAN

    @property
    def name(self) -> str:
        """Unique in the script."""
        return f"{self.side}: {self.what}, {self.mode}"


# Long enough for a grade (4 s) after the first reports. Browsers report on voice every 5 s only, and two
# reports make a jitter on the way down.
HOLD_S = {"video": 10.0, "voice": 18.0}
JITTER_S = 16.0

ONE_WAY: tuple[tuple[Kind, str, Conditions], ...] = (
    (Kind.LOSS, "10 % of packets lost", Conditions(loss=0.10)),
    (Kind.LOSS, "25 % of packets lost", Conditions(loss=0.25)),
    (Kind.LOSS, "20 % lost in bursts of 8", bursts(share=0.20, packets=8)),
    (Kind.JITTER, "stalls of 400 ms", Conditions(stall_ms=400, stall_every_ms=800)),
    (Kind.JITTER, "30 % come 350 ms behind the rest", Conditions(delay_ms=350, reorder=0.7)),
    (Kind.RATE, "250 kbit/s", Conditions(rate_kbps=250, queue_ms=500)),
    (Kind.RATE, "120 kbit/s", Conditions(rate_kbps=120, queue_ms=800)),
    (Kind.CUT, "cut for 5 s", CUT),
)
BOTH_WAYS: tuple[tuple[Kind, str, float | None, Conditions], ...] = (
    (Kind.DELAY, "250 ms more each way", None, Conditions(delay_ms=250)),
    (Kind.DELAY, "450 ms more each way", None, Conditions(delay_ms=450)),
    (Kind.CUT, "cut for 3 s", 3.0, CUT),
    (Kind.CUT, "cut for 8 s", 8.0, CUT),
)
IN_VOICE: tuple[tuple[Kind, str, Conditions], ...] = (
    (Kind.LOSS, "15 % of packets lost", Conditions(loss=0.15)),
    (Kind.CUT, "cut for 4 s", CUT),
)
AT_ONCE: tuple[tuple[Kind, Deed, str], ...] = (
    (Kind.PATH_CHANGED, Deed.REBIND, "the NAT forgot its bindings"),
    (Kind.PATH_CHANGED, Deed.MOVE, "a new address"),
    (Kind.UDP_BLOCKED, Deed.BLOCK_UDP, "UDP is blocked"),
    (Kind.BROWSER_CLOSED, Deed.CLOSE_PAGE, "the browser is closed"),
)


def script() -> tuple[Fault, ...]:
    """All faults, those of both sides taking turns."""
    sides = (Side.CLIENT, Side.COUNSELOR)
    pairs = zip(*(tuple(_of(side)) for side in sides), strict=True)
    server = (
        Fault(Kind.SERVER, Side.SERVER, f"stands still for {seconds:.0f} s", seconds, deed=Deed.STAND_STILL)
        for seconds in (3.0, 6.0)
    )
    return (*(fault for pair in pairs for fault in pair), *server)


def _of(side: Side) -> Iterator[Fault]:
    for kind, what, conditions in ONE_WAY:
        for direction in (UP, DOWN):
            yield _one_way(kind, side, what, conditions, direction)
    for kind, what, seconds, conditions in BOTH_WAYS:
        lasts = HOLD_S["video"] if seconds is None else seconds
        yield Fault(kind, side, what, lasts, up=conditions, down=conditions)
    for kind, what, conditions in IN_VOICE:
        if kind is Kind.CUT:
            yield Fault(kind, side, what, 4.0, mode="voice", up=conditions, down=conditions)
        else:
            yield from (_one_way(kind, side, what, conditions, way, mode="voice") for way in (UP, DOWN))
    for kind, deed, what in AT_ONCE:
        yield Fault(kind, side, what, 0.0, deed=deed)


def _one_way(
    kind: Kind, side: Side, what: str, conditions: Conditions, direction: str, *, mode: str = "video"
) -> Fault:
    lasts = {Kind.CUT: 5.0, Kind.JITTER: JITTER_S}.get(kind, HOLD_S[mode])
    up, down = (conditions, CLEAN) if direction == UP else (CLEAN, conditions)
    words = f"{what} on the way {direction}"
    return Fault(kind, side, words, lasts, direction, mode, up=up, down=down)
