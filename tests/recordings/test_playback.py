"""Playing: opened on the fly, once for each grant, a few requests at once, nothing of a broken file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from accounts.audit import Audit
from accounts.grants import Grant
from core.agefile import Identity, PayloadBroken, encrypt
from core.db import Database
from core.errors import Forbidden, TooMany
from core.warrants import Checker, Purpose, Warrant, Warrants
from recordings import ranges, reviews
from recordings.playback import AT_ONCE, Playback
from recordings.reviews import Recording
from recordings.store import NotStored
from recordings.store_local import LocalStore
from tests.fakes import FakeClock
from tests.recordings.staged import make_people, make_recording

PLAIN = os.urandom(700_000)
MASTER = b"m" * 32


@dataclass
class FakeVault:
    """One identity for everything; checks the warrant as the keyring does, and counts."""

    clock: FakeClock
    identity: Identity = field(default_factory=Identity.generate)
    asked: list[Warrant] = field(default_factory=list)
    answers: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared, and whoever asks waits until it is set."""

    def __post_init__(self) -> None:
        self.answers.set()

    async def open(self, warrant: Warrant) -> Identity:
        Checker(Warrants(MASTER).public).check(
            warrant, recording_id=warrant.recording_id, now=self.clock.now()
        )
        self.asked.append(warrant)
        await self.answers.wait()
        return self.identity


@dataclass
class Staged:
    """A recording in a store, and a grant for it."""

    clock: FakeClock
    vault: FakeVault
    root: Path
    playback: Playback
    recording: Recording
    grant: Grant

    @property
    def file(self) -> Path:
        return self.root / self.recording.side("client").object_name

    async def played(self, header: str | None, *, playback: Playback | None = None) -> bytes:
        one = playback or self.playback
        medium = await one.open(
            self.grant,
            recording=self.recording,
            media=self.recording.side("client"),
            now=self.clock.now(),
        )
        span = ranges.wanted(header, medium.size)
        return b"".join([piece async for piece in one.read(medium, span)])

    def again(self) -> Playback:
        return Playback(LocalStore(self.root), self.vault, Warrants(MASTER))


@pytest.fixture
async def staged(database: Database, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Staged]:
    """A sealed file of seven hundred thousand random bytes for each side."""
    vault, root = FakeVault(clock), tmp_path / "stored"
    sealed = encrypt(PLAIN, [vault.identity.recipient])
    async with database.sessions() as db:
        people = await make_people(db, now=clock.now())
        number = await make_recording(
            db,
            client=people.client,
            counselor=people.counselor,
            now=clock.now(),
            sealed_bytes=len(sealed),
        )
        recording = await reviews.find(db, recording=number)
        store, made = LocalStore(root), tmp_path / "made"
        made.write_bytes(sealed)
        for side in recording.sides:
            await store.put(side.object_name, made)
        grant = await reviews.open_up(
            db,
            Audit(MASTER),
            person=people.supervisor,
            recording=recording,
            purpose="to learn",
            hours=1,
            now=clock.now(),
        )
        playback = Playback(store, vault, Warrants(MASTER))
        yield Staged(clock, vault, root, playback, recording, grant)


async def test_what_is_asked_for_is_what_was_sealed(staged: Staged) -> None:
    for header, begin, end in (
        (None, 0, len(PLAIN)),
        ("bytes=0-0", 0, 1),
        ("bytes=65535-65536", 65_535, 65_537),
        ("bytes=131072-", 131_072, len(PLAIN)),
        ("bytes=-7", len(PLAIN) - 7, len(PLAIN)),
        ("bytes=300000-400000", 300_000, 400_001),
    ):
        assert await staged.played(header) == PLAIN[begin:end], header


async def test_the_key_is_asked_for_once_for_the_viewer_and_for_review(staged: Staged) -> None:
    await asyncio.gather(*(staged.played(f"bytes={at}-{at}") for at in range(20)))
    (warrant,) = staged.vault.asked
    assert (warrant.purpose, warrant.viewer) == (Purpose.REVIEW, staged.grant.person)
    assert warrant.recording_id == staged.recording.id
    assert warrant.expires_at <= staged.grant.expires_at


