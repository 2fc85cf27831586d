"""The description of the API, and schemathesis against the real process."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from accounts.tokens import issue_api_token
from core.ids import ApiKeyId
from tests.web.conftest import Client
from tests.web.process import run_json, serving

EXAMPLES = 15


async def test_it_is_served_to_everybody_and_names_every_way(client: Client) -> None:
    async with client.get("/api/v1/openapi.json") as answer:
        document = await answer.json()
    assert (answer.status, document["openapi"]) == (200, "3.1.0")
    assert set(document["paths"]) == {
        "/api/v1/sessions",
        "/api/v1/sessions/{id}",
        "/api/v1/sessions/{id}/quality",
        "/api/v1/sessions/{id}/end",
        "/api/v1/sessions/{id}/recording/withdraw",
        "/api/v1/sessions/{id}/recording/receipts",
        "/healthz",
        "/readyz",
    }
    references = set(re.findall(r"#/components/schemas/(\w+)", await answer.text()))
    assert references == set(document["components"]["schemas"])


@pytest.mark.parametrize("with_key", [True, False])
def test_schemathesis_finds_nothing(tmp_path: Path, with_key: bool) -> None:
    key = run_json(tmp_path, "api-key", "create", "schemathesis")
    life = timedelta(minutes=9)
    token = issue_api_token(key=ApiKeyId(key["id"]), secret=key["secret"], now=datetime.now(UTC), life=life)
    tester = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    assert tester is not None
    with serving(tmp_path, API_REQUESTS_PER_S="100000") as server:
        command = [
            tester,
            "run",
            f"{server.url}/api/v1/openapi.json",
            "--checks",
            "all",
            "--seed",
            "20260302",
        ]
        command += ["--max-examples", str(EXAMPLES), "--no-color"]
        # Without a key an address has 200 attempts at once, and 20 more each second.
        command += ["--header", f"Authorization: Bearer {token}"] if with_key else ["--rate-limit", "30/s"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "Traceback" not in (tmp_path / "serve.log").read_text()
