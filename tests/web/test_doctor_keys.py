"""What the doctor finds where recordings' keys are."""

from __future__ import annotations

import dataclasses
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from accounts import people, texts
from accounts.audit import Audit
from accounts.roles import Role
from core.addresses import Reach
from core.agefile import Identity
from core.config import Config
from core.db import Database
from core.shapes import KeysAt
from migrations.run import upgrade
from recordings import keybackup
from recordings.keystore import KeyStore
from recordings.vault import Vault
from tests.fakes import FakeClock
from web.doctor import Level
from web.doctor_keys import KeyFacts, examine_keys, gather_keys

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HEALTHY = KeyFacts(
    now=NOW,
    reach=Reach.PUBLIC,
    data_dir=Path("/srv/teduh"),
    keys_dir=Path("/srv/keys"),
    keys_file=Path("/srv/teduh/keys.db"),
    there=True,
    problem=None,
    backup_dir=Path("/srv/backup"),
    backup_at=NOW - timedelta(hours=25),
    escrow=None,
    escrow_said=False,
)


def test_where_all_is_well_nothing_is_wrong() -> None:
    assert {finding.level for finding in examine_keys(HEALTHY)} == {Level.FINE}


@pytest.mark.parametrize(
    ("changed", "level", "said"),
    [
        ({"problem": "Recordings hang on the key 2026-03.1.aa."}, Level.WRONG, "2026-03.1.aa"),
        ({"keys_dir": Path("/srv/teduh/keys")}, Level.WRONG, "set TEDUH_KEYS"),
        ({"keys_dir": Path("/srv/teduh/keys"), "there": False}, Level.NOTE, "set TEDUH_KEYS"),
        ({"keys_dir": Path("/srv/teduh/keys"), "reach": Reach.LOOPBACK}, Level.NOTE, "trying out"),
        ({"one_disk": True}, Level.NOTE, "The keys in /srv/keys lie on the disk"),
        ({"backup_dir": None}, Level.WRONG, "TEDUH_KEYS_BACKUP"),
        ({"backup_at": None}, Level.WRONG, "/srv/backup"),
        ({"backup_at": NOW - timedelta(hours=27)}, Level.WRONG, "for a day"),
        ({"escrow": "age1xmwwc06ly3ee5rytxm9m"}, Level.WRONG, "age1xmwwc06l…"),
        ({"export": True}, Level.WRONG, "TEDUH_RECORDING_EXPORT"),
    ],
)
def test_each_thing_that_is_not_as_it_should_be_is_said(
    changed: dict[str, Any], level: Level, said: str
) -> None:
    other = [
        one for one in examine_keys(dataclasses.replace(HEALTHY, **changed)) if one.level is not Level.FINE
    ]
    assert [(one.about, one.level) for one in other] == [("recordings", level)]
    assert said in other[0].text


@pytest.mark.parametrize(
    "other",
    [
        {"keys_dir": None},
        {"one_disk": True, "reach": Reach.LOOPBACK},
        {"there": False, "backup_dir": None},
        {"escrow": "age1xmwwc06ly3ee5rytxm9m", "escrow_said": True},
        {"export": True, "export_said": True},
    ],
)
def test_other_ways_to_set_it_up_are_fine_too(other: dict[str, Any]) -> None:
    found = examine_keys(dataclasses.replace(HEALTHY, **other))
    assert {finding.level for finding in found} == {Level.FINE}


async def test_it_gathers_what_is_there(tmp_path: Path, clock: FakeClock) -> None:
    config = Config(
        data_dir=tmp_path, keys_backup=tmp_path / "backup", public_url="https://konseling.example"
    )
    new = await gather_keys(config, master=bytes(32), clock=clock)
    assert (new.there, new.problem, new.backup_at) == (False, None, None)
    assert not config.keys_file.exists()
    await Vault.of(config, master=bytes(32), clock=clock).create("r_1")
    keybackup.back_up(KeyStore(config.keys_file), tmp_path / "backup", now=clock.now())
    made = await gather_keys(config, master=bytes(32), clock=clock)
    assert (made.there, made.problem, made.backup_at) == (True, None, clock.now())
    assert (made.reach, made.keys_dir) == (Reach.PUBLIC, tmp_path / "keys")
    (tmp_path / "keys" / "2026-03.1.txt").chmod(0o644)
    wide = await gather_keys(config, master=bytes(32), clock=clock)
    assert wide.problem is not None
    assert "chmod 600" in wide.problem


