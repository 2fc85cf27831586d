"""`/messages/new`: a client's first message, to a counselor they know or to the desk.

Whoever is nobody yet gets an account with it, as on the way to a talk (`web/arriving.py`). Who waits for
urgent help is led back there: a message is no answer to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from aiohttp import web as http
from markupsafe import Markup
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import BooleanField, HiddenField, RadioField, SelectField
from wtforms.validators import DataRequired, InputRequired

from accounts import consents, texts
from accounts.roles import Permission
from accounts.texts import Kind, Overtaken
from core.ids import UserId, is_id
from counseling import minors, talks, threads, walkins
from counseling.minors import Admission, Why
from counseling.threads import MAX_TEXT_CHARS
from counseling.walkin_states import Ended, State, Walkin
from web import arriving, entering, messages
from web.fields import pick
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import SAFE, add, visitor_of
from web.messages import POST, Counselor
from web.pages.messages import NEW, PAGE, text_field
from web.pages.navigation import home_of
from web.pages.site import SITE, language_of
from web.pages.texts import number_of, shown
from web.pages.waiting import URGENT, is_urgent
from web.register import REGISTER
from web.services import SERVICES

PURPOSE: Final = "first message"
DESK: Final = "desk"
OTHER: Final = "other"


class NewForm(PageForm):
    """A first message. What is known already is taken out."""

    to = RadioField("messages.to", [InputRequired("form.choice")])
    text = text_field()
    topic = SelectField("messages.topic", [DataRequired("form.choice")])
    tongue = SelectField("messages.tongue", [DataRequired("form.choice")])
    age = RadioField(
        "start.age",
        [InputRequired("form.choice")],
        choices=pick(("adult", "start.age.adult"), ("minor", "start.age.minor")),
    )
    stop = BooleanField("messages.stop")
    consent = BooleanField("messages.consent", [InputRequired("messages.consent_needed")])
    version = HiddenField()
    locale = HiddenField()


@dataclass(frozen=True, slots=True)
class Terms:
    """The text of the service's consent, shown beside the question."""

    version: int
    locale: str
    html: Markup


@dataclass(frozen=True, slots=True)
class Frame:
    """What a first message is asked with: whom one may write to, the terms (None: agreed), the walk-in."""

    to: Mapping[UserId, Counselor]
    terms: Terms | None
    walkin: Walkin | None


async def new(request: http.Request) -> http.Response:
    """Answer `GET /messages/new`."""
    if (elsewhere := await _elsewhere(request)) is not None:
        return elsewhere
    to = request.query.get("to", "")
    form = blank(request, NewForm, to=to if is_id(to) else None, tongue=language_of(request))
    return await _show_new(request, form)


async def write(request: http.Request) -> http.Response:
    """Answer `POST /messages/new`."""
    if (elsewhere := await _elsewhere(request)) is not None:
        return elsewhere
    form = await sent(request, NewForm)
    frame = await _fit(request, form)
    if not form.validate():
        return await _show_new(request, form, status=422)
    if (refused := await _refused(request, form)) is not None:
        return refused
    if visitor_of(request).person is None:
        await entering.slow_down(request)
    try:
        response = await _write(request, form, frame)
    except Wrong as error:
        form.say_wrong(error)
        return await _show_new(request, form, status=422)
    except Overtaken:
        return await _show_new(request, form, overtaken=True, status=422)
    return await arriving.answer(request, response, form, purpose=PURPOSE)


async def _write(request: http.Request, form: NewForm, frame: Frame) -> http.Response:
    """Make the account where there is none, keep the consent, and send the message."""
    services, ours = request.app[SERVICES], request.app[REGISTER]
    now, text = services.now(), str(form.text.data)
    counselor = frame.to.get(UserId(str(form.to.data))) if form.to else None
    adult = form.age is None or form.age.data == "adult"

    async def act(db: AsyncSession) -> str:
        person = await arriving.somebody(request, db, form, purpose=PURPOSE, adult=adult)
        request.app[POST].spend(person.id, services.clock.monotonic())
        if frame.terms is not None:
            await consents.give(
                db,
                services.audit,
                person=person,
                kind=Kind.SERVICE,
                version=number_of(str(form.version.data)),
                locale=str(form.locale.data),
                page=NEW,
                now=now,
            )
        if counselor is not None:
            thread = await threads.write_to(
                db,
                services.audit,
                client=person,
                counselor=counselor.id,
                text=text,
                due_at=counselor.promised,
                now=now,
            )
        else:
            thread = await threads.leave(
                db,
                services.audit,
                client=person,
                language=str(form.tongue.data),
                topic=str(form.topic.data),
                text=text,
                due_at=now + timedelta(hours=services.config.message_hours),
                now=now,
            )
            await messages.tell_fitting(db, ours, thread, now=now)
        if frame.walkin is not None and form.stop.data:
            await _stop_waiting(request, db, frame.walkin)
        return f"{PAGE}/{thread.id}?done=message_left"

    return await do_once(request, form, act)


