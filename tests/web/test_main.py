from __future__ import annotations

from pathlib import Path

import pytest

from tests.web.process import run, run_json
from web.main import main


def test_a_key_is_made_listed_and_revoked(tmp_path: Path) -> None:
    made = run_json(tmp_path, "api-key", "create", "booking", "--scopes", "create,read")
    assert (made["name"], made["scopes"]) == ("booking", ["create", "read"])
    assert len(made["secret"]) == 43
    (listed,) = run_json(tmp_path, "api-key", "list")
    assert listed["id"] == made["id"]
    assert listed["revoked_at"] is None
    assert "secret" not in listed
    done = run(tmp_path, "api-key", "revoke", made["id"])
    assert (done.returncode, done.stdout) == (0, "The key is revoked.\n")
    (listed,) = run_json(tmp_path, "api-key", "list")
    assert listed["revoked_at"] is not None


def test_people_get_words(tmp_path: Path) -> None:
    made = run(tmp_path, "api-key", "create", "booking").stdout
    assert "The secret is not shown again." in made
    assert "create,end,read   booking" in run(tmp_path, "api-key", "list").stdout


def test_the_secret_is_nowhere_on_disk(tmp_path: Path) -> None:
    secret = run_json(tmp_path, "api-key", "create", "booking")["secret"]
    files = [path for path in (tmp_path / "var").rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"master.key", "teduh.db"}
    assert all(secret.encode() not in path.read_bytes() for path in files)


def test_a_key_that_is_not_there_cannot_be_revoked(tmp_path: Path) -> None:
    done = run(tmp_path, "api-key", "revoke", "k_none")
    assert (done.returncode, done.stderr) == (1, "There is no API key with this id.\n")


def test_a_demo_is_two_links(tmp_path: Path) -> None:
    links = run_json(tmp_path, "demo", HTTP_PORT="8080")
    assert set(links) == {"client", "counselor"}
    assert all(link.startswith("http://localhost:8080/join#") for link in links.values())
    assert run(tmp_path, "demo").stdout.count("/join#") == 2


@pytest.mark.parametrize("settings", [{"HTTP_HOST": "0.0.0.0"}, {"PUBLIC_URL": "https://teduh.example.org"}])
def test_there_is_no_demo_where_others_can_reach_it(tmp_path: Path, settings: dict[str, str]) -> None:
    done = run(tmp_path, "demo", **settings)
    assert done.returncode == 2
    assert "Demo data is made only where nobody else can reach it" in done.stderr


def test_the_database_is_brought_up_to_date_as_often_as_one_likes(tmp_path: Path) -> None:
    for _ in range(2):
        assert run(tmp_path, "migrate").stdout == "The database is up to date.\n"


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"HTTP_PROT": "1"}, "TEDUH_HTTP_PROT is not a setting of teduh. Did you mean TEDUH_HTTP_PORT?"),
        ({"GRACE_S": "long"}, "TEDUH_GRACE_S does not fit"),
        ({"CONTAINER": "1"}, "set TEDUH_MEDIA_ADDRESSES to the address"),
        ({"DATABASE_URL": "sqlite:////nowhere/at/all/x.db"}, "TEDUH_DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://u:very-secret@127.0.0.1:1/d"}, "TEDUH_DATABASE_URL"),
    ],
)
def test_a_start_that_cannot_be_is_one_sentence(tmp_path: Path, settings: dict[str, str], named: str) -> None:
    done = run(tmp_path, "serve", **settings)
    sentence = done.stderr.splitlines()[-1]
    assert (done.returncode, done.stdout) == (2, "")
    assert named in sentence
    assert "Traceback" not in done.stderr
    assert "very-secret" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [(), ("sing",), ("api-key",), ("api-key", "create", "x", "--scopes", "all")]
)
def test_a_wrong_command_is_explained(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: teduh" in capsys.readouterr().err
