"""The container: what Dockerfile and compose.yaml promise, and that teduh runs as they run it."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # PyYAML brings no types

from core.config import variables
from tests.docs.conftest import ROOT
from tests.e2e.server import free_port

DOCKERFILE = (ROOT / "Dockerfile").read_text()
NOBODY = 65_534
START_S = 20.0


def stages() -> list[list[str]]:
    """The instructions of each stage, continued lines joined, comments left out."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip()]
    found: list[list[str]] = []
    for line in lines:
        if line.startswith("FROM "):
            found.append([])
        found[-1].append(line)
    return found


def words(instruction: str) -> str:
    """The one instruction of this name in the final stage."""
    (line,) = [line for line in stages()[-1] if line.startswith(instruction + " ")]
    return line.removeprefix(instruction + " ")


def compose() -> dict[str, Any]:
    """The compose file."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return found


def test_dependencies_come_from_the_hashed_files_alone() -> None:
    build, final = stages()
    installs = [line for line in build if "pip install" in line]
    assert len(installs) == 2
    assert "--require-hashes" in installs[0]
    for name in ("runtime", "build"):
        assert f"-r constraints/{name}.txt" in installs[0]
        pins = (ROOT / "constraints" / f"{name}.txt").read_text().replace("\\\n", " ")
        assert all("==" in pin and "--hash=sha256:" in pin for pin in pins.splitlines())
    assert {"--no-index", "--no-deps"} <= set(installs[1].split())
    assert not any("pip install" in line for line in final)


def test_every_package_of_ours_is_in_the_image() -> None:
    copied = {line.split()[1] for line in stages()[0] if line.startswith("COPY ")}
    listed = re.search(
        r"^packages = \[(.*?)\]", (ROOT / "pyproject.toml").read_text(), re.DOTALL | re.MULTILINE
    )
    assert listed is not None
    ours = {name.partition(".")[0] for name in re.findall(r'"([^"]+)"', listed[1])}
    assert ours <= copied
    context = (ROOT / ".dockerignore").read_text().splitlines()
    assert all(f"!{name}/" in context for name in ours)


def test_the_image_runs_as_an_unprivileged_user_with_a_health_check() -> None:
    user, _, group = words("USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0
    assert "/healthz" in words("HEALTHCHECK")
    assert words("ENTRYPOINT") == '["teduh"]'
    assert words("VOLUME") == "/data"
    environment = words("ENV")
    assert "TEDUH_DATA_DIR=/data" in environment
    assert "TEDUH_CONTAINER=1" in environment
    assert "TEDUH_MEDIA_ADDRESSES" not in environment


@pytest.mark.parametrize("service", ["teduh", "caddy"])
def test_every_service_is_read_only_without_capabilities(service: str) -> None:
    described = compose()["services"][service]
    assert described["read_only"] is True
    assert described["cap_drop"] == ["ALL"]
    assert described.get("cap_add", []) == ([] if service == "teduh" else ["NET_BIND_SERVICE"])
    assert described["security_opt"] == ["no-new-privileges:true"]
    assert "/tmp" in described["tmpfs"]
    assert "privileged" not in described
    assert "network_mode" not in described


def test_only_caddy_and_the_media_port_are_published() -> None:
    services = compose()["services"]
    assert set(services) == {"teduh", "caddy"}
    media = "${TEDUH_MEDIA_PORT:-3478}"
    assert services["teduh"]["ports"] == [f"{media}:{media}/udp", f"{media}:{media}/tcp"]
    assert services["caddy"]["ports"] == ["80:80/tcp", "443:443/tcp"]


def test_what_opens_recordings_is_in_a_volume_of_its_own() -> None:
    described = compose()["services"]["teduh"]
    data, keys = (volume.partition(":")[::2] for volume in described["volumes"])
    assert data[1] == "/data"
    assert described["environment"]["TEDUH_KEYS"].endswith(f":-{keys[1]}}}")
    assert {data[0], keys[0]} < set(compose()["volumes"])
    (made,) = [line for line in stages()[-1] if "install --directory" in line]
    assert made.endswith(f"--mode 0700 {data[1]} {keys[1]}")


def test_the_one_trusted_proxy_is_caddy() -> None:
    services = compose()["services"]
    assert (
        services["teduh"]["environment"]["TEDUH_TRUSTED_PROXIES"]
        == (services["caddy"]["networks"]["front"]["ipv4_address"])
    )
    assert "reverse_proxy {$UPSTREAM:teduh:8080}" in (ROOT / "deploy" / "Caddyfile").read_text()


def test_compose_names_only_settings_that_there_are() -> None:
    environment = compose()["services"]["teduh"]["environment"]
    assert set(environment) <= set(variables())
    assert ":?" in environment["TEDUH_MEDIA_ADDRESSES"]
    assert ":?" in environment["TEDUH_PUBLIC_URL"]
    example = (ROOT / "deploy" / "example.env").read_text()
    asked = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "compose.yaml").read_text()))
    named = set(re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE))
    assert named <= asked
    assert {"SITE_DOMAIN", "TEDUH_MEDIA_ADDRESSES"} <= named


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our packages as the Dockerfile installs them, from a copy of what the build context holds."""
    folder = tmp_path_factory.mktemp("image")
    source, target = folder / "source", folder / "installed"
    source.mkdir()
    for line in stages()[0]:
        if line.startswith("COPY ") and "constraints" not in line:
            names = line.split()[1:-1]
            subprocess.run(["cp", "-r", *(ROOT / name for name in names), source], check=True)
    flags = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "install", *flags, "--target", str(target), str(source)]
    subprocess.run(command, check=True)
    let_pass(folder)
    return target


