"""`/me/recovery`: a client makes a recovery code and sees it once. A new one voids the old.

The code follows from the form's one-time number, so a form that is sent twice shows the same code.
"""

from __future__ import annotations

from datetime import datetime

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import recovery
from accounts.codes import shown
from accounts.roles import Permission
from web import entering
from web.forms import PageForm, blank, do_once, sent
from web.gate import add, person_of
from web.pages.site import SITE
from web.services import SERVICES


class RecoveryForm(PageForm):
    """One button."""


async def offer(request: http.Request) -> http.Response:
    """Answer `GET /me/recovery`."""
    form = blank(request, RecoveryForm)
    return request.app[SITE].show(request, "recovery/offer.html", form=form, since=await _since(request))


async def make(request: http.Request) -> http.Response:
    """Answer `POST /me/recovery`: show the new code, this once."""
    person = person_of(request)
    services = request.app[SERVICES]
    form = await sent(request, RecoveryForm)
    code = recovery.new_code(services.codes, user=person.id, once=str(form.once.data))
    hashed = await services.passwords.hash(code.secret, asker=entering.asker_of(request))

    async def act(db: AsyncSession) -> str:
        now = services.now()
        await recovery.keep(db, services.codes, user=person.id, code=code, secret_hash=hashed, now=now)
        await services.audit.append(db, tag="recovery:make", actor=person.id, subject=person.id, now=now)
        return "/me/recovery"

    response = await do_once(request, form, act)
    async with services.database.sessions() as db:
        is_current = await recovery.is_current(db, services.codes, user=person.id, code=code)
    if not is_current:  # an old page was sent again: a newer code counts by now
        return response
    groups = shown(code.lookup + code.secret).split("-")
    return request.app[SITE].show(request, "recovery/code.html", groups=groups)


async def _since(request: http.Request) -> datetime | None:
    async with request.app[SERVICES].database.sessions() as db:
        return await recovery.made_at(db, user=person_of(request).id)


def setup(app: http.Application) -> None:
    """Add the recovery code."""
    add(app, "GET", "/me/recovery", offer, Permission.OWN_ACCOUNT)
    add(app, "POST", "/me/recovery", make, Permission.OWN_ACCOUNT)
