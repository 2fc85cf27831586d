"""`/book`: a client's appointments: what comes, choosing another one, booking and moving.

What is chosen stands in the address until it is booked, so every step works without script, and going back
loses nothing. Times are shown in the client's own zone; the service's stands beside it where it differs.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import BooleanField, HiddenField
from wtforms.validators import InputRequired

from accounts import consents, texts
from accounts.roles import Permission
from accounts.texts import Kind, Overtaken
from core.errors import InvalidState, TeduhError
from counseling import appointment_lists, appointments, slots
from counseling.appointment_states import AHEAD, MOST_OPEN
from counseling.appointments import TooManyBooked, Wish
from counseling.booking import Offer
from counseling.entry import Medium
from web.appointments import PRACTICE
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add, person_of, visitor_of
from web.pages.booking_admission import PAGE, not_yet
from web.pages.booking_choice import (
    Can,
    Chosen,
    find_offer,
    moment_of,
    names_of,
    offers,
    read_can,
    read_chosen,
    topic_of,
)
from web.pages.local_time import in_zone, zone_of
from web.pages.navigation import home_of
from web.pages.site import SITE, language_of
from web.pages.texts import number_of, shown
from web.pages.waiting import URGENT, is_urgent
from web.pages.walkin import Terms
from web.register import REGISTER
from web.services import SERVICES

TIMES: Final = "/book/times"
CONFIRM: Final = "/book/confirm"
DAYS_SHOWN: Final = 5
"""How many days that have times are listed on one page."""
TOLD_FOR: Final = timedelta(days=14)
"""How long what ended stands below what comes."""


class BookForm(PageForm):
    """What is booked: all chosen before, but for the consent where it is not given yet."""

    at = HiddenField()
    counselor = HiddenField()
    medium = HiddenField()
    topic = HiddenField()
    zone = HiddenField()
    move = HiddenField()
    consent = BooleanField("walkin.consent", [InputRequired("walkin.consent_needed")])
    version = HiddenField()
    locale = HiddenField()


async def own(request: http.Request) -> http.Response:
    """Answer `GET /book`: what comes, what was cancelled, and the beginning of another one.

    Whoever is nobody yet reads why a name is needed for this, and where one gets it.
    """
    person = visitor_of(request).person
    if person is None:
        return request.app[SITE].show(request, "booking/stranger.html")
    if not person.is_client or person.is_leaving:
        return _to(home_of(person))
    if await is_urgent(request):
        return _to(URGENT)
    refused = await not_yet(request)
    async with request.app[SERVICES].database.sessions() as db:
        coming = await appointment_lists.open_of_client(db, client=person.id)
    if refused is not None and not coming:
        return refused
    return await _own(request, closed=refused is not None)


async def _own(
    request: http.Request, *, closed: bool = False, wrong: str = "", status: int = 200
) -> http.Response:
    services, person = request.app[SERVICES], person_of(request)
    now = services.now()
    async with services.database.sessions() as db:
        coming = await appointment_lists.open_of_client(db, client=person.id)
        ended = await appointment_lists.ended_of_client(db, client=person.id, since=now - TOLD_FOR)
        names = await names_of(db, [*coming, *ended])
        said = {
            one.id: await appointments.words_of(db, services.audit, appointment=one.id, client=person.id)
            for one in ended
            if one.has_words
        }
        can = await read_can(request, db)
    return request.app[SITE].show(
        request,
        "booking/own.html",
        status=status,
        wrong=wrong,
        coming=coming,
        ended=ended,
        names=names,
        said=said,
        closed=closed,
        full=len(coming) >= MOST_OPEN,
        nobody=not can.names(),
        media=can.media(),
        counselors=can.names(),
        topics=list(request.app[REGISTER].marks.topics.items()),
        last=can.asker.last,
        wanted=request.query.get("medium", ""),
        **in_zone(request, await zone_of(request)),
    )


async def times(request: http.Request) -> http.Response:
    """Answer `GET /book/times`: days with times, a few at once."""
    if (elsewhere := await not_yet(request, moving=request.query.get("move"))) is not None:
        return elsewhere
    chosen = await read_chosen(request, request.query)
    if chosen is None:
        return await _own(request, wrong="booking.choose", status=422)
    async with request.app[SERVICES].database.sessions() as db:
        await _check_move(request, db, chosen)
        can = await read_can(request, db, moving=chosen.move)
    return _times(request, chosen, can)


def _times(
    request: http.Request, chosen: Chosen, can: Can, *, wrong: str = "", status: int = 200
) -> http.Response:
    first = _day(request.query.get("from"))
    found = _from_day(request, chosen, can, first)
    by_day = slots.by_day([one.slot for one in found], chosen.zone)
    days = sorted(day for day in by_day if day >= first)
    return request.app[SITE].show(
        request,
        "booking/times.html",
        status=status,
        wrong=wrong,
        chosen=chosen,
        days=[(day, by_day[day]) for day in days[:DAYS_SHOWN]],
        earlier=_before(request, first),
        later=days[DAYS_SHOWN] if len(days) > DAYS_SHOWN else None,
        counselor=next((name for user, name in can.names() if user == chosen.wishes.counselor), ""),
        topic=topic_of(request, chosen.wishes.topic),
        at=lambda slot: slot.since.isoformat().replace("+00:00", "Z"),
        **in_zone(request, chosen.zone),
    )


def _from_day(request: http.Request, chosen: Chosen, can: Can, first: date) -> list[Offer]:
    """List what there is from a day on, a week at a time, until there is more than a page shows."""
    now = request.app[SERVICES].now()
    end, found = now + AHEAD, list[Offer]()
    since = now if first == date.min else max(now, datetime.combine(first, time(), tzinfo=chosen.zone))
    while since < end:
        until = min(since + timedelta(days=7), end + timedelta(seconds=1))
        found += offers(request, chosen.wishes, can, since, until)
        since = until
        if len(slots.by_day([one.slot for one in found], chosen.zone)) > DAYS_SHOWN:
            break
    return found


def _before(request: http.Request, first: date) -> date | None:
    """Name the day that a week of earlier days begins with; None where these are the first."""
    today = request.app[SERVICES].now().date()
    return max(first - timedelta(days=7), today) if first > today + timedelta(days=1) else None


async def confirm(request: http.Request) -> http.Response:
    """Answer `GET /book/confirm`: everything once more, before it counts."""
    if (elsewhere := await not_yet(request, moving=request.query.get("move"))) is not None:
        return elsewhere
    chosen, at = await read_chosen(request, request.query), moment_of(request.query.get("at", ""))
    if chosen is None or at is None:
        return _to(PAGE)
    async with request.app[SERVICES].database.sessions() as db:
        await _check_move(request, db, chosen)
        can = await read_can(request, db, moving=chosen.move)
    offer = find_offer(request, chosen.wishes, can, at)
    if offer is None:
        return _times(request, chosen, can, wrong="booking.taken", status=409)
    form = blank(
        request,
        BookForm,
        at=at.isoformat(),
        counselor=offer.counselor,
        medium=chosen.wishes.medium.value,
        topic=chosen.wishes.topic,
        zone=chosen.zone.key,
        move=chosen.move or "",
    )
    return await _confirm(request, form, chosen, can, offer)


async def _confirm(
    request: http.Request, form: BookForm, chosen: Chosen, can: Can, offer: Offer, *, status: int = 200
) -> http.Response:
    terms = await _terms(request, form)
    helper = next(one for one in can.helpers if one.counselor == offer.counselor)
    return request.app[SITE].show(
        request,
        "booking/confirm.html",
        status=status,
        form=form,
        chosen=chosen,
        offer=offer,
        helper=helper,
        name=helper.entry.licence.shown_name,
        terms=terms,
        topic=topic_of(request, chosen.wishes.topic),
        **in_zone(request, chosen.zone),
    )


async def book(request: http.Request) -> http.Response:
    """Answer `POST /book`: book, or move, what was confirmed, unless somebody was faster."""
    services, person = request.app[SERVICES], person_of(request)
    form = await sent(request, BookForm)
    if (elsewhere := await not_yet(request, moving=form.move.data)) is not None:
        return elsewhere
    chosen, at = await read_chosen(request, form.data), moment_of(str(form.at.data or ""))
    if chosen is None or at is None:
        return _to(PAGE)
    terms = await _terms(request, form)
    if not form.validate():
        return await _again(request, form, chosen, at)

    async def act(db: AsyncSession) -> str:
        await services.audit.hold(db)
        wish = await _wish(request, db, chosen, at)
        if terms is not None:
            await consents.give(
                db,
                services.audit,
                person=person,
                kind=Kind.SERVICE,
                version=number_of(str(form.version.data)),
                locale=str(form.locale.data),
                page=PAGE,
                now=services.now(),
            )
        common, now = request.app[PRACTICE].terms, services.now()
        if chosen.move is None:
            made = await appointments.book(
                db, services.audit, client=person.id, wish=wish, terms=common, now=now
            )
            return f"{PAGE}/{made.id}?done=booked"
        made = await appointments.move(
            db, services.audit, appointment=chosen.move, client=person.id, wish=wish, terms=common, now=now
        )
        return f"{PAGE}/{made.id}?done=moved"

    try:
        return await do_once(request, form, act)
    except Overtaken:
        form.consent.errors, form.consent.data = ["consents.overtaken"], False
        return await _again(request, form, chosen, at)
    except (InvalidState, Wrong) as error:
        return await _refused(request, chosen, error)


async def _refused(request: http.Request, chosen: Chosen, error: TeduhError) -> http.Response:
    """Say why it could not be booked, with what can be had instead."""
    if isinstance(error, TooManyBooked):
        return await _own(request, wrong="booking.too_many", status=409)
    async with request.app[SERVICES].database.sessions() as db:
        can = await read_can(request, db, moving=chosen.move)
    return _times(request, chosen, can, wrong="booking.taken", status=409)


async def _again(request: http.Request, form: BookForm, chosen: Chosen, at: datetime) -> http.Response:
    """Show what was confirmed again, with what is missing."""
    async with request.app[SERVICES].database.sessions() as db:
        can = await read_can(request, db, moving=chosen.move)
    offer = find_offer(request, chosen.wishes, can, at)
    if offer is None:
        return _times(request, chosen, can, wrong="booking.taken", status=409)
    return await _confirm(request, form, chosen, can, offer, status=422)


async def _wish(request: http.Request, db: AsyncSession, chosen: Chosen, at: datetime) -> Wish:
    """Look again whether it can be had. Raises ``Wrong`` when it cannot."""
    can = await read_can(request, db, moving=chosen.move)
    offer = find_offer(request, chosen.wishes, can, at)
    if offer is None:
        raise Wrong("at", "booking.taken")
    helper = next(one for one in can.helpers if one.counselor == offer.counselor)
    medium = chosen.wishes.medium
    return Wish(
        counselor=offer.counselor,
        slot=offer.slot,
        medium=medium,
        topic=chosen.wishes.topic,
        language=language_of(request),
        place=helper.place if medium is Medium.IN_PERSON else "",
        zone=chosen.zone.key,
    )


async def _check_move(request: http.Request, db: AsyncSession, chosen: Chosen) -> None:
    """Refuse to move what is not theirs. Raises ``NotFound``."""
    if chosen.move is not None:
        await appointment_lists.get(db, appointment=chosen.move, client=person_of(request).id)


async def _terms(request: http.Request, form: BookForm) -> Terms | None:
    """Take the consent out of the form where it is given; else give its text."""
    async with request.app[SERVICES].database.sessions() as db:
        agreed = await consents.has(db, user=person_of(request).id, kind=Kind.SERVICE)
        current = await texts.current(db, kind=Kind.SERVICE)
    if agreed:
        if form.consent is not None:
            del form.consent
        return None
    text = current.text(language_of(request))
    return Terms(current.number, text.locale, shown(text.body))


def _day(text: str | None) -> date:
    """Read from which day on to list; the first one there is for nothing that makes sense."""
    try:
        day = date.min if text is None else date.fromisoformat(text)
    except ValueError:
        return date.min
    return day if 2000 < day.year < 3000 else date.min


def _to(path: str) -> http.Response:
    return http.Response(status=303, headers={"Location": path})


def setup(app: http.Application) -> None:
    """Add the pages."""
    add(app, "GET", PAGE, own, Permission.OPEN)
    add(app, "POST", PAGE, book, Permission.OWN_WAY)
    add(app, "GET", TIMES, times, Permission.OWN_WAY)
    add(app, "GET", CONFIRM, confirm, Permission.OWN_WAY)
