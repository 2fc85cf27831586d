"""The real engine: what the settings become, and the watch over this machine's addresses."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from accounts.audit import Audit
from accounts.tokens import Tokens
from core import addresses
from core.addresses import Interface
from core.config import Config
from core.db import Database
from core.errors import ConfigError
from core.shapes import IceServer, MediaAddress
from media.codecs import Mode
from media.description import OfferRequest
from media.events import LegId
from recordings.vault import Vault
from tests.fakes import FakeClock
from tests.web.conftest import MASTER, make_config
from web.engine import LiveEngine, settings
from web.recording import LiveStudio

HERE = (Interface("lo", "127.0.0.1"),)
MORE = (*HERE, Interface("lo", "::1"), Interface("docker0", "127.0.0.9"))


@pytest.fixture
def interfaces(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Interface, ...]]:
    """What the machine has: the last of the list."""
    found: list[tuple[Interface, ...]] = [HERE]
    monkeypatch.setattr(addresses, "local_interfaces", lambda: found[-1])
    return found


def make_engine(config: Config, database: Database) -> LiveEngine:
    clock, vault = FakeClock(), Vault.of(config, master=MASTER, clock=FakeClock())
    studio = LiveStudio(config, Audit(MASTER), vault, database)
    return LiveEngine(config, clock, database, Tokens(MASTER), studio)


@pytest.fixture
async def engine(
    tmp_path: Path, database: Database, interfaces: list[tuple[Interface, ...]]
) -> AsyncIterator[LiveEngine]:
    made = make_engine(make_config(tmp_path, media_port=0), database)
    await made.start()
    yield made
    await made.close()
    await made.close()


def candidates(engine: LiveEngine, leg: str) -> set[str]:
    """The addresses that an offer names."""
    engine.media.open_leg(LegId(leg))
    request = OfferRequest(negotiation=1, mode=Mode.VOICE, payload_types=(111,), peer=None)
    offer = engine.media.offer(LegId(leg), request)
    return set(
        re.findall(r"^a=candidate:\S+ 1 udp \d+ (\S+) \d+ typ host", offer, re.MULTILINE | re.IGNORECASE)
    )


async def test_a_new_address_is_bound_and_told(
    engine: LiveEngine, interfaces: list[tuple[Interface, ...]]
) -> None:
    assert candidates(engine, "one") == {"127.0.0.1"}
    interfaces.append(MORE)
    await engine.look()
    assert candidates(engine, "two") == {"127.0.0.1", "::1"}
    interfaces.append(HERE)
    await engine.look()
    assert candidates(engine, "three") == {"127.0.0.1"}


async def test_a_container_needs_to_be_told(
    tmp_path: Path,
    database: Database,
    interfaces: list[tuple[Interface, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(addresses, "in_container", lambda: True)
    config = make_config(tmp_path, media_port=0)
    make_engine(config, database)  # nobody outside reaches its pages: its own addresses are right
    for refused in (replace(config, container=True), replace(config, http_host=("0.0.0.0",))):
        with pytest.raises(ConfigError, match="set TEDUH_MEDIA_ADDRESSES"):
            make_engine(refused, database)
    make_engine(replace(config, container=True, media_addresses=(MediaAddress("127.0.0.1"),)), database)
    make_engine(replace(config, container=False, http_host=("0.0.0.0",)), database)


async def test_a_public_server_needs_a_public_address(
    tmp_path: Path, database: Database, interfaces: list[tuple[Interface, ...]]
) -> None:
    config = make_config(tmp_path, public_url="https://teduh.example.org", container=False)
    with pytest.raises(ConfigError, match="set TEDUH_MEDIA_ADDRESSES"):
        make_engine(config, database)


def test_settings_reach_signaling(tmp_path: Path) -> None:
    chosen = settings(
        make_config(
            tmp_path,
            grace_s=30,
            voice_bitrate_kbps=12,
            voice_ptime_ms=60,
            video_codecs=frozenset({"AV1"}),
            ice_servers=(IceServer(("turn:a",), "u", "c"),),
        )
    )
    assert chosen.grace_s == 30
    assert chosen.turned_on == frozenset({"AV1"})
    assert (chosen.voice.bitrate_bps, chosen.voice.ptime_ms) == (12_000, 60)
    (server,) = chosen.ice_servers
    assert (server.urls, server.username, server.credential) == (["turn:a"], "u", "c")
