"""Passkeys: a second factor that a device holds and that no other site can ask for (WebAuthn Level 3).

A challenge is made on the server for one login and one purpose, lives five minutes and is taken once. The
relying party is the host of TEDUH_PUBLIC_URL; at a bare address there are none. This file owns webauthn.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import webauthn
from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, options_to_json_dict
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from accounts.auth_tables import MOST_LABEL_CHARS, ChallengeRow, PasskeyRow
from core.db import insert_into
from core.errors import InvalidInput
from core.ids import UserId, new_id

CHALLENGE_BYTES: Final = 32
CHALLENGE_LIFE: Final = timedelta(minutes=5)
MOST_PASSKEYS: Final = 20
MOST_RESPONSE_CHARS: Final = 20_000
MOST_ID_CHARS: Final = 1400
TIMEOUT_MS: Final = 300_000
ENROL: Final = "enrol"
SIGN: Final = "sign"


class NoPasskey(InvalidInput):
    """What the browser sent does not prove a passkey."""

    code = "no_passkey"


@dataclass(frozen=True, slots=True)
class Passkey:
    """One passkey. ``used_at`` is None for one that was never used."""

    id: str
    label: str
    created_at: datetime
    used_at: datetime | None


class Passkeys:
    """Asks for passkeys and checks them, for one host and the origins of its pages."""

    def __init__(self, host: str, origins: Iterable[str]) -> None:
        self._host = host
        self._origins = sorted(origins)

    @property
    def available(self) -> bool:
        """Whether browsers make passkeys for this host: they need a name."""
        try:
            ipaddress.ip_address(self._host)
        except ValueError:
            return bool(self._host)
        return False

    async def ask_to_make(
        self, db: AsyncSession, *, login: str, user: UserId, name: str, now: datetime
    ) -> dict[str, Any]:
        """Make the options for a new passkey, as JSON for the page. The caller commits."""
        made = webauthn.generate_registration_options(
            rp_id=self._host,
            rp_name="teduh",
            user_name=name,
            user_id=user.encode(),
            challenge=await _challenge(db, login=login, purpose=ENROL, now=now),
            timeout=TIMEOUT_MS,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.DISCOURAGED,
                user_verification=UserVerificationRequirement.PREFERRED,
            ),
            exclude_credentials=await _known(db, user),
        )
        return dict(options_to_json_dict(options=made))

    async def keep(
        self, db: AsyncSession, *, login: str, user: UserId, response: str, label: str, now: datetime
    ) -> Passkey:
        """Keep the passkey that a browser made. Raises ``NoPasskey``."""
        challenge = await _take(db, login=login, purpose=ENROL, now=now)
        if await count(db, user=user) >= MOST_PASSKEYS:
            raise NoPasskey("There are too many already.")
        try:
            proved = webauthn.verify_registration_response(
                credential=_read(response),
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origins,
            )
        except (WebAuthnException, ValueError, TypeError, KeyError, AttributeError) as error:
            raise NoPasskey("This is no passkey.") from error
        credential_id = bytes_to_base64url(proved.credential_id)
        taken = select(PasskeyRow.id).where(PasskeyRow.credential_id == credential_id)
        if len(credential_id) > MOST_ID_CHARS or await db.scalar(taken) is not None:
            raise NoPasskey("This passkey is here already.")
        row = PasskeyRow(
            id=new_id("w"),
            user_id=user,
            credential_id=credential_id,
            public_key=proved.credential_public_key,
            sign_count=proved.sign_count,
            label=label[:MOST_LABEL_CHARS],
            created_at=now,
            used_at=None,
        )
        db.add(row)
        await db.flush()
        return _passkey(row)

    async def ask_to_sign(
        self, db: AsyncSession, *, login: str, user: UserId, now: datetime
    ) -> dict[str, Any] | None:
        """Make the options for using one of somebody's passkeys; None without any. The caller commits."""
        known = await _known(db, user)
        if not known:
            return None
        made = webauthn.generate_authentication_options(
            rp_id=self._host,
            challenge=await _challenge(db, login=login, purpose=SIGN, now=now),
            timeout=TIMEOUT_MS,
            allow_credentials=known,
            user_verification=UserVerificationRequirement.PREFERRED,
        )
        return dict(options_to_json_dict(options=made))

    async def check(
        self, db: AsyncSession, *, login: str, user: UserId, response: str, now: datetime
    ) -> None:
        """Check what a passkey signed. Raises ``NoPasskey``, also for one that counts backwards: a copy."""
        challenge = await _take(db, login=login, purpose=SIGN, now=now)
        try:
            read = _read(response)
            row = (
                await db.execute(
                    select(PasskeyRow)
                    .where(PasskeyRow.user_id == user, PasskeyRow.credential_id == str(read["id"]))
                    .with_for_update()
                )
            ).scalar_one_or_none()
            if row is None:
                raise NoPasskey("This passkey is not known.")
            proved = webauthn.verify_authentication_response(
                credential=read,
                expected_challenge=challenge,
                expected_rp_id=self._host,
                expected_origin=self._origins,
                credential_public_key=row.public_key,
                credential_current_sign_count=row.sign_count,
            )
        except (WebAuthnException, ValueError, TypeError, KeyError, AttributeError) as error:
            raise NoPasskey("This is no passkey.") from error
        await db.execute(
            update(PasskeyRow)
            .where(PasskeyRow.id == row.id)
            .values(sign_count=proved.new_sign_count, used_at=now)
        )