async def _stop_waiting(request: http.Request, db: AsyncSession, walkin: Walkin) -> None:
    """Give the place in the line back, unless a talk has begun meanwhile."""
    services = request.app[SERVICES]
    current = await walkins.get(db, walkin=walkin.id)
    if current.state in {State.WAITING, State.OFFERED}:
        await walkins.leave(db, services.audit, walkin=walkin.id, why=Ended.MESSAGE, now=services.now())


async def _fit(request: http.Request, form: NewForm) -> Frame:
    """Take out what is known already, put the choices' words in, and give what the page shows around it."""
    services, ours, language = request.app[SERVICES], request.app[REGISTER], language_of(request)
    person, say = visitor_of(request).person, request.app[SITE].renderer.text
    async with services.database.sessions() as db:
        to = {} if person is None else await messages.addressees(db, ours, person, now=services.now())
        agreed = person is not None and await consents.has(db, user=person.id, kind=Kind.SERVICE)
        current = await texts.current(db, kind=Kind.SERVICE)
        walkin = None if person is None else await walkins.find_open(db, client=person.id)
    form.topic.choices = [
        ("", say(language, "messages.topic_none")),
        *((key, words[language]) for key, words in ours.marks.topics.items()),
    ]
    form.tongue.choices = [(key, words[language]) for key, words in ours.marks.languages.items()]
    if not to:
        del form.to
    elif form.to is not None:
        form.to.choices = [*((user, one.name) for user, one in to.items()), (DESK, DESK)]
        if request.method in SAFE and form.to.data not in to:
            form.to.data = next(iter(to))
        if form.to.data in to:
            form.topic.data = form.topic.data or OTHER  # whom they know it need not be told
    if person is not None and person.adult is not None:
        del form.age
    if walkin is None:
        del form.stop
    if agreed:
        del form.consent
        return Frame(to, None, walkin)
    text = current.text(language)
    return Frame(to, Terms(current.number, text.locale, shown(text.body)), walkin)


async def _show_new(
    request: http.Request, form: NewForm, *, overtaken: bool = False, status: int = 200
) -> http.Response:
    frame = await _fit(request, form)
    if overtaken:
        form.consent.errors = ["consents.overtaken"]
        form.consent.data = False
    services = request.app[SERVICES]
    return request.app[SITE].show(
        request,
        "messages/new.html",
        status=status,
        form=form,
        frame=frame,
        overtaken=overtaken,
        hours=services.config.message_hours,
        days=services.config.message_days,
        most=MAX_TEXT_CHARS,
    )


async def _refused(request: http.Request, form: NewForm) -> http.Response | None:
    """Say to whom the policy for people under 18 refuses it what there is; as before a talk."""
    admission = await _admits(request, form)
    if admission.admitted:
        return None
    if admission.why is Why.NO_POLICY:
        return _to("/start/under-18")
    return request.app[SITE].show(request, "walkin/later.html", policy=request.app[SERVICES].minors)


async def _admits(request: http.Request, form: NewForm) -> Admission:
    """Ask the policy for people under 18, as before a talk."""
    services, person = request.app[SERVICES], visitor_of(request).person
    adult = form.age is None or form.age.data == "adult"
    if person is None:
        return minors.admits(services.minors, adult=adult, number=1)
    async with services.database.sessions() as db:
        return minors.admits(
            services.minors,
            adult=adult if person.adult is None else person.adult,
            number=await talks.count_of_client(db, client=person.id) + 1,
            decisions=await minors.decisions_about(db, user=person.id),
        )


async def _elsewhere(request: http.Request) -> http.Response | None:
    """Lead staff home, and who waits for urgent help back to it."""
    person = visitor_of(request).person
    if person is None:
        return None
    if not person.is_client or person.is_leaving:
        return _to(home_of(person))
    return _to(URGENT) if await is_urgent(request) else None


def _to(path: str) -> http.Response:
    return http.Response(status=303, headers={"Location": path})


def setup(app: http.Application) -> None:
    """Add the first message."""
    add(app, "GET", NEW, new, Permission.OPEN)
    add(app, "POST", NEW, write, Permission.OPEN)
