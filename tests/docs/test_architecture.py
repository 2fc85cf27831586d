"""docs/architecture.md names every room, and the owners of third parties are those it says."""

from __future__ import annotations

import re

import pytest

from tests.docs.conftest import ROOT

TEXT = (ROOT / "docs" / "architecture.md").read_text()
FLOORS = dict(
    re.findall(
        r"^\| `(core|accounts|counseling|media|recordings|signaling|web)/` \| (.*) \|$", TEXT, re.MULTILINE
    )
)
OWNED = {
    "aiortc": ["media/dtls.py"],
    "pylibsrtp": ["media/dtls.py"],
    "cryptography": [
        "core/agefile.py",
        "core/ageheader.py",
        "core/derive.py",
        "core/sealing.py",
        "core/warrants.py",
        "accounts/checkpoints.py",
        "accounts/receipts.py",
        "web/tls.py",
    ],
    "jwt": ["accounts/receipts.py", "accounts/tokens.py"],
    "markdown_it": ["accounts/prose.py"],
    "fpdf": ["accounts/paper.py"],
    "argon2": ["accounts/passwords.py"],
    "pyotp": ["accounts/totp.py"],
    "webauthn": ["accounts/passkeys.py"],
    "segno": ["web/pages/factors.py"],
    "jinja2": ["web/render.py"],
    "babel": ["web/render.py"],
    "prometheus_client": ["web/metrics.py"],
    "ifaddr": ["core/addresses.py"],
    "dotenv": ["core/config.py"],
}


@pytest.mark.parametrize(
    "floor", ["core", "accounts", "counseling", "media", "recordings", "signaling", "web"]
)
def test_every_room_is_named(floor: str) -> None:
    rooms = {path.stem for path in (ROOT / floor).glob("*.py")} - {"__init__"}
    assert rooms == set(re.findall(r"`([a-z0-9_]+)`", FLOORS[floor]))


@pytest.mark.parametrize("package", OWNED)
def test_third_parties_have_the_owners_it_says(package: str) -> None:
    imported = re.compile(rf"^\s*(?:from|import) {package}\b", re.MULTILINE)
    users = [
        str(path.relative_to(ROOT))
        for floor in FLOORS
        for path in sorted((ROOT / floor).rglob("*.py"))
        if imported.search(path.read_text())
    ]
    assert users == OWNED[package]
    table = TEXT.partition("## Third parties")[2].partition("\n## ")[0]
    assert all(f"`{owner}`" in table for owner in users)
