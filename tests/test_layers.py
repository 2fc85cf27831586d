"""The floors of the house: imports go down only, there is no cycle, each third party has its owners."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MAY_IMPORT = {
    "core": set[str](),
    "accounts": {"core"},
    "media": {"core"},
    "counseling": {"accounts", "core"},
    "recordings": {"media", "accounts", "core"},
    "signaling": {"recordings", "counseling", "media", "accounts", "core"},
    "migrations": {"signaling", "recordings", "counseling", "accounts", "core"},
    "web": {"migrations", "signaling", "recordings", "counseling", "media", "accounts", "core"},
}
OWNERS = {
    "aiortc": {"media/dtls.py", "media/description.py"},
    "pylibsrtp": {"media/dtls.py"},
    "OpenSSL": {"media/dtls.py"},
    "av": {"recordings/bundle.py"},
    "jwt": {"accounts/tokens.py", "accounts/receipts.py"},
    "markdown_it": {"accounts/prose.py"},
    "fpdf": {"accounts/paper.py"},
    "PIL": {"counseling/cleaning.py"},
    "pikepdf": {"counseling/cleaning.py"},
    "aiosmtplib": {"core/mail.py"},
    "argon2": {"accounts/passwords.py"},
    "pyotp": {"accounts/totp.py"},
    "webauthn": {"accounts/passkeys.py"},
    "segno": {"web/pages/factors.py"},
    "icalendar": {"counseling/ics.py"},
    "ifaddr": {"core/addresses.py"},
    "botocore": {"recordings/store_s3.py"},
    "obstore": {"recordings/store_s3.py"},
    "dotenv": {"core/config.py"},
    "prometheus_client": {"web/metrics.py"},
    "alembic": {"migrations/run.py", "migrations/env.py", "migrations/versions/*.py"},
    "jinja2": {"web/render.py"},
    "babel": {"web/render.py"},
    "wtforms": {"web/forms.py", "web/fields.py", "web/pages/*.py"},
}


@dataclass(frozen=True)
class Import:
    """One imported module (dotted), and the names taken from it; ``for_types`` is not run."""

    file: str
    line: int
    module: str
    names: tuple[str, ...]
    for_types: bool = False


def sources() -> list[Path]:
    return sorted(path for floor in MAY_IMPORT for path in (ROOT / floor).rglob("*.py"))


def imports(path: Path) -> Iterator[Import]:
    file = path.relative_to(ROOT).as_posix()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        typed = id(node) in for_types
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name, (), typed)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno} imports relatively"
            names = tuple(alias.name for alias in node.names)
            yield Import(file, node.lineno, node.module or "", names, typed)


ALL = [one for path in sources() for one in imports(path)]


def test_imports_go_down_only() -> None:
    wrong = []
    for one in ALL:
        here, there = one.file.split("/")[0], one.module.split(".")[0]
        if there in MAY_IMPORT and there != here and there not in MAY_IMPORT[here]:
            wrong.append(f"{one.file}:{one.line} imports {one.module}")
        if there in {"tests", "bench", "scripts"}:
            wrong.append(f"{one.file}:{one.line} imports {one.module}")
    assert wrong == []


def modules() -> dict[str, set[str]]:
    """Every module of ours with the modules of ours that it imports when it runs."""
    known = {name_of(path): set[str]() for path in sources()}
    for one in ALL:
        if one.for_types:
            continue
        targets = {one.module, *(f"{one.module}.{name}" for name in one.names)} & known.keys()
        if len(targets) > 1:
            targets.discard(one.module)  # `from package import module` means the module
        known[name_of(ROOT / one.file)] |= targets
    return known


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def test_there_is_no_cycle() -> None:
    graph = modules()
    done: set[str] = set()

    def walk(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join((*way[way.index(module) :], module))
        if module not in done:
            for other in sorted(graph[module]):
                walk(other, (*way, module))
            done.add(module)

    for module in sorted(graph):
        walk(module, ())


@pytest.mark.parametrize("package", sorted(OWNERS))
def test_a_third_party_has_its_owner_files(package: str) -> None:
    def owned(file: str) -> bool:
        return any(Path(file).match(pattern) for pattern in OWNERS[package])

    users = {one.file for one in ALL if one.module.split(".")[0] == package}
    assert {file for file in users if not owned(file)} == set()


def test_private_names_of_others_stand_in_one_file() -> None:
    """Beside what ruff sees (SLF001), imported private names: of aiortc and pylibsrtp in dtls.py only."""
    wrong = [
        f"{one.file}:{one.line}"
        for one in ALL
        if one.module.split(".")[0] not in MAY_IMPORT
        and any(
            part.startswith("_") and part != "__future__" for part in (*one.module.split("."), *one.names)
        )
        and one.file != "media/dtls.py"
    ]
    assert wrong == []


def test_web_of_aiohttp_is_called_http() -> None:
    """``web`` is ours; a bare ``import web`` or ``from aiohttp import web`` would confuse the two."""
    tree = [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in sources()]
    for path, module in tree:
        for node in ast.walk(module):
            if isinstance(node, ast.ImportFrom) and node.module == "aiohttp":
                assert all(alias.asname for alias in node.names if alias.name == "web"), path
            if isinstance(node, ast.Import):
                assert "web" not in {alias.name for alias in node.names}, path


def test_the_server_does_not_load_pyav(tmp_path: Path) -> None:
    """PyAV decodes what strangers send; it is not in the process that holds the media port."""
    program = """
import asyncio, sys
from aiohttp import web as http
from core.config import Config
from pathlib import Path
from web.app import make_app

async def main():
    app = make_app(Config(data_dir=Path(sys.argv[1]), media_port=0))
    runner = http.AppRunner(app)
    await runner.setup()
    await runner.cleanup()

asyncio.run(main())
print(sorted(name for name in sys.modules if name == "av" or name.startswith("av.")))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout.splitlines()[-1:], done.returncode) == (["[]"], 0), done.stderr
