"""The quality of a line in plain words: causes, events, durations and figures, in the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from media.diagnosis import Direction
from media.grading import Grade
from signaling.gaps import Blame, blame_of
from signaling.mode import BEGAN
from web.render import Renderer, say_number

OF_A_WAY: Final = frozenset({"loss", "delay", "jitter", "rate", "cut"})
"""Kinds of trouble for which it matters which way of a line they are on."""
CAUSED: Final = frozenset({"interrupted", "resumed"})
NETWORKS: Final = frozenset({"wifi", "cellular", "ethernet"})
MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Words:
    """Speaks one language."""

    renderer: Renderer
    language: str

    def text(self, key: str, **places: object) -> str:
        """Return a text."""
        return self.renderer.text(self.language, key, **places)

    def number(self, value: float, digits: int = 0) -> str:
        """Write a number."""
        return say_number(value, language=self.language, digits=digits)

    def figure(self, value: float | None, unit: str) -> str:
        """Write a measured value with its unit, in words where there is none."""
        if value is None:
            return self.text("quality.unknown")
        digits = {"ms": 0, "pct": 1, "mos": 1, "mb": 1}[unit]
        return self.text(f"quality.in_{unit}", value=self.number(value, digits))

    def long(self, ms: float) -> str:
        """Write a duration in the unit that says enough."""
        if ms < MINUTE_MS:
            return self.text("quality.seconds", value=self.number(ms / 1000, 1))
        if ms < HOUR_MS:
            return self.text("quality.minutes", value=self.number(ms / MINUTE_MS, 1))
        return self.text("quality.hours", value=self.number(ms / HOUR_MS, 1))

    def megabytes(self, count: int) -> str:
        """Write an amount of data, in the megabytes that are paid for."""
        return self.figure(count / 1e6, "mb")

    def who(self, role: str | None) -> str:
        """Name a side, None the session."""
        return self.text(f"quality.who_{role or 'session'}")

    def network(self, word: str | None) -> str:
        """Name a kind of network."""
        return self.text(f"quality.network_{word if word in NETWORKS else 'unknown'}")

    def cause(self, cause: Blame, role: str | None) -> str:
        """Say what a line had, and on which way of whose line."""
        kind = self.text(f"quality.kind_{cause.kind}")
        if role is None or cause.kind not in OF_A_WAY or cause.direction not in set(Direction):
            return kind
        return self.text(
            "quality.kind_on_way", kind=kind, way=self.text(f"quality.way_{cause.direction}_{role}")
        )

    def event(self, kind: str, detail: Mapping[str, Any], role: str | None) -> str:
        """Say what happened to a side. Kinds that have no words yet are said in general ones."""
        say = _SAY.get(kind)
        words = self.text(f"quality.event_{kind}") if say is None and kind in PLAIN else ""
        if say is not None:
            words = say(self, detail)
        if kind in CAUSED or (kind == "grade" and "kind" in detail):
            words = self.text("quality.because", what=words, cause=self.cause(blame_of(detail), role))
        if kind == "picture" and "whose" in detail:
            cause = self.cause(blame_of(detail), str(detail["whose"]))
            words = self.text(
                "quality.because", what=self.text(f"quality.event_step_{detail.get('step')}"), cause=cause
            )
        left_out = detail.get("left_out")
        told = words or self.text("quality.event_other")
        return told if not left_out else self.text("quality.left_out", what=told, count=left_out)


PLAIN: Final = frozenset(
    {
        "chat",
        "ice_restart",
        "socket_lost",
        "left",
        "left_quickly",
        "phone",
        "grace_over",
        "entered",
        "leg_lost",
        "negotiation_timeout",
    }
)
"""Kinds of events whose words are always the same."""


def _gap(key: str) -> Callable[[Words, Mapping[str, Any]], str]:
    def say(words: Words, detail: Mapping[str, Any]) -> str:
        gap_ms = detail.get("gap_ms")
        if not isinstance(gap_ms, int | float) or gap_ms <= 0:
            return words.text(f"quality.event_{key}")
        return words.text(f"quality.event_{key}_after", long=words.long(gap_ms))

    return say


def _grade(words: Words, detail: Mapping[str, Any]) -> str:
    grade = detail.get("to")
    return words.text(f"quality.event_grade_{grade}") if grade in set(Grade) else ""


def _path(words: Words, detail: Mapping[str, Any]) -> str:
    way = f"{str(detail.get('transport', '')).upper()}, IPv{detail.get('ip_version', '')}"
    return words.text("quality.event_path_first" if detail.get("first") else "quality.event_path", way=way)


def _step(words: Words, detail: Mapping[str, Any]) -> str:
    """Say a step of picture or mode, and who or what took it."""
    step = detail.get("mode", detail.get("step"))
    why = detail.get("reason", detail.get("by"))
    if step not in STEPS_SAID:
        return ""
    if why == BEGAN and "mode" in detail:
        return words.text(f"quality.event_began_{step}")
    said = words.text(f"quality.event_step_{step}")
    by = {"network": "line", "line": "line", "data": "data", "user": "user"}.get(str(why))
    return (
        said if by is None else words.text("quality.because", what=said, cause=words.text(f"quality.by_{by}"))
    )


DEVICES: Final = frozenset({"audio", "video"})
STEPS_SAID: Final = frozenset({"video", "voice", "chat", "full", "less", "small", "paused"})


def _freeze(words: Words, detail: Mapping[str, Any]) -> str:
    return words.text("quality.event_freeze", long=words.long(detail.get("ms", 0)))


def _budget(words: Words, detail: Mapping[str, Any]) -> str:
    mb = detail.get("mb")
    return (
        words.text("quality.event_budget_none") if mb is None else words.text("quality.event_budget", mb=mb)
    )


def _device_lost(words: Words, detail: Mapping[str, Any]) -> str:
    device = detail.get("device")
    return words.text(f"quality.event_device_lost_{device}") if device in DEVICES else ""


_SAY: Final[Mapping[str, Callable[[Words, Mapping[str, Any]], str]]] = {
    "interrupted": _gap("interrupted"),
    "resumed": _gap("resumed"),
    "socket_resumed": _gap("socket_resumed"),
    "path_changed": _path,
    "mode": _step,
    "picture": _step,
    "grade": _grade,
    "freeze": _freeze,
    "budget": _budget,
    "device_lost": _device_lost,
}
KINDS: Final = PLAIN | frozenset(_SAY)
"""Kinds that have words of their own."""
