"""Which live sessions stand in the list, and which goes first."""

from __future__ import annotations

from core.ids import ParticipantId, SessionId
from media import ladder
from media.codecs import Mode
from media.diagnosis import Cause, Direction, Trouble
from media.grading import Grade
from media.ladder import Advice, Picture
from signaling import events as ev
from signaling.gaps import Blame
from signaling.live import Live
from signaling.protocol import Reason
from signaling.quality_trouble import in_trouble
from tests.signaling.relay import sample
from tests.signaling.rig import NOW, A, B, Rig


def live(name: str = "s_1", mode: Mode = Mode.VIDEO) -> tuple[Rig, Live]:
    rig = Rig(mode)
    rig.meet()
    one = Live(SessionId(name), "t_", rig.call)
    for place in (A, B):
        one.meters[place].sample = sample(rig.leg_of[place])
    return rig, one


def graded(one: Live, place: ParticipantId, grade: Grade, cause: Cause | None = None) -> None:
    one.meters[place].line.steady.grade = grade
    one.meters[place].line.cause = cause


def test_good_lines_and_sessions_that_nobody_has_entered_are_no_trouble() -> None:
    _, good = live()
    empty = Live(SessionId("s_2"), "t_", Rig().call)
    assert in_trouble([good, empty], now_s=0.0) == []


def test_a_fair_line_is_told_beside_a_weak_one_and_is_none_by_itself() -> None:
    _, one = live()
    graded(one, A, Grade.FAIR)
    assert in_trouble([one], now_s=0.0) == []
    graded(one, B, Grade.POOR, Cause(Trouble.RATE, Direction.UP))
    (found,) = in_trouble([one], now_s=0.0)
    client, counselor = found.sides
    assert (client.grade, client.cause, client.is_bad) == (Grade.FAIR, None, False)
    assert (counselor.grade, counselor.is_bad) == (Grade.POOR, True)
    assert counselor.cause == Blame("up", "rate")


def test_who_is_gone_goes_before_who_is_lost_and_weak() -> None:
    rig, gone = live("s_gone")
    rig.apply(ev.LegSilent(rig.leg_of[A], 1_500))
    _, lost = live("s_lost")
    graded(lost, A, Grade.LOST)
    lost.meters[A].breaks.silent(3_000, NOW, 0.0)
    _, weak = live("s_weak")
    graded(weak, B, Grade.POOR)
    found = in_trouble([weak, lost, gone], now_s=0.0)
    assert [one.session for one in found] == ["s_gone", "s_lost", "s_weak"]
    assert [side.gone for side in found[0].sides] == [True, False]
    assert found[1].sides[0].cause == Blame("both", "cut")


def test_what_the_line_took_is_trouble_and_what_somebody_chose_is_none() -> None:
    _, paused = live()
    blame = ladder.Blame(0, Cause(Trouble.RATE, Direction.UP))
    paused.advice = {A: Advice(picture=Picture.PAUSED, blame=blame)}
    (found,) = in_trouble([paused], now_s=0.0)
    assert found.stepped_down
    paused.advice = {A: Advice(picture=Picture.PAUSED)}
    assert in_trouble([paused], now_s=0.0) == [], "a browser's word alone"
    for reason, count in ((Reason.NETWORK, 1), (Reason.USER, 0)):
        rig, moved = live()
        rig.apply(ev.WishesMode(A, Mode.VOICE, reason))
        assert len(in_trouble([moved], now_s=0.0)) == count, reason
