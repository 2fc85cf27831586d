"""Codes of an authenticator app: TOTP (RFC 6238), six digits every 30 seconds, each used once.

One step before and after is taken for clocks that differ. The secret is kept sealed, and only once a code
of it was shown: until then it follows from the form's one-time number. This file owns pyotp.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Final

import pyotp
from pyotp.utils import strings_equal
from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.auth_tables import TotpRow
from accounts.codes import Codes
from core.db import insert_into
from core.derive import derive
from core.ids import UserId
from core.sealing import seal, unseal

STEP_S: Final = 30
DIGITS: Final = 6
SECRET_BYTES: Final = 20  # RFC 4226, 4: 160 bits are recommended
AROUND: Final = 1
ISSUER: Final = "teduh"
PURPOSE: Final = "totp"


def new_secret(codes: Codes, *, user: UserId, once: str) -> str:
    """Make the secret that a form offers, in base32; the same form offers the same one."""
    return base64.b32encode(codes.secret(PURPOSE, f"{user}|{once}")[:SECRET_BYTES]).decode()


def uri_of(secret: str, *, login: str) -> str:
    """Write what the QR code holds (otpauth, as authenticator apps read it)."""
    return pyotp.TOTP(secret, digits=DIGITS, interval=STEP_S).provisioning_uri(name=login, issuer_name=ISSUER)


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """Say which step this code belongs to, among the one now and its neighbours; None for no code."""
    typed = "".join(code.split())
    if len(typed) != DIGITS or not (typed.isascii() and typed.isdigit()):
        return None
    totp = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_S)
    current = int(now.timestamp()) // STEP_S
    found = None
    for step in range(current - AROUND, current + AROUND + 1):
        if strings_equal(typed, totp.generate_otp(step)):
            found = step
    return found


class Totps:
    """The TOTP secrets of one installation."""

    def __init__(self, master: bytes) -> None:
        self._key = derive(master, "totp secrets")

    async def keep(self, db: AsyncSession, *, user: UserId, secret: str, code: str, now: datetime) -> bool:
        """Keep a secret in place of the former one if the code is one of it; say whether it was."""
        step = step_of(secret, code, now)
        if step is None:
            return False
        values = {
            "secret": seal(self._key, secret.encode(), about=_about(user)),
            "last_step": step,
            "created_at": now,
        }
        await db.execute(
            insert_into(db, TotpRow)
            .values(user_id=user, **values)
            .on_conflict_do_update(index_elements=["user_id"], set_=values)
        )
        return True

    async def check(self, db: AsyncSession, *, user: UserId, code: str, now: datetime) -> bool:
        """Use a code. Not again, and none older than the last one, even if two ask at once."""
        sealed = await db.scalar(select(TotpRow.secret).where(TotpRow.user_id == user))
        if sealed is None:
            return False
        step = step_of(unseal(self._key, sealed, about=_about(user)).decode(), code, now)
        if step is None:
            return False
        taken = await db.scalar(
            update(TotpRow)
            .where(TotpRow.user_id == user, TotpRow.last_step < step)
            .values(last_step=step)
            .returning(TotpRow.user_id)
        )
        return taken is not None


async def since(db: AsyncSession, *, user: UserId) -> datetime | None:
    """Say since when somebody has an authenticator app; None without one."""
    return await db.scalar(select(TotpRow.created_at).where(TotpRow.user_id == user))


async def remove(db: AsyncSession, *, user: UserId) -> None:
    """Forget somebody's authenticator app."""
    await db.execute(delete(TotpRow).where(TotpRow.user_id == user))


def _about(user: UserId) -> str:
    return f"totps:{user}:secret"
