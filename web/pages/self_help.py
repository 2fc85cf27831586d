"""`/self-help`: short exercises for a hard moment, open to all. Nobody counts who reads them."""

from __future__ import annotations

from aiohttp import web as http

from accounts.roles import Permission
from counseling import crisis, self_help
from web.duties import clinical_digest
from web.gate import add
from web.pages.site import SITE
from web.services import SERVICES


async def show(request: http.Request) -> http.Response:
    """Answer `GET /self-help`."""
    site = request.app[SITE]
    async with request.app[SERVICES].database.sessions() as db:
        signed = await crisis.signoff(db, digest=clinical_digest(site.renderer))
    return site.show(request, "self_help/page.html", ours=self_help.shipped(), signed=signed)


def setup(app: http.Application) -> None:
    """Add the exercises."""
    add(app, "GET", "/self-help", show, Permission.OPEN)
