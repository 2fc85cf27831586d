"""An hour of bad network on the ladder, second by second: nothing flaps, and it ends where it began."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest

from media.climb import CLEAR_FOR_S, LONGEST_WAIT_S, STEP_EVERY_S, STEPS, TROUBLE_FOR_S
from media.codecs import Mode
from media.ladder import Ladder, Picture, Side
from tests.media.test_ladder import Talk

VOICE_KBPS = 45.0
CAPS_KBPS = {Picture.FULL: 900.0, Picture.LESS: 300.0, Picture.SMALL: 100.0, Picture.PAUSED: 0.0}
SMALLEST_PICTURE_KBPS = 50.0


@dataclass(frozen=True)
class Weather:
    """What a leg carries for a while: kbit/s, percent lost whatever is sent, and a round trip."""

    kbps: float
    loss_pct: float
    rtt_ms: float
    cut: bool = False


def weather(dice: random.Random) -> Iterator[Weather]:
    """A train ride: seconds of one leg, for ever."""
    while True:
        kind = dice.choices(("good", "thin", "lossy", "far", "cut"), (6, 4, 3, 2, 1))[0]
        thin = dice.choice((20.0, 60.0, 130.0, 250.0, 500.0))
        now = {
            "good": Weather(4_000.0, dice.uniform(0, 1), 50.0),
            "thin": Weather(thin, dice.uniform(0, 2), 80.0),
            "lossy": Weather(2_000.0, dice.uniform(3, 45), 60.0),
            "far": Weather(1_500.0, 1.0, dice.uniform(300, 700)),
            "cut": Weather(0.0, 100.0, 50.0, cut=True),
        }[kind]
        for _ in range(dice.randint(2, 12) if now.cut else dice.randint(5, 150)):
            yield now


def seen(now: Weather, load_up: float, load_down: float, other_lost: float, silent_ms: int) -> Side:
    """What the monitor sees of a leg under a load; who sends more than the leg carries fills its queue."""

    def lost(load: float) -> float:
        spilled = max(0.0, 1 - now.kbps / load) if load else 0.0
        return 100 * (1 - (1 - now.loss_pct / 100) * (1 - spilled))

    full = max(load_up, load_down) > now.kbps
    heard_pct = min(100.0, lost(load_down) + other_lost)
    return Side(
        loss_up_pct=lost(load_up),
        loss_down_pct=lost(load_down),
        rtt_ms=now.rtt_ms + (500.0 if full else 0.0),
        available_kbps=min(now.kbps, 2_500.0),
        mos=max(1.0, 4.4 - 0.11 * heard_pct),
        silent_ms=silent_ms,
    )


def load(ladder: Ladder, number: int, mode: Mode, kbps: float) -> float:
    """What a sender puts on the line: its congestion control makes its picture fit, down to a point."""
    if mode is Mode.CHAT:
        return 0.0
    cap = CAPS_KBPS[ladder.ways[number].step] if mode is Mode.VIDEO else 0.0
    return VOICE_KBPS + min(cap, max(kbps - VOICE_KBPS, SMALLEST_PICTURE_KBPS))


def ride(talk: Talk, legs: tuple[Callable[[], Weather], Callable[[], Weather]], seconds: int) -> list[str]:
    """Let a session live on two legs. Returns how the voice was, second by second."""
    silent, hours = [0, 0], []
    for _ in range(seconds):
        here = (legs[0](), legs[1]())
        kbps = min(here[0].kbps, here[1].kbps)
        loads = [load(talk.ladder, number, talk.mode, kbps) for number in (0, 1)]
        for number in (0, 1):
            silent[number] = silent[number] + 1_000 if here[number].cut else 20
        sides = tuple(seen(here[n], loads[n], loads[1 - n], here[1 - n].loss_pct, silent[n]) for n in (0, 1))
        if talk.mode is Mode.CHAT:
            sides = tuple(replace(side, speaks=False, mos=None) for side in sides)
        talk.look((sides[0], sides[1]))
        cut = any(each.cut for each in here)
        hours.append("cut" if cut else "bad" if min(side.mos or 5 for side in sides) < 3.1 else "good")
        offered = talk.mode is Mode.CHAT and talk.last[0].mode is Mode.VOICE
        if offered:
            talk.move(Mode.VOICE)  # A person presses the button.
    return hours


@pytest.mark.parametrize("seed", range(20))
def test_an_hour_of_bad_network_flaps_nothing_and_ends_where_it_began(seed: int) -> None:
    dice = random.Random(seed)
    one, other = weather(random.Random(dice.random())), weather(random.Random(dice.random()))
    talk = Talk()
    ride(talk, (lambda: next(one), lambda: next(other)), 3_600)
    for number in (0, 1):
        times = [at for at, who, _ in talk.steps if who == number]
        assert all(b - a >= STEP_EVERY_S or _moved(talk, b) for a, b in pairwise(times))
    assert all(b - a >= STEP_EVERY_S for a, b in pairwise([at for at, _ in talk.moves]))
    # Up and down again within 20 s is what a person would call flapping.
    assert _flaps(talk) <= 12
    assert len(talk.moves) <= 48
    clear = Weather(4_000.0, 0.0, 50.0)
    talk.steps.clear()
    ride(talk, (lambda: clear, lambda: clear), int(4 * LONGEST_WAIT_S))
    assert talk.shows(Picture.FULL, Picture.FULL)


@pytest.mark.parametrize("kbps", [25.0, 60.0, 110.0, 200.0, 320.0])
def test_an_hour_of_the_same_thin_line_is_tried_ever_less_often(kbps: float) -> None:
    talk = Talk()
    thin, clear = Weather(kbps, 0.5, 60.0), Weather(4_000.0, 0.0, 40.0)
    ride(talk, (lambda: thin, lambda: clear), 3_600)
    late = [at for at, _, _ in talk.steps if at > talk.now_s - 1_800]
    late += [at for at, _ in talk.moves if at > talk.now_s - 1_800]
    # Up and down again on both ways, each time as late as may be.
    assert len(late) <= 4 * 1_800 / LONGEST_WAIT_S


def test_the_voice_is_clear_again_soon_after_the_line_gets_thin() -> None:
    talk = Talk()
    clear = Weather(4_000.0, 0.0, 40.0)
    ride(talk, (lambda: clear, lambda: clear), 60)
    thin = Weather(70.0, 0.5, 60.0)
    voice = ride(talk, (lambda: thin, lambda: clear), 40)
    assert voice.count("bad") <= TROUBLE_FOR_S + 2 * STEP_EVERY_S + 1
    assert voice[-20:] == ["good"] * 20


def _moved(talk: Talk, at_s: float) -> bool:
    """Whether a step came with the session's own move: back in video a picture begins small."""
    return any(0 <= at_s - moved_s <= 1 for moved_s, _ in talk.moves)


def _flaps(talk: Talk) -> int:
    """How often a picture went up and down again within 20 s."""
    flaps = 0
    for number in (0, 1):
        mine = [(at, STEPS.index(step)) for at, who, step in talk.steps if who == number]
        for (_, before), (up_s, up), (down_s, down) in zip(mine, mine[1:], mine[2:], strict=False):
            flaps += up < before and down > up and down_s - up_s < CLEAR_FOR_S
    return flaps