async def test_a_place_of_keys_that_it_may_not_look_into_is_a_finding(
    tmp_path: Path, clock: FakeClock
) -> None:
    shut = tmp_path / ("x" * 300)
    config = Config(data_dir=tmp_path, keys_db=shut / "keys.db", keys=KeysAt(directory=shut))
    facts = await gather_keys(config, master=bytes(32), clock=clock)
    assert facts.problem is not None
    assert "TEDUH_KEYS_DB" in facts.problem


async def test_it_sees_whether_keys_and_recordings_share_a_disk(tmp_path: Path, clock: FakeClock) -> None:
    data = tmp_path / "data"
    data.mkdir()

    async def shared(keys: Path) -> bool:
        config = Config(data_dir=data, keys=KeysAt(directory=keys))
        return (await gather_keys(config, master=bytes(32), clock=clock)).one_disk

    assert not await shared(tmp_path / "not there")
    (tmp_path / "keys").mkdir(mode=0o700)
    assert await shared(tmp_path / "keys")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        assert not await shared(Path(other))


async def test_it_reads_whether_the_text_of_consent_speaks_of_escrow(
    tmp_path: Path, clock: FakeClock
) -> None:
    config = Config(data_dir=tmp_path, escrow=str(Identity.generate().recipient))

    async def said() -> bool:
        return (await gather_keys(config, master=bytes(32), clock=clock)).escrow_said

    assert not await said()
    database = Database(config.database_url)
    await upgrade(database)
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        admin = await people.create_staff(db, name="Sri", language="id", roles=[Role.ADMIN], now=clock.now())
        first = await texts.current(db, kind=texts.Kind.RECORDING)
    assert not await said()
    more = {"id": "Dua orang memegang kunci titipan.", "en": "Two people hold a key in escrow."}
    bodies = {locale: f"{text.body.rstrip()}\n\n{more[locale]}\n" for locale, text in first.texts.items()}
    async with database.sessions.begin() as db:
        await texts.publish(
            db,
            Audit(bytes(32)),
            person=admin,
            kind=texts.Kind.RECORDING,
            base=first.number,
            bodies=bodies,
            changes=more,
            material=True,
            reviewed=True,
            now=clock.now(),
        )
    await database.close()
    assert await said()


async def test_it_reads_whether_the_text_of_consent_speaks_of_files(tmp_path: Path, clock: FakeClock) -> None:
    config = Config(data_dir=tmp_path, recording_export=True)

    async def said() -> bool:
        return (await gather_keys(config, master=bytes(32), clock=clock)).export_said

    assert not await said()
    database = Database(config.database_url)
    await upgrade(database)
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        admin = await people.create_staff(db, name="Sri", language="id", roles=[Role.ADMIN], now=clock.now())
        first = await texts.current(db, kind=texts.Kind.RECORDING)
    assert await said()
    async with database.sessions.begin() as db:
        await texts.publish(
            db,
            Audit(bytes(32)),
            person=admin,
            kind=texts.Kind.RECORDING,
            base=first.number,
            bodies={
                locale: "".join(
                    line
                    for line in text.body.splitlines(keepends=True)
                    if "berkas" not in line and "file" not in line
                )
                for locale, text in first.texts.items()
            },
            changes={"id": "Lebih pendek.", "en": "Shorter."},
            material=True,
            reviewed=True,
            now=clock.now(),
        )
    assert not await said()
    await database.close()
