"""`/counselor/calendar`: a counselor's week: hours, days that differ, appointments, the place for visits.

A booked client is a made-up name, a medium and a topic; nothing else of them is known before they meet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import TextAreaField
from wtforms.validators import Length

from accounts import people
from accounts.roles import Permission
from core.errors import InvalidState
from core.ids import UserId
from counseling import appointment_lists, appointments, hours, practice_days, register, slots, talks
from counseling.appointment_rows import Appointment
from counseling.appointment_states import AHEAD, State
from counseling.appointments import MAX_WORDS_CHARS
from counseling.entry import Medium
from counseling.hours import Unreadable, write_day
from counseling.practice_days import MAX_PLACE_CHARS
from counseling.slots import Hours
from web import opening
from web.appointments import PRACTICE, mark
from web.forms import PageForm, blank, do_once, sent
from web.gate import add, person_of
from web.line import BELL
from web.pages.appointment import calendar_file
from web.pages.booking_choice import number_of, topic_of
from web.pages.register_forms import Day, Line, say
from web.pages.site import SITE, language_of
from web.render import say_clock, say_weekday
from web.services import SERVICES

PAGE: Final = "/counselor/calendar"
ONE: Final = "/counselor/appointments"
WEEKS_AHEAD: Final = AHEAD // timedelta(days=7) + 1
LONGEST_AHEAD: Final = timedelta(days=400)
_WEEK: Final = re.compile(r"(2\d{3})-W(\d{2})", re.ASCII)


class DayForm(PageForm):
    """A day that differs. No hours is a day off."""

    on = Day("calendar.on")
    typed = Line("calendar.hours")


class PlaceForm(PageForm):
    """Where people come in person."""

    place = Line("calendar.place", [Length(max=MAX_PLACE_CHARS, message="calendar.place_long")])


class WordsForm(PageForm):
    """What a client reads whose appointment is called off."""

    words = TextAreaField("calendar.words", [Length(max=MAX_WORDS_CHARS, message="calendar.words_long")])


@dataclass(frozen=True, slots=True)
class DayShown:
    """One day of the week that is shown. ``differs``: its hours are not the week's."""

    on: date
    hours: str
    differs: bool
    booked: list[Appointment]


async def week(request: http.Request) -> http.Response:
    """Answer `GET /counselor/calendar`; ``?week=2026-W10`` for another one."""
    return await _week(request, blank(request, DayForm), None)


async def _week(
    request: http.Request, day_form: DayForm, place_form: PlaceForm | None, *, status: int = 200
) -> http.Response:
    services, practice, user = request.app[SERVICES], request.app[PRACTICE], person_of(request).id
    now = services.now()
    today = now.astimezone(practice.zone).date()
    this = today - timedelta(days=today.weekday())
    monday = _monday(request.query.get("week", "")) or this
    async with services.database.sessions() as db:
        entry = await register.own(db, user=user, now=now)
        sunday = monday + timedelta(days=6)
        differ = await practice_days.days_of(db, counselors=[user], since=monday, until=sunday)
        coming = await practice_days.days_of(db, counselors=[user], since=today, until=today + LONGEST_AHEAD)
        booked = await appointment_lists.of_counselor(
            db,
            counselor=user,
            since=_begin(request, monday),
            until=_begin(request, monday + timedelta(days=7)),
        )
        before = (await appointment_lists.open_of_counselors(db, counselors=[user])).get(user, [])
        all_days = coming.get(user, {})
        works = Hours(entry.hours, all_days, entry.away_from, entry.away_until)
        names = await _names(db, [*booked, *before])
        places = await practice_days.places_of(db, counselors=[user])
    own_hours = Hours(entry.hours, differ.get(user, {}), entry.away_from, entry.away_until)
    shown = [one for one in booked if one.state is not State.CANCELLED and one.client in names]
    days = [
        DayShown(
            on,
            write_day(own_hours.on(on), on.weekday()),
            on in own_hours.days,
            [one for one in shown if one.slot.since.astimezone(practice.zone).date() == on],
        )
        for on in (monday + timedelta(days=number) for number in range(7))
    ]
    outside = [
        one
        for one in before
        if one.state is State.BOOKED
        and one.client in names
        and not slots.works(works, one.slot, zone=practice.zone)
    ]
    return request.app[SITE].show(
        request,
        "calendar/week.html",
        status=status,
        days=days,
        names=names,
        outside=outside,
        today=today,
        this_week=monday == this,
        earlier=_week_name(monday - timedelta(days=7)) if monday > this - timedelta(days=28) else None,
        later=_week_name(monday + timedelta(days=7))
        if monday < this + timedelta(days=7 * WEEKS_AHEAD)
        else None,
        monday=monday,
        differing=[(on, write_day(spans, on.weekday())) for on, spans in sorted(all_days.items())],
        form=day_form,
        place=place_form or blank(request, PlaceForm, place=places.get(user, "")),
        visits=Medium.IN_PERSON.value in entry.practice.media,
        service_place=practice.place,
        topic=lambda key: topic_of(request, key),
        **_in_words(request),
    )


