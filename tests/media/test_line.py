"""Lines in trouble, second by second: each fault of the script is seen and named, and nothing else is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from media.diagnosis import Cause, Direction, Trouble
from media.events import LegId, LegSample, Seen, Transport
from media.grading import Grade
from media.line import Line, Said, heard_mos, wander
from media.observe import Stream
from media.rtcp import ReportBlock
from tests.media.two_lines import TwoLines
from tests.netem.faults import Deed, Fault, Kind, Side, script
from tests.netem.model import CLEAN

SETTLE_S, AFTER_S = 15, 3
LINE_FAULTS = [one for one in script() if one.deed is Deed.LINE and one.kind is not Kind.CUT]


def said_of(fault: Fault, seed: int) -> list[tuple[int, Grade, str, str]]:
    """Do a fault to one line; returns (side, grade, kind, direction) of each change for the worse."""
    call = TwoLines(seed=seed, video=fault.mode == "video")
    call.run(SETTLE_S)
    assert all(side.line.steady.grade is Grade.GOOD for side in call.sides)
    hurt = call.sides[0 if fault.side is Side.CLIENT else 1]
    call.set(hurt, fault.up, fault.down)
    said: list[tuple[int, Grade, str, str]] = []
    shown = [Grade.GOOD, Grade.GOOD]
    for second in range(int(fault.seconds) + AFTER_S):
        if second == int(fault.seconds):
            call.set(hurt, CLEAN, CLEAN)
        call.run(1)
        for number, side in enumerate(call.sides):
            grade, cause = side.line.steady.grade, side.line.cause
            if grade is not shown[number] and grade is not Grade.GOOD:
                assert cause is not None
                said.append((number, grade, cause.kind.value, cause.direction.value))
            shown[number] = grade
    return said


def test_nine_of_ten_faults_are_named_and_all_are_seen() -> None:
    named, all_of_them, wrong_side = 0, 0, 0
    for fault in LINE_FAULTS:
        for seed in (1, 2):
            said = said_of(fault, seed)
            assert said, f"{fault.name} was not seen"
            hurt = 0 if fault.side is Side.CLIENT else 1
            all_of_them += 1
            wrong_side += any(side != hurt for side, *_ in said)
            _, _, kind, direction = said[-1]
            named += (kind, direction) == (fault.kind.value, fault.direction)
    assert named >= 0.9 * all_of_them
    assert wrong_side <= 0.1 * all_of_them


@pytest.mark.parametrize("video", [True, False])
def test_ten_minutes_of_a_whole_network_raise_no_alarm(*, video: bool) -> None:
    """Two of them muted, two with nothing but the comfort packets of DTX."""
    call = TwoLines(seed=5, video=video)
    for minute in range(10):
        call.sides[0].muted = minute in (3, 4)
        call.sides[1].dtx = minute in (6, 7)
        for _ in range(60):
            call.run(1)
            assert all(side.line.steady.grade is Grade.GOOD for side in call.sides)


def sample(seen: Seen | None, *, silent_ms: int = 0, leg: str = "l_1") -> LegSample:
    return LegSample(
        leg=LegId(leg),
        rtt_ms=None,
        jitter_ms=1.0,
        kbps_up=0.0,
        kbps_down=0.0,
        bytes_up=0,
        bytes_down=0,
        silent_ms=silent_ms,
        transport=Transport.UDP,
        ip_version=4,
        seen=seen,
    )


def test_counters_that_go_back_begin_anew() -> None:
    line = Line()
    for now_s, (expected, lost) in enumerate([(1_000, 100), (1_050, 101), (20, 0), (70, 1)]):
        seen = Seen(at=now_s, expected_up=expected, lost_up=lost, packets_up=expected - lost)
        line.take(sample(seen), ws_rtt_ms=None, now_s=now_s)
    found = [(one.expected_up, one.lost_up, one.packets_up) for one in line.ring.last(10)]
    assert found == [(50, 1, 49), (0, 0, 0), (50, 1, 49)]


def test_another_leg_is_no_jump() -> None:
    line = Line()
    line.take(sample(Seen(at=1, expected_up=90_000, lost_up=10)), ws_rtt_ms=None, now_s=1)
    assert line.take(sample(Seen(at=2, expected_up=50), leg="l_2"), ws_rtt_ms=None, now_s=2) is None
    assert line.take(sample(None), ws_rtt_ms=None, now_s=3) is None


def test_who_comes_back_after_an_absence_is_graded_by_what_is_now() -> None:
    line = Line()
    for now_s in range(20):
        seen = Seen(at=now_s, expected_up=50 * now_s, lost_up=15 * now_s)
        line.take(sample(seen), ws_rtt_ms=None, now_s=now_s)
        line.look(silent_ms=0, expected=True, peer_spread_ms=0, now_s=now_s)
    assert line.steady.grade is Grade.POOR
    told = []
    for now_s in range(1_800, 1_805):
        seen = Seen(at=now_s, expected_up=50 * (now_s - 1_800))
        line.take(sample(seen, leg="l_2"), ws_rtt_ms=None, now_s=now_s)
        told.append(line.look(silent_ms=0, expected=True, peer_spread_ms=0, now_s=now_s))
    assert (line.steady.grade, line.ways.loss_up_pct) == (Grade.GOOD, 0.0)
    assert told == [False, False, False, False, True]


def test_a_senders_clock_that_jumps_is_no_delay() -> None:
    line = Line()
    for now_s in range(20):
        jump = 2_000.0 if now_s >= 10 else 0.0
        seen = Seen(at=now_s, voice=7, transits_ms=(jump + 5.0, jump + 9.0), rtts_ms=(40.0,))
        line.take(sample(seen), ws_rtt_ms=None, now_s=now_s)
    assert {one.delay_up_ms for one in line.ring.last(20)} == {0}


def test_what_a_cut_swallowed_is_not_loss() -> None:
    line = Line()
    sent = 0
    for now_s in range(20):
        silent = 6 <= now_s < 10
        sent += 50
        seen = Seen(at=now_s, expected_up=sent, lost_up=200 if now_s >= 10 else 0, rtts_ms=(30.0,))
        line.take(sample(seen, silent_ms=1_000 * (now_s - 5) if silent else 0), ws_rtt_ms=None, now_s=now_s)
        changed = line.look(
            silent_ms=1_000 * (now_s - 5) if silent else 0, expected=True, peer_spread_ms=0, now_s=now_s
        )
        assert changed is (now_s in (8, 10))
    assert line.steady.grade is Grade.GOOD


def test_a_muted_side_is_not_lost() -> None:
    line = Line()
    for now_s in range(20):
        line.take(sample(Seen(at=now_s), silent_ms=900 * now_s), ws_rtt_ms=None, now_s=now_s)
        line.look(silent_ms=900 * now_s, expected=False, peer_spread_ms=0, now_s=now_s)
    assert line.steady.grade is Grade.GOOD


def test_who_only_listens_has_a_line_too() -> None:
    """No voice and no picture come from them, only checks each 2.5 s; a third of what they hear is lost."""
    line = Line()
    for now_s in range(30):
        silent_ms = (1_000 * now_s + 700) % 2_500
        seen = Seen(at=now_s, expected_down=50 * now_s, lost_down=15 * now_s, rtts_ms=(60.0,))
        line.take(sample(seen, silent_ms=silent_ms), ws_rtt_ms=None, now_s=now_s)
        line.look(silent_ms=silent_ms, expected=False, peer_spread_ms=0, now_s=now_s)
    assert not any(one.cut for one in line.ring.last(30))
    assert (line.steady.grade, line.cause) == (Grade.POOR, Cause(Trouble.LOSS, Direction.DOWN))


def test_a_mute_that_was_announced_is_no_cut() -> None:
    line = Line()
    for now_s in range(20):
        muted_ms = 1_000 * max(0, now_s - 10)
        seen = Seen(at=now_s, expected_up=50 * min(now_s, 10), unsaid_ms=None if muted_ms else 20)
        line.take(sample(seen, silent_ms=muted_ms % 2_500), ws_rtt_ms=None, now_s=now_s)
    assert not any(one.cut for one in line.ring.last(20))


def test_a_picture_alone_that_stops_is_cut_at_once_and_a_listener_after_some_checks() -> None:
    for frames, cut_after_s in ((50, 1), (0, 7)):
        line = Line()
        for now_s in range(20):
            silent_ms = 1_000 * max(0, now_s - 11)
            seen = Seen(at=now_s, expected_up=frames * min(now_s, 11))
            line.take(sample(seen, silent_ms=silent_ms), ws_rtt_ms=None, now_s=now_s)
        assert [one.cut for one in line.ring.last(8)] == [at >= cut_after_s for at in range(1, 9)]


def test_a_browser_alone_makes_no_line_bad() -> None:
    """It says that it hears nothing but holes; the relay saw every packet arrive."""
    line = Line()
    liar = Said(rtt_ms=9_000, buffer_ms=9_000, concealed_pct=100, available_kbps=0)
    for now_s in range(30):
        seen = Seen(at=now_s, expected_up=50 * now_s, expected_down=50 * now_s, rtts_ms=(30.0,))
        line.take(sample(seen), said=liar, ws_rtt_ms=20.0, now_s=now_s)
        assert not line.look(silent_ms=0, expected=True, peer_spread_ms=0, now_s=now_s)


@pytest.mark.parametrize(
    ("values", "wanders"),
    [
        ([20] * 10, 0),
        ([20, 21, 22, 520, 520, 520, 520, 520], 0),
        ([20, 60, 100, 140, 180, 220, 260, 300], 0),
        ([20, 220, 20, 220, 20, 220, 20, 220], 200),
        ([20, 900, 20, 20, 20, 20, 20, 20], 0),
    ],
)
def test_only_what_goes_up_and_down_wanders(values: list[float], wanders: float) -> None:
    assert wander(values) == wanders


def test_the_voice_is_scored_over_both_legs() -> None:
    near = Line()
    far = Line()
    for now_s in range(10):
        for line, rtt_ms in ((near, 30.0), (far, 600.0)):
            seen = Seen(at=now_s, expected_up=50 * now_s, rtts_ms=(rtt_ms,))
            line.take(sample(seen), ws_rtt_ms=None, now_s=now_s)
            line.look(silent_ms=0, expected=True, peer_spread_ms=0, now_s=now_s)
    quick, slow = (heard_mos(near.ways, other.ways, buffer_ms=60) for other in (near, far))
    assert quick is not None
    assert slow is not None
    assert quick > 4.3
    assert 3.0 < slow < 3.6
    assert near.ways.mos is not None
    assert near.ways.mos > 4.3


def test_a_second_counts_its_bytes() -> None:
    line = Line()
    first, second = (
        line.take(
            replace(sample(Seen(at=now_s)), bytes_up=1_000 * now_s, bytes_down=400 * now_s),
            ws_rtt_ms=None,
            now_s=now_s,
        )
        for now_s in (1, 2)
    )
    assert first is None
    assert second is not None
    assert (second.bytes_up, second.bytes_down) == (1_000, 400)


def test_a_browser_alone_makes_no_score_worse_than_the_line_explains() -> None:
    line = Line()
    for now_s in range(10):
        seen = Seen(at=now_s, expected_up=50 * now_s, rtts_ms=(30.0,))
        line.take(sample(seen), ws_rtt_ms=None, now_s=now_s)
        line.look(silent_ms=0, expected=True, peer_spread_ms=0, now_s=now_s)
    honest, liar = (heard_mos(line.ways, line.ways, buffer_ms=said) for said in (120, 10_000))
    assert honest is not None
    assert liar is not None
    assert honest > liar > 3.6, "no grade becomes worse by it"


# --- what a stream and its reports say -----------------------------------------------------


def test_an_outage_is_left_out_of_the_loss() -> None:
    stream = Stream(1, 111, 0)
    for number in range(50):
        stream.packet(number, number * 960, number * 0.02)
    stream.packet(300, 300 * 960, 6.0)
    assert (stream.lost, stream.expected) == (0, 51)
    stream.packet(303, 303 * 960, 6.06)
    assert (stream.lost, stream.expected) == (2, 54)


def block(highest: int, lost: int = 0) -> ReportBlock:
    return ReportBlock(1, lost, highest, 0, 0, 0)


def fed(stream: Stream, upto: int, now: float) -> None:
    while stream.highest < upto:
        stream.packet((stream.sequence + 1) & 0xFFFF, stream.received * 960, now)


def test_loss_on_the_way_down_is_without_the_gaps_on_the_way_up() -> None:
    stream = Stream(1, 111, 1)
    fed(stream, 100, 1.0)
    stream.receiver_report(block(100), 1.0)
    for sequence in range(101, 201):
        if sequence % 10:
            stream.packet(sequence, sequence * 960, 2.0)
    stream.receiver_report(block(200, lost=13), 2.0)
    # One in ten was missing here already, of which the last is not known as such yet.
    assert (stream.reception.expected, stream.reception.lost) == (100, 13 - stream.lost)
    assert stream.lost in (9, 10)


def test_reports_that_tell_of_nothing_new_mean_a_cut_way_down() -> None:
    stream = Stream(1, 111, 1)
    for second in range(1, 9):
        fed(stream, 50 * second, float(second))
        reached = 50 * min(second, 3)
        stream.receiver_report(block(reached), float(second))
        assert (stream.reception.stalled_at == 3.0) is (second >= 5)
    fed(stream, 450, 9.0)
    stream.receiver_report(block(450, lost=250), 9.0)
    assert stream.reception.stalled_at is None
    assert stream.reception.lost == 0
    assert stream.reception.take_gap() == (300, 250)
    assert stream.reception.take_gap() is None


@pytest.mark.parametrize(("lost", "share"), [(0, 0.0), (250, 1.0)])
def test_a_cut_is_told_as_one_way_or_both_by_what_arrived(lost: int, share: float) -> None:
    stream = Stream(1, 111, 1)
    fed(stream, 100, 1.0)
    stream.receiver_report(block(100), 1.0)
    fed(stream, 350, 6.0)
    stream.receiver_report(block(350, lost=lost), 6.5, back_at=6.0)
    gap = stream.reception.take_gap()
    assert gap is not None
    assert gap[1] / gap[0] == share
    assert stream.reception.lost == 0


def test_a_receiver_that_was_loaded_again_begins_anew() -> None:
    stream = Stream(1, 111, 60_000)
    fed(stream, 60_100, 1.0)
    for now, highest, lost in ((1.0, 60_100, 7), (2.0, 60_150, 8), (3.0, 40, 0), (4.0, 90, 1)):
        fed(stream, stream.highest + 50, now)
        stream.receiver_report(block(highest, lost), now)
    assert (stream.reception.expected, stream.reception.lost) == (100, 2)


def test_causes_have_the_words_that_are_kept() -> None:
    assert {one.value for one in Trouble} == {one.value for one in Kind}
    assert {one.value for one in Direction} == {"up", "down", "both"}
