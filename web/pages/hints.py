"""`/counselor/talks/{talk}/hints`: what the client of a talk answered while waiting, for its counselor.

Opening the page writes down that it was opened; the client reads it in their history.
"""

from __future__ import annotations

from aiohttp import web as http

from accounts import people
from accounts.roles import Permission
from counseling import screening, talks, walkins
from web.gate import add, person_of
from web.intake import SCREENING
from web.pages.site import SITE, language_of
from web.services import SERVICES


async def show(request: http.Request) -> http.Response:
    """Answer `GET /counselor/talks/{talk}/hints`."""
    services, ours, language = request.app[SERVICES], request.app[SCREENING], language_of(request)
    now, site = services.now(), request.app[SITE]
    async with services.database.sessions.begin() as db:
        talk = await talks.get(db, talk=request.match_info["talk"])
        client = await people.get(db, user=talk.client)
        grant = await screening.ask_for(
            db,
            services.audit,
            counselor=person_of(request),
            talk=talk,
            purpose=site.renderer.text(client.language, "hints.purpose"),
            now=now,
        )
        hints = await screening.hints_of(
            db, grant, services.audit, talk=talk, instruments=ours.instruments, now=now
        )
        walkin = None if talk.walkin is None else await walkins.get(db, walkin=talk.walkin)
    return site.show(
        request,
        "hints/hints.html",
        client=client,
        hints=hints,
        triage=None if walkin is None else walkin.triage,
        concerns=[
            ours.in_force.concerns[word][language]
            for word in hints.concerns
            if word in ours.in_force.concerns
        ],
    )


def setup(app: http.Application) -> None:
    """Add the page."""
    add(app, "GET", "/counselor/talks/{talk}/hints", show, Permission.SEE_HINTS)
