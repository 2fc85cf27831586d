"""What the doctor finds, from facts; and the command on a fresh server."""

from __future__ import annotations

import dataclasses
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.addresses import Reach
from tests.web import process
from tests.web.commanding import run
from web.doctor import Facts, Level, examine
from web.tls import FILE, make

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HEALTHY = Facts(
    now=NOW,
    reach=Reach.PUBLIC,
    https=True,
    own_tls=False,
    plain_outside=False,
    data_dir=Path("var"),
    data_dir_mode=0o700,
    key_file=Path("var/master.key"),
    key_mode=0o600,
    key_from_environment=False,
    free_bytes=5_000_000_000,
    backup_mark=Path("mark"),
    backup_at=NOW - timedelta(hours=25),
    certificate_until=NOW + timedelta(days=60),
    metrics_status=404,
    mail_set=True,
    checkpoints_set=True,
    checkpoint_file=Path("outside"),
    checkpoint_at=NOW - timedelta(minutes=50),
    clock_synchronised=True,
    gaps=[],
    thin=0,
    unreached=(),
    lines=3,
    stale_lines=[],
    texts_signed=True,
    officers=1,
    officers_in_line=[],
    late_complaints=0,
    late_erasures=0,
    staff_without_factor=[],
    tried_out=[],
    demo_open=[],
    minors_policy=True,
    open_incidents=[],
)


def test_a_healthy_server_has_nothing_wrong() -> None:
    assert {finding.level for finding in examine(HEALTHY)} == {Level.FINE}


@pytest.mark.parametrize(
    ("changed", "about", "level", "said"),
    [
        ({"data_dir_mode": None}, "keys", Level.WRONG, "is not there"),
        ({"data_dir_mode": 0o755}, "keys", Level.WRONG, "chmod 700 var"),
        ({"key_mode": None}, "keys", Level.WRONG, "no master key"),
        ({"key_mode": 0o640}, "keys", Level.WRONG, "chmod 600 var/master.key"),
        ({"backup_mark": None}, "backups", Level.WRONG, "TEDUH_BACKUP_MARK"),
        ({"backup_at": None}, "backups", Level.WRONG, "not there"),
        ({"backup_at": NOW - timedelta(hours=27)}, "backups", Level.WRONG, "27 h old"),
        ({"https": False, "certificate_until": None}, "tls", Level.WRONG, "plain HTTP"),
        ({"certificate_until": NOW + timedelta(days=13)}, "tls", Level.WRONG, "ends on 2026-03-15"),
        ({"certificate_until": None}, "tls", Level.NOTE, "could not be looked at"),
        ({"plain_outside": True}, "tls", Level.NOTE, "other machines"),
        ({"metrics_status": 200}, "metrics", Level.WRONG, "open to strangers"),
        ({"metrics_status": None}, "metrics", Level.NOTE, "could not be tried"),
        ({"checkpoints_set": False}, "checkpoints", Level.WRONG, "TEDUH_AUDIT_CHECKPOINTS"),
        ({"checkpoint_at": None}, "checkpoints", Level.WRONG, "yet"),
        ({"checkpoint_at": NOW - timedelta(hours=3)}, "checkpoints", Level.WRONG, "3 h old"),
        ({"tried_out": ["Sri"]}, "staff", Level.WRONG, "in the last 3 days: Sri."),
        ({"demo_open": ["Sekar", "Dewi"]}, "demo", Level.WRONG, "Sekar, Dewi"),
        ({"free_bytes": 900_000_000}, "disk", Level.WRONG, "0.9 GB"),
        ({"clock_synchronised": False}, "time", Level.WRONG, "chrony"),
        ({"clock_synchronised": None}, "time", Level.NOTE, "could not be found out"),
        ({"mail_set": False}, "mail", Level.NOTE, "TEDUH_SMTP_URL"),
        ({"staff_without_factor": ["Rina"]}, "staff", Level.WRONG, "Rina"),
        ({"gaps": [(NOW, NOW + timedelta(hours=30))]}, "roster", Level.WRONG, "30 hours"),
        ({"thin": 4}, "roster", Level.NOTE, "4 times"),
        ({"unreached": ["Rina"]}, "roster", Level.WRONG, "reaches Rina on an open page only"),
        ({"lines": 0}, "crisis", Level.WRONG, "suggestions"),
        ({"stale_lines": ["119"]}, "crisis", Level.WRONG, "119"),
        ({"texts_signed": False}, "crisis", Level.WRONG, "sign-off"),
        ({"officers": 0}, "complaints", Level.WRONG, "Nobody takes complaints"),
        ({"officers_in_line": ["Budi"]}, "complaints", Level.WRONG, "Budi"),
        ({"late_erasures": 1}, "erasing", Level.WRONG, "1 person should"),
        ({"late_complaints": 2}, "complaints", Level.WRONG, "2 complaints"),
        ({"minors_policy": False}, "minors", Level.NOTE, "18+"),
        ({"open_incidents": [("Bocor", timedelta(hours=50))]}, "incidents", Level.WRONG, "50 h are left"),
        ({"open_incidents": [("Bocor", timedelta(hours=-5))]}, "incidents", Level.WRONG, "over by 5 h"),
        ({"open_incidents": [("Bocor", None)]}, "incidents", Level.NOTE, "still open"),
    ],
)
def test_each_thing_that_is_not_as_it_should_be_is_said(
    changed: dict[str, Any], about: str, level: Level, said: str
) -> None:
    found = [one for one in examine(dataclasses.replace(HEALTHY, **changed)) if one.level is not Level.FINE]
    assert [(one.about, one.level) for one in found] == [(about, level)]
    assert said in found[0].text


