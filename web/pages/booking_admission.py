"""Who may book: whose age is known, whom the policy for people under 18 admits, who is not in danger now."""

from __future__ import annotations

from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import RadioField
from wtforms.validators import InputRequired

from accounts import people
from accounts.roles import Permission
from counseling import appointment_lists, minors, talks
from counseling.minors import Why
from web.fields import pick
from web.forms import PageForm, blank, do_once, sent
from web.gate import add, person_of
from web.pages.site import SITE
from web.pages.waiting import URGENT, is_urgent
from web.services import SERVICES

PAGE: Final = "/book"


class AgeForm(PageForm):
    """The one question that has to be answered before anything can fit."""

    age = RadioField(
        "start.age",
        [InputRequired("form.choice")],
        choices=pick(("adult", "start.age.adult"), ("minor", "start.age.minor")),
    )


async def say_age(request: http.Request) -> http.Response:
    """Answer `POST /book/age`."""
    form, person = await sent(request, AgeForm), person_of(request)
    if not form.validate():
        return request.app[SITE].show(request, "booking/age.html", status=422, form=form)

    async def act(db: AsyncSession) -> str:
        if person.adult is None:
            await people.say_age(db, user=person.id, adult=form.age.data == "adult")
        return PAGE

    return await do_once(request, form, act)


async def not_yet(request: http.Request, *, moving: str | None = None) -> http.Response | None:
    """Ask for the age where nobody did, and say honestly what there is for who cannot book another one.

    Who waits for urgent help is led back to it: an appointment is no answer to it.
    """
    services, person = request.app[SERVICES], person_of(request)
    if await is_urgent(request):
        return _to(URGENT)
    if person.adult is None:
        return request.app[SITE].show(request, "booking/age.html", form=blank(request, AgeForm))
    if person.adult:
        return None
    async with services.database.sessions() as db:
        coming = await appointment_lists.open_of_client(db, client=person.id)
        others = sum(one.id != moving for one in coming)
        number = await talks.count_of_client(db, client=person.id) + others + 1
        found = minors.admits(
            services.minors,
            adult=False,
            number=number,
            decisions=await minors.decisions_about(db, user=person.id),
        )
    if found.admitted:
        return None
    if found.why is Why.NO_POLICY:
        return _to("/start/under-18")
    return request.app[SITE].show(request, "walkin/later.html", policy=services.minors)


def _to(path: str) -> http.Response:
    return http.Response(status=303, headers={"Location": path})


def setup(app: http.Application) -> None:
    """Add the question of the age."""
    add(app, "POST", f"{PAGE}/age", say_age, Permission.OWN_WAY)
