"""What is done from time to time: erasing, checkpoints, summing up and forgetting what has ended."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from aiohttp import web as http

from accounts import erasure, grants, logins, submissions, tries
from core.ids import UserId
from recordings import keybackup
from recordings.keybackup import Backup
from recordings.keystore import KeyStore
from signaling import summaries
from web.jobs import every
from web.services import Services

logger = logging.getLogger(__name__)

MINUTE_S: Final = 60.0
HOUR_S: Final = 3600.0
SUMMED_AT_ONCE: Final = 20


def setup(app: http.Application) -> None:
    """Add the jobs, before the application starts."""
    every(app, MINUTE_S, erase_due)
    every(app, MINUTE_S, checkpoint_due)
    every(app, MINUTE_S, sum_up_ended)
    every(app, MINUTE_S, forget_quality)
    every(app, HOUR_S, forget_ended)
    every(app, HOUR_S, keep_keys)


async def erase_due(services: Services) -> None:
    """Erase everybody whose 72 hours are over, each by themselves; then take a checkpoint.

    Whoever cannot be erased keeps nobody else from it, is tried again the next minute, and the doctor tells.
    """
    now = services.now()
    erased = failed = 0
    while due := await _due(services, now, failed):
        for user in due:
            try:
                async with services.database.sessions.begin() as db:
                    erased += await services.erasure.carry_out(db, user=user, now=now)
            except Exception:  # whatever it was, the others are erased
                failed += 1
                logger.exception("erasure.failed", extra={"user_id": user})
    if failed:
        logger.error("erasure.not_carried_out", extra={"count": failed})
    if erased:
        logger.info("erasure.carried_out", extra={"count": erased})
        await erasure.settle(services.database)
        await take_checkpoint(services)


async def _due(services: Services, now: datetime, skip: int) -> list[UserId]:
    async with services.database.sessions() as db:
        return await services.erasure.due(db, now=now, skip=skip)


async def checkpoint_due(services: Services) -> None:
    """Take a checkpoint an hour after the last one, and soon after the start."""
    if services.checkpoints.is_due(services.now()):
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


async def sum_up_ended(services: Services) -> None:
    """Keep the summaries of sessions that ended lately, each by itself."""
    now = services.now()
    async with services.database.sessions() as db:
        ended = await summaries.pending(db, now=now, most=SUMMED_AT_ONCE)
    for session in ended:
        try:
            async with services.database.sessions.begin() as db:
                await summaries.sum_up(db, session_id=session, now=now)
        except Exception:  # whatever it was, the others are summed up
            logger.exception("quality.not_summed_up", extra={"session": session})


async def forget_quality(services: Services) -> None:
    """Delete samples, events and summaries whose days are over: a few thousand at once, other jobs wait."""
    now, config = services.now(), services.config
    async with services.database.sessions.begin() as db:
        gone = await summaries.prune(db, before=now - timedelta(days=config.quality_days), now=now)
        gone += await summaries.prune_summaries(db, before=now - timedelta(days=config.trends_days))
    if gone:
        logger.info("quality.pruned", extra={"count": gone})


async def keep_keys(services: Services) -> None:
    """Delete old backups of keys, write the night's, and destroy wrapping keys that nothing hangs on."""
    directory, now = services.config.keys_backup, services.now()
    if directory is not None:
        made = await asyncio.to_thread(_back_up_keys, services.config.keys_file, directory, now)
        if made is not None:
            logger.info("keys.backed_up", extra={"file": made.path.name})
    saved_at = None if directory is None else await asyncio.to_thread(keybackup.saved_at, directory, now=now)
    if gone := await services.vault.tidy(saved_at=saved_at):
        logger.info("keys.destroyed", extra={"key_ids": gone})


def _back_up_keys(keys_file: Path, directory: Path, now: datetime) -> Backup | None:
    """Prune first, whatever becomes of the rest: no backup may get older than it is promised."""
    keybackup.prune(directory, now=now)
    if not keys_file.exists():
        return None
    store = KeyStore(keys_file)
    return (
        keybackup.back_up(store, directory, now=now) if keybackup.is_due(store, directory, now=now) else None
    )
