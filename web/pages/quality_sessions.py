"""`/quality/sessions`: sessions that have ended, as their lines were; each leads to its report.

Nothing of it names a client, but to the client's own counselor.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web as http

from accounts import people
from accounts.roles import Permission
from counseling import oversight
from signaling import quality_lists
from web.gate import add, person_of
from web.pages.site import SITE, language_of
from web.quality_words import Words
from web.register import REGISTER
from web.services import SERVICES

PAGE: Final = 25
MAX_PAGES: Final = 400


async def show(request: http.Request) -> http.Response:
    """Answer `GET /quality/sessions?page=2`."""
    services, site, person = request.app[SERVICES], request.app[SITE], person_of(request)
    page = _page(request.query.get("page", ""))
    async with services.database.sessions() as db:
        seen = await oversight.of(db, person=person, day=request.app[REGISTER].today(services.now()))
        found = await quality_lists.lately(db, oversight=seen, past=PAGE * (page - 1), most=PAGE + 1)
        users = {one.counselor for one in found} | {one.client for one in found if one.counselor == person.id}
        named = await people.find_all(db, users=sorted(user for user in users if user is not None))
    return site.show(
        request,
        "quality/sessions.html",
        rows=found[:PAGE],
        names={one.id: one.name for one in named},
        me=person.id,
        alone=seen.counselors == frozenset({person.id}),
        newer=page - 1,
        older=page + 1 if len(found) > PAGE and page < MAX_PAGES else None,
        long=Words(site.renderer, language_of(request)).long,
    )


def _page(text: str) -> int:
    """Read which page is meant; the first where it is none."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else 1
    return min(max(1, number), MAX_PAGES)


def setup(app: http.Application) -> None:
    """Add the list."""
    add(app, "GET", "/quality/sessions", show, Permission.SEE_QUALITY)
