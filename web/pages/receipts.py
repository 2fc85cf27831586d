"""Receipts of one's own, of a consent or of an agreement to be recorded: the page, and the signed file."""

from __future__ import annotations

from typing import Protocol

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.roles import Permission
from accounts.standing import Entry
from core.errors import NotFound
from web.gate import add, person_of
from web.pages.site import SITE
from web.services import SERVICES


class Ledger(Protocol):
    """Looks an entry of a ledger up by its receipt's id. Raises ``NotFound``."""

    async def __call__(self, db: AsyncSession, *, receipt: str) -> Entry:
        """Give the entry, whosever it is."""
        ...


def download(content: bytes, kind: str, name: str) -> http.Response:
    """Give a file to be saved; its name says nothing about the service."""
    return http.Response(
        body=content,
        content_type=kind,
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


def serve(app: http.Application, page: str, permission: Permission, *, ledger: Ledger) -> None:
    """Add `{page}/receipts/{id}` and `{page}/receipts/{id}/file`; what is another's is not found."""

    async def own(request: http.Request) -> Entry:
        async with request.app[SERVICES].database.sessions() as db:
            entry = await ledger(db, receipt=request.match_info["id"])
        if entry.user != person_of(request).id:
            raise NotFound("There is no such receipt.")
        return entry

    async def receipt(request: http.Request) -> http.Response:
        entry, signing = await own(request), request.app[SERVICES].receipts
        return request.app[SITE].show(
            request,
            "consents/receipt.html",
            entry=entry,
            key_id=signing.key_id,
            receipt=signing.make(entry),
            page=page,
        )

    async def receipt_file(request: http.Request) -> http.Response:
        entry = await own(request)
        signed = request.app[SERVICES].receipts.make(entry) + "\n"
        return download(signed.encode(), "text/plain", f"{entry.id}.txt")

    add(app, "GET", f"{page}/receipts/{{id}}", receipt, permission)
    add(app, "GET", f"{page}/receipts/{{id}}/file", receipt_file, permission)
