"""Wrapping keys in a Transit engine of HashiCorp Vault or OpenBao: they never leave it.

One key for each month, ``teduh-2026-11.1``. Its id here ends with when it was made, so that another key under
the same name is told from the right one. The API: developer.hashicorp.com/vault/api-docs/secret/transit. The
token is read from its file at each request, so that an agent may renew it; docs/recordings.md has the policy.
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec

from core.clock import Clock
from core.errors import ConfigError, InvalidState
from core.keyring import KeyBroken, KeyMissing, KeyringError

PREFIX: Final = "teduh-"
TYPE: Final = "aes256-gcm96"
WITHIN_S: Final = 10.0
DONE: Final = frozenset({200, 204})
NOT_THERE: Final = 404
REFUSED: Final = 400
_NAME: Final = re.compile(rf"{PREFIX}(\d{{4}}-\d{{2}})\.(\d{{1,4}})")


class TransitFailed(KeyringError):
    """Vault does not answer, or refuses; the text never quotes what it said."""

    code = "transit"


class _Body(msgspec.Struct, frozen=True):
    data: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class _Told:
    status: int
    data: dict[str, Any]


class Transit:
    """A mount of Transit. Every method raises ``TransitFailed`` when Vault cannot be asked."""

    def __init__(self, mount: str, *, token_file: Path, clock: Clock) -> None:
        """``mount`` is its URL without ``/v1``, such as ``https://vault.example.org:8200/transit``."""
        origin, _, name = mount.rpartition("/")
        self._url = f"{origin}/v1/{name}"
        self._token_file = token_file
        self._clock = clock

    async def seal(self, plain: bytes) -> tuple[str, bytes]:
        """Encrypt with this month's newest key, made when there is none."""
        month = self._month()
        of_month = [name for name in await self._names() if _order(name)[0] == month]
        name = max(of_month, key=_order) if of_month else await self._make(month, 1)
        key_id = await self._id(name)
        told = await self._ask("POST", f"encrypt/{name}", plaintext=base64.b64encode(plain).decode())
        sealed = told.data.get("ciphertext")
        if key_id is None or told.status not in DONE or not isinstance(sealed, str):
            raise TransitFailed(f"Vault does not encrypt with {name}.")
        return key_id, sealed.encode()

    async def open(self, key_id: str, sealed: bytes) -> bytes:
        """Decrypt."""
        name = _name(key_id)
        if await self._id(name) != key_id:
            raise KeyMissing(f"The key {key_id} is not in Vault: bring it back from its backup.")
        told = await self._ask("POST", f"decrypt/{name}", ciphertext=sealed.decode("ascii", "replace"))
        if told.status == REFUSED:
            raise KeyBroken(f"A key wrapped with {key_id} was changed and does not open.")
        try:
            return base64.b64decode(told.data["plaintext"], validate=True)
        except (KeyError, TypeError, ValueError):
            raise TransitFailed(f"Vault does not decrypt with {name}.") from None

    async def held(self) -> AbstractSet[str]:
        """Name the ids of all keys."""
        found = [await self._id(name) for name in await self._names()]
        return {key_id for key_id in found if key_id is not None}

    async def renew(self) -> str:
        """Make this month's next key."""
        month = self._month()
        numbers = [number for of, number in map(_order, await self._names()) if of == month]
        name = await self._make(month, max(numbers, default=0) + 1)
        key_id = await self._id(name)
        if key_id is None:
            raise TransitFailed(f"Vault did not make {name}.")
        return key_id

    async def drop(self, key_id: str) -> None:
        """Destroy a key in Vault; what its own backups hold is its operator's business."""
        name = _name(key_id)
        if await self._id(name) != key_id:
            return
        if name == max(await self._names(), key=_order):
            raise InvalidState(f"The key {key_id} is in use.")
        allowed = await self._ask("POST", f"keys/{name}/config", deletion_allowed=True)
        if allowed.status not in DONE or (await self._ask("DELETE", f"keys/{name}")).status not in DONE:
            raise TransitFailed(f"Vault does not destroy {name}.")

    def _month(self) -> str:
        return f"{self._clock.now().astimezone(UTC):%Y-%m}"

    async def _names(self) -> list[str]:
        told = await self._ask("GET", "keys?list=true")
        if told.status not in DONE and told.status != NOT_THERE:
            raise TransitFailed("Vault does not list its keys.")
        return [name for name in told.data.get("keys", []) if _NAME.fullmatch(name)]

    async def _id(self, name: str) -> str | None:
        """Give the id of the key that has this name now; None when there is none, or the name is not ours."""
        if not _NAME.fullmatch(name):
            return None
        told = await self._ask("GET", f"keys/{name}")
        if told.status not in DONE and told.status != NOT_THERE:
            raise TransitFailed(f"Vault does not tell of {name}.")
        made = told.data.get("keys", {}).get("1")
        return None if made is None else f"{name.removeprefix(PREFIX)}.{made}"

    async def _make(self, month: str, number: int) -> str:
        name = f"{PREFIX}{month}.{number}"
        fields = {"type": TYPE, "exportable": False, "allow_plaintext_backup": False}
        if (await self._ask("POST", f"keys/{name}", **fields)).status not in DONE:
            raise TransitFailed(f"Vault does not make {name}.")
        return name

    async def _ask(self, method: str, path: str, **fields: object) -> _Told:
        """Ask Vault. What it says beside 200, 204, 400 and 404 is a failure."""
        headers = {"X-Vault-Token": await asyncio.to_thread(self._token), "X-Vault-Request": "true"}
        limit = aiohttp.ClientTimeout(total=WITHIN_S)
        try:
            async with (
                aiohttp.ClientSession(timeout=limit, headers=headers) as session,
                session.request(
                    method, f"{self._url}/{path}", json=fields or None, allow_redirects=False
                ) as answer,
            ):
                status, body = answer.status, await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            raise TransitFailed("Vault does not answer.") from None
        if status not in DONE | {REFUSED, NOT_THERE}:
            raise TransitFailed(f"Vault answers with {status}: is the token right, and the policy?")
        try:
            return _Told(status, (msgspec.json.decode(body, type=_Body).data or {}) if body else {})
        except msgspec.MsgspecError:
            raise TransitFailed("Vault answers something else.") from None

    def _token(self) -> str:
        try:
            return self._token_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            raise ConfigError(f"The token for Vault cannot be read from {self._token_file}.") from None


def _name(key_id: str) -> str:
    """Give the name in Vault of a key: the id without when it was made."""
    return PREFIX + key_id.rpartition(".")[0]


def _order(name: str) -> tuple[str, int]:
    """Give month and number, by which keys are old and new."""
    month, _, number = name.removeprefix(PREFIX).rpartition(".")
    return month, int(number)
