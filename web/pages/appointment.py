"""`/book/{id}`: one appointment of a client: the way in, moving, cancelling, the file for calendars."""

from __future__ import annotations

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.roles import Permission
from core.errors import InvalidState
from counseling import appointment_lists, appointments, ics, talks
from counseling.appointment_rows import Appointment
from counseling.appointment_states import State
from counseling.booking import Wishes
from web import opening
from web.forms import PageForm, do_once, sent
from web.gate import add, person_of
from web.pages.booking import TIMES
from web.pages.booking_admission import PAGE
from web.pages.booking_choice import Chosen, names_of, number_of, topic_of
from web.pages.local_time import in_zone, zone_of
from web.pages.site import SITE, language_of
from web.services import SERVICES


async def one(request: http.Request) -> http.Response:
    """Answer `GET /book/{id}`: one appointment, the way in when it is time, and what can be done about it."""
    return await _one(request)


async def _one(request: http.Request, *, wrong: str = "", status: int = 200) -> http.Response:
    services, person = request.app[SERVICES], person_of(request)
    now, user = services.now(), person.id
    async with services.database.sessions() as db:
        mine = await appointment_lists.get(db, appointment=number_of(request), client=user)
        names = await names_of(db, [mine])
        words = await appointments.words_of(db, services.audit, appointment=mine.id, client=user)
        talk = None if mine.talk is None else await talks.get(db, talk=mine.talk)
        enter = None if talk is None else await opening.place_path(db, talk, user)
    zone = await zone_of(request, mine)
    chosen = Chosen(Wishes(mine.medium, mine.topic, mine.counselor), zone, mine.id)
    return request.app[SITE].show(
        request,
        "booking/one.html",
        status=status,
        wrong=wrong,
        one=mine,
        name=names.get(mine.counselor, ""),
        words=words,
        enter=enter,
        topic=topic_of(request, mine.topic),
        can_move=mine.can_move(now),
        can_cancel=mine.can_cancel(now),
        move=f"{TIMES}?{chosen.query()}",
        **in_zone(request, zone),
    )


async def cancel(request: http.Request) -> http.Response:
    """Answer `POST /book/{id}/cancel`: no reason is asked."""
    form, services, user = await sent(request, PageForm), request.app[SERVICES], person_of(request).id
    number = number_of(request)

    async def act(db: AsyncSession) -> str:
        await appointments.cancel(db, services.audit, appointment=number, client=user, now=services.now())
        return f"{PAGE}?done=cancelled"

    try:
        return await do_once(request, form, act)
    except InvalidState:
        return await _one(request, wrong="booking.too_late", status=409)


async def file(request: http.Request) -> http.Response:
    """Answer `GET /book/{id}/calendar.ics`."""
    async with request.app[SERVICES].database.sessions() as db:
        mine = await appointment_lists.get(db, appointment=number_of(request), client=person_of(request).id)
    return calendar_file(request, mine)


def calendar_file(request: http.Request, one: Appointment) -> http.Response:
    """Give the file for calendars; neither its name nor its words say what it is about."""
    entry = ics.Entry(
        uid=one.id,
        sequence=one.sequence,
        starts_at=one.slot.since,
        ends_at=one.slot.until,
        changed_at=one.changed_at,
        cancelled=one.state is State.CANCELLED,
        title=request.app[SITE].renderer.text(language_of(request), "booking.file_title"),
    )
    return http.Response(
        body=ics.write(entry),
        content_type="text/calendar",
        charset="utf-8",
        headers={
            "Content-Disposition": 'attachment; filename="calendar.ics"',
            "Cache-Control": "no-store",
        },
    )


def setup(app: http.Application) -> None:
    """Add the page of one appointment."""
    add(app, "GET", f"{PAGE}/{{id}}", one, Permission.OWN_WAY)
    add(app, "POST", f"{PAGE}/{{id}}/cancel", cancel, Permission.OWN_WAY)
    add(app, "GET", f"{PAGE}/{{id}}/calendar.ics", file, Permission.OWN_WAY)
