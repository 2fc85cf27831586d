"""`/counselors/{id}`: what a client sees of a counselor before any contact. Of those who are verified."""

from __future__ import annotations

from aiohttp import web as http

from accounts.roles import Permission
from core.errors import NotFound
from core.ids import UserId, is_id
from counseling import register
from counseling.hours import DAYS, write_day
from counseling.matchable import Why, has_card, takes_minors, why_not
from counseling.standings import standings
from web.gate import add
from web.pages.site import SITE, language_of
from web.register import REGISTER
from web.services import SERVICES


async def card(request: http.Request) -> http.Response:
    """Answer `GET /counselors/{id}`. Whoever is not there and whoever is not verified look alike."""
    services, ours, language = request.app[SERVICES], request.app[REGISTER], language_of(request)
    user = UserId(request.match_info["id"])
    today = ours.today(services.now())
    async with services.database.sessions() as db:
        entry = await register.find(db, user=user) if is_id(user) else None
        found = {} if entry is None else await standings(db, entries=[entry], today=today)
    if entry is None or user not in found:
        raise NotFound("There is no such counselor.")
    why = why_not(found[user][1], ours.credentials, today=today)
    if not has_card(why):
        raise NotFound("There is no such counselor.")
    kind = ours.credentials.kinds[entry.licence.kind]
    return request.app[SITE].show(
        request,
        "register/card.html",
        entry=entry,
        kind=kind,
        minors=takes_minors(entry, ours.credentials),
        topics=ours.topics(entry.practice.topics, language),
        tongues=ours.languages(entry.practice.languages, language),
        hours=[(number, write_day(entry.hours, number)) for number in DAYS],
        zone=services.config.time_zone,
        away=Why.AWAY in why,
    )


def setup(app: http.Application) -> None:
    """Add the public cards."""
    add(app, "GET", "/counselors/{id}", card, Permission.OPEN)
