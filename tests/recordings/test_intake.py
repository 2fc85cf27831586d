"""Packets in, a file out: what a line does to a side, and what stays of it. Time is computed."""

from __future__ import annotations

import functools
import itertools
import random
import re
import struct

import pytest

from recordings.container import Codec
from recordings.cutter import Piece
from recordings.intake import Intake
from tests.recordings.coded import Coded, pictures, voice
from tests.recordings.playing import Played, play
from tests.recordings.sending import Sender, Sent, as_repair, over_a_line, take

seen = functools.lru_cache(maxsize=None)(pictures)
heard = functools.lru_cache(maxsize=None)(voice)


def talk(sender: Sender, codec: Codec, seconds: int, *, keys: int = 30) -> list[Sent]:
    """So many seconds of both, with reports."""
    return [
        *sender.voice(heard(50 * seconds)),
        *sender.pictures(codec, seen(codec, 30 * seconds, keys=keys)),
        *sender.reports(seconds),
    ]


def played(came: list[Sent]) -> Played:
    return play(take(came).webm())


def no_hole(shown: Played) -> bool:
    return all(b - a <= 65 for a, b in itertools.pairwise(shown.voice_ms))


@pytest.mark.parametrize("codec", [Codec.VP8, Codec.VP9, Codec.AV1])
def test_what_was_sent_is_in_the_file(codec: Codec) -> None:
    shown = played(over_a_line(talk(Sender(), codec, 3)))
    assert shown.numbers == list(range(90))
    assert [round(ms) for ms in shown.pictures_ms] == pytest.approx(
        [30 + at / 0.03 for at in range(90)], abs=1.5
    )
    assert shown.voice_s == pytest.approx(3.03, abs=0.03)
    assert no_hole(shown)
    assert all(abs(tone - 440) < 20 for at, tone in shown.tones if 300 < at < 2800)


def test_a_record_is_cut_about_once_a_second_and_none_right_behind_another() -> None:
    ends = [piece.until_ms for piece in take(Sender().voice(heard(1_000))).pieces]
    assert len(ends) <= 24
    assert all(b - a <= 960 for a, b in itertools.pairwise(ends))


@pytest.mark.parametrize("codec", [Codec.VP8, Codec.VP9, Codec.AV1])
@pytest.mark.parametrize("seed", range(4))
def test_packets_out_of_order_are_put_in_order(codec: Codec, seed: int) -> None:
    """Up to 60 ms: also the very first ones."""
    came = over_a_line(talk(Sender(), codec, 3), jitter_s=0.06, seed=seed)
    shown = played(came)
    assert shown.numbers == list(range(90))
    assert no_hole(shown)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_very_first_packets_may_come_in_any_order(order: tuple[int, ...]) -> None:
    sender = Sender()
    sent = sender.pictures(Codec.VP8, seen(Codec.VP8, 60))
    mixed = [Sent(0.001 * place, sent[at].data) for place, at in enumerate(order)]
    shown = played([*mixed, *(Sent(one.at_s + 0.01, one.data) for one in sent[4:])])
    assert shown.numbers == list(range(60))


def test_a_lost_packet_costs_the_pictures_up_to_the_next_key_frame() -> None:
    sent = Sender().pictures(Codec.VP8, seen(Codec.VP8, 90))
    taken = take([one for number, one in enumerate(sent) if number != 40])
    lost = play(taken.webm()).numbers
    missing = sorted(set(range(90)) - set(lost))
    assert lost == sorted(lost)
    assert len(missing) > 1
    assert missing == list(range(missing[0], missing[0] - missing[0] % 30 + 30))


def test_a_key_frame_is_asked_for_at_the_start_after_a_loss_and_each_ten_seconds() -> None:
    sent = Sender().pictures(Codec.VP8, [*seen(Codec.VP8, 750, keys=1000)])
    lost_at = next(number for number, one in enumerate(sent) if one.at_s >= 4)
    lost_s = sent[lost_at].at_s
    came = [one for number, one in enumerate(sent) if number != lost_at]
    asked = take(came).asked_s
    assert asked[0] < 0.5
    after = [at_s for at_s in asked if at_s > 1.0]
    assert lost_s < after[0] < lost_s + 0.5
    # Nobody answers: again, and not more often than it may help.
    assert all(0.95 < b - a < 1.15 for a, b in itertools.pairwise(after))
    whole = take(sent).asked_s
    assert len(whole) == 3
    assert [round(b - a) for a, b in itertools.pairwise(whole)] == [10, 10]


def test_nothing_is_asked_of_who_shows_nothing() -> None:
    assert take(Sender().voice(heard(500))).asked_s == []


