"""`/admin/instruments`: which questionnaires there are, where they are from, and accepting a translation.

A translation that nobody validated is off until an admin accepts its exact words, with the name of who
vouches for them and the day.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import HiddenField, StringField
from wtforms.validators import DataRequired, Length

from accounts.roles import Permission
from core.errors import InvalidState, NotFound
from counseling import acceptances
from counseling.instruments import Instrument, Translation
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add, person_of
from web.intake import SCREENING
from web.pages.register_forms import Day
from web.pages.site import SITE
from web.register import REGISTER
from web.services import SERVICES

PAGE: Final = "/admin/instruments"
MAX_NAME_CHARS: Final = 120


class AcceptForm(PageForm):
    """Who vouches for the words, and since when. ``digest`` names the words that were read."""

    vouched_by = StringField(
        "instruments.vouched_by",
        [DataRequired("form.missing"), Length(max=MAX_NAME_CHARS, message="form.long")],
    )
    vouched_on = Day("instruments.vouched_on", [DataRequired("form.date")])
    digest = HiddenField()


async def listed(request: http.Request) -> http.Response:
    """Answer `GET /admin/instruments`."""
    ours = request.app[SCREENING]
    async with request.app[SERVICES].database.sessions() as db:
        accepted = await acceptances.acceptances(db)
    return request.app[SITE].show(
        request,
        "instruments/list.html",
        instruments=[
            (one, [(words, acceptances.is_on(words, accepted)) for words in one.translations.values()])
            for one in ours.instruments.values()
        ],
        in_force=ours.in_force,
    )


async def show(request: http.Request) -> http.Response:
    """Answer `GET /admin/instruments/{instrument}/{language}`: all words, and whose they are."""
    _, words = _translation(request)
    today = request.app[REGISTER].today(request.app[SERVICES].now())
    return await _show(request, blank(request, AcceptForm, vouched_on=today, digest=words.digest))


async def accept(request: http.Request) -> http.Response:
    """Answer `POST /admin/instruments/{instrument}/{language}`."""
    services, admin = request.app[SERVICES], person_of(request)
    instrument, words = _translation(request)
    form = await sent(request, AcceptForm)
    if not form.validate():
        return await _show(request, form, status=422)
    if form.digest.data != words.digest:
        raise InvalidState("The words have changed: read them again.")
    now, vouched_on = services.now(), form.vouched_on.data

    async def act(db: AsyncSession) -> str:
        if vouched_on is None or vouched_on > request.app[REGISTER].today(now):
            raise Wrong("vouched_on", "instruments.future")
        await acceptances.accept(
            db,
            services.audit,
            instrument=instrument,
            translation=words,
            vouched_by=" ".join(str(form.vouched_by.data).split()),
            vouched_on=vouched_on,
            actor=admin,
            now=now,
        )
        return f"{PAGE}/{instrument.id}/{words.language}?done=instrument_accepted"

    try:
        return await do_once(request, form, act)
    except Wrong as error:
        form.say_wrong(error)
        return await _show(request, form, status=422)


async def withdraw(request: http.Request) -> http.Response:
    """Answer `POST /admin/instruments/{instrument}/{language}/withdraw`."""
    services, admin = request.app[SERVICES], person_of(request)
    instrument, words = _translation(request)
    form = await sent(request, PageForm)

    async def act(db: AsyncSession) -> str:
        await acceptances.withdraw(
            db, services.audit, instrument=instrument, translation=words, actor=admin, now=services.now()
        )
        return f"{PAGE}/{instrument.id}/{words.language}?done=instrument_withdrawn"

    return await do_once(request, form, act)


async def _show(request: http.Request, form: AcceptForm, *, status: int = 200) -> http.Response:
    instrument, words = _translation(request)
    async with request.app[SERVICES].database.sessions() as db:
        accepted = await acceptances.acceptances(db)
    return request.app[SITE].show(
        request,
        "instruments/one.html",
        status=status,
        form=form,
        instrument=instrument,
        words=words,
        is_on=acceptances.is_on(words, accepted),
        acceptance=accepted.get(words.digest),
    )


def _translation(request: http.Request) -> tuple[Instrument, Translation]:
    instrument = request.app[SCREENING].instruments.get(request.match_info["instrument"])
    words = None if instrument is None else instrument.translations.get(request.match_info["language"])
    if instrument is None or words is None:
        raise NotFound("There is no such questionnaire.")
    return instrument, words


def setup(app: http.Application) -> None:
    """Add the pages."""
    edit = Permission.EDIT_INSTRUMENTS
    one = PAGE + "/{instrument}/{language}"
    add(app, "GET", PAGE, listed, edit)
    add(app, "GET", one, show, edit)
    add(app, "POST", one, accept, edit)
    add(app, "POST", one + "/withdraw", withdraw, edit)