async def set_day(request: http.Request) -> http.Response:
    """Answer `POST /counselor/calendar/day`: other hours on a day, or a day off."""
    services, practice, user = request.app[SERVICES], request.app[PRACTICE], person_of(request).id
    form = await sent(request, DayForm)
    form.validate()
    on, today = form.on.data, services.now().astimezone(practice.zone).date()
    if not form.on.errors and (on is None or not today <= on <= today + LONGEST_AHEAD):
        say(form.on, "calendar.wrong_day")
    spans: hours.Week = ()
    if on is not None:
        try:
            spans = hours.read_day(on.weekday(), form.typed.data or "")
        except Unreadable as error:
            say(form.typed, f"register.hours_{error.key}")
    if form.wrong or on is None:
        return await _week(request, form, None, status=422)

    async def act(db: AsyncSession) -> str:
        await practice_days.set_day(
            db, services.audit, counselor=user, on=on, spans=spans, now=services.now()
        )
        return f"{PAGE}?week={_week_name(on)}&done=day_kept"

    return await do_once(request, form, act)


async def drop_day(request: http.Request) -> http.Response:
    """Answer `POST /counselor/calendar/day/drop`: the day is as every week again."""
    services, user = request.app[SERVICES], person_of(request).id
    form = await sent(request, DayForm)
    form.validate()
    on = form.on.data
    if on is None:
        return http.Response(status=303, headers={"Location": PAGE})

    async def act(db: AsyncSession) -> str:
        await practice_days.drop_day(db, services.audit, counselor=user, on=on, now=services.now())
        return f"{PAGE}?done=day_dropped"

    return await do_once(request, form, act)


async def set_place(request: http.Request) -> http.Response:
    """Answer `POST /counselor/calendar/place`."""
    services, user = request.app[SERVICES], person_of(request).id
    form = await sent(request, PlaceForm)
    if not form.validate():
        return await _week(request, blank(request, DayForm), form, status=422)

    async def act(db: AsyncSession) -> str:
        await practice_days.set_place(
            db, services.audit, counselor=user, place=form.place.data or "", now=services.now()
        )
        return f"{PAGE}?done=place_kept"

    return await do_once(request, form, act)


async def one(request: http.Request) -> http.Response:
    """Answer `GET /counselor/appointments/{id}`."""
    return await _one(request, blank(request, WordsForm))


async def _one(
    request: http.Request, form: WordsForm, *, wrong: str = "", status: int = 200
) -> http.Response:
    services, user = request.app[SERVICES], person_of(request).id
    now = services.now()
    async with services.database.sessions() as db:
        found = await appointment_lists.get(db, appointment=number_of(request), counselor=user)
        names = await _names(db, [found])
        talk = None if found.talk is None else await talks.get(db, talk=found.talk)
        enter = None if talk is None else await opening.place_path(db, talk, user)
    return request.app[SITE].show(
        request,
        "calendar/one.html",
        status=status,
        form=form,
        wrong=wrong,
        one=found,
        name=names.get(found.client, ""),
        topic=topic_of(request, found.topic),
        enter=enter,
        can_cancel=found.can_cancel(now),
        can_mark=found.state is State.BEGUN and found.medium is Medium.IN_PERSON,
        **_in_words(request),
    )


