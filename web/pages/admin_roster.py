"""`/admin/roster`: who is on duty in each hour, with gaps. `/me/duty`: one's own hours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import DateField, SelectField
from wtforms.validators import DataRequired

from accounts import people
from accounts.people import Person
from accounts.roles import Permission
from core.errors import InvalidState
from core.ids import UserId
from counseling import roster
from counseling.roster import DAYS, HOURS, LOOK_AHEAD, Duty, Lack, Roster
from web.duties import DUTIES, clock
from web.fields import Checks, pick
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add, person_of
from web.pages.site import SITE, language_of
from web.services import SERVICES

HOME: Final = "/admin/roster"
FROM: Final = [(str(hour), f"{hour:02}") for hour in HOURS]
UNTIL: Final = [(str(hour), f"{hour:02}") for hour in range(1, 25)]
MAX_DATES_AHEAD: Final = 366


class HoursForm(PageForm):
    """Hours of every week. Choices of people are filled in by ``_choose``."""

    days = Checks(
        "roster.days",
        [DataRequired("lines.days_missing")],
        choices=pick(*[(str(day), f"day.{day}") for day in DAYS]),
    )
    from_hour = SelectField("roster.from", choices=pick(*FROM))
    until_hour = SelectField("roster.until", choices=pick(*UNTIL))
    person = SelectField("roster.person")
    deputy = SelectField("roster.deputy")


class DateForm(PageForm):
    """Hours of one date."""

    on = DateField("roster.date", [DataRequired("form.date")])
    from_hour = SelectField("roster.from", choices=pick(*FROM))
    until_hour = SelectField("roster.until", choices=pick(*UNTIL))
    person = SelectField("roster.person")
    deputy = SelectField("roster.deputy")


@dataclass(frozen=True, slots=True)
class Cell:
    """One hour of the week's table. Without a name it is a gap."""

    name: str
    initials: str
    deputy: str


async def show(request: http.Request) -> http.Response:
    """Answer `GET /admin/roster`."""
    return await _show(request)


async def _show(
    request: http.Request, form: HoursForm | None = None, other: DateForm | None = None, *, status: int = 200
) -> http.Response:
    services, language, zone = request.app[SERVICES], language_of(request), request.app[DUTIES].zone
    now = services.now()
    async with services.database.sessions() as db:
        held = await roster.load(db, zone=zone, now=now)
        able = await roster.candidates(db)
    names = {person.id: person.name for person in able}
    form = form or blank(request, HoursForm, from_hour="8", until_hour="16", days=[])
    other = other or blank(request, DateForm, from_hour="0", until_hour="24")
    for one in (form, other):
        _choose(request, one, able)
    gaps = held.gaps(now, now + LOOK_AHEAD)
    return request.app[SITE].show(
        request,
        "roster/admin.html",
        status=status,
        form=form,
        other=other,
        table=[[_cell(held, names, day, hour) for day in DAYS] for hour in HOURS],
        week=[_said(held.stretches(day), names, language) for day in DAYS],
        dates=_dates(held, names, language),
        now=_named(held.on_duty(now), names),
        gaps=[gap for gap in gaps if gap.lack is Lack.NOBODY],
        thin=[gap for gap in gaps if gap.lack is Lack.NO_DEPUTY],
        able=bool(able),
        zone=services.config.time_zone,
        hour=lambda at: clock(at * 60, language),
        legend=sorted({(_initials(names[user]), names[user]) for user in _on(held) if user in names}),
    )


async def set_hours(request: http.Request) -> http.Response:
    """Answer `POST /admin/roster`: hours of every week."""
    form = await sent(request, HoursForm)
    services, admin = request.app[SERVICES], person_of(request)
    async with services.database.sessions() as db:
        able = await roster.candidates(db)
    _choose(request, form, able)

    async def act(db: AsyncSession) -> str:
        slots = roster.covered(
            map(int, form.days.data or []), int(form.from_hour.data), int(form.until_hour.data)
        )
        person, deputy = await _people(db, form)
        try:
            await roster.set_hours(
                db,
                services.audit,
                slots=slots,
                person=person,
                deputy=deputy,
                actor=admin,
                now=services.now(),
            )
        except InvalidState:
            raise Wrong("deputy", "roster.deputy_wrong") from None
        return f"{HOME}?done=roster_set"

    if form.validate():
        try:
            return await do_once(request, form, act)
        except Wrong as error:
            form.say_wrong(error)
    return await _show(request, form, status=422)


async def set_date(request: http.Request) -> http.Response:
    """Answer `POST /admin/roster/date`: hours of one date."""
    form = await sent(request, DateForm)
    services, admin = request.app[SERVICES], person_of(request)
    today = services.now().astimezone(request.app[DUTIES].zone).date()
    async with services.database.sessions() as db:
        able = await roster.candidates(db)
    _choose(request, form, able)

    async def act(db: AsyncSession) -> str:
        on = form.on.data
        if on is None or not today <= on <= today + timedelta(days=MAX_DATES_AHEAD):
            raise Wrong("on", "roster.date_wrong")
        first, last = int(form.from_hour.data), int(form.until_hour.data)
        if last <= first:
            raise Wrong("until_hour", "roster.until_wrong")
        person, deputy = await _people(db, form)
        try:
            await roster.set_exception(
                db,
                services.audit,
                on=on,
                hours=range(first, last),
                person=person,
                deputy=deputy,
                actor=admin,
                now=services.now(),
            )
        except InvalidState:
            raise Wrong("deputy", "roster.deputy_wrong") from None
        return f"{HOME}?done=roster_date"

    if form.validate():
        try:
            return await do_once(request, form, act)
        except Wrong as error:
            form.say_wrong(error)
    return await _show(request, other=form, status=422)