async def every(db: AsyncSession, *, user: UserId) -> list[Passkey]:
    """List somebody's passkeys, the oldest first."""
    rows = await db.scalars(
        select(PasskeyRow).where(PasskeyRow.user_id == user).order_by(PasskeyRow.created_at, PasskeyRow.id)
    )
    return [_passkey(row) for row in rows]


async def count(db: AsyncSession, *, user: UserId) -> int:
    """Count somebody's passkeys."""
    found = select(func.count()).select_from(PasskeyRow).where(PasskeyRow.user_id == user)
    return await db.scalar(found) or 0


async def remove(db: AsyncSession, *, user: UserId, passkey: str) -> None:
    """Forget one of somebody's passkeys; one that is not theirs is left alone."""
    await db.execute(delete(PasskeyRow).where(PasskeyRow.id == passkey, PasskeyRow.user_id == user))


async def _challenge(db: AsyncSession, *, login: str, purpose: str, now: datetime) -> bytes:
    """Make a challenge in place of the former one of this login and purpose."""
    made = secrets.token_bytes(CHALLENGE_BYTES)
    values = {"challenge": made, "expires_at": now + CHALLENGE_LIFE}
    await db.execute(
        insert_into(db, ChallengeRow)
        .values(login_id=login, purpose=purpose, **values)
        .on_conflict_do_update(index_elements=["login_id", "purpose"], set_=values)
    )
    return made


async def _take(db: AsyncSession, *, login: str, purpose: str, now: datetime) -> bytes:
    """Take the challenge of a login, once. Raises ``NoPasskey`` when there is none."""
    taken = await db.scalar(
        delete(ChallengeRow)
        .where(ChallengeRow.login_id == login, ChallengeRow.purpose == purpose, ChallengeRow.expires_at > now)
        .returning(ChallengeRow.challenge)
    )
    if taken is None:
        raise NoPasskey("Nothing was asked of a passkey.")
    return bytes(taken)


def _read(response: str) -> dict[str, Any]:
    if len(response) > MOST_RESPONSE_CHARS:
        raise ValueError("too long")
    try:
        read = json.loads(response)
    except RecursionError:
        raise ValueError("too deep") from None
    if not isinstance(read, dict):
        raise TypeError("no object")
    return read


async def _known(db: AsyncSession, user: UserId) -> list[PublicKeyCredentialDescriptor]:
    ids = await db.scalars(select(PasskeyRow.credential_id).where(PasskeyRow.user_id == user))
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(one)) for one in ids]


def _passkey(row: PasskeyRow) -> Passkey:
    return Passkey(row.id, row.label, row.created_at, row.used_at)
