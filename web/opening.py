"""A talk gets its session: both have their places in it by their logins; and it ends when the session has.

A session that has ended anywhere (hung up, its time over, by a restart) ends its talk within seconds
(``end_finished``, a job of ``web/line.py``), so that the counselor is free for the next one.
"""

from __future__ import annotations

import contextlib
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import people
from core.errors import InvalidState
from core.ids import UserId
from counseling import register, talks
from counseling.entry import Medium
from counseling.talks import Talk
from media.codecs import Mode
from signaling import directory
from signaling.directory import NewParticipant, Recording, Role, SessionRecord, SessionState
from signaling.protocol import WireState
from web.recording import may_ask
from web.services import Services

MODES: Final = {Medium.VIDEO: Mode.VIDEO, Medium.VOICE: Mode.VOICE, Medium.CHAT: Mode.CHAT}
ENDED_TALK: Final = "talk_ended"
NOT_COME: Final = "not_come"
"""The counselor did not come: the room of a client leads back to the page of who is called for."""


async def open_talk(services: Services, db: AsyncSession, talk: Talk) -> SessionRecord:
    """Make the session of a talk, or give the one it has. The caller commits.

    Raises ``InvalidState`` for a talk that has ended, and one in person.
    """
    await services.audit.hold(db)
    talk = await talks.get(db, talk=talk.id)
    mode = MODES.get(talk.medium)
    if talk.ended_at is not None or mode is None:
        raise InvalidState("This talk has no session.")
    if talk.session is not None:
        found = await directory.find(db, session_id=talk.session)
        if found is not None:
            return found
    client = await people.get(db, user=talk.client)
    asks = services.config.recording and await may_ask(db, talk=talk)
    made = await directory.create(
        db,
        mode=mode,
        recording=Recording.ASK if asks else Recording.OFF,
        participants=[
            NewParticipant(Role.COUNSELOR, await _shown_name(db, talk.counselor), talk.counselor),
            NewParticipant(Role.CLIENT, client.name, client.id),
        ],
        owner=None,
        starts_at=None,
        max_minutes=None,
        now=services.now(),
    )
    await talks.set_session(db, talk=talk.id, session=made.session.id)
    return made.session


async def make_way(services: Services, db: AsyncSession, *, client: UserId) -> Talk | None:
    """Give the talk in which somebody is there for a client in danger; None, and everybody can be called.

    An appointment to which no counselor has come yet ends, and so does a visit: whoever calls is not at it.
    """
    talk = await talks.open_of_client(db, client=client)
    if talk is None or talk.walkin is not None:
        return talk
    if await place_path(db, talk, client) is not None and await has_come(services, db, talk):
        return talk
    await talks.end(db, services.audit, talk=talk.id, now=services.now())
    return None


async def place_path(db: AsyncSession, talk: Talk, user: UserId) -> str | None:
    """Say where one of the two goes in; None while there is no session, and for anybody else."""
    if talk.session is None:
        return None
    session = await directory.find(db, session_id=talk.session)
    if session is None or session.state is SessionState.ENDED:
        return None
    return next((f"/room/{place.id}" for place in session.participants if place.user == user), None)


async def has_come(services: Services, db: AsyncSession, talk: Talk) -> bool:
    """Whether the counselor of a talk has been in its room; false where it has none."""
    session = None if talk.session is None else await directory.find(db, session_id=talk.session)
    places = () if session is None else session.participants
    place = next((one for one in places if one.user == talk.counselor), None)
    if session is None or place is None:
        return False
    # The database hears of it a moment later than the call.
    now = (services.survey.states(session.id) or {}).get(place.id, WireState.ABSENT)
    return place.seat is not None or now != WireState.ABSENT


async def end_session(services: Services, talk: Talk, *, reason: str = ENDED_TALK) -> None:
    """End the session of a talk that has ended; after the commit. Ended before, nothing happens."""
    if talk.session is not None:
        with contextlib.suppress(InvalidState):
            await services.calls.end(talk.session, reason=reason)


async def end_finished(services: Services) -> list[Talk]:
    """End the talks whose session has ended or cannot be entered any more; gives which."""
    now = services.now()
    async with services.database.sessions() as db:
        going_on = [talk for talk in await talks.all_open(db) if talk.session is not None]
        if not going_on:
            return []
        live = await directory.live(db, sessions=[talk.session for talk in going_on if talk.session], now=now)
    over = [talk for talk in going_on if talk.session not in live]
    for talk in over:
        async with services.database.sessions.begin() as db:
            await talks.end(db, services.audit, talk=talk.id, now=now)
    return over


async def _shown_name(db: AsyncSession, counselor: UserId) -> str:
    """Name a counselor as on their card; staff without one by their name."""
    entry = await register.find(db, user=counselor)
    if entry is not None and entry.licence.shown_name:
        return entry.licence.shown_name
    return (await people.get(db, user=counselor)).name
