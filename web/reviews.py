"""What the pages of reviews share: who may open which recording now, and what is done from time to time.

Here the floors meet: who supervises whom says ``counseling``, who consents ``accounts``, the rest
``recordings``; ``recordings/opening.py`` decides.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import consents, grants, people
from accounts.grants import Grant
from accounts.people import Person
from accounts.roles import Permission
from accounts.texts import Kind
from core.errors import NotFound
from core.ids import UserId, is_id
from counseling import supervision
from recordings import comments, opening, reviews, watching
from recordings.comments import Comments, Hidden
from recordings.exporting import Exporter
from recordings.opening import Closed
from recordings.playback import Playback
from recordings.reviews import Recording
from recordings.states import State
from recordings.workshop import open_store
from web.jobs import every
from web.services import SERVICES, Services

logger = logging.getLogger(__name__)

REVIEW: Final = Permission.REVIEW_RECORDINGS
WRITE_DOWN_S: Final = 10.0
MINUTE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Reviews:
    """The doers behind the pages of reviews."""

    playback: Playback
    comments: Comments
    exporter: Exporter
    progress: dict[str, int] = field(default_factory=dict)
    """How far exports are that are made now, in percent."""


REVIEWS: Final = http.AppKey("reviews", Reviews)


async def to_review(request: http.Request, db: AsyncSession, person: Person) -> list[Recording]:
    """List what somebody may open now, the newest first."""
    theirs = await _supervised(db, person, request.app[SERVICES])
    found = await reviews.of_counselors(db, counselors=theirs, state=State.STORED)
    return [one for one in found if await _why_closed(request, db, one, assigned=True) is None]


async def own_hidden(request: http.Request, db: AsyncSession, person: Person) -> list[Hidden]:
    """List what somebody said of recordings whose consents are gone; not of who asked to be erased."""
    found = await request.app[REVIEWS].comments.hidden_of(db, author=person.id)
    clients = await people.find_all(db, users=sorted({one.client for one in found}))
    stay = {one.id for one in clients if not one.is_leaving}
    return [one for one in found if one.client in stay]


async def find_open(request: http.Request, db: AsyncSession, person: Person) -> Recording:
    """Look up the recording of an address if it may be opened now. Raises ``NotFound``, whatever is wrong."""
    recording = await _of_address(request, db)
    theirs = await _supervised(db, person, request.app[SERVICES])
    assigned = recording.counselor in theirs
    if await _why_closed(request, db, recording, assigned=assigned) is not None:
        raise NotFound("There is no such recording.")
    return recording


async def find_own(
    request: http.Request, db: AsyncSession, person: Person
) -> tuple[Recording, Closed | None]:
    """Look up the recording of an address for its counselor, and what keeps it shut. Raises ``NotFound``."""
    recording = await _of_address(request, db)
    if recording.counselor != person.id:
        raise NotFound("There is no such recording.")
    return recording, await _why_closed(request, db, recording, assigned=True)


async def grant_of(
    request: http.Request, db: AsyncSession, person: Person, recording: Recording
) -> Grant | None:
    """Find the grant that somebody has for a recording now.

    One from before the client's consent is over: a withdrawal meanwhile ended it, whatever was said later.
    """
    services = request.app[SERVICES]
    grant = await grants.current(
        db,
        services.audit,
        person=person,
        permission=REVIEW,
        subject=recording.client,
        object_id=recording.id,
        now=services.now(),
    )
    if grant is None:
        return None
    consented_at = await _consented_at(db, recording.client)
    given_at = await reviews.given_at(db, grant=grant)
    holds = consented_at is not None and given_at is not None and given_at >= consented_at
    return grant if holds else None


async def may_be_open(db: AsyncSession, recording: Recording, *, now: datetime) -> bool:
    """Whether a recording may be opened by who is assigned: the consents, the release and the hold."""
    facts = recording.facts(client_consents=await client_consents(db, recording.client))
    return opening.why_closed(facts, assigned=True, now=now) is None


async def may_open(db: AsyncSession, recording: Recording, user: UserId | None, services: Services) -> bool:
    """Whether a recording may be opened, and by this person: with a grant, or an approval in its place."""
    person = None if user is None else await people.find(db, user=user)
    if person is None or recording.counselor not in await _supervised(db, person, services):
        return False
    return await may_be_open(db, recording, now=services.now())


async def client_consents(db: AsyncSession, client: UserId | None) -> bool:
    """Whether a client consents to supervision; who asked to be erased consents to nothing."""
    return await _consented_at(db, client) is not None


async def _consented_at(db: AsyncSession, client: UserId | None) -> datetime | None:
    known = None if client is None else await people.find(db, user=client)
    if known is None or known.is_leaving:
        return None
    state = await consents.state(db, user=known.id)
    last = state.consents[Kind.SUPERVISION].last
    return last.at if state.has(Kind.SUPERVISION) and last is not None else None


async def _of_address(request: http.Request, db: AsyncSession) -> Recording:
    asked = request.match_info["recording"]
    if not is_id(asked):
        raise NotFound("There is no such recording.")
    return await reviews.find(db, recording=asked)


async def _supervised(db: AsyncSession, person: Person, services: Services) -> set[UserId]:
    today = services.now().astimezone(ZoneInfo(services.config.time_zone)).date()
    if person.is_leaving or not person.may(REVIEW):
        return set()
    return {one.counselor for one in await supervision.of_supervisor(db, supervisor=person.id, day=today)}


async def _why_closed(
    request: http.Request, db: AsyncSession, recording: Recording, *, assigned: bool
) -> Closed | None:
    facts = recording.facts(client_consents=await client_consents(db, recording.client))
    return opening.why_closed(facts, assigned=assigned, now=request.app[SERVICES].now())


async def write_down_watched(services: Services) -> None:
    """Write into the audit what was watched."""
    async with services.database.sessions.begin() as db:
        await watching.write_down(db, services.audit, now=services.now())


async def forget_ended(services: Services, playback: Playback) -> None:
    """Drop what is open under grants that hold no more: nobody may ask for it again, who would find out."""
    for use in playback.in_use():
        async with services.database.sessions() as db:
            recording = await reviews.find(db, recording=use.recording)
            holds = await grants.stands(db, grant=use.grant)
            if not holds or not await may_open(db, recording, use.viewer, services):
                playback.forget(use.grant)


async def keep_comments(services: Services) -> None:
    """Hide comments whose consents are gone, show those whose consents came back, destroy what is over."""
    now = services.now()
    async with services.database.sessions.begin() as db:
        stand, gone = list[str](), list[str]()
        for number in await comments.commented(db):
            one = await reviews.find(db, recording=number)
            both = one.released and not one.closed and await client_consents(db, one.client)
            (stand if both else gone).append(number)
        await comments.hide(db, recordings=gone, now=now)
        await comments.show(db, recordings=stand)
        await comments.prune(db, now=now)


def setup(app: http.Application) -> None:
    """Build what the pages share, and add the jobs."""
    services = app[SERVICES]
    store = open_store(services.config)
    app[REVIEWS] = Reviews(
        Playback(store, services.vault, services.warrants),
        Comments(services.audit),
        Exporter(
            store, services.vault, services.warrants, services.config.data_dir / "recordings" / "exports"
        ),
    )

    async def close(_app: http.Application) -> None:
        await store.close()

    async def forget(services: Services) -> None:
        await forget_ended(services, app[REVIEWS].playback)

    app.on_cleanup.append(close)
    every(app, WRITE_DOWN_S, forget)
    every(app, WRITE_DOWN_S, write_down_watched)
    every(app, MINUTE_S, keep_comments)
