"""Whoever is nobody yet gets an account with the first form that needs one, under a name of ours.

Nothing is asked for it. The phone counts as shared until the client says otherwise.
"""

from __future__ import annotations

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import names, people
from accounts.logins import Stage
from accounts.people import Person
from web import entering
from web.forms import PageForm
from web.gate import visitor_of
from web.pages.site import language_of
from web.services import SERVICES


async def somebody(
    request: http.Request, db: AsyncSession, form: PageForm, *, purpose: str, adult: bool | None
) -> Person:
    """Give who is logged in, or make a client and log them in with this form. The caller commits.

    ``adult`` is what the form asked of who had not said it yet. ``answer`` gives the browser its login.
    """
    services = request.app[SERVICES]
    now, language = services.now(), language_of(request)
    person = visitor_of(request).person
    if person is not None:
        if person.adult is None and adult is not None:
            await people.say_age(db, user=person.id, adult=adult)
        return await people.get(db, user=person.id)
    name = await names.new_name(db, language=language)
    person = await people.create_client(db, name=name, language=language, adult=adult, now=now)
    await services.audit.append(db, tag="account:make", actor=person.id, subject=person.id, now=now)
    token = entering.token_for(request, form, purpose)
    await entering.open_login(request, db, person=person, token=token, stage=Stage.FULL)
    return person


async def answer(
    request: http.Request, response: http.Response, form: PageForm, *, purpose: str
) -> http.Response:
    """Give a new client's browser its login with the form's answer."""
    if visitor_of(request).person is None:
        await entering.answer_again(request, response, entering.token_for(request, form, purpose))
    return response
