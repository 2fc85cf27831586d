"""The ladder: one step at a time, the voice before the picture, a person's choice before both, and back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest

from media.climb import CLEAR_FOR_S, STEP_EVERY_S, TROUBLE_FOR_S
from media.codecs import Mode
from media.diagnosis import Cause, Direction, Trouble
from media.ladder import Advice, Blame, Ladder, Picture, Side

GOOD = Side(loss_up_pct=0.0, loss_down_pct=0.0, rtt_ms=40.0, available_kbps=1_500.0, mos=4.3, silent_ms=20)
LOSSY_UP = replace(GOOD, loss_up_pct=12.0)
USELESS_UP = replace(GOOD, loss_up_pct=45.0)


@dataclass
class Talk:
    """A session on the ladder, second by second. The pages obey, unless a test says otherwise."""

    ladder: Ladder = field(default_factory=Ladder)
    mode: Mode = Mode.VIDEO
    by_line: bool = False
    by_hand: bool = False
    obeys: bool = True
    now_s: float = 1_000.0
    steps: list[tuple[float, int, Picture]] = field(default_factory=list)
    moves: list[tuple[float, Mode]] = field(default_factory=list)
    last: tuple[Advice, Advice] = (Advice(), Advice())

    def look(self, sides: tuple[Side, Side]) -> tuple[Advice, Advice]:
        """One second."""
        self.now_s += 1
        before = self.last
        self.last = self.ladder.look(
            sides, self.now_s, mode=self.mode, by_line=self.by_line, by_hand=self.by_hand
        )
        for number in (0, 1):
            if self.last[number].picture is not before[number].picture:
                self.steps.append((self.now_s, number, self.last[number].picture))
        target = next((advice.mode for advice in self.last if advice.mode is not None), None)
        if self.obeys and target is not None and self.mode is not Mode.CHAT:
            self.move(target)
        return self.last

    def move(self, mode: Mode, *, by_hand: bool = False) -> None:
        """The session moves."""
        self.mode, self.by_hand, self.by_line = mode, by_hand, not by_hand
        self.moves.append((self.now_s, mode))

    def shows(self, *pictures: Picture, mode: Mode = Mode.VIDEO) -> bool:
        """Whether the session is in this mode and the first side, or each, at this step."""
        return self.mode is mode and all(
            advice.picture is picture for advice, picture in zip(self.last, pictures, strict=False)
        )

    def go(self, seconds: int, sides: tuple[Side, Side]) -> tuple[Advice, Advice]:
        """Some seconds of the same."""
        for _ in range(seconds):
            self.look(sides)
        return self.last


def test_a_good_line_is_left_alone() -> None:
    talk = Talk()
    assert talk.go(600, (GOOD, GOOD)) == (Advice(), Advice())
    assert talk.steps == []


@pytest.mark.parametrize(
    ("sides", "sender"),
    [
        ((LOSSY_UP, GOOD), 0),
        ((GOOD, LOSSY_UP), 1),
        ((replace(GOOD, loss_down_pct=12.0), GOOD), 1),
        ((GOOD, replace(GOOD, loss_down_pct=12.0)), 0),
        ((replace(GOOD, available_kbps=90.0), GOOD), 0),
        ((replace(GOOD, mos=3.3, loss_down_pct=4.0), GOOD), 1),
    ],
)
def test_the_picture_that_goes_over_the_bad_leg_steps_down(sides: tuple[Side, Side], sender: int) -> None:
    talk = Talk()
    talk.go(30, (GOOD, GOOD))
    advice = talk.go(int(TROUBLE_FOR_S) + 1, sides)
    assert advice[sender].picture is Picture.LESS
    assert advice[1 - sender].picture is Picture.FULL


def test_it_goes_down_one_step_in_eight_seconds_and_up_one_in_twenty() -> None:
    talk = Talk()
    talk.go(30, (GOOD, GOOD))
    starved = replace(GOOD, available_kbps=60.0)
    talk.go(40, (starved, GOOD))
    assert [step for _, _, step in talk.steps] == [Picture.LESS, Picture.SMALL, Picture.PAUSED]
    assert all(b[0] - a[0] >= STEP_EVERY_S for a, b in pairwise(talk.steps))
    talk.steps.clear()
    talk.go(200, (GOOD, GOOD))
    assert [step for _, _, step in talk.steps] == [Picture.SMALL, Picture.LESS, Picture.FULL]
    assert talk.moves == []
    assert all(b[0] - a[0] >= CLEAR_FOR_S for a, b in pairwise(talk.steps))


def test_a_moment_of_trouble_changes_nothing() -> None:
    talk = Talk()
    for _ in range(60):
        talk.go(8, (GOOD, GOOD))
        talk.go(2, (USELESS_UP, GOOD))
    assert talk.steps == []


def test_between_good_and_bad_nothing_moves() -> None:
    talk = Talk()
    talk.go(8, (replace(GOOD, available_kbps=60.0), GOOD))
    steps = len(talk.steps)
    talk.go(300, (replace(GOOD, loss_up_pct=5.0), GOOD))
    assert steps == len(talk.steps) == 1


def test_packets_that_wait_are_trouble_and_a_long_way_is_not() -> None:
    far = replace(GOOD, rtt_ms=650.0, mos=2.9)
    talk = Talk()
    talk.go(300, (far, far))
    assert talk.steps == []
    talk.go(6, (replace(far, rtt_ms=1_050.0), far))
    assert talk.last[0].picture is Picture.LESS


def test_voice_follows_when_paused_pictures_do_not_help_and_the_owner_of_the_line_is_asked() -> None:
    talk = Talk(obeys=False)
    talk.go(20, (GOOD, GOOD))
    bad_down = replace(GOOD, loss_down_pct=15.0)
    talk.go(26, (bad_down, GOOD))
    assert talk.last[1].picture is Picture.PAUSED
    paused_s = talk.steps[-1][0]
    while talk.last[0].mode is None:
        talk.go(1, (bad_down, GOOD))
    assert talk.now_s - paused_s >= STEP_EVERY_S
    assert (talk.last[0].mode, talk.last[1].mode) == (Mode.VOICE, None)


def test_without_a_picture_voice_needs_no_three_steps() -> None:
    talk = Talk(obeys=False)
    silent = replace(LOSSY_UP, sends_picture=False)
    talk.go(20, (replace(GOOD, sends_picture=False), GOOD))
    talk.go(12, (silent, GOOD))
    assert talk.last[0].mode is Mode.VOICE


def test_what_the_line_took_it_gives_back() -> None:
    talk = Talk()
    talk.go(60, (LOSSY_UP, GOOD))
    assert talk.shows(mode=Mode.VOICE)
    talk.go(40, (GOOD, GOOD))
    assert talk.shows(Picture.SMALL, Picture.SMALL)
    talk.go(60, (GOOD, GOOD))
    assert talk.shows(Picture.FULL, Picture.FULL)


@pytest.mark.parametrize("mode", [Mode.VOICE, Mode.CHAT])
def test_what_a_person_chose_stays(mode: Mode) -> None:
    talk = Talk()
    talk.go(10, (GOOD, GOOD))
    talk.move(mode, by_hand=True)
    talk.go(3_600, (GOOD, GOOD))
    assert talk.mode is mode
    assert talk.last == (Advice(), Advice())


def test_video_that_a_person_chose_is_not_taken_away() -> None:
    talk = Talk()
    talk.go(10, (GOOD, GOOD))
    talk.move(Mode.VOICE)
    talk.move(Mode.VIDEO, by_hand=True)
    talk.go(300, (LOSSY_UP, GOOD))
    assert talk.shows(Picture.PAUSED)


def test_a_picture_that_a_person_holds_stays_and_then_goes_on_from_where_it_was() -> None:
    talk = Talk()
    held = replace(LOSSY_UP, held=Picture.FULL)
    talk.go(300, (held, GOOD))
    assert talk.shows(Picture.FULL)
    assert talk.last[0].redundant
    talk.go(5, (replace(GOOD, held=Picture.PAUSED), GOOD))
    assert talk.shows(Picture.PAUSED)
    talk.go(1, (GOOD, GOOD))
    assert talk.shows(Picture.FULL)
    talk.go(20, (LOSSY_UP, GOOD))
    assert talk.shows(Picture.SMALL)
    talk.go(60, (replace(LOSSY_UP, held=Picture.LESS), GOOD))
    talk.go(1, (LOSSY_UP, GOOD))
    assert talk.shows(Picture.SMALL)


def test_a_voice_that_goes_twice_stays_where_it_would_be_useless_once() -> None:
    lossy, hears = replace(GOOD, loss_up_pct=25.0), replace(GOOD, mos=1.7)
    for sender, mode in (
        (replace(lossy, doubles=True), Mode.VOICE),
        (lossy, Mode.CHAT),
        (replace(lossy, loss_up_pct=60.0, doubles=True), Mode.CHAT),
    ):
        talk = Talk(mode=Mode.VOICE, by_line=True)
        talk.go(60, (sender, hears))
        assert talk.mode is mode


def test_useless_voice_becomes_chat_and_the_way_back_is_only_offered() -> None:
    talk = Talk(mode=Mode.VOICE, by_line=True)
    talk.go(60, (GOOD, replace(GOOD, loss_up_pct=50.0)))
    assert talk.shows(mode=Mode.CHAT)
    quiet = replace(GOOD, loss_up_pct=None, loss_down_pct=None, mos=None, silent_ms=2_500, speaks=False)
    advice = talk.go(60, (quiet, quiet))
    assert talk.shows(mode=Mode.CHAT)
    assert [each.mode for each in advice] == [Mode.VOICE, Mode.VOICE]
    talk.move(Mode.VOICE, by_hand=True)
    assert [each.mode for each in talk.go(5, (GOOD, GOOD))] == [None, None]


def test_a_cut_moves_nothing_however_long() -> None:
    talk = Talk()
    talk.go(30, (GOOD, GOOD))
    for second in range(120):
        talk.look((replace(GOOD, silent_ms=1_200 + 1_000 * second, loss_down_pct=100.0), GOOD))
    assert talk.steps == []
    assert talk.moves == []


def test_one_side_alone_is_advised_nothing() -> None:
    talk = Talk()
    assert talk.go(100, (USELESS_UP, Side())) == (Advice(), Advice())


def test_a_line_that_swings_does_not_begin_and_end_sending_twice_without_end() -> None:
    """Every change is an offer and an answer: an hour of it once had 600."""
    talk, changes = Talk(mode=Mode.VOICE), 0
    lossy = replace(LOSSY_UP, loss_up_pct=8.0)
    for second in range(3_600):
        before = talk.last[0].redundant
        talk.look((replace(lossy, rtt_ms=40.0 if second % 12 < 6 else 180.0), GOOD))
        changes += talk.last[0].redundant is not before
    assert 2 <= changes <= 60


def test_a_short_silence_changes_nothing_about_sending_twice() -> None:
    talk = Talk(mode=Mode.VOICE)
    talk.go(10, (replace(LOSSY_UP, loss_up_pct=8.0), GOOD))
    assert talk.last[0].redundant
    talk.go(2, (replace(LOSSY_UP, silent_ms=1_500), GOOD))
    assert talk.last[0].redundant


def test_the_voice_goes_twice_while_much_is_lost_and_the_line_has_room() -> None:
    talk = Talk(mode=Mode.VOICE)
    talk.go(5, (replace(GOOD, loss_up_pct=4.0, loss_down_pct=0.0), replace(GOOD, loss_down_pct=4.0)))
    assert [advice.redundant for advice in talk.last] == [True, False]
    talk.go(10, (GOOD, GOOD))
    assert [advice.redundant for advice in talk.last] == [True, False]
    talk.go(12, (GOOD, GOOD))
    assert [advice.redundant for advice in talk.last] == [False, False]
    talk.go(10, (replace(LOSSY_UP, rtt_ms=400.0), GOOD))
    assert [advice.redundant for advice in talk.last] == [False, False]


@pytest.mark.parametrize(
    ("sides", "blame"),
    [
        ((LOSSY_UP, GOOD), Blame(0, Cause(Trouble.LOSS, Direction.UP))),
        ((GOOD, replace(GOOD, loss_down_pct=12.0)), Blame(1, Cause(Trouble.LOSS, Direction.DOWN))),
        (
            (replace(GOOD, rtt_ms=440.0, available_kbps=150.0), GOOD),
            Blame(0, Cause(Trouble.RATE, Direction.UP)),
        ),
        (
            (replace(LOSSY_UP, rtt_ms=240.0), GOOD),
            Blame(0, Cause(Trouble.RATE, Direction.UP)),
        ),
        (
            (replace(GOOD, available_kbps=150.0), replace(GOOD, rtt_ms=440.0)),
            Blame(1, Cause(Trouble.RATE, Direction.DOWN)),
        ),
        ((replace(GOOD, available_kbps=150.0), replace(GOOD, rtt_ms=70.0)), None),
        (
            (replace(GOOD, rtt_ms=440.0), replace(GOOD, rtt_ms=440.0)),
            Blame(0, Cause(Trouble.RATE, Direction.UP)),
        ),
    ],
)
def test_a_picture_made_smaller_says_whose_line_and_why(
    sides: tuple[Side, Side], blame: Blame | None
) -> None:
    """Of a browser's word and a round trip that wanders a little nobody is accused."""
    talk = Talk()
    before, _ = talk.go(5, (GOOD, GOOD))
    during, _ = talk.go(6, sides)
    after, _ = talk.go(200, (GOOD, GOOD))
    assert [one.picture for one in (before, during, after)] == [Picture.FULL, Picture.LESS, Picture.FULL]
    assert [one.blame for one in (before, during, after)] == [None, blame, None]
