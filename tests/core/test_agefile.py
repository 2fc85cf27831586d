"""age v1, against its published test vectors, against the command ``age`` both ways, and bent by hand."""

from __future__ import annotations

import hashlib
import subprocess
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.agefile import (
    CHUNK_BYTES,
    SEALED_CHUNK_BYTES,
    START_BYTES,
    AgeError,
    HeaderBroken,
    HeaderForged,
    Identity,
    KeyMalformed,
    NoMatch,
    PayloadBroken,
    Reader,
    Recipient,
    Writer,
    decrypt,
    encrypt,
)
from core.ageheader import read_header

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "age"
REFUSALS = {
    "header failure": HeaderBroken,
    "HMAC failure": HeaderForged,
    "no match": NoMatch,
    "payload failure": PayloadBroken,
}
ANNA, BEN, CARLA = (Identity.generate() for _ in range(3))
SIZES = [0, 1, 65_535, 65_536, 65_537, 131_072, 131_073, 200_000]


def plain_of(size: int) -> bytes:
    return (b"In the middle of the way. " * (size // 26 + 1))[:size]


def reader(sealed: bytes, *identities: Identity) -> Reader:
    return Reader(lambda offset, length: sealed[offset : offset + length], len(sealed), identities)


def by_chunks(sealed: bytes, identities: list[Identity]) -> bytes:
    """Read as a seeking reader does: what comes before a broken chunk is given out."""
    found = reader(sealed, *identities)
    return b"".join(found.read_at(at, CHUNK_BYTES) for at in range(0, found.size, CHUNK_BYTES))


@dataclass(frozen=True)
class Vector:
    """A file of C2SP/CCTV ``age/testdata``."""

    expected: str
    payload: str
    identities: list[Identity]
    sealed: bytes

    @classmethod
    def read(cls, path: Path) -> Vector:
        head, body = path.read_bytes().split(b"\n\n", 1)
        fields = [line.split(": ", 1) for line in head.decode().splitlines()]
        known = dict(fields)
        return cls(
            expected=known["expect"],
            payload=known.get("payload", ""),
            identities=[Identity.parse(value) for name, value in fields if name == "identity"],
            sealed=zlib.decompress(body) if known.get("compressed") == "zlib" else body,
        )


@pytest.mark.skipif(not VECTORS.is_dir(), reason=f"the age test vectors are not at {VECTORS}")
@pytest.mark.parametrize("open_", [decrypt, by_chunks])
def test_all_published_vectors_come_out_as_they_say(
    open_: Callable[[bytes, list[Identity]], bytes],
) -> None:
    tried = 0
    for path in sorted(VECTORS.iterdir()):
        vector = Vector.read(path)
        if vector.expected == "success":
            plain = open_(vector.sealed, vector.identities)
            assert hashlib.sha256(plain).hexdigest() == vector.payload, path.name
        else:
            with pytest.raises(AgeError) as refused:
                open_(vector.sealed, vector.identities)
            assert type(refused.value) is REFUSALS[vector.expected], path.name
        tried += 1
    assert tried == 67


@pytest.mark.parametrize("size", SIZES)
def test_the_command_age_opens_what_was_sealed_here(size: int, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"# a comment\n{BEN}\n")
    sealed = encrypt(plain_of(size), [ANNA.recipient, BEN.recipient])
    done = subprocess.run(
        ["age", "--decrypt", "-i", tmp_path / "key"], input=sealed, capture_output=True, check=True
    )
    assert done.stdout == plain_of(size)


@pytest.mark.parametrize("size", SIZES)
def test_what_the_command_age_sealed_opens_here(size: int) -> None:
    sealed = subprocess.run(
        ["age", "-r", str(CARLA.recipient), "-r", str(ANNA.recipient)],
        input=plain_of(size),
        capture_output=True,
        check=True,
    ).stdout
    assert decrypt(sealed, [BEN, ANNA]) == plain_of(size)


def test_a_key_of_the_command_age_is_read_and_written_the_same() -> None:
    made = subprocess.run(["age-keygen"], capture_output=True, check=True, text=True).stdout
    secret = made.splitlines()[-1]
    identity = Identity.parse(secret)
    public = subprocess.run(
        ["age-keygen", "-y"], input=made, capture_output=True, check=True, text=True
    ).stdout
    assert str(identity) == secret
    assert str(identity.recipient) == public.strip()
    assert Recipient.parse(public) == identity.recipient


@pytest.mark.parametrize(
    "text",
    ["", "age1", "AGE-SECRET-KEY-1QQ", "geheim", str(ANNA.recipient)[:-1] + "b", "age1" + "q" * 58],
    ids=["nothing", "start", "short", "word", "foreign letter", "checksum"],
)
def test_what_is_no_key_is_refused_and_not_quoted(text: str) -> None:
    for parse in (Identity.parse, Recipient.parse):
        with pytest.raises(KeyMalformed) as refused:
            parse(text)
        assert not text or text not in str(refused.value)


def test_a_secret_is_no_public_key_and_the_other_way_round() -> None:
    with pytest.raises(KeyMalformed):
        Recipient.parse(str(ANNA))
    with pytest.raises(KeyMalformed):
        Identity.parse(str(ANNA.recipient))


def test_a_secret_does_not_slip_into_a_log() -> None:
    assert str(ANNA) not in repr(ANNA)
    assert str(ANNA.recipient) in repr(ANNA)


def test_nothing_is_sealed_to_nobody_or_to_a_key_that_hides_nothing() -> None:
    with pytest.raises(ValueError, match="nobody"):
        encrypt(b"x", [])
    with pytest.raises(KeyMalformed):
        encrypt(b"x", [Recipient(bytes(32))])


def test_two_files_of_the_same_text_have_nothing_in_common() -> None:
    first, second = (encrypt(b"the same", [ANNA.recipient]) for _ in range(2))
    at = read_header(first).length
    assert first[at : at + 16] != second[at : at + 16]
    assert first[at + 16 :] != second[at + 16 :]


def test_pieces_of_any_size_make_the_same_file() -> None:
    plain, sealed = plain_of(200_000), list[bytes]()
    writer = Writer(sealed.append, [ANNA.recipient])
    for at in range(0, len(plain), 7_777):
        writer.write(memoryview(plain)[at : at + 7_777])
    writer.close()
    writer.close()
    assert decrypt(b"".join(sealed), [ANNA]) == plain
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"more")


def test_a_file_that_was_not_closed_does_not_open() -> None:
    sealed = bytearray()
    writer = Writer(sealed.extend, [ANNA.recipient])
    writer.write(plain_of(200_000))
    with pytest.raises(PayloadBroken):
        decrypt(bytes(sealed), [ANNA])
    with pytest.raises(PayloadBroken):
        reader(bytes(sealed), ANNA)


@pytest.mark.parametrize("size", SIZES)
def test_a_reader_reads_anywhere(size: int) -> None:
    plain = plain_of(size)
    found = reader(encrypt(plain, [ANNA.recipient]), ANNA)
    assert found.size == size
    for offset in (0, 1, 65_535, 65_536, 65_537, 131_071, size - 1, size, size + 5):
        for length in (0, 1, 2, 65_536, 100_000, size + 9):
            if offset >= 0:
                assert found.read_at(offset, length) == plain[offset : offset + length]
    for offset, length in ((-1, 4), (0, -1)):
        with pytest.raises(ValueError, match="before"):
            found.read_at(offset, length)


def test_a_reader_fetches_no_more_than_the_chunks_it_needs() -> None:
    sealed, asked = encrypt(plain_of(1_000_000), [ANNA.recipient]), list[int]()

    def read_at(offset: int, length: int) -> bytes:
        asked.append(length)
        return sealed[offset : offset + length]

    found = Reader(read_at, len(sealed), [ANNA])
    asked.clear()
    found.read_at(300_000, 10)
    assert asked == [SEALED_CHUNK_BYTES]


def test_a_file_that_shrinks_under_its_reader_is_told() -> None:
    sealed = bytearray(encrypt(plain_of(200_000), [ANNA.recipient]))
    found = Reader(lambda offset, length: bytes(sealed[offset : offset + length]), len(sealed), [ANNA])
    del sealed[100_000:]
    with pytest.raises(PayloadBroken, match="shorter"):
        found.read_at(0, 200_000)


def test_every_flipped_byte_is_found() -> None:
    sealed = encrypt(b"a short word", [ANNA.recipient, BEN.recipient])
    for at in range(len(sealed)):
        bent = bytearray(sealed)
        bent[at] ^= 1
        with pytest.raises(AgeError):
            decrypt(bytes(bent), [ANNA])


def test_every_cut_is_found() -> None:
    sealed = encrypt(b"a short word", [ANNA.recipient])
    for at in range(len(sealed)):
        with pytest.raises(AgeError):
            decrypt(sealed[:at], [ANNA])


@pytest.mark.parametrize("how", ["swapped", "left out", "cut at a chunk", "twice", "of another file"])
def test_chunks_moved_about_do_not_open(how: str) -> None:
    sealed, other = (encrypt(plain_of(250_000), [ANNA.recipient]) for _ in range(2))
    begin = read_header(sealed).length + 16
    head = sealed[:begin]
    chunks = [sealed[at : at + SEALED_CHUNK_BYTES] for at in range(begin, len(sealed), SEALED_CHUNK_BYTES)]
    one, two, three, last = chunks
    bent = {
        "swapped": [one, three, two, last],
        "left out": [one, three, last],
        "cut at a chunk": [one, two, three],
        "twice": [one, two, three, last, last],
        "of another file": [one, two, other[begin + 2 * SEALED_CHUNK_BYTES :][:SEALED_CHUNK_BYTES], last],
    }[how]
    with pytest.raises(PayloadBroken):
        decrypt(head + b"".join(bent), [ANNA])
    with pytest.raises(PayloadBroken):
        by_chunks(head + b"".join(bent), [ANNA])


def test_a_header_of_another_file_opens_nothing() -> None:
    mine, other = encrypt(b"mine", [ANNA.recipient]), encrypt(b"other", [ANNA.recipient])
    spliced = mine[: read_header(mine).length] + other[read_header(other).length :]
    with pytest.raises(PayloadBroken):
        decrypt(spliced, [ANNA])


def test_a_header_without_end_costs_nothing() -> None:
    """Each stanza costs an X25519: two megabytes of them held a finisher up for eight seconds."""
    identity, other = Identity.generate(), Identity.generate().recipient
    assert decrypt(encrypt(b"x", [other] * 70 + [identity.recipient]), [identity]) == b"x"
    sealed = encrypt(b"x", [other] * 90 + [identity.recipient])
    assert len(sealed) > START_BYTES
    with pytest.raises(HeaderBroken):
        decrypt(sealed, [identity])
