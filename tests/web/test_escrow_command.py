"""``teduh escrow``: two halves for two people, and a recording's key that is not handed out in secret."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from accounts import notices, people
from core.agefile import Identity, encrypt
from core.clock import SystemClock
from core.config import Config
from core.db import Database
from core.errors import ConfigError, NotFound
from core.ids import UserId
from counseling import incidents
from migrations.run import upgrade
from recordings.states import State
from recordings.tables import RecordingRow
from recordings.vault import Vault
from signaling.tables import SessionRow
from tests.web.commanding import command

MASTER = bytes(32)


def test_two_holders_make_a_key_and_open_a_recording_with_age(tmp_path: Path) -> None:
    config = Config(data_dir=tmp_path / "var")
    first, second, setting = command(config, "escrow", "new", typed="\n" * 4).split()
    recipient = setting.removeprefix("TEDUH_ESCROW=")
    joined = command(config, "escrow", "join", typed=f"{second}\n{first}\n")
    assert str(Identity.parse(joined).recipient) == recipient
    assert not (tmp_path / "var").exists()


async def one_recording(config: Config) -> tuple[bytes, list[UserId]]:
    """Make both people, their recording and its key; gives media of it, and who they are."""
    clock = SystemClock()
    database = Database(config.database_url)
    await upgrade(database)
    now = clock.now()
    async with database.sessions.begin() as db:
        client = await people.create_client(db, name="Melati", language="id", adult=True, now=now)
        counselor = await people.create_client(db, name="Kenanga", language="en", adult=True, now=now)
        await db.execute(
            insert(RecordingRow).values(
                id="r_1",
                state=State.STORED.value,
                client_user=client.id,
                counselor_user=counselor.id,
                started_at=now,
                expires_at=now,
            )
        )
    await database.close()
    recipient = await Vault.of(config, master=MASTER, clock=clock).create("r_1")
    return encrypt(b"a picture", [recipient]), [client.id, counselor.id]


async def inbox(config: Config, user: UserId) -> list[notices.Notice]:
    database = Database(config.database_url)
    async with database.sessions() as db:
        found = await notices.inbox(db, user=user)
    await database.close()
    return found


def test_taking_a_key_is_an_incident_that_both_are_told(tmp_path: Path) -> None:
    holder = Identity.generate()
    (tmp_path / "var").mkdir(mode=0o700)
    config = Config(data_dir=tmp_path / "var", master_key=MASTER, escrow=str(holder.recipient))
    media, users = asyncio.run(one_recording(config))
    out = tmp_path / "out"
    out.mkdir()
    words = ["--reason", "Permintaan pengadilan.", "--reason-en", "A court asks.", "--out", str(out)]
    assert "2 people were told" in command(config, "escrow", "take", "r_1", *words)
    for user in users:
        (notice,) = asyncio.run(inbox(config, user))
        assert notice.kind == "incident"
        assert "Permintaan pengadilan." in json.dumps(dict(notice.places))

    (tmp_path / "escrow.txt").write_text(f"{holder}\n")
    key = age(tmp_path / "escrow.txt", (out / "key.age").read_bytes())
    (tmp_path / "recording.txt").write_bytes(key)
    assert age(tmp_path / "recording.txt", media) == b"a picture"

    with pytest.raises(ConfigError, match=r"without key\.age"):
        command(config, "escrow", "take", "r_1", *words)


def test_where_neither_has_an_account_it_says_who_is_to_tell_them(tmp_path: Path) -> None:
    """As in every session of a program."""
    (tmp_path / "var").mkdir(mode=0o700)
    config = Config(data_dir=tmp_path / "var", master_key=MASTER, escrow=str(Identity.generate().recipient))
    asyncio.run(one_recording(config))
    asyncio.run(make_it_a_programs(config))
    words = ["--reason", "x", "--reason-en", "x", "--out", str(tmp_path)]
    said = command(config, "escrow", "take", "r_1", *words)
    assert "0 people were told" in said
    assert "tell the program that made session s_program" in said
    [note] = asyncio.run(log_of_the_only_incident(config))
    assert note.text in said.splitlines()


async def make_it_a_programs(config: Config) -> None:
    """Let the two of the recording be guests without an account."""
    database, now = Database(config.database_url), SystemClock().now()
    async with database.sessions.begin() as db:
        await db.execute(
            insert(SessionRow).values(
                id="s_program", mode="voice", recording="ask", state="ended", created_at=now, places_until=now
            )
        )
        await db.execute(
            update(RecordingRow).values(session_id="s_program", client_user=None, counselor_user=None)
        )
    await database.close()


async def log_of_the_only_incident(config: Config) -> list[incidents.Note]:
    database = Database(config.database_url)
    async with database.sessions() as db:
        [incident] = await incidents.every(db)
        found = await incidents.notes(db, numbers=[incident.id])
    await database.close()
    return found[incident.id]


@pytest.mark.parametrize("recording", ["r_1", "r_unknown"])
def test_what_there_is_no_escrow_of_makes_no_incident(tmp_path: Path, recording: str) -> None:
    (tmp_path / "var").mkdir(mode=0o700)
    config = Config(data_dir=tmp_path / "var", master_key=MASTER)
    _, users = asyncio.run(one_recording(config))
    words = ["--reason", "x", "--reason-en", "x", "--out", str(tmp_path)]
    with pytest.raises(NotFound):
        command(config, "escrow", "take", recording, *words)
    assert not (tmp_path / "key.age").exists()
    assert asyncio.run(inbox(config, users[0])) == []


def age(key: Path, sealed: bytes) -> bytes:
    return subprocess.run(["age", "-d", "-i", key], input=sealed, capture_output=True, check=True).stdout
