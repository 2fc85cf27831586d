"""Exports: every state and event, a second person, one sealed file that opens with the recipient's key."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from accounts import people
from accounts.audit import Audit
from accounts.roles import Role
from core.agefile import Identity, decrypt, encrypt
from core.db import Database
from core.errors import Forbidden, InvalidInput, InvalidState, NotFound
from core.warrants import Purpose, Warrants
from recordings import exporting, exports, reviews
from recordings.exporting import Exporter, NotExported
from recordings.exports import TABLE, Event, Export, State, after
from recordings.reviews import MediaSide, Recording
from recordings.states import Side
from recordings.states import State as Kept
from recordings.store_local import LocalStore
from tests.fakes import FakeClock
from tests.media.rig import until
from tests.recordings.staged import make_people, make_recording
from tests.recordings.test_playback import MASTER, FakeVault

NOW = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("event", list(Event))
def test_every_pair_is_in_the_table_or_refused(state: State, event: Event) -> None:
    if (state, event) in TABLE:
        assert after(state, event) is TABLE[state, event]
    else:
        with pytest.raises(InvalidState):
            after(state, event)


def test_what_is_refused_or_gone_stays_so() -> None:
    assert not [pair for pair in TABLE if pair[0] in {State.REFUSED, State.GONE}]


async def test_somebody_else_decides_and_who_asked_takes_it(database: Database, clock: FakeClock) -> None:
    audit, key = Audit(MASTER), str(Identity.generate().recipient)
    async with database.sessions() as db:
        staff = await make_people(db, now=clock.now())
        admin = await people.create_staff(
            db, name="dewi", language="id", roles=[Role.ADMIN, Role.SUPERVISOR], now=clock.now()
        )
        number = await make_recording(db, client=staff.client, counselor=staff.counselor, now=clock.now())
        recording = await reviews.find(db, recording=number)
        grants = {
            person.name: await reviews.open_up(
                db, audit, person=person, recording=recording, purpose="training", hours=1, now=clock.now()
            )
            for person in (staff.supervisor, admin)
        }

        async def ask(
            who: str, recipient: str = key, whom: str = "Dr. Wati", purpose: str = "training"
        ) -> str:
            return await exports.ask(
                db,
                audit,
                grants[who],
                recording=recording,
                recipient=recipient,
                whom=whom,
                purpose=purpose,
                now=clock.now(),
            )

        for wrong in ("", "age1", key[:-1], "ssh-ed25519 AAAA"):
            with pytest.raises(InvalidInput):
                await ask("sari", recipient=wrong)
        with pytest.raises(InvalidInput):
            await ask("sari", whom=" ")
        with pytest.raises(InvalidInput):
            await ask("sari", purpose="x")

        async def decide(export: str, person: people.Person, *, approves: bool) -> None:
            found = await exports.find(db, audit, export=export, recording=recording)
            await exports.decide(
                db,
                audit,
                export=found,
                recording=recording,
                person=person,
                approves=approves,
                now=clock.now(),
            )

        asked, own = await ask("sari"), await ask("dewi")
        with pytest.raises(Forbidden):
            await decide(asked, staff.supervisor, approves=True)
        with pytest.raises(Forbidden):
            await decide(own, admin, approves=True)
        await decide(asked, admin, approves=True)
        with pytest.raises(InvalidState):
            await decide(asked, admin, approves=False)
        for event, size in ((Event.BEGIN, None), (Event.FINISH, 123)):
            await exports.move(
                db, audit, export=asked, recording=recording, event=event, size_bytes=size, now=clock.now()
            )
        found = await exports.find(db, audit, export=asked, recording=recording)
        assert (found.whom, found.purpose, found.recipient) == ("Dr. Wati", "training", key)
        assert (found.state, found.size_bytes, found.decider) == (State.READY, 123, admin.id)
        for person in (admin, staff.counselor, staff.stranger):
            with pytest.raises(NotFound):
                await exports.fetched(
                    db, audit, export=found, recording=recording, person=person, now=clock.now()
                )
        await exports.fetched(
            db, audit, export=found, recording=recording, person=staff.supervisor, now=clock.now()
        )
        told = [one.tag for one in await audit.own(db, person=staff.client.id)]
        assert {"export:ask", "export:approve", "export:make", "export:fetch"} <= set(told)


def webm(path: Path, hertz: int) -> bytes:
    """Have ffmpeg make four seconds of picture and a tone, as a finished side is."""
    subprocess.run(
        [
            "ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=160x120:rate=10",
            "-f", "lavfi", "-i", f"sine=frequency={hertz}", "-t", "4", "-c:v", "libvpx",
            "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus", str(path),
        ],
        check=True,
    )  # fmt: skip
    return path.read_bytes()


def codecs_of(path: Path) -> list[str]:
    """Have ffprobe name the codecs of all streams."""
    seen = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", str(path)],
        check=True,
        capture_output=True,
        text=True,
    )
    return seen.stdout.split()


def length_s(path: Path) -> float:
    """Have ffprobe say what the file's head says of its length, which a player shows."""
    seen = subprocess.run(
        ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(path)],
        check=True,
        capture_output=True,
        text=True,
    )
    return float(seen.stdout)


