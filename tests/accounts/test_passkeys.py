"""Passkeys: what a device of our own signs is taken once, for this login, this host and this person."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from accounts import logins, passkeys, people
from accounts.logins import Stage
from accounts.passkeys import NoPasskey, Passkeys
from accounts.roles import Role
from core.db import Database
from core.ids import UserId

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
ORIGIN = "https://teduh.example"
PASSKEYS = Passkeys("teduh.example", [ORIGIN])


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Device:
    """A security key in a few lines (WebAuthn Level 3, 6.1 and 6.5): ES256, no attestation."""

    host: str = "teduh.example"
    origin: str = ORIGIN
    count: int = 0
    present: bool = True
    id: bytes = b"device-credential-1"
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def _data(self, *, attested: bytes = b"") -> bytes:
        self.count += 1
        flags = (1 if self.present else 0) | 4 | (0x40 if attested else 0)
        host = hashlib.sha256(self.host.encode()).digest()
        return host + bytes([flags]) + self.count.to_bytes(4, "big") + attested

    def _client(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def _written(self, **response: bytes) -> str:
        parts = {name: b64(data) for name, data in response.items()}
        one = {"id": b64(self.id), "rawId": b64(self.id), "type": "public-key", "response": parts}
        return json.dumps(one | {"clientExtensionResults": {}})

    def make(self, options: dict[str, Any]) -> str:
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        attested = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor2.dumps(cose)
        data = self._data(attested=attested)
        return self._written(
            clientDataJSON=self._client("webauthn.create", options["challenge"]),
            attestationObject=cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data}),
        )

    def sign(self, options: dict[str, Any]) -> str:
        data, client = self._data(), self._client("webauthn.get", options["challenge"])
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        return self._written(authenticatorData=data, clientDataJSON=client, signature=signature)


async def staff(database: Database, name: str = "Sri") -> tuple[UserId, str]:
    async with database.sessions.begin() as db:
        made = await people.create_staff(db, name=name, language="id", roles=[Role.ADMIN], now=NOW)
        login = await logins.open_login(
            db,
            person=made,
            token=logins.new_token(),
            stage=Stage.ENROL,
            device="Chrome, Linux",
            own_phone=False,
            now=NOW,
        )
    return made.id, login.id


async def ask(database: Database, user: UserId, login: str) -> dict[str, Any]:
    async with database.sessions.begin() as db:
        return await PASSKEYS.ask_to_make(db, login=login, user=user, name="sri", now=NOW)


async def keep(database: Database, user: UserId, login: str, response: str, now: datetime = NOW) -> None:
    async with database.sessions.begin() as db:
        await PASSKEYS.keep(db, login=login, user=user, response=response, label="Chrome, Linux", now=now)


async def challenge(database: Database, user: UserId, login: str) -> dict[str, Any]:
    async with database.sessions.begin() as db:
        asked = await PASSKEYS.ask_to_sign(db, login=login, user=user, now=NOW)
    assert asked is not None
    return asked


async def check(database: Database, user: UserId, login: str, response: str) -> None:
    async with database.sessions.begin() as db:
        await PASSKEYS.check(db, login=login, user=user, response=response, now=NOW)


async def enrolled(database: Database) -> tuple[UserId, str, Device]:
    user, login = await staff(database)
    device = Device()
    await keep(database, user, login, device.make(await ask(database, user, login)))
    return user, login, device


async def test_what_was_made_opens(database: Database) -> None:
    user, login, device = await enrolled(database)
    await check(database, user, login, device.sign(await challenge(database, user, login)))
    async with database.sessions() as db:
        (kept,) = await passkeys.every(db, user=user)
    assert (kept.label, kept.used_at) == ("Chrome, Linux", NOW)


async def test_an_answer_counts_once(database: Database) -> None:
    user, login, device = await enrolled(database)
    answer = device.sign(await challenge(database, user, login))
    await check(database, user, login, answer)
    with pytest.raises(NoPasskey):
        await check(database, user, login, answer)


async def test_a_challenge_is_of_one_login_and_lives_five_minutes(database: Database) -> None:
    user, login, device = await enrolled(database)
    other, other_login = await staff(database, "Tri")
    with pytest.raises(NoPasskey):
        await check(database, user, other_login, device.sign(await challenge(database, user, login)))
    made = Device(id=b"another").make(await ask(database, other, other_login))
    with pytest.raises(NoPasskey):
        await keep(database, other, other_login, made, NOW + timedelta(minutes=5))


async def test_a_copy_that_counts_backwards_is_refused(database: Database) -> None:
    user, login, device = await enrolled(database)
    device.count += 10
    await check(database, user, login, device.sign(await challenge(database, user, login)))
    device.count -= 5
    with pytest.raises(NoPasskey):
        await check(database, user, login, device.sign(await challenge(database, user, login)))


@pytest.mark.parametrize(
    "changed",
    [{"host": "elsewhere.example"}, {"origin": "https://elsewhere.example"}, {"present": False}],
)
async def test_another_site_and_an_absent_person_are_refused(
    database: Database, changed: dict[str, Any]
) -> None:
    user, login, device = await enrolled(database)
    for name, value in changed.items():
        setattr(device, name, value)
    with pytest.raises(NoPasskey):
        await check(database, user, login, device.sign(await challenge(database, user, login)))
    made = Device(id=b"another", **changed).make(await ask(database, user, login))
    with pytest.raises(NoPasskey):
        await keep(database, user, login, made)


async def test_the_passkey_of_somebody_else_opens_nothing(database: Database) -> None:
    user, login, device = await enrolled(database)
    thief, thiefs_login = await staff(database, "Tri")
    own = Device(id=b"thiefs")
    await keep(database, thief, thiefs_login, own.make(await ask(database, thief, thiefs_login)))
    with pytest.raises(NoPasskey):
        await check(database, user, login, own.sign(await challenge(database, user, login)))
    with pytest.raises(NoPasskey):
        await keep(database, thief, thiefs_login, device.make(await ask(database, thief, thiefs_login)))
    async with database.sessions.begin() as db:
        (kept,) = await passkeys.every(db, user=user)
        await passkeys.remove(db, user=thief, passkey=kept.id)
        assert await passkeys.count(db, user=user) == 1
        await passkeys.remove(db, user=user, passkey=kept.id)
        assert await passkeys.count(db, user=user) == 0


@pytest.mark.parametrize(
    "junk",
    [
        "",
        "{}",
        "[]",
        "null",
        "1",
        '{"id": 5}',
        '{"id": "x", "response": {}}',
        "x" * 30_000,
        "\x00",
        "[" * 10_000,
    ],
)
async def test_junk_is_no_passkey(database: Database, junk: str) -> None:
    user, login, _ = await enrolled(database)
    await challenge(database, user, login)
    with pytest.raises(NoPasskey):
        await check(database, user, login, junk)
    await ask(database, user, login)
    with pytest.raises(NoPasskey):
        await keep(database, user, login, junk)


@pytest.mark.parametrize(
    ("host", "available"),
    [("localhost", True), ("teduh.example", True), ("192.168.1.5", False), ("::1", False), ("", False)],
)
def test_passkeys_need_a_name(host: str, available: bool) -> None:
    assert Passkeys(host, []).available is available