async def restore(request: http.Request) -> http.Response:
    """Answer `POST /admin/roster/date/{on}/restore`: let a date be as every week."""
    form = await sent(request, PageForm)
    services, admin = request.app[SERVICES], person_of(request)
    try:
        on = date.fromisoformat(request.match_info["on"])
    except ValueError:
        raise http.HTTPNotFound from None

    async def act(db: AsyncSession) -> str:
        await roster.drop_exceptions(db, services.audit, on=on, actor=admin, now=services.now())
        return f"{HOME}?done=roster_restored"

    return await do_once(request, form, act)


async def own(request: http.Request) -> http.Response:
    """Answer `GET /me/duty`: one's own hours, as the first or as the deputy."""
    services, language, user = request.app[SERVICES], language_of(request), person_of(request).id
    zone, now = request.app[DUTIES].zone, services.now()
    async with services.database.sessions() as db:
        held = await roster.load(db, zone=zone, now=now)
        named = await people.find_all(db, users=sorted(_on(held)))
    names = {person.id: person.name for person in named}
    hours = roster.hours_of(held, user)
    today = now.astimezone(zone).date()
    dates = [
        (on, [one for one in said if user in one[3]])
        for on, said in _dates(held, names, language)
        if on >= today
    ]
    return request.app[SITE].show(
        request,
        "roster/own.html",
        week=[(day, _said(hours[day], names, language)) for day in DAYS if hours[day]],
        dates=[(on, said) for on, said in dates if said],
        user=user,
        zone=services.config.time_zone,
    )


async def _people(db: AsyncSession, form: HoursForm | DateForm) -> tuple[Person | None, Person | None]:
    """Find whom the form names. Raises ``Wrong``."""
    person, deputy = [
        await people.find(db, user=UserId(field.data)) if field.data else None
        for field in (form.person, form.deputy)
    ]
    if form.person.data and person is None:
        raise Wrong("person", "form.choice")
    return person, deputy


def _choose(request: http.Request, form: HoursForm | DateForm, able: list[Person]) -> None:
    """Fill in the people and the hours in the reader's words."""
    site, language = request.app[SITE], language_of(request)
    listed = [(person.id, person.name) for person in able]
    form.person.choices = pick(("", site.renderer.text(language, "roster.nobody")), *listed)
    form.deputy.choices = pick(("", site.renderer.text(language, "roster.no_deputy")), *listed)
    for field, choices in ((form.from_hour, FROM), (form.until_hour, UNTIL)):
        field.choices = pick(*[(value, clock(int(value) * 60, language)) for value, _ in choices])


Said = tuple[str, str, str, frozenset[UserId]]
"""Hours, who, the deputy, and the ids of both; no name is nobody."""


def _said(stretches: list[roster.Stretch], names: dict[UserId, str], language: str) -> list[Said]:
    found: list[Said] = []
    for one in stretches:
        hours = f"{clock(one.from_hour * 60, language)}\u2013{clock(one.until_hour * 60, language)}"
        who, deputy = _named(one.duty, names)
        ids = (
            frozenset[UserId]()
            if one.duty is None
            else frozenset(filter(None, (one.duty.person, one.duty.deputy)))
        )
        found.append((hours, who, deputy, ids))
    return found


def _dates(held: Roster, names: dict[UserId, str], language: str) -> list[tuple[date, list[Said]]]:
    return [
        (on, _said(roster.day_of(held, on), names, language))
        for on in sorted({on for on, _ in held.exceptions})
    ]


def _named(duty: Duty | None, names: dict[UserId, str]) -> tuple[str, str]:
    if duty is None:
        return "", ""
    return names.get(duty.person, ""), names.get(duty.deputy, "") if duty.deputy else ""


def _cell(held: Roster, names: dict[UserId, str], day: int, hour: int) -> Cell:
    name, deputy = _named(held.week.get((day, hour)), names)
    return Cell(name, _initials(name), deputy)


def _initials(name: str) -> str:
    return "".join(word[0] for word in name.split()[:2]).upper() or name[:2]


def _on(held: Roster) -> set[UserId]:
    duties = (*held.week.values(), *filter(None, held.exceptions.values()))
    return {user for duty in duties for user in (duty.person, duty.deputy) if user is not None}


def setup(app: http.Application) -> None:
    """Add the roster."""
    add(app, "GET", HOME, show, Permission.EDIT_ROSTER)
    add(app, "POST", HOME, set_hours, Permission.EDIT_ROSTER)
    add(app, "POST", HOME + "/date", set_date, Permission.EDIT_ROSTER)
    add(app, "POST", HOME + "/date/{on}/restore", restore, Permission.EDIT_ROSTER)
    add(app, "GET", "/me/duty", own, Permission.OWN_CREDENTIALS)