@pytest.mark.parametrize("codec", [Codec.VP8, Codec.VP9, Codec.AV1])
def test_retransmissions_fill_the_holes(codec: Codec) -> None:
    source = random.Random(5)
    came = []
    for one in talk(Sender(), codec, 3):
        gone = bool(one.data) and one.data[1] & 127 != 111 and source.random() < 0.1
        data = as_repair(one.data) if gone else one.data
        came.append(Sent(one.at_s + (0.15 if gone else 0.03), data, one.report))
    shown = played(sorted(came, key=lambda one: one.at_s))
    assert shown.numbers == list(range(90))


def test_a_retransmission_brings_no_picture_from_before_it_was_recorded() -> None:
    """A whole key frame was lost on its way before both agreed, and comes again after that."""
    sent = Sender().pictures(Codec.VP8, seen(Codec.VP8, 60))
    key = [one for one in sent if one.at_s < 0.03]
    later = [one for one in sent if one.at_s >= 0.03]
    came = [later[0], *(Sent(later[0].at_s + 0.01, as_repair(one.data)) for one in key), *later[1:]]
    assert played(came).numbers == [*range(30, 60)]


def test_nor_does_one_that_comes_late_begin_the_order_anew() -> None:
    sent = Sender().pictures(Codec.VP8, seen(Codec.VP8, 200))
    before, soon, later = sent[:40], sent[40:135], sent[135:]
    again = [Sent(soon[-1].at_s + 0.001 * at, as_repair(one.data)) for at, one in enumerate(before[-10:], 1)]
    assert played([*soon, *again, *later]).numbers == played([*soon, *later]).numbers


@pytest.mark.parametrize(("lost", "kept"), [(0.01, 0.85), (0.05, 0.5)])
def test_with_key_frames_on_asking_most_pictures_are_kept(lost: float, kept: float) -> None:
    """A sender that answers: 60 s, and nothing is sent again."""
    source = random.Random(3)
    intake, sender = Intake(0.0), Sender()
    first, later = seen(Codec.VP8, 2, keys=9)
    wanted_s: float | None = None
    for number in range(1800):
        at_s = number / 30
        key = number == 0 or (wanted_s is not None and at_s >= wanted_s + 0.1)
        if key:
            wanted_s = None
        coded = Coded(first.data if key else later.data, key)
        for one in sender.pictures(Codec.VP8, [coded], start_s=at_s):
            if source.random() >= lost:
                intake.packet(one.data, one.at_s)
        intake.look(at_s + 0.02)
        if intake.wants_key_frame(at_s + 0.02) and wanted_s is None:
            wanted_s = at_s
    assert take([], intake=intake).pictures / 1800 > kept


def test_voice_that_is_lost_is_silence_and_all_else_stays_in_its_place() -> None:
    sent = Sender().voice(heard(200))
    shown = played([one for number, one in enumerate(sent) if not 60 <= number < 100])
    assert no_hole(shown)
    assert shown.duration_ms == pytest.approx(4000, abs=30)
    loud = {at for at, tone in shown.tones if abs(tone - 440) < 20}
    assert not {at for at in loud if 1320 <= at <= 1850}
    assert {at for at in loud if at < 1100}
    assert {at for at in loud if at > 2100}


def said_again(sender: Sender, packets: list[bytes], *, levels: int = 1) -> list[Sent]:
    """RED (RFC 2198): each packet of voice carries those before it, the farthest first."""
    sent = []
    for number, data in enumerate(packets):
        again = [(back, packets[number - back] if number >= back else b"") for back in range(levels, 0, -1)]
        heads = [(0x80 | 111) << 24 | 960 * back << 10 | len(said) for back, said in again]
        payload = struct.pack(f"!{levels}IB", *heads, 111) + b"".join(said for _, said in again) + data
        stamp = sender.clock + 960 * number
        sent.append(Sent(number * 0.02, sender.packet(63, sender.voice_ssrc, stamp, payload)))
    return sent


def test_voice_that_is_said_again_fills_what_was_lost() -> None:
    sent = said_again(Sender(), list(heard(100)))
    shown = played([one for number, one in enumerate(sent) if number % 5 != 3])
    assert no_hole(shown)
    assert all(abs(tone - 440) < 20 for at, tone in shown.tones if 200 < at < 1800)