async def made(
    tmp_path: Path, plain: dict[Side, bytes], recipient: str
) -> tuple[Exporter, Export, Recording, FakeVault]:
    """Seal and store both sides, and give an export that is to be made of them."""
    vault, root = FakeVault(FakeClock(NOW)), tmp_path / "stored"
    store, sides = LocalStore(root), []
    for side, content in plain.items():
        sealed = tmp_path / "sealed"
        sealed.write_bytes(encrypt(content, [vault.identity.recipient]))
        name = f"r_00000000000000000000/{side.value}.webm.age"
        await store.put(name, sealed)
        sides.append(MediaSide(side, name, sealed.stat().st_size, 4_000, complete=True))
        sealed.unlink()
    recording = Recording(
        id="r_00000000000000000000",
        session=None,
        state=Kept.STORED,
        client=None,
        counselor=None,
        started_at=NOW,
        ended_at=NOW,
        open_from=NOW,
        expires_at=NOW,
        closed=False,
        released=True,
        sides=tuple(sides),
    )
    export = Export("x_1", recording.id, None, None, recipient, "", "", State.MAKING, NOW, NOW, None)
    return Exporter(store, vault, Warrants(MASTER), tmp_path / "exports"), export, recording, vault


async def test_the_file_opens_with_the_recipients_key_and_plays_both_sides(tmp_path: Path) -> None:
    identity, heard = Identity.generate(), list[int]()
    plain = {Side.CLIENT: webm(tmp_path / "a.webm", 440), Side.COUNSELOR: webm(tmp_path / "b.webm", 880)}
    exporter, export, recording, vault = await made(tmp_path, plain, str(identity.recipient))
    size = await exporter.make(export, recording, now=NOW, told=heard.append)
    sealed = exporter.path(export.id).read_bytes()
    assert len(sealed) == size
    assert {warrant.purpose for warrant in vault.asked} == {Purpose.EXPORT}
    assert b"matroska" not in sealed
    out = tmp_path / "out.mkv"
    out.write_bytes(decrypt(sealed, [identity]))
    assert codecs_of(out) == ["vp8", "opus", "vp8", "opus"]
    out.write_bytes(out.read_bytes()[:20_000])  # the head alone: of a whole file ffprobe finds out by itself
    assert length_s(out) == pytest.approx(4.0, abs=0.1)
    assert sorted(path.name for path in (tmp_path / "exports").iterdir()) == ["x_1.mkv.age"]
    exporter.remove(export.id)
    assert list((tmp_path / "exports").iterdir()) == []


async def test_what_is_no_recording_leaves_nothing_behind(tmp_path: Path) -> None:
    exporter, export, recording, _ = await made(
        tmp_path, {Side.CLIENT: os.urandom(300_000)}, str(Identity.generate().recipient)
    )
    with pytest.raises(NotExported):
        await exporter.make(export, recording, now=NOW, told=lambda _: None)
    assert list((tmp_path / "exports").iterdir()) == []


async def test_one_that_is_given_up_leaves_no_process_and_no_file(tmp_path: Path) -> None:
    exporter, export, recording, _ = await made(
        tmp_path, {Side.CLIENT: webm(tmp_path / "a.webm", 440)}, str(Identity.generate().recipient)
    )
    making = asyncio.create_task(exporter.make(export, recording, now=NOW, told=lambda _: None))
    await until(exporter._part(export.id).exists)
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    assert list((tmp_path / "exports").glob("*")) == []


async def test_a_process_that_stays_when_it_is_done_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "ENDS_WITHIN_S", 0.1)
    process = await asyncio.create_subprocess_exec("sleep", "60")
    await exporting._ended(process)
    assert process.returncode == -signal.SIGKILL


OPENS = """
import socket
from recordings.bundle import confine
confine()
for attempt in (lambda: socket.socket(), lambda: open("/etc/hostname")):
    try:
        attempt()
    except OSError as error:
        print(error.errno)
"""


def test_the_process_that_seals_can_open_nothing() -> None:
    tried = subprocess.run(
        [sys.executable, "-c", OPENS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert tried.stdout.split() == ["24", "24"]
