"""Telling another program that somebody is needed now: one signed POST, which says nothing of anybody.

The signature is ``Teduh-Signature: t=<unix seconds>,v1=<hex>``, HMAC-SHA-256 over ``<t>.<body>`` with the
secret that stands behind the ``#`` of TEDUH_ALERT_WEBHOOK. ``Teduh-Delivery`` names the sending; one that is
tried again has the same name, so that the other side may take it once.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from core.shapes import Webhook

logger = logging.getLogger(__name__)

TIMEOUT_S: Final = 10.0
SIGNATURE: Final = "Teduh-Signature"
DELIVERY: Final = "Teduh-Delivery"


def sign(secret: str, body: bytes, *, at: datetime) -> str:
    """Write the signature of a body that is sent at this moment."""
    stamp = int(at.timestamp())
    mac = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256)
    return f"t={stamp},v1={mac.hexdigest()}"


class Hook:
    """One webhook. ``start`` it, and ``close`` it."""

    def __init__(self, target: Webhook) -> None:
        self._target = target
        self._session: ClientSession | None = None

    async def start(self) -> None:
        """Open nothing yet; connections are made when they are needed."""
        self._session = ClientSession(timeout=ClientTimeout(total=TIMEOUT_S))

    async def close(self) -> None:
        """Close what is open. Idempotent."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def post(self, said: Mapping[str, str], *, delivery: str, now: datetime) -> bool:
        """Say something, and give whether the other side took it (2xx). It is not followed elsewhere."""
        if self._session is None:
            return False
        body = json.dumps(said, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json",
            DELIVERY: delivery,
            SIGNATURE: sign(self._target.secret, body, at=now),
        }
        try:
            async with self._session.post(
                self._target.url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                took = 200 <= answer.status < 300  # RFC 9110, 15.3: success
                if not took:
                    logger.warning("webhook.refused", extra={"status": answer.status})
                return took
        except (ClientError, TimeoutError, OSError) as error:
            # The text of an error may quote the address.
            logger.warning("webhook.failed", extra={"kind": type(error).__name__})
            return False