@pytest.mark.parametrize("levels", [1, 3])
@pytest.mark.parametrize("lost", [0, 1])
def test_voice_that_is_said_again_brings_nothing_from_before_it_was_recorded(levels: int, lost: int) -> None:
    """Neither from before both agreed nor from off the record; the first packet after it may be lost too."""
    intake = Intake(2.0)
    sent = said_again(Sender(), [b"\xf8said%04d" % number for number in range(300)], levels=levels)
    for one in [*sent[100 + lost : 160], *sent[200 + lost :]]:
        if one is sent[200 + lost]:
            intake.pause()
            intake.resume()
        intake.packet(one.data, one.at_s)
    intake.close()
    kept = {int(said) for piece in intake.take_pieces() for said in re.findall(rb"said(\d{4})", piece.plain)}
    assert kept == {*range(100 + lost, 160), *range(200 + lost, 300)}


def test_silence_that_is_not_sent_is_silence_in_the_file() -> None:
    """DTX: one packet in 400 ms. The file has no hole, and the same length."""
    shown = played(over_a_line(Sender().voice(heard(500), every=20)))
    assert no_hole(shown)
    assert shown.voice_s == pytest.approx(9.65, abs=0.02)


def test_a_voice_that_is_off_does_not_hold_up_the_picture() -> None:
    sender = Sender()
    came = [*sender.voice(heard(50)), *sender.pictures(Codec.VP8, seen(Codec.VP8, 300))]
    came += [*sender.voice(heard(50), start_s=9.0)]
    taken = take(sorted(came, key=lambda one: one.at_s))
    shown = play(taken.webm())
    assert shown.numbers == [number % 256 for number in range(300)]
    assert no_hole(shown)
    ends = [piece.until_ms for piece in taken.pieces]
    assert ends == sorted(ends)


def test_a_picture_that_is_off_leaves_the_voice_alone() -> None:
    sender = Sender()
    came = [*sender.voice(heard(600)), *sender.pictures(Codec.VP8, seen(Codec.VP8, 60))]
    came += sender.pictures(Codec.VP8, seen(Codec.VP8, 60), start_s=10.0)
    shown = played(sorted(came, key=lambda one: one.at_s))
    assert shown.numbers == [*range(60), *range(60)]
    assert shown.pictures_ms[60] == pytest.approx(10_000, abs=3)
    assert no_hole(shown)


def test_off_the_record_is_silence_without_a_picture_and_time_goes_on() -> None:
    intake, sender = Intake(0.0), Sender()
    came = sorted(talk(sender, Codec.VP8, 9), key=lambda one: one.at_s)
    pieces: list[Piece] = []
    for one in came:
        if one.at_s >= 3 and not pieces:
            intake.pause()
            pieces += intake.take_pieces()
        if one.at_s >= 6:
            intake.resume()
        if one.report is None:
            intake.packet(one.data, one.at_s)
        else:
            intake.report(*one.report)
        intake.look(one.at_s)
    assert pieces[-1].until_ms <= 3_020
    taken = take([], intake=intake)
    taken.pieces = [*pieces, *taken.pieces]
    shown = play(taken.webm())
    assert no_hole(shown)
    assert not [ms for ms in shown.pictures_ms if 3_020 < ms < 5_980]
    assert shown.numbers[:90] == list(range(90))
    # Afterwards nothing is shown before a key frame, which came at 6 s by luck.
    assert shown.numbers[90:] == [number % 256 for number in range(180, 270)]
    assert shown.pictures_ms[90] == pytest.approx(6_000, abs=5)
    assert not {at for at, tone in shown.tones if tone and 3_100 < at < 5_900}


@pytest.mark.parametrize("codec", [Codec.VP8, Codec.VP9, Codec.AV1])
def test_a_picture_may_change_its_size(codec: Codec) -> None:
    sender = Sender()
    came = sender.pictures(codec, seen(codec, 30))
    came += sender.pictures(codec, seen(codec, 30, size=(320, 240)), start_s=1.0)
    came += sender.pictures(codec, seen(codec, 30, size=(96, 160)), start_s=2.0)
    shown = played(came)
    assert shown.numbers == [*range(30)] * 3
    assert shown.sizes == [(160, 120)] * 30 + [(320, 240)] * 30 + [(96, 160)] * 30


def test_who_comes_back_with_new_numbers_goes_on_in_the_same_file() -> None:
    first, second = Sender(), Sender(voice_ssrc=44, picture_ssrc=55, sequence=7, clock=123_456)
    came = [*first.voice(heard(100)), *first.pictures(Codec.VP8, seen(Codec.VP8, 60))]
    came += [*second.voice(heard(100), start_s=5.0)]
    came += [*second.pictures(Codec.VP8, seen(Codec.VP8, 60), start_s=5.0)]
    shown = played(sorted(came, key=lambda one: one.at_s))
    assert shown.numbers == [*range(60), *range(60)]
    assert shown.pictures_ms[60] == pytest.approx(5_000, abs=3)
    assert no_hole(shown)
    assert shown.duration_ms == pytest.approx(7_000, abs=30)


