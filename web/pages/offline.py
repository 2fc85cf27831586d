"""What a phone keeps: the page of crisis help, the card of a broken line, and the worker that shows them.

Only a phone that is its owner's alone keeps it: its owner said so, or pressed the button on the crisis page.
It is fetched without cookies, holds nothing of a person, and says from which day it is. The exercises of
`/self-help` stand on the page of crisis help too.
"""

from __future__ import annotations

import json
from typing import Final

from aiohttp import web as http

from accounts.roles import Permission
from counseling import crisis, self_help
from web.card import service_number
from web.duties import hours_of
from web.gate import add
from web.pages.site import SITE, language_of
from web.render import LANGUAGES
from web.services import SERVICES

FILES: Final = ("css/base.css", "css/people.css", "icon.svg", "js/exit.js", "js/card.js")
HELP: Final = "/offline"
CARD: Final = "/offline/room"


async def page(request: http.Request) -> http.Response:
    """Answer `GET /offline`: the lines with their hours, as of now."""
    return await _show(request, "crisis/offline.html")


async def card(request: http.Request) -> http.Response:
    """Answer `GET /offline/room`: the card in the place of a room that is opened without a network."""
    return await _show(request, "crisis/card.html")


async def _show(request: http.Request, template: str) -> http.Response:
    services, language = request.app[SERVICES], language_of(request)
    now = services.now()
    async with services.database.sessions() as db:
        lines = await crisis.shown(db)
    return request.app[SITE].show(
        request,
        template,
        service=service_number(services.config),
        lines=[(line, None, crisis.is_stale(line, now)) for line in lines],
        numbers=crisis.spoken,
        dial=crisis.dial,
        hours=lambda line: hours_of(line, language),
        zone=services.config.time_zone.rpartition("/")[2].replace("_", " "),
        now=now,
        ours=self_help.shipped(),
    )


async def worker(request: http.Request) -> http.Response:
    """Answer `GET /worker.js`: the worker, and before it what this release keeps."""
    assets, language = request.app[SITE].assets, request.query.get("language", "")
    if language not in LANGUAGES:
        language = LANGUAGES[0]
    kept = {
        "cache": f"teduh-{assets.digest}-{language}",
        "language": language,
        "help": HELP,
        "card": CARD,
        "files": [assets.url(path) for path in FILES],
        "away": request.app[SERVICES].config.quick_exit_url,
    }
    script = assets.files["js/worker.js"].plain.decode()
    return http.Response(
        text=f"self.KEPT = {json.dumps(kept)};\n{script}",
        content_type="text/javascript",
        charset="utf-8",
        headers={"Cache-Control": "no-cache"},
    )


def setup(app: http.Application) -> None:
    """Add the page and the worker."""
    add(app, "GET", HELP, page, Permission.OPEN)
    add(app, "GET", CARD, card, Permission.OPEN)
    add(app, "GET", "/worker.js", worker, Permission.OPEN)
