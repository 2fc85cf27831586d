"""Logging people in and out of a browser: the login, its cookie, the audit, and who is told.

A login's token follows from the one-time number of the form that made it: a form that is sent twice
sets the same cookie twice, whichever answer comes last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import logins, notices
from accounts.logins import OWN_LIFE, Login, Stage
from accounts.people import Person
from accounts.turns import Asker
from core.errors import TooMany
from signaling.device import describe
from web.client import client_address
from web.forms import PageForm
from web.gate import cookie_name, visitor_of
from web.services import SERVICES

Act = Callable[[AsyncSession], Awaitable[None]]
"""Something done or checked within a transaction; raises ``Wrong``."""

TWICE_WITHIN: Final = timedelta(minutes=2)
STARTS_MOST_S: Final = 20.0


def token_for(request: http.Request, form: PageForm, purpose: str) -> str:
    """Make the token of the login that this form opens."""
    return request.app[SERVICES].codes.token(purpose, str(form.once.data))


async def open_login(
    request: http.Request,
    db: AsyncSession,
    *,
    person: Person,
    token: str,
    stage: Stage,
    own_phone: bool = False,
) -> Login:
    """Log a person in with this browser; a login that it had before ends. The caller commits."""
    services = request.app[SERVICES]
    now = services.now()
    before = visitor_of(request)
    if before.login is not None:
        await logins.end(db, user=before.login.user, login=before.login.id)
    login = await logins.open_login(
        db,
        person=person,
        token=token,
        stage=stage,
        device=describe(request.headers.get("User-Agent", "")),
        own_phone=own_phone,
        now=now,
    )
    if stage is Stage.FULL:
        await tell(request, db, person=person, login=login)
    return login


async def tell(request: http.Request, db: AsyncSession, *, person: Person, login: Login) -> None:
    """Write a complete login into the audit and, where it is not the only one, into the inbox."""
    services = request.app[SERVICES]
    now = services.now()
    if len(await logins.of(db, user=person.id, now=now)) > 1:
        await notices.post(db, user=person.id, kind="login_new", places={"device": login.device}, now=now)
    await services.audit.append(
        db,
        tag="login:open",
        actor=person.id,
        subject=person.id,
        object_id=login.id,
        detail={"device": login.device},
        now=now,
    )


async def answer_again(
    request: http.Request, response: http.StreamResponse, token: str, *, own_phone: bool = False
) -> None:
    """Give the browser the login of a form: at once, and again to one that sent it twice by mistake.

    An old page that is sent again much later opens nothing.
    """
    services = request.app[SERVICES]
    now = services.now()
    async with services.database.sessions() as db:
        found = await logins.find(db, token=token, now=now)
    if found is not None and now - found[1].created_at < TWICE_WITHIN:
        keep_cookie(request, response, token, own_phone=own_phone)


def keep_cookie(
    request: http.Request, response: http.StreamResponse, token: str, *, own_phone: bool = False
) -> None:
    """Give the browser its login. On a shared phone it goes with the browser; see ``logins`` for the rest."""
    secure = request.app[SERVICES].config.secure
    response.set_cookie(
        cookie_name(secure=secure),
        token,
        max_age=int(OWN_LIFE.total_seconds()) if own_phone else None,
        path="/",
        httponly=True,
        samesite="Lax",
        secure=secure,
    )


def drop_cookie(request: http.Request, response: http.StreamResponse) -> None:
    """Take the login from the browser."""
    secure = request.app[SERVICES].config.secure
    response.del_cookie(cookie_name(secure=secure), path="/", httponly=True, samesite="Lax", secure=secure)


def asker_of(request: http.Request) -> Asker:
    """Say in whose line this request waits for Argon2, and when nobody reads its answer any more."""

    def gone() -> bool:
        return request.transport is None or request.transport.is_closing()

    return Asker(client_address(request, request.app[SERVICES].config), gone)


async def slow_down(request: http.Request) -> None:
    """Have whoever asks often wait, up to ``STARTS_MOST_S``; nobody is refused.

    Raises ``TooMany`` for who has gone meanwhile.
    """
    services, asker = request.app[SERVICES], asker_of(request)
    waits_s = services.starts.delay(asker.line, services.clock.monotonic(), most_s=STARTS_MOST_S)
    if waits_s > 0:
        await asyncio.sleep(waits_s)
        if asker.gone():
            raise TooMany("Nobody waits for this any more.", retry_after_s=STARTS_MOST_S)