def test_a_machine_of_ones_own_needs_no_certificate() -> None:
    alone = dataclasses.replace(
        HEALTHY, reach=Reach.LOOPBACK, https=False, certificate_until=None, metrics_status=None
    )
    assert {finding.level for finding in examine(alone)} == {Level.FINE}


def test_the_command_says_what_is_wrong_with_a_fresh_server(tmp_path: Path) -> None:
    run(tmp_path, "migrate")
    mark = tmp_path / "backup"
    mark.touch()
    old = (datetime.now(UTC) - timedelta(days=4)).timestamp()
    os.utime(mark, (old, old))
    (tmp_path / "var").chmod(0o755)
    (tmp_path / "var" / "master.key").chmod(0o644)
    done = run(tmp_path, "doctor", "--json", BACKUP_MARK=str(mark))
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert done.stderr.endswith("things are wrong.\n")
    wrong = {(one["about"], one["text"]) for one in found if one["level"] == "wrong"}
    assert ("backups", "The last backup is 4 days old.") in wrong
    assert sum(about == "keys" for about, _ in wrong) == 2
    assert {"roster", "crisis", "complaints", "checkpoints"} <= {about for about, _ in wrong}


def test_a_policy_that_does_not_fit_stops_it_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "minors.toml").write_text("x = 1")
    done = process.run(tmp_path, "doctor", MINORS_POLICY=str(tmp_path / "minors.toml"))
    assert done.returncode == 2
    assert "which means nothing here" in done.stderr


def test_it_reads_when_its_own_certificate_ends(tmp_path: Path) -> None:
    settings = {"TLS": "self-signed", "PUBLIC_URL": "https://10.0.0.7:8443", "HTTP_HOST": "0.0.0.0"}
    run(tmp_path, "migrate")
    (tmp_path / "var" / FILE).write_bytes(make(["10.0.0.7"], now=datetime.now(UTC)))
    found = json.loads(run(tmp_path, "doctor", "--json", "--offline", **settings).stdout)
    (said,) = [one for one in found if one["about"] == "tls"]
    end = datetime.now(UTC) + timedelta(days=397)
    assert said == {"about": "tls", "level": "fine", "text": f"The certificate holds until {end:%Y-%m-%d}."}
