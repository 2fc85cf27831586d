"""The README's way for phones in the same network: a certificate of our own making."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.conftest import ROOT
from tests.e2e.server import COMMAND, Server


@pytest.fixture
def self_signed(tmp_path: Path) -> Iterator[Server]:
    """A server with HTTPS and no certificate from anybody."""
    made = Server(tmp_path)
    url = f"https://localhost:{made.http_port}"
    made.extra |= {"TEDUH_TLS": "self-signed", "TEDUH_PUBLIC_URL": url, "TEDUH_HTTP_HOST": "localhost"}
    process = subprocess.Popen(
        [*COMMAND, "serve"],
        env=made.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as said:
        assert said.readline() == f"teduh serves at {url}\n"
        yield made
        process.terminate()
        assert process.wait(10) == 0


def test_the_program_trusts_the_certificate_that_the_server_made(self_signed: Server, tmp_path: Path) -> None:
    url = self_signed.public_url
    key_file = tmp_path / "key.json"
    key_file.write_text(self_signed.command("api-key", "create", "clinic", "--json"))
    certificate = tmp_path / "self-signed.pem"
    assert certificate.stat().st_mode & 0o777 == 0o600
    printed = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "make_session.py"), url, str(key_file)],
        env=os.environ | {"SSL_CERT_FILE": str(certificate)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert [line.split(" ")[1].partition("#")[0] for line in printed.splitlines()] == [f"{url}/join"] * 2
