"""Exports, done from time to time: made when they were approved, withdrawn and expired when they are over."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices
from core.errors import TeduhError
from recordings import exports, reviews
from recordings.exports import KEPT, Event, State
from recordings.reviews import Recording
from web.jobs import every
from web.reviews import REVIEWS, Reviews, may_open
from web.services import Services

logger = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 5.0
MINUTE_S: Final = 60.0
OVER: Final = (State.ASKED, State.APPROVED, State.READY, State.FAILED)


async def make_next(services: Services, doers: Reviews) -> None:
    """Make what was approved, one after the other; what a crash left in the middle is begun anew."""
    async with services.database.sessions() as db:
        waiting = await exports.in_states(db, states=[State.MAKING, State.APPROVED])
    for number, of, state, _ in waiting:
        async with services.database.sessions.begin() as db:
            recording = await reviews.find(db, recording=of)
            export = await exports.find(db, services.audit, export=number, recording=recording)
            events = [Event.BEGIN] if state is State.APPROVED else [Event.AGAIN, Event.BEGIN]
            if not await may_open(db, recording, export.asker, services):
                events = [Event.WITHDRAW]
                await asyncio.to_thread(doers.exporter.remove, number)
            for event in events:
                await _move(services, db, export=number, recording=recording, event=event)
            export = await exports.find(db, services.audit, export=number, recording=recording)
        if export.state is not State.MAKING:
            continue
        told = partial(doers.progress.__setitem__, number)
        try:
            size = await doers.exporter.make(export, recording, now=services.now(), told=told)
        except (TeduhError, OSError, ValueError) as error:  # a full disk too: it is not begun for ever
            said = error.code if isinstance(error, TeduhError) else type(error).__name__
            logger.error("export.failed", extra={"export": number, "error": said})  # noqa: TRY400  # where it was says nothing
            size = None
        finally:
            doers.progress.pop(number, None)
        async with services.database.sessions.begin() as db:
            recording = await reviews.find(db, recording=of)
            ended = Event.FAIL if size is None else Event.FINISH
            if not await may_open(db, recording, export.asker, services):
                ended = Event.WITHDRAW
                await asyncio.to_thread(doers.exporter.remove, number)
            await _move(services, db, export=number, recording=recording, event=ended, size_bytes=size)
            if ended is not Event.WITHDRAW and export.asker is not None:
                await notices.post(
                    db,
                    user=export.asker,
                    kind="export_failed" if ended is Event.FAIL else "export_ready",
                    now=services.now(),
                )


async def end_those_over(services: Services, doers: Reviews) -> None:
    """Withdraw exports of recordings that may not be opened any more, or not by who asked; expire the others.

    A file of none that is being made or is ready goes too: a crash left it, or an older database is back.
    """
    # The files first: one that is begun meanwhile has its row already.
    there = await asyncio.to_thread(doers.exporter.there)
    now = services.now()
    async with services.database.sessions() as db:
        found = await exports.in_states(db, states=OVER)
        kept = await exports.in_states(db, states=[State.MAKING, State.READY])
    for number in there.difference(export for export, *_ in kept):
        await asyncio.to_thread(doers.exporter.remove, number)
        logger.warning("export.removed", extra={"export": number})
    for number, of, state, since in found:
        async with services.database.sessions.begin() as db:
            recording = await reviews.find(db, recording=of)
            export = await exports.find(db, services.audit, export=number, recording=recording)
            closed = not await may_open(db, recording, export.asker, services)
            if not closed and not (state is State.READY and since <= now - KEPT):
                continue
            await asyncio.to_thread(doers.exporter.remove, number)
            event = Event.WITHDRAW if closed else Event.EXPIRE
            await _move(services, db, export=number, recording=recording, event=event)


async def _move(
    services: Services,
    db: AsyncSession,
    *,
    export: str,
    recording: Recording,
    event: Event,
    size_bytes: int | None = None,
) -> None:
    await exports.move(
        db,
        services.audit,
        export=export,
        recording=recording,
        event=event,
        size_bytes=size_bytes,
        now=services.now(),
    )


def setup(app: http.Application) -> None:
    """Add the jobs."""
    doers = app[REVIEWS]

    async def make_exports(services: Services) -> None:
        await make_next(services, doers)

    async def end_exports(services: Services) -> None:
        await end_those_over(services, doers)

    every(app, LOOK_EVERY_S, make_exports)
    every(app, MINUTE_S, end_exports)
