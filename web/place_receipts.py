"""``GET /api/v1/place/{participant}/receipts``: signed receipts of being recorded, without a login.

Who has a login finds theirs under ``/me/recordings`` too.
"""

from __future__ import annotations

from aiohttp import web as http

from accounts.roles import Permission
from core.errors import NotFound
from core.ids import ParticipantId
from recordings import receipts
from web.gate import add
from web.pages.receipts import download
from web.place import sits
from web.services import SERVICES


async def of_place(request: http.Request) -> http.Response:
    """Answer whoever sits there, by cookie or login: all receipts, an empty line between them."""
    services, participant = request.app[SERVICES], ParticipantId(request.match_info["participant"])
    async with services.database.sessions() as db:
        session = await sits(request, db, participant)
        entries = await receipts.of_place(db, session=session.id, participant=participant)
    if not entries:
        raise NotFound("Nothing was agreed to in this place.")
    signed = "\n\n".join(services.receipts.make(entry) for entry in entries) + "\n"
    return download(signed.encode(), "text/plain", f"{participant}.txt")


def setup(app: http.Application) -> None:
    """Add the route."""
    add(app, "GET", "/api/v1/place/{participant}/receipts", of_place, Permission.PLACE)
