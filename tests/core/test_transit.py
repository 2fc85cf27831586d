"""Wrapping keys in Vault's Transit, against a fake that speaks its API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.config import Config
from core.errors import ConfigError, InvalidState
from core.keyring import KeyBroken, KeyMissing
from core.keyrings import keyring_for
from core.settings import keys as read_keys
from core.transit import Transit, TransitFailed
from core.warrants import Purpose, Warrants
from tests.fakes import FakeClock
from tests.transit import TOKEN, FakeTransit, running_transit

MONTH_S = 30 * 86_400


@dataclass
class Staged:
    """A fake Vault and a shelf on it."""

    vault: FakeTransit
    url: str
    shelf: Transit
    token: Path
    clock: FakeClock


@pytest.fixture
async def staged(tmp_path: Path) -> AsyncIterator[Staged]:
    clock = FakeClock(datetime(2026, 11, 3, 9, 0, tzinfo=UTC))
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    async with running_transit() as (vault, url):
        yield Staged(vault, url, Transit(url, token_file=token, clock=clock), token, clock)


async def test_what_was_sealed_opens(staged: Staged) -> None:
    key_id, sealed = await staged.shelf.seal(b"secret")
    assert sealed.startswith(b"vault:v1:")
    assert await staged.shelf.open(key_id, sealed) == b"secret"
    assert await staged.shelf.held() == {key_id}


async def test_a_new_vault_holds_nothing(staged: Staged) -> None:
    assert await staged.shelf.held() == set()


async def test_a_month_has_a_key_of_its_own(staged: Staged) -> None:
    november, sealed = await staged.shelf.seal(b"secret")
    assert (await staged.shelf.seal(b"other"))[0] == november
    staged.clock.advance(MONTH_S)
    december, _ = await staged.shelf.seal(b"later")
    assert list(staged.vault.keys) == ["teduh-2026-11.1", "teduh-2026-12.1"]
    assert await staged.shelf.held() == {november, december}
    assert await staged.shelf.open(november, sealed) == b"secret"


async def test_keys_of_others_are_let_be(staged: Staged) -> None:
    await staged.shelf.seal(b"secret")
    staged.vault.keys["payroll"] = staged.vault.keys["teduh-old"] = staged.vault.keys["teduh-2026-11.1"]
    assert len(await staged.shelf.held()) == 1


async def test_a_new_key_takes_what_is_sealed_from_then_on(staged: Staged) -> None:
    old, sealed = await staged.shelf.seal(b"secret")
    new = await staged.shelf.renew()
    assert (await staged.shelf.seal(b"x"))[0] == new != old
    assert await staged.shelf.open(old, sealed) == b"secret"


async def test_the_tenth_key_of_a_month_is_newer_than_the_ninth(staged: Staged) -> None:
    made = [await staged.shelf.renew() for _ in range(10)]
    assert (await staged.shelf.seal(b"x"))[0] == made[-1]


async def test_a_dropped_key_is_gone_and_the_newest_is_never_dropped(staged: Staged) -> None:
    old, sealed = await staged.shelf.seal(b"secret")
    with pytest.raises(InvalidState, match="in use"):
        await staged.shelf.drop(old)
    await staged.shelf.renew()
    await staged.shelf.drop(old)
    assert list(staged.vault.keys) == ["teduh-2026-11.2"]
    with pytest.raises(KeyMissing, match=old):
        await staged.shelf.open(old, sealed)
    await staged.shelf.drop(old)


async def test_another_key_under_the_same_name_is_not_the_same(staged: Staged) -> None:
    key_id, sealed = await staged.shelf.seal(b"secret")
    del staged.vault.keys["teduh-2026-11.1"]
    staged.vault.now += 60
    assert (await staged.shelf.seal(b"x"))[0] != key_id
    with pytest.raises(KeyMissing, match=key_id):
        await staged.shelf.open(key_id, sealed)
    await staged.shelf.drop(key_id)
    assert list(staged.vault.keys) == ["teduh-2026-11.1"]


async def test_a_changed_wrapping_does_not_open(staged: Staged) -> None:
    key_id, sealed = await staged.shelf.seal(b"secret")
    for bent in (sealed[:-8] + b"AAAAAAA=", b"vault:v1:%%%", b"\xff\xfe", b""):
        with pytest.raises(KeyBroken):
            await staged.shelf.open(key_id, bent)


@pytest.mark.parametrize("key_id", ["../../sys/seal.1", "2026-11.1/config.1", "", "x"])
async def test_an_id_from_elsewhere_asks_vault_nothing(staged: Staged, key_id: str) -> None:
    with pytest.raises(KeyMissing):
        await staged.shelf.open(key_id, b"vault:v1:AAAA")
    await staged.shelf.drop(key_id)
    assert staged.vault.asked == []


async def test_a_wrong_token_a_sealed_vault_and_none_at_all_are_one_sentence(staged: Staged) -> None:
    staged.token.write_text("hvs.wrong")
    with pytest.raises(TransitFailed, match="403"):
        await staged.shelf.seal(b"secret")
    staged.token.write_text(TOKEN)
    staged.vault.sealed = True
    with pytest.raises(TransitFailed, match="503"):
        await staged.shelf.held()
    nowhere = Transit("http://127.0.0.1:9/transit", token_file=staged.token, clock=staged.clock)
    with pytest.raises(TransitFailed, match="does not answer"):
        await nowhere.held()
    staged.token.unlink()
    with pytest.raises(ConfigError, match="token"):
        await staged.shelf.held()


async def test_the_settings_lead_there(staged: Staged, tmp_path: Path) -> None:
    at = read_keys(f"vault+{staged.url}")
    warrants = Warrants(bytes(32))
    config = Config(data_dir=tmp_path, keys=at, keys_token=staged.token)
    keyring = keyring_for(config, signer=warrants.public, clock=staged.clock)
    wrapped = await keyring.wrap(b"secret", about="r_1")
    warrant = warrants.issue(recording_id="r_1", viewer="u_1", purpose=Purpose.REVIEW, now=staged.clock.now())
    assert await keyring.unwrap(wrapped, warrant) == b"secret"
    assert list(staged.vault.keys) == ["teduh-2026-11.1"]
    with pytest.raises(ConfigError, match="TEDUH_KEYS_TOKEN"):
        keyring_for(Config(data_dir=tmp_path, keys=at), signer=warrants.public, clock=staged.clock)
