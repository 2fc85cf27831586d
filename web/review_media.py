"""``/api/v1/recordings/…``: a recording as its player asks for it, and what was watched of it.

Login, role, assignment, consents, release and grant are looked at again for each request, and each
``LOOK_EVERY_S`` while one is answered: whatever ends one of them ends what is sent. A link to it opens
nothing by itself, and no other page can show it.
"""

from __future__ import annotations

import logging
from typing import Final

import msgspec
from aiohttp import web as http

from accounts.grants import Grant
from core.agefile import AgeError
from core.errors import Forbidden, TeduhError
from recordings import reviews, watching
from recordings.playback import KIND, Medium
from recordings.ranges import Span, Unsatisfiable, wanted
from recordings.reviews import Recording
from recordings.store import StoreFailed
from recordings.watching import Watched
from web.bodies import read_body
from web.gate import add, person_of, still_there
from web.reviews import REVIEW, REVIEWS, find_open, grant_of
from web.services import SERVICES

logger = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 2.0
HEADERS: Final = {
    "Accept-Ranges": "bytes",
    "Cache-Control": "no-store",
    "Content-Type": KIND,
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Report(msgspec.Struct, forbid_unknown_fields=True):
    """What a page played since it last said so; without both it says only that it is still there."""

    from_ms: int | None = None
    to_ms: int | None = None


async def media(request: http.Request) -> http.StreamResponse:
    """Answer ``GET /api/v1/recordings/{recording}/{side}``, or a range of it."""
    if request.headers.get("Sec-Fetch-Site") != "same-origin":
        raise Forbidden("A recording is played on its own page alone.")
    services, playback = request.app[SERVICES], request.app[REVIEWS].playback
    recording, grant = await _asked(request, first=True)
    side = recording.side(request.match_info["side"])
    async with playback.turn(grant):
        medium = await playback.open(grant, recording=recording, media=side, now=services.now())
        header = None if "If-Range" in request.headers else request.headers.get("Range")
        try:
            span = wanted(header, medium.size)
        except Unsatisfiable:
            return http.Response(status=416, headers=HEADERS | {"Content-Range": f"bytes */{medium.size}"})
        return await _send(request, medium, span, grant)


async def _send(request: http.Request, medium: Medium, span: Span, grant: Grant) -> http.StreamResponse:
    playback, clock = request.app[REVIEWS].playback, request.app[SERVICES].clock
    response = http.StreamResponse(status=206 if span.partial else 200, headers=HEADERS)
    response.content_length = span.length
    if span.partial:
        response.headers["Content-Range"] = span.content_range(medium.size)
    looked_s, untold_bytes = clock.monotonic(), 0
    try:
        await response.prepare(request)
        async for piece in playback.read(medium, span):
            if clock.monotonic() - looked_s >= LOOK_EVERY_S:
                await _asked(request, first=False)
                await _count(request, grant, untold_bytes)
                looked_s, untold_bytes = clock.monotonic(), 0
            untold_bytes += len(piece)
            await response.write(piece)
        await response.write_eof()
    except ConnectionError:
        pass  # The player wants something else by now.
    except (AgeError, StoreFailed) as error:
        extra = {"object": medium.name, "error": error.code}
        logger.error("playback.broken", extra=extra)  # noqa: TRY400  # where it was says nothing
        cut(request)
    except TeduhError:
        playback.forget(grant.id)
        cut(request)
    finally:
        await _count(request, grant, untold_bytes)
    return response


async def _count(request: http.Request, grant: Grant, sent_bytes: int) -> None:
    """Write down how much of a recording was sent, so that it stands there whatever the page says."""
    if sent_bytes:
        async with request.app[SERVICES].database.sessions.begin() as db:
            await watching.sent(db, grant, sent_bytes=sent_bytes)


def cut(request: http.Request) -> None:
    """End an answer whose head is sent already: it must not look whole."""
    if request.transport is not None:
        request.transport.abort()


async def watched(request: http.Request) -> http.Response:
    """Answer ``POST /api/v1/recordings/{recording}/watched``; a page that may not go on is told so."""
    services = request.app[SERVICES]
    report = await read_body(request, Report)
    async with services.database.sessions.begin() as db:
        person = person_of(request)
        recording = await find_open(request, db, person)
        grant = await grant_of(request, db, person, recording)
        if grant is None:
            raise Forbidden("Say first what you open it for.")
        if report.from_ms is not None and report.to_ms is not None:
            said = Watched(report.from_ms, report.to_ms)
            await watching.watch(db, grant, recording=recording, watched=said, now=services.now())
    return http.Response(status=204)


async def _asked(request: http.Request, *, first: bool) -> tuple[Recording, Grant]:
    """Find what is asked for, if it may be opened now; the ``first`` time it is written down that it was.

    Raises ``NotFound`` or ``Forbidden``.
    """
    services = request.app[SERVICES]
    person = person_of(request) if first else await still_there(request)
    if person is None:
        raise Forbidden("This login has ended.")
    async with services.database.sessions.begin() as db:
        recording = await find_open(request, db, person)
        grant = await grant_of(request, db, person, recording)
        if grant is None:
            raise Forbidden("Say first what you open it for.")
        if first:
            await reviews.played(db, services.audit, grant, recording=recording, now=services.now())
    return recording, grant


def setup(app: http.Application) -> None:
    """Add the routes."""
    add(app, "POST", "/api/v1/recordings/{recording}/watched", watched, REVIEW)
    add(app, "GET", "/api/v1/recordings/{recording}/{side}", media, REVIEW)
