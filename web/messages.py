"""What the pages of messages share: to whom one may write, what is promised, how fast, and the jobs."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices
from accounts.people import Person
from accounts.throttle import Throttle
from core.errors import TooMany
from core.ids import UserId
from counseling import desks, exclusions, queue, register, thread_lists, threads
from counseling.desks import Able
from counseling.entry import Entry
from counseling.exclusions import NOBODY, Apart
from counseling.matchable import Why, has_card, why_not
from counseling.replies import fits, promised_by
from counseling.standings import standings
from counseling.thread_lists import Waiting
from counseling.threads import Thread
from web.forms import Wrong
from web.jobs import every
from web.register import Register
from web.services import Services

logger = logging.getLogger(__name__)

SENT_FREELY: Final = 10.0
SENT_EVERY_S: Final = 20.0
LATE_EVERY_S: Final = 300.0
HOUR_S: Final = 3600.0


@dataclass(slots=True)
class Post:
    """How fast each person may write: some at once, then one after the other."""

    sending: Throttle = field(default_factory=lambda: Throttle(1 / SENT_EVERY_S, SENT_FREELY))

    def spend(self, subject: str, now_s: float) -> None:
        """Count one message. Raises ``Wrong`` with when to try again; what was typed stays in the form."""
        try:
            self.sending.spend(subject, now_s)
        except TooMany:
            raise Wrong("text", "messages.too_fast") from None


POST: Final = http.AppKey("post", Post)


@dataclass(frozen=True, slots=True)
class Counselor:
    """A counselor to whom a client may write: the entry, and until when an answer is promised now."""

    entry: Entry
    away: bool
    promised: datetime | None

    @property
    def id(self) -> UserId:
        """Whose entry it is."""
        return self.entry.user

    @property
    def name(self) -> str:
        """As on the public card."""
        return self.entry.licence.shown_name


async def reachable(
    db: AsyncSession, ours: Register, users: Sequence[UserId], *, now: datetime
) -> dict[UserId, Counselor]:
    """Say of these counselors who has a public card today, in this order; the others get no messages."""
    entries = await register.find_all(db, users=users)
    today = ours.today(now)
    found = await standings(db, entries=list(entries.values()), today=today)
    reached: dict[UserId, Counselor] = {}
    for user in users:
        if user not in found:
            continue
        why = why_not(found[user][1], ours.credentials, today=today)
        if has_card(why):
            promised = promised_by(entries[user], now=now, zone=ours.zone)
            reached[user] = Counselor(entries[user], Why.AWAY in why, promised)
    return reached


async def names_of(db: AsyncSession, users: Iterable[UserId | None]) -> dict[UserId, str]:
    """Name counselors as their public card did, also those who have none any more."""
    named = list({user for user in users if user is not None})
    entries = await register.find_all(db, users=named)
    return {user: entry.licence.shown_name for user, entry in entries.items() if entry.licence.shown_name}


async def addressees(
    db: AsyncSession, ours: Register, client: Person, *, now: datetime
) -> dict[UserId, Counselor]:
    """Give the counselors whom a client may write to by name, the last one first."""
    known = await threads.known(db, client=client.id, now=now)
    found = await reachable(db, ours, known, now=now)
    kept = (await exclusions.apart(db, clients=[client.id])).get(client.id, NOBODY)
    return {user: one for user, one in found.items() if not kept.keeps(user, one.entry.practice.recusals)}


async def may_take(
    db: AsyncSession, ours: Register, counselor: UserId, waiting: Sequence[Waiting], *, now: datetime
) -> list[Waiting]:
    """Give those messages of the desk that this counselor may take, in their order."""
    able = await desks.able(db, ours.credentials, counselors=[counselor], today=ours.today(now), now=now)
    kept = await exclusions.apart(db, clients={message.client for message in waiting})
    return [message for one in able.values() for message in waiting if _fits(one, message, ours, kept)]


async def tell_fitting(db: AsyncSession, ours: Register, thread: Thread, *, now: datetime) -> None:
    """Tell the counselors who may take a message that one waits."""
    verified = [entry.user for entry in await queue.verified(db)]
    able = await desks.able(db, ours.credentials, counselors=verified, today=ours.today(now), now=now)
    kept = await exclusions.apart(db, clients=[thread.client])
    waiting = await thread_lists.waiting(db, thread=thread.id)
    users = [
        user for user, one in able.items() if any(_fits(one, message, ours, kept) for message in waiting)
    ]
    await notices.post_all(db, users=sorted(users), kind="message_waiting", once=True, now=now)


def _fits(one: Able, message: Waiting, ours: Register, kept: Mapping[UserId, Apart]) -> bool:
    """Whether a counselor who is able today may take a message: a place, the work, nobody kept apart."""
    practice = one.entry.practice
    return (
        (one.places > 0 or message.client in one.caseload)
        and fits(
            one.entry, ours.credentials, language=message.language, topic=message.topic, adult=message.adult
        )
        and not kept.get(message.client, NOBODY).keeps(one.counselor, practice.recusals)
    )


async def seen(db: AsyncSession, person: Person, *, kinds: Sequence[str], now: datetime) -> None:
    """Take the notices of messages back to read once nothing is unread any more."""
    if await thread_lists.unread(db, user=person.id) == 0:
        await notices.settle(db, user=person.id, kinds=kinds, now=now)


async def tell_late(services: Services) -> None:
    """Tell of answers whose promised time has passed."""
    async with services.database.sessions.begin() as db:
        count = await thread_lists.tell_late(db, now=services.now())
    if count:
        logger.warning("messages.late", extra={"count": count})


async def forget_old(services: Services) -> None:
    """Delete threads that are older than is promised to clients."""
    days = services.config.message_days
    async with services.database.sessions.begin() as db:
        count = await thread_lists.prune(db, days=days, now=services.now())
    if count:
        logger.info("messages.pruned", extra={"count": count})


def setup(app: http.Application) -> None:
    """Add the throttle and the jobs."""
    app[POST] = Post()
    every(app, LATE_EVERY_S, tell_late)
    every(app, HOUR_S, forget_old)
