"""The live log: what was written is read again, a torn tail is passed over, and everything else is
refused."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from core.agefile import Identity
from recordings.log import Chain, LogBroken, LogWriter, begin, check_log, read_log
from recordings.sides import Side, log_path

NAME, OTHER = "r_" + "a" * 20, "r_" + "b" * 20
KEY = Identity.generate()
PLAIN = [f"record {number} ".encode() * 50 for number in range(6)]


def written(
    directory: Path,
    name: str = NAME,
    side: Side = Side.CLIENT,
    *,
    final: bool = True,
    plain: list[bytes] = PLAIN,
) -> tuple[Path, list[Chain]]:
    path = log_path(directory, name, side)
    writer = LogWriter(path, recording_id=name, side=side, recipient=KEY.recipient)
    chains = []
    for number, one in enumerate(plain):
        writer.append(one, final=final and number == len(plain) - 1)
        chains.append(writer.chain)
    writer.close()
    return path, chains


def records_of(path: Path) -> list[bytes]:
    """The records with their lengths, as they lie there."""
    data, found = path.read_bytes(), []
    while data:
        size = 4 + struct.unpack(">I", data[:4])[0]
        found.append(data[:size])
        data = data[size:]
    return found


def read(
    path: Path, name: str = NAME, side: Side = Side.CLIENT, key: Identity = KEY, sure: int | None = None
) -> list[bytes]:
    found = read_log(path, recording_id=name, side=side, identity=key, sure=sure)
    return [record.plain for record in found]


def test_what_was_written_is_read_and_the_last_record_is_known(tmp_path: Path) -> None:
    path, chains = written(tmp_path)
    found = list(read_log(path, recording_id=NAME, side=Side.CLIENT, identity=KEY))
    assert [one.plain for one in found] == PLAIN
    assert [one.chain for one in found] == chains
    assert [one.final for one in found] == [False] * 5 + [True]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    state = check_log(path, recording_id=NAME, side=Side.CLIENT, expected=chains[-1])
    assert (state.chain, state.bytes, state.torn_bytes) == (chains[-1], path.stat().st_size, 0)


def test_nothing_of_it_is_in_the_clear(tmp_path: Path) -> None:
    path, _ = written(tmp_path)
    data = path.read_bytes()
    assert b"record" not in data
    assert NAME.encode() not in data
    assert PLAIN[0][:8] not in data


def test_a_log_is_never_gone_on_with(tmp_path: Path) -> None:
    written(tmp_path)
    with pytest.raises(FileExistsError):
        written(tmp_path)


@pytest.mark.parametrize("keep", [1, 3, 4, 5, 40, 300])
def test_a_torn_tail_is_passed_over(tmp_path: Path, keep: int) -> None:
    path, chains = written(tmp_path, final=False)
    parts = records_of(path)
    path.write_bytes(b"".join(parts[:-1]) + parts[-1][:keep])
    assert read(path) == PLAIN[:-1]
    state = check_log(path, recording_id=NAME, side=Side.CLIENT, expected=chains[-2])
    assert (state.chain, state.torn_bytes) == (chains[-2], keep)


TAILS: dict[str, Callable[[bytes], bytes]] = {
    "zeros": lambda last: bytes(len(last)),
    "zeros up to a page": lambda last: bytes(4_096) + last[4_096:],
    "zeros at its end": lambda last: last[:300] + bytes(len(last) - 300),
    "zeros in its middle": lambda last: last[:5_000] + bytes(2_000) + last[7_000:],
}


@pytest.mark.parametrize("kind", TAILS)
def test_a_tail_that_a_power_cut_leaves_in_its_whole_length_is_torn_too(tmp_path: Path, kind: str) -> None:
    """And what the database has counted was on the disk: there it is damage."""
    path, chains = written(tmp_path, final=False, plain=[*PLAIN, os.urandom(9_000)])
    parts = records_of(path)
    path.write_bytes(b"".join(parts[:-1]) + TAILS[kind](parts[-1]))
    assert read(path, sure=0) == read(path, sure=6) == PLAIN
    check_log(path, recording_id=NAME, side=Side.CLIENT, expected=chains[5])
    with pytest.raises(LogBroken, match="Record 6 of the log is broken: changed"):
        read(path, sure=7)
    with pytest.raises(LogBroken):
        check_log(path, recording_id=NAME, side=Side.CLIENT, expected=chains[6])


def test_what_others_follow_is_no_torn_tail(tmp_path: Path) -> None:
    path, _ = written(tmp_path, final=False)
    parts = records_of(path)
    path.write_bytes(b"".join([*parts[:-2], flipped(parts[-2], 100), parts[-1]]))
    with pytest.raises(LogBroken, match="Record 4 of the log is broken: changed"):
        read(path, sure=0)


def test_a_tail_that_was_on_disk_once_is_missed(tmp_path: Path) -> None:
    path, chains = written(tmp_path, final=False)
    path.write_bytes(b"".join(records_of(path)[:-1]))
    assert read(path) == PLAIN[:-1]
    with pytest.raises(LogBroken) as broken:
        check_log(path, recording_id=NAME, side=Side.CLIENT, expected=chains[-1])
    assert (broken.value.what, broken.value.at_record) == ("cut", 5)


def test_the_database_may_be_behind_the_disk(tmp_path: Path) -> None:
    path, chains = written(tmp_path)
    for known in [begin(NAME, Side.CLIENT), *chains]:
        check_log(path, recording_id=NAME, side=Side.CLIENT, expected=known)


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


Change = Callable[[list[bytes]], list[bytes]]

DAMAGE: dict[str, tuple[Change, str, int]] = {
    "swapped": (lambda r: [r[0], r[2], r[1], *r[3:]], "foreign", 1),
    "left out": (lambda r: [r[0], *r[2:]], "foreign", 1),
    "repeated": (lambda r: [*r[:3], r[2], *r[3:]], "foreign", 3),
    "without its first": (lambda r: r[1:], "foreign", 0),
    "flipped in the header": (lambda r: [r[0], flipped(r[1], 30), *r[2:]], "changed", 1),
    "flipped in the key": (lambda r: [r[0], flipped(r[1], 60), *r[2:]], "changed", 1),
    "flipped inside": (lambda r: [r[0], flipped(r[1], len(r[1]) - 100), *r[2:]], "changed", 1),
    "flipped at its end": (lambda r: [r[0], flipped(r[1], len(r[1]) - 1), *r[2:]], "changed", 1),
    "a length of nothing": (lambda r: [r[0], bytes(4), *r[1:]], "changed", 1),
    "a length of everything": (lambda r: [r[0], b"\xff" * 4, *r[1:]], "changed", 1),
    "a shorter length": (lambda r: [r[0], flipped(r[1], 3), *r[2:]], "changed", 1),
    "more after the last": (lambda r: [*r, r[0]], "trailing", 6),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_told_with_its_place(tmp_path: Path, kind: str) -> None:
    change, what, at_record = DAMAGE[kind]
    path, chains = written(tmp_path)
    path.write_bytes(b"".join(change(records_of(path))))
    with pytest.raises(LogBroken) as broken:
        read(path)
    assert (broken.value.what, broken.value.at_record) == (what, at_record)
    if kind != "more after the last":
        with pytest.raises(LogBroken):
            check_log(path, recording_id=NAME, side=Side.CLIENT, expected=chains[-1])


def test_a_record_of_another_log_is_foreign(tmp_path: Path) -> None:
    """The same key: as if somebody had two recordings sealed to one recipient."""
    path, _ = written(tmp_path)
    for name, side in ((OTHER, Side.CLIENT), (NAME, Side.COUNSELOR)):
        other, chains = written(tmp_path, name, side)
        mixed = tmp_path / "mixed"
        mixed.write_bytes(b"".join([*records_of(path)[:2], *records_of(other)[2:]]))
        with pytest.raises(LogBroken, match="Record 2 of the log is broken: foreign"):
            read(mixed)
        shutil.copy(other, mixed)
        with pytest.raises(LogBroken, match="Record 0 of the log is broken: foreign"):
            read(mixed)
        with pytest.raises(LogBroken, match="mismatch"):
            check_log(mixed, recording_id=NAME, side=Side.CLIENT, expected=chains[-1])


def test_another_key_opens_nothing(tmp_path: Path) -> None:
    path, _ = written(tmp_path)
    with pytest.raises(LogBroken, match="Record 0 of the log is broken: changed"):
        read(path, key=Identity.generate())


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = log_path(tmp_path, NAME, Side.CLIENT)
    writer = LogWriter(path, recording_id=NAME, side=Side.CLIENT, recipient=KEY.recipient)
    writer.append(b"whole")
    before = writer.chain
    os.close(writer._fd)
    writer._fd = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(OSError, match="No space left"):
        writer.append(b"too much")
    assert writer.chain == before
    writer.close()
    assert read(path) == [b"whole"]