def let_pass(folder: Path) -> None:
    """Let other users pass through a temporary directory of ours."""
    for each in (folder, *folder.parents):
        if (
            each.is_relative_to(tempfile.gettempdir())
            and each.stat().st_uid == os.geteuid()
            and each.parent != each
        ):
            each.chmod(each.stat().st_mode | 0o011)


@functools.cache
def confined() -> list[str]:
    """As the container runs: nobody, no capability, no way to gain one.

    Only root can show all of it, and become nobody only where nobody may run this Python.
    """
    if os.geteuid() != 0:
        return ["setpriv", "--no-new-privs"]
    bare = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    who = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    trial = subprocess.run(
        [*bare, *who, sys.executable, "-c", "import aiohttp"], check=False, capture_output=True
    )
    return [*bare, *who] if trial.returncode == 0 else bare


def is_nobody() -> bool:
    """Whether the confined process runs as another user than this one."""
    return "--clear-groups" in confined()


def environment_of(installed: Path, data: Path) -> dict[str, str]:
    """The image's environment, with free ports and a directory of the test's own."""
    packages = next(Path(entry) for entry in sys.path if entry.endswith("site-packages"))
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{installed}:{packages}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "TEDUH_CONTAINER": "1",
        "TEDUH_DATA_DIR": str(data),
        "TEDUH_HTTP_HOST": "0.0.0.0,::",
        "TEDUH_HTTP_PORT": str(free_port()),
        "TEDUH_MEDIA_PORT": str(free_port()),
    }


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The volume: the only place that may be written."""
    made = tmp_path / "data"
    made.mkdir(mode=0o700)
    let_pass(tmp_path)
    if is_nobody():
        os.chown(made, NOBODY, NOBODY)
    return made


def test_without_media_addresses_the_start_stops_with_a_sentence(installed: Path, data: Path) -> None:
    command = [*confined(), sys.executable, "-m", "web.main", "serve"]
    ended = subprocess.run(
        command,
        check=False,
        env=environment_of(installed, data),
        cwd=data,
        capture_output=True,
        text=True,
        timeout=START_S,
    )
    assert ended.returncode == 2
    assert ended.stderr.strip().splitlines()[-1].startswith("This is a container")
    assert "TEDUH_MEDIA_ADDRESSES" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_it_serves_without_rights_and_writes_into_its_volume_alone(installed: Path, data: Path) -> None:
    before = sorted(installed.rglob("*"))
    environment = environment_of(installed, data) | {"TEDUH_MEDIA_ADDRESSES": "127.0.0.1"}
    command = [*confined(), sys.executable, "-m", "web.main", "serve"]
    process = subprocess.Popen(command, env=environment, cwd=data, stderr=subprocess.DEVNULL)
    try:
        assert answers(f"http://127.0.0.1:{environment['TEDUH_HTTP_PORT']}/healthz", process)
        status = Path(f"/proc/{process.pid}/status").read_text()
        maps = Path(f"/proc/{process.pid}/maps").read_text()
    finally:
        process.terminate()
        code = process.wait(10)
    assert code == 0
    assert "NoNewPrivs:\t1" in status
    if is_nobody():
        assert f"Uid:\t{NOBODY}\t" in status
    if os.geteuid() == 0:
        for kind in ("Prm", "Eff", "Bnd"):
            assert f"Cap{kind}:\t{'0' * 16}" in status
    assert "libavcodec" not in maps
    assert (data / "master.key").stat().st_mode & 0o777 == 0o600
    assert sorted(installed.rglob("*")) == before


def answers(url: str, process: subprocess.Popen[bytes]) -> bool:
    """Wait for 200."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            time.sleep(0.1)
    return False
