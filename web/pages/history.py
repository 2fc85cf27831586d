"""`/me/history`: who opened what of mine, and what was done with it, in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiohttp import web as http

from accounts.audit import PAGE, Entry
from accounts.roles import Permission
from core.errors import NotFound
from web.gate import add, person_of
from web.pages.site import SITE, language_of
from web.services import SERVICES
from web.telling import everybody_in, say_tag, say_who

MAX_DIGITS: Final = 15


@dataclass(frozen=True, slots=True)
class Line:
    """One row: what, who, when; ``why`` None where no reason is kept."""

    what: str
    who: str
    at: datetime
    why: str | None
    mine: bool


async def history(request: http.Request) -> http.Response:
    """Answer `GET /me/history`; `?by=others` leaves out what one did oneself."""
    me = person_of(request).id
    services, site, language = request.app[SERVICES], request.app[SITE], language_of(request)
    others_only = request.query.get("by") == "others"
    async with services.database.sessions() as db:
        entries = await services.audit.own(
            db, person=me, others_only=others_only, before=before_of(request), limit=PAGE + 1
        )
        actors = await everybody_in(db, entries)

    def line(entry: Entry) -> Line:
        if entry.actor is None:
            who = site.renderer.text(language, "who.service")
        else:
            who = say_who(site.renderer, language, actors.get(entry.actor), me=me)
        why = None if entry.detail is None else entry.detail.get("purpose")
        return Line(
            say_tag(site.renderer, language, entry),
            who,
            entry.at,
            None if why is None else str(why),
            entry.actor == me,
        )

    return site.show(
        request,
        "history/history.html",
        lines=[line(entry) for entry in entries[:PAGE]],
        others_only=others_only,
        older=entries[PAGE - 1].seq if len(entries) > PAGE else None,
    )


def before_of(request: http.Request) -> int | None:
    """Read the number of the row before which a page begins. Raises ``NotFound`` for what is none."""
    text = request.query.get("before")
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > MAX_DIGITS:
        raise NotFound("There is nothing here.")
    return int(text)


def setup(app: http.Application) -> None:
    """Add the page."""
    add(app, "GET", "/me/history", history, Permission.OWN_HISTORY)