def test_late_packets_of_who_was_there_before_do_not_bring_them_back() -> None:
    first, second = Sender(), Sender(picture_ssrc=55)
    old = first.pictures(Codec.VP8, seen(Codec.VP8, 60))
    new = second.pictures(Codec.VP8, seen(Codec.VP8, 60), start_s=1.5)
    came = [*old[:-3], *new[:6], *old[-3:], *new[6:]]
    shown = played([Sent(number * 0.01, one.data) for number, one in enumerate(came)])
    assert shown.numbers[-60:] == list(range(60))


@pytest.mark.parametrize("late_s", [0.0, 0.12, 0.3, -0.1])
def test_lips_move_with_the_voice_once_reports_came(late_s: float) -> None:
    """The voice leaves later than the picture of the same moment, as from a wireless microphone."""
    came = [
        Sent(one.at_s + 0.2, one.data, one.report) for one in talk(Sender(voice_late_s=late_s), Codec.VP8, 6)
    ]
    shown = played(over_a_line(came, jitter_s=0.01))
    # Taken at the same moment: voice that begins at 0 and picture number n at n / 30 s.
    voice_ms = next(at for at, tone in shown.tones if tone)
    at_ms = dict(zip(shown.numbers, shown.pictures_ms, strict=True))[150]
    first_ms = min(ms for ms in shown.voice_ms if ms >= voice_ms - 60)
    assert voice_ms < 600
    assert abs((at_ms - 5_000) - (230 + 1000 * late_s)) <= 25
    assert first_ms >= 0


def test_a_clock_that_is_wrong_by_a_hundred_millionths_does_not_drift_away() -> None:
    """An hour of comfort packets from a page whose second is longer than ours."""
    sender = Sender()
    sent = [
        Sent(0.4 * number * (1 + 100e-6), sender.packet(111, 11, sender.clock + 19_200 * number, heard(1)[0]))
        for number in range(9_000)
    ]
    taken = take(sent)
    assert taken.pieces[-1].until_ms == pytest.approx(sent[-1].at_s * 1000, abs=25)


def test_a_sender_report_that_lies_moves_nothing() -> None:
    sender = Sender()
    came = [*sender.voice(heard(150)), *sender.pictures(Codec.VP8, seen(Codec.VP8, 90))]
    came += [Sent(0.5 + 0.1 * at, report=(22, 0x1234_5678 + 0x0800_0000 * at, 99)) for at in range(20)]
    came += [Sent(0.5, report=(11, 0, 0))]
    shown = played(sorted(came, key=lambda one: one.at_s))
    assert shown.pictures_ms == pytest.approx([at / 0.03 for at in range(90)], abs=3)


def test_times_that_jump_begin_anew_where_they_come() -> None:
    sender = Sender()
    came = sender.voice(heard(50))
    sender.clock += 48_000 * 3600
    came += sender.voice(heard(50), start_s=1.0)
    sender.clock -= 2 * 48_000 * 3600
    came += sender.voice(heard(50), start_s=2.0)
    shown = played(came)
    assert no_hole(shown)
    assert shown.duration_ms == pytest.approx(3_000, abs=60)


@pytest.mark.parametrize("seed", range(30))
def test_junk_changes_nothing_but_itself(seed: int) -> None:
    """Random bytes, cut packets and random payloads of every codec: nothing raises, and the next key frame
    shows."""
    source = random.Random(seed)
    sender = Sender()
    sent = sender.pictures(Codec.VP8, seen(Codec.VP8, 30))
    junk = [source.randbytes(source.randrange(80)) for _ in range(300)]
    junk += [one.data[: source.randrange(len(one.data))] for one in sent]
    for number in (96, 97, 98, 99, 102, 103, 63, 111, 100, 0):
        junk += [
            sender.packet(number, source.choice((1, 2, 22)), source.getrandbits(32), source.randbytes(20))
            for _ in range(20)
        ]
    source.shuffle(junk)
    came = [Sent(0.001 * number, data) for number, data in enumerate(junk)]
    fresh = Sender(picture_ssrc=77, voice_ssrc=78)
    came += fresh.pictures(Codec.VP8, seen(Codec.VP8, 30), start_s=5.0)
    shown = play(take(came).webm(), broken=True)
    assert shown.numbers[-30:] == list(range(30))