async def call_off(request: http.Request) -> http.Response:
    """Answer `POST /counselor/appointments/{id}/cancel`: with words, or without."""
    services, user, number = request.app[SERVICES], person_of(request).id, number_of(request)
    form = await sent(request, WordsForm)
    if not form.validate():
        return await _one(request, form, status=422)

    async def act(db: AsyncSession) -> str:
        await appointments.call_off(
            db,
            services.audit,
            appointment=number,
            counselor=user,
            words=(form.words.data or "").strip(),
            now=services.now(),
        )
        return f"{PAGE}?done=called_off"

    try:
        return await do_once(request, form, act)
    except InvalidState:
        return await _one(request, form, wrong="booking.too_late", status=409)


async def came(request: http.Request) -> http.Response:
    """Answer `POST /counselor/appointments/{id}/came`: a visit took place and is over."""
    return await _mark(request, came=True)


async def did_not_come(request: http.Request) -> http.Response:
    """Answer `POST /counselor/appointments/{id}/missed`."""
    return await _mark(request, came=False)


async def _mark(request: http.Request, *, came: bool) -> http.Response:
    services, user = request.app[SERVICES], person_of(request).id
    await sent(request, PageForm)
    async with services.database.sessions() as db:
        found = await appointment_lists.get(db, appointment=number_of(request), counselor=user)
    if found.state is State.BEGUN and found.medium is Medium.IN_PERSON:
        await mark(services, found, came=came)
        request.app[BELL].ring()
    return http.Response(status=303, headers={"Location": f"{ONE}/{found.id}"})


async def file(request: http.Request) -> http.Response:
    """Answer `GET /counselor/appointments/{id}/calendar.ics`."""
    async with request.app[SERVICES].database.sessions() as db:
        found = await appointment_lists.get(
            db, appointment=number_of(request), counselor=person_of(request).id
        )
    return calendar_file(request, found)


async def _names(db: AsyncSession, found: list[Appointment]) -> dict[UserId, str]:
    """Name the clients who are there; one who asked to be erased is gone for everybody else."""
    persons = await people.find_all(db, users=sorted({one.client for one in found}))
    return {person.id: person.name for person in persons if not person.is_leaving}


def _in_words(request: http.Request) -> dict[str, Any]:
    language, zone = language_of(request), request.app[PRACTICE].zone

    def clock(at: datetime) -> str:
        return say_clock(at, language=language, zone=zone)

    def weekday(on: date) -> str:
        return say_weekday(on, language=language)

    return {
        "clock": clock,
        "weekday": weekday,
        "here": lambda at: f"{weekday(at.astimezone(zone).date())}, {clock(at)}",
        "zone": zone.key,
    }


def _begin(request: http.Request, on: date) -> datetime:
    return datetime.combine(on, time(), tzinfo=request.app[PRACTICE].zone)


def _monday(text: str) -> date | None:
    """Read a week's Monday, as ISO 8601 names weeks; None for none."""
    named = _WEEK.fullmatch(text)
    try:
        return None if named is None else date.fromisocalendar(int(named[1]), int(named[2]), 1)
    except ValueError:
        return None


def _week_name(on: date) -> str:
    year, number, _ = on.isocalendar()
    return f"{year:04}-W{number:02}"


def setup(app: http.Application) -> None:
    """Add the calendar."""
    add(app, "GET", PAGE, week, Permission.SERVE)
    add(app, "POST", f"{PAGE}/day", set_day, Permission.SERVE)
    add(app, "POST", f"{PAGE}/day/drop", drop_day, Permission.SERVE)
    add(app, "POST", f"{PAGE}/place", set_place, Permission.SERVE)
    add(app, "GET", f"{ONE}/{{id}}", one, Permission.SERVE)
    add(app, "POST", f"{ONE}/{{id}}/cancel", call_off, Permission.SERVE)
    add(app, "POST", f"{ONE}/{{id}}/came", came, Permission.SERVE)
    add(app, "POST", f"{ONE}/{{id}}/missed", did_not_come, Permission.SERVE)
    add(app, "GET", f"{ONE}/{{id}}/calendar.ics", file, Permission.SERVE)
