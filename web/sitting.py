"""Who sits in a call by a login: it does not rest meanwhile, and whoever's login has ended has to go.

Logins end in many places: on another device, by an admin, with an erasure, after their time. Each few
seconds the calls are asked who sits there by which login, and the table whether it still holds.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web as http

from accounts import logins
from web.jobs import every
from web.services import Services

LOOK_EVERY_S: Final = 3.0


async def look(services: Services) -> None:
    """Keep logins alive that are in use, and take out of calls those that ended."""
    sitting = services.survey.logins()
    if not sitting:
        return
    async with services.database.sessions.begin() as db:
        alive = await logins.keep_alive(db, ids=sitting, now=services.now())
    for login in sitting - alive:
        services.calls.log_out(login)


def setup(app: http.Application) -> None:
    """Add the job, before the application starts."""
    every(app, LOOK_EVERY_S, look)
