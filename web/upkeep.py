"""What trust asks for from time to time: erasing, checkpoints, forgetting what has ended."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Final

from aiohttp import web as http

from accounts import erasure, grants, logins, submissions, tries
from web.jobs import every
from web.services import Services

logger = logging.getLogger(__name__)

MINUTE_S: Final = 60.0
HOUR_S: Final = 3600.0
CHECKPOINT_EVERY: Final = timedelta(hours=1)


def setup(app: http.Application) -> None:
    """Add the jobs, before the application starts."""
    every(app, MINUTE_S, erase_due)
    every(app, MINUTE_S, checkpoint_due)
    every(app, HOUR_S, forget_ended)


async def erase_due(services: Services) -> None:
    """Erase everybody whose 72 hours are over, each by themselves; then take a checkpoint."""
    async with services.database.sessions() as db:
        due = await services.erasure.due(db, now=services.now())
    erased = 0
    try:
        for user in due:
            async with services.database.sessions.begin() as db:
                erased += await services.erasure.carry_out(db, user=user, now=services.now())
    finally:
        if erased:
            logger.info("erasure.carried_out", extra={"count": erased})
            await erasure.settle(services.database)
            await take_checkpoint(services)


async def checkpoint_due(services: Services) -> None:
    """Take a checkpoint an hour after the last one, and soon after the start."""
    last = services.checkpoints.sent_at
    if last is None or services.now() - last >= CHECKPOINT_EVERY:
        await take_checkpoint(services)


async def take_checkpoint(services: Services) -> None:
    """Sign what the audit is now, and bring it outside, where there is an outside."""
    if not services.checkpoints.go_outside:
        return
    async with services.database.sessions() as db:
        checkpoint = await services.checkpoints.take(db, now=services.now())
    await services.checkpoints.send(checkpoint, letters=services.mail, now=services.now())


async def forget_ended(services: Services) -> None:
    """Delete grants and logins that do not hold any more, numbers of forms and tries of yesterday."""
    async with services.database.sessions.begin() as db:
        for prune in (grants.prune, logins.prune, submissions.prune, tries.prune):
            await prune(db, now=services.now())