async def test_an_opening_that_hangs_holds_up_nobody_else(staged: Staged) -> None:
    await staged.played("bytes=0-9")
    staged.vault.answers.clear()
    counselors = staged.recording.side("counselor")
    hanging = [
        asyncio.create_task(
            staged.playback.open(
                staged.grant, recording=staged.recording, media=counselors, now=staged.clock.now()
            )
        )
        for _ in range(3)
    ]
    await asyncio.sleep(0)
    assert await asyncio.wait_for(staged.played("bytes=0-9"), 5) == PLAIN[:10]
    assert [one.done() for one in hanging] == [False] * 3
    staged.vault.answers.set()
    first, *others = await asyncio.gather(*hanging)
    assert all(one is first for one in others)
    assert len(staged.vault.asked) == 2, "once for each side"


async def test_a_warrant_never_outlives_the_grant(staged: Staged) -> None:
    staged.clock.advance(3_590)
    await staged.played("bytes=0-0")
    assert staged.vault.asked[0].expires_at == staged.grant.expires_at


async def test_nothing_is_opened_once_the_grant_has_ended(staged: Staged) -> None:
    await staged.played("bytes=0-9")
    staged.clock.advance(3_600)
    with pytest.raises(Forbidden):
        await staged.played("bytes=0-9")


async def test_a_grant_for_one_recording_opens_no_other(staged: Staged) -> None:
    other = replace(staged.recording, id="r_00000000000000000000")
    with pytest.raises(Forbidden):
        await staged.playback.open(
            staged.grant, recording=other, media=other.sides[0], now=staged.clock.now()
        )
    assert staged.vault.asked == []


async def test_what_was_forgotten_is_asked_for_again(staged: Staged) -> None:
    await staged.played("bytes=0-9")
    staged.playback.forget(staged.grant.id)
    await staged.played("bytes=0-9")
    assert len(staged.vault.asked) == 2


async def test_a_grant_has_four_requests_at_once_and_waits_for_the_fifth(staged: Staged) -> None:
    async with AsyncExitStack() as all_of_them:
        for _ in range(AT_ONCE):
            await all_of_them.enter_async_context(staged.playback.turn(staged.grant))
        with pytest.raises(TooMany):
            async with staged.playback.turn(staged.grant, wait_s=0.01):
                pass
        waiting = asyncio.create_task(_one_turn(staged))
        await asyncio.sleep(0.01)
        assert not waiting.done()
    await asyncio.wait_for(waiting, 1)


async def _one_turn(staged: Staged) -> None:
    async with staged.playback.turn(staged.grant):
        pass


@pytest.mark.parametrize("cut", [1, 16, 65_552, 65_552 * 5])
async def test_a_file_that_was_cut_off_does_not_open(staged: Staged, cut: int) -> None:
    sealed = staged.file.read_bytes()
    _write(staged.file, sealed[:-cut])
    with pytest.raises(PayloadBroken):
        await staged.played("bytes=0-9", playback=staged.again())


async def test_nothing_of_a_flipped_chunk_is_given_out(staged: Staged) -> None:
    sealed = bytearray(staged.file.read_bytes())
    sealed[-400_000] ^= 1
    _write(staged.file, bytes(sealed))
    playback = staged.again()
    assert await staged.played("bytes=0-9", playback=playback) == PLAIN[:10]
    with pytest.raises(PayloadBroken):
        await staged.played(None, playback=playback)


async def test_a_file_sealed_to_another_key_or_gone_does_not_open(staged: Staged) -> None:
    other = encrypt(PLAIN, [Identity.generate().recipient])
    _write(staged.file, other)
    with pytest.raises(Exception, match="key"):
        await staged.played("bytes=0-9", playback=staged.again())
    staged.file.unlink()
    with pytest.raises(NotStored):
        await staged.played("bytes=0-9", playback=staged.again())


async def test_one_that_was_put_in_its_place_later_does_not_open(staged: Staged) -> None:
    _write(staged.file, encrypt(PLAIN[:-1], [staged.vault.identity.recipient]))
    with pytest.raises(PayloadBroken):
        await staged.played("bytes=0-9", playback=staged.again())


async def test_what_is_open_goes_with_its_grant(staged: Staged) -> None:
    await staged.played("bytes=0-9")
    medium = await staged.playback.open(
        staged.grant,
        recording=staged.recording,
        media=staged.recording.side("client"),
        now=staged.clock.now(),
    )
    assert medium.until == staged.clock.now() + timedelta(hours=1)


def _write(file: Path, content: bytes) -> None:
    """Put another file in its place, as somebody with the disk could; both sides are one file on it."""
    file.unlink()
    file.write_bytes(content)
