"""`/contact/{about}`: break-glass, for the counselor of a talk and whoever is on duty.

`about` is a talk or a walk-in. Opening takes a written reason and a second person, who is told in the same
moment; `/contact` lists the openings somebody made or was told of.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length

from accounts import grants, people
from accounts.grants import MAX_PURPOSE_CHARS, MIN_PURPOSE_CHARS
from accounts.people import Person
from accounts.roles import Permission
from core.errors import NotFound
from core.ids import UserId, is_id
from counseling import breakglass, preparation, roster, talks, walkins
from counseling.preparation import Contact, OnDrop, Preparation
from counseling.roster import Duty
from web.card import does_on_drop
from web.fields import pick
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add, person_of
from web.pages.care import open_number
from web.pages.site import SITE
from web.services import SERVICES

PAGE: Final = "/contact"
OPEN: Final = Permission.BREAK_GLASS


class OpenForm(PageForm):
    """Why it is opened, who is told, and whether the client is told at once."""

    reason = TextAreaField(
        "contact.reason",
        [
            DataRequired("form.missing"),
            Length(min=MIN_PURPOSE_CHARS, max=MAX_PURPOSE_CHARS, message="contact.reason_wrong"),
        ],
    )
    second = SelectField("contact.second", [DataRequired("form.choice")])
    tell = RadioField(
        "contact.tell",
        [InputRequired("form.choice")],
        choices=pick(("now", "contact.tell_now"), ("later", "contact.tell_later")),
        default="now",
    )
    why = StringField("contact.why", [Length(max=MAX_PURPOSE_CHARS, message="contact.reason_wrong")])


@dataclass(frozen=True, slots=True)
class Case:
    """What one page is about. ``found`` is None where nothing was prepared, or it is gone.

    ``does`` is what a drop does; ``talk`` is the reader's own, None for anybody else and before there is one;
    ``seconds`` are who may be the second person.
    """

    about: str
    talk: str | None
    found: Preparation | None
    does: OnDrop
    client: Person
    duty: Duty | None
    seconds: list[Person]


async def one(request: http.Request) -> http.Response:
    """Answer `GET /contact/{about}`."""
    return await _show(request, blank(request, OpenForm))


async def open_one(request: http.Request) -> http.Response:
    """Answer `POST /contact/{about}/open`."""
    me, services = person_of(request), request.app[SERVICES]
    form = await sent(request, OpenForm)
    async with services.database.sessions() as db:
        case = await _case(request, db)
    form.second.choices = _choices(case)
    untold = " ".join(str(form.why.data or "").split()) if form.tell.data == "later" else None

    async def act(db: AsyncSession) -> str:
        if untold is not None and len(untold) < MIN_PURPOSE_CHARS:
            raise Wrong("why", "contact.why_missing")
        await breakglass.open_glass(
            db,
            services.audit,
            person=me,
            preparation=_prepared(case),
            duty=case.duty,
            reason=str(form.reason.data),
            second=UserId(str(form.second.data)),
            untold_why=untold,
            now=services.now(),
        )
        return f"{PAGE}/{case.about}"

    if form.validate():
        try:
            return await do_once(request, form, act)
        except Wrong as error:
            form.say_wrong(error)
    return await _show(request, form, status=422)


async def call(request: http.Request) -> http.Response:
    """Answer `POST /contact/{about}/call`: the number, where the client asked to be called after a drop."""
    me = person_of(request)
    form = await sent(request, PageForm)

    async def act(db: AsyncSession) -> str:
        case = await _case(request, db)
        if case.talk is None:
            raise NotFound("There is no number to call.")
        await open_number(request, db, talk=await talks.get(db, talk=case.talk), person=me)
        return f"{PAGE}/{case.about}"

    return await do_once(request, form, act)


async def close(request: http.Request) -> http.Response:
    """Answer `POST /contact/{about}/close`: it is not needed any more, and deleted."""
    me, services = person_of(request), request.app[SERVICES]
    form = await sent(request, PageForm)

    async def act(db: AsyncSession) -> str:
        case = await _case(request, db)
        await preparation.close(
            db, services.audit, preparation=_prepared(case).id, person=me, now=services.now()
        )
        return f"{PAGE}?done=contact_closed"

    return await do_once(request, form, act)


async def _show(request: http.Request, form: OpenForm, *, status: int = 200) -> http.Response:
    async with request.app[SERVICES].database.sessions() as db:
        case = await _case(request, db)
        opened, until = await _opened(request, db, case)
        number = await _number_to_call(request, db, case)
    form.second.choices = _choices(case)
    return request.app[SITE].show(
        request,
        "preparation/contact.html",
        status=status,
        form=form,
        case=case,
        opened=opened,
        until=until,
        number=number,
        on_drop=OnDrop.NOTHING if case.found is None else case.found.on_drop,
        not_alone=case.found is not None and case.found.on_drop is not case.does,
        has_contact=case.found is not None and case.found.has_contact,
    )


async def _opened(
    request: http.Request, db: AsyncSession, case: Case
) -> tuple[Contact | None, datetime | None]:
    """Give the contact while an opening of this person holds, and until when."""
    services, me, now = request.app[SERVICES], person_of(request), request.app[SERVICES].now()
    if case.found is None:
        return None, None
    grant = await breakglass.current(db, services.audit, person=me, preparation=case.found, now=now)
    if grant is None:
        return None, None
    told = await preparation.opened(db, grant, services.audit, preparation=case.found.id, now=now)
    return told, grant.expires_at


async def _number_to_call(request: http.Request, db: AsyncSession, case: Case) -> str | None:
    if case.talk is None or case.found is None or case.does is not OnDrop.CALL:
        return None
    services, now = request.app[SERVICES], request.app[SERVICES].now()
    grant = await grants.current(
        db,
        services.audit,
        person=person_of(request),
        permission=Permission.CALL_BACK,
        subject=case.client.id,
        object_id=case.found.id,
        now=now,
    )
    if grant is None:
        return None
    return await preparation.number_to_call(db, grant, services.audit, talk=case.talk, now=now)


async def listed(request: http.Request) -> http.Response:
    """Answer `GET /contact`: the openings one made or was told of."""
    me, services = person_of(request), request.app[SERVICES]
    async with services.database.sessions() as db:
        openings = await breakglass.of_person(db, services.audit, person=me)
        users = {
            user for one in openings for user in (one.client, one.opener, one.second) if user is not None
        }
        names = {person.id: person.name for person in await people.find_all(db, users=sorted(users))}
    return request.app[SITE].show(
        request, "preparation/openings.html", openings=openings, names=names, me=me.id
    )


async def confirm(request: http.Request) -> http.Response:
    """Answer `POST /contact/openings/{opening}/confirm`: the second person has read of it."""
    me, services = person_of(request), request.app[SERVICES]
    form = await sent(request, PageForm)

    async def act(db: AsyncSession) -> str:
        await breakglass.confirm(
            db, services.audit, person=me, opening=request.match_info["opening"], now=services.now()
        )
        return f"{PAGE}?done=contact_confirmed"

    return await do_once(request, form, act)


async def tell(request: http.Request) -> http.Response:
    """Answer `POST /contact/openings/{opening}/tell`: tell the client now."""
    me, services = person_of(request), request.app[SERVICES]
    form = await sent(request, PageForm)

    async def act(db: AsyncSession) -> str:
        await breakglass.tell(
            db, services.audit, person=me, opening=request.match_info["opening"], now=services.now()
        )
        return f"{PAGE}?done=contact_told"

    return await do_once(request, form, act)


async def _case(request: http.Request, db: AsyncSession) -> Case:
    """Gather what a page is about. Raises ``NotFound``, also for who may not: the two look alike."""
    services, me, about = request.app[SERVICES], person_of(request), request.match_info["about"]
    if not is_id(about):
        raise NotFound("There is nothing here.")
    now = services.now()
    duty = (await roster.load(db, zone=ZoneInfo(services.config.time_zone), now=now)).on_duty(now)
    talk, does = None, OnDrop.NOTHING
    if about.startswith("t_"):
        met = await talks.get(db, talk=about)
        client, talk = met.client, about if met.counselor == me.id else None
        found, does = await preparation.of_talk(db, talk=about), await does_on_drop(db, talk=met)
    else:
        client = (await walkins.get(db, walkin=about)).client
        found = await preparation.of_walkin(db, walkin=about)
    if not await breakglass.may_open(db, person=me, client=client, duty=duty, now=now):
        raise NotFound("There is nothing here.")
    if found is not None and not found.is_for_others:
        found = None  # What a client said of being recorded is not to be told from nothing said.
    person = await people.get(db, user=client)
    return Case(about, talk, found, does, person, duty, await breakglass.seconds(db, person=me, duty=duty))


def _prepared(case: Case) -> Preparation:
    """Give what was prepared. Raises ``NotFound`` where nothing was, or it is gone."""
    if case.found is None:
        raise NotFound("There is nothing prepared.")
    return case.found


def _choices(case: Case) -> list[tuple[str, str]]:
    return [(str(one.id), one.name) for one in case.seconds]


def setup(app: http.Application) -> None:
    """Add break-glass."""
    add(app, "GET", PAGE, listed, OPEN)
    add(app, "POST", f"{PAGE}/openings/{{opening}}/confirm", confirm, OPEN)
    add(app, "POST", f"{PAGE}/openings/{{opening}}/tell", tell, OPEN)
    add(app, "GET", f"{PAGE}/{{about}}", one, OPEN)
    add(app, "POST", f"{PAGE}/{{about}}/open", open_one, OPEN)
    add(app, "POST", f"{PAGE}/{{about}}/call", call, OPEN)
    add(app, "POST", f"{PAGE}/{{about}}/close", close, OPEN)
