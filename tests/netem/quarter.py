"""A bad quarter of an hour: one fault after another, on both lines, with calm between them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from tests.netem.faults import Fault, Kind, Side, script

LENGTH_S = 900.0


@dataclass(frozen=True, slots=True)
class Episode:
    """One fault, so many seconds after the talk began."""

    at_s: float
    fault: Fault

    @property
    def ends_s(self) -> float:
        """When it is undone."""
        return self.at_s + self.fault.seconds


def _fault(side: Side, what: str, seconds: float | None = None) -> Fault:
    found = next(one for one in script() if one.side is side and one.what == what and one.mode == "video")
    return found if seconds is None else replace(found, seconds=seconds)


def whole() -> tuple[Episode, ...]:
    """All of it."""
    client, counselor = Side.CLIENT, Side.COUNSELOR
    return (
        Episode(45, _fault(client, "10 % of packets lost on the way down", 60)),
        Episode(150, _fault(counselor, "250 ms more each way", 60)),
        Episode(255, _fault(client, "cut for 8 s")),
        Episode(305, _fault(client, "250 kbit/s on the way up", 75)),
        Episode(425, _fault(counselor, "stalls of 400 ms on the way down", 60)),
        Episode(535, _fault(client, "a new address")),
        Episode(580, _fault(counselor, "cut for 5 s on the way up")),
        Episode(625, _fault(counselor, "25 % of packets lost on the way up", 45)),
        Episode(720, _fault(counselor, "cut for 3 s")),
        Episode(765, _fault(client, "20 % lost in bursts of 8 on the way down", 45)),
        Episode(860, _fault(client, "UDP is blocked")),
    )


def shortened(
    *, calm_s: float, longest_s: float, kinds: Collection[Kind] = tuple(Kind)
) -> tuple[Episode, ...]:
    """Its faults of these kinds in their order, none longer than ``longest_s``, so much calm before each."""
    at_s = 0.0
    found = []
    for each in whole():
        if each.fault.kind not in kinds:
            continue
        fault = replace(each.fault, seconds=min(each.fault.seconds, longest_s))
        at_s += calm_s
        found.append(Episode(at_s, fault))
        at_s += fault.seconds
    return tuple(found)
