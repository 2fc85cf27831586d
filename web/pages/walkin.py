"""`/talk`: from the front page into the queue, in one form. Whoever is nobody yet gets an account with it.

At most five things are asked: danger, whether it is safe to talk, the age, the topic, the medium; and the
consent to the service. Danger is asked first: who says yes is asked for nothing else, not even the consent.
The phone counts as shared until the client says otherwise (``web/pages/waiting.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web as http
from markupsafe import Markup
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import BooleanField, HiddenField, RadioField, SelectField
from wtforms.validators import InputRequired

from accounts import consents, people, texts
from accounts.people import Person
from accounts.roles import Permission
from accounts.texts import Kind, Overtaken
from counseling import exclusions, minors, talks, walkins
from counseling.entry import Medium
from counseling.minors import Admission, Why
from counseling.triage import Answers, Risk, Triage, triage
from counseling.walkin_states import Alone
from web import answering, arriving, escalation, opening
from web.escalation import CALLS
from web.fields import pick
from web.forms import OldForm, PageForm, blank, do_once, sent
from web.gate import add, visitor_of
from web.line import BELL
from web.pages.navigation import home_of
from web.pages.site import SITE, language_of
from web.pages.texts import number_of, shown
from web.pages.waiting import is_in_line
from web.register import REGISTER
from web.services import SERVICES

PAGE: Final = "/talk"
WAITING: Final = "/talk/waiting"
URGENT: Final = "/talk/urgent"
PURPOSE: Final = "walk in"
MEDIA: Final = (Medium.CHAT, Medium.VOICE, Medium.VIDEO)


class WalkinForm(PageForm):
    """The five questions and the consent. What is known already is taken out."""

    danger = RadioField(
        "walkin.danger",
        [InputRequired("form.choice")],
        choices=pick(("no", "walkin.danger_no"), ("yes", "walkin.danger_yes")),
    )
    alone = RadioField(
        "walkin.alone",
        [InputRequired("form.choice")],
        choices=pick(*((one.value, f"walkin.alone_{one.value}") for one in Alone)),
    )
    age = RadioField(
        "walkin.age",
        [InputRequired("form.choice")],
        choices=pick(("adult", "start.age.adult"), ("minor", "start.age.minor")),
    )
    topic = SelectField("walkin.topic", [InputRequired("form.choice")])
    medium = RadioField(
        "walkin.medium",
        choices=pick(*((one.value, f"walkin.medium_{one.value}") for one in MEDIA)),
        validate_choice=False,
    )
    consent = BooleanField("walkin.consent", [InputRequired("walkin.consent_needed")])
    version = HiddenField()
    locale = HiddenField()

    def fits(self) -> bool:
        """Whether all is answered. Who is not alone, or not sure, is not asked how: they write."""
        fine = self.validate()
        writes = self.alone.data in {Alone.NO, Alone.UNSURE}
        if not writes and self.medium.data not in [one.value for one in MEDIA]:
            self.medium.errors = ["form.choice"]
            return False
        return bool(fine)


@dataclass(frozen=True, slots=True)
class Terms:
    """The text of the service's consent, as it is shown beside the question."""

    version: int
    locale: str
    html: Markup


async def ask(request: http.Request) -> http.Response:
    """Answer `GET /talk`."""
    if (elsewhere := await _elsewhere(request)) is not None:
        return elsewhere
    return await _show(request, blank(request, WalkinForm))


async def enter(request: http.Request) -> http.Response:
    """Answer `POST /talk`. Danger goes before all else, also on a page that grew old."""
    person = visitor_of(request).person
    if person is not None and not person.is_client:
        return _to(home_of(person))
    try:
        form = await sent(request, WalkinForm)
    except OldForm:
        form = None
    if (await request.post()).get("danger") == "yes":
        return await _call_for_help(request, form or blank(request, WalkinForm))
    if (elsewhere := await _elsewhere(request)) is not None:
        return elsewhere
    if form is None:
        raise OldForm("This form has grown old: open the page again.")
    return await _ask_to_talk(request, form)


async def _ask_to_talk(request: http.Request, form: WalkinForm) -> http.Response:
    """Join the line, where all is answered and this client may."""
    terms = await _fit(request, form)
    if not form.fits():
        return await _show(request, form, status=422)
    admission = await _admits(request, form)
    if not admission.admitted:
        return _to("/start/under-18") if admission.why is Why.NO_POLICY else _later(request)
    try:
        return await _join(request, form, terms)
    except Overtaken:
        return await _show(request, form, overtaken=True, status=422)


async def _call_for_help(request: http.Request, form: WalkinForm) -> http.Response:
    """Take somebody in danger to the urgent path at once, with what they happened to answer."""
    alone = Alone(form.alone.data) if form.alone.data in list(Alone) else Alone.UNSURE
    medium = Medium(form.medium.data) if form.medium.data in MEDIA else Medium.CHAT
    topic = form.topic.data if form.topic.data in request.app[REGISTER].marks.topics else walkins.OTHER_TOPIC
    adult = {"adult": True, "minor": False}.get(str(form.age.data)) if form.age else None
    services, language = request.app[SERVICES], language_of(request)

    async def act(db: AsyncSession) -> str:
        person = await arriving.somebody(request, db, form, purpose=PURPOSE, adult=adult)
        found = triage(Answers(danger=True))
        if (talk := await opening.make_way(services, db, client=person.id)) is not None:
            await answering.said_in_talk(
                services, db, talk=talk, client=person, found=found, language=language
            )
            return WAITING  # somebody is there already
        await _walk_in(request, db, person, topic=str(topic), medium=medium, alone=alone, found=found)
        return URGENT

    response = await _answer(request, form, await do_once(request, form, act))
    await escalation.look(services, request.app[CALLS])
    return response


async def _join(request: http.Request, form: WalkinForm, terms: Terms | None) -> http.Response:
    """Make the account where there is none, keep the consent, and ask for a talk."""
    services = request.app[SERVICES]
    alone = Alone(form.alone.data)
    medium = Medium(form.medium.data) if alone is Alone.YES else Medium.CHAT

    async def act(db: AsyncSession) -> str:
        person = await arriving.somebody(request, db, form, purpose=PURPOSE, adult=_adult(form))
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
        found = triage(Answers(danger=False))
        await _walk_in(request, db, person, topic=form.topic.data, medium=medium, alone=alone, found=found)
        return WAITING

    return await _answer(request, form, await do_once(request, form, act))


async def _walk_in(
    request: http.Request,
    db: AsyncSession,
    person: Person,
    *,
    topic: str,
    medium: Medium,
    alone: Alone,
    found: Triage,
) -> None:
    """Put a client into the line, first to the counselor they know; call for help where it is urgent."""
    services = request.app[SERVICES]
    last = await talks.last_of_client(db, client=person.id)
    prefers = None if last is None else last.counselor
    if prefers is not None and await exclusions.excludes(db, client=person.id, counselor=prefers):
        prefers = None
    walkin = await walkins.ask(
        db,
        services.audit,
        client=person,
        language=language_of(request),
        topic=topic,
        medium=medium,
        alone=alone,
        triage=found,
        prefers=prefers,
        now=services.now(),
    )
    if found.risk is Risk.URGENT:
        await escalation.raise_alarm(services, db, walkin)


async def _answer(request: http.Request, form: WalkinForm, response: http.Response) -> http.Response:
    """Ring the line's bell, and give a new client's browser its login."""
    request.app[BELL].ring()
    return await arriving.answer(request, response, form, purpose=PURPOSE)


async def _admits(request: http.Request, form: WalkinForm) -> Admission:
    services, person = request.app[SERVICES], visitor_of(request).person
    adult = _adult(form)
    if person is None:
        return minors.admits(services.minors, adult=adult, number=1)
    async with services.database.sessions() as db:
        current = await people.get(db, user=person.id)
        return minors.admits(
            services.minors,
            adult=adult if current.adult is None else current.adult,
            number=await talks.count_of_client(db, client=person.id) + 1,
            decisions=await minors.decisions_about(db, user=person.id),
        )


def _adult(form: WalkinForm) -> bool:
    return form.age is None or bool(form.age.data == "adult")


async def _fit(request: http.Request, form: WalkinForm) -> Terms | None:
    """Take out what is known already, put the topics' words in, and give the text to be agreed to."""
    services, ours, language = request.app[SERVICES], request.app[REGISTER], language_of(request)
    person = visitor_of(request).person
    say = request.app[SITE].renderer.text
    form.topic.choices = [
        ("", say(language, "walkin.topic_none")),
        *((key, words[language]) for key, words in ours.marks.topics.items()),
    ]
    if person is not None and person.adult is not None:
        del form.age
    async with services.database.sessions() as db:
        agreed = person is not None and await consents.has(db, user=person.id, kind=Kind.SERVICE)
        current = await texts.current(db, kind=Kind.SERVICE)
    if agreed:
        del form.consent
        return None
    text = current.text(language)
    return Terms(current.number, text.locale, shown(text.body))


async def _show(
    request: http.Request, form: WalkinForm, *, overtaken: bool = False, status: int = 200
) -> http.Response:
    terms = await _fit(request, form)
    if overtaken:
        form.consent.errors = ["consents.overtaken"]
        form.consent.data = False
    return request.app[SITE].show(
        request, "walkin/walkin.html", status=status, form=form, terms=terms, overtaken=overtaken
    )


async def _elsewhere(request: http.Request) -> http.Response | None:
    """Lead staff home, and who is in the line or in a talk to where that is shown."""
    person = visitor_of(request).person
    if person is None:
        return None
    if not person.is_client or person.is_leaving:
        return _to(home_of(person))
    return _to(WAITING) if await is_in_line(request) else None


def _later(request: http.Request) -> http.Response:
    return request.app[SITE].show(request, "walkin/later.html", policy=request.app[SERVICES].minors)


def _to(path: str) -> http.Response:
    return http.Response(status=303, headers={"Location": path})


def setup(app: http.Application) -> None:
    """Add the way into the queue."""
    add(app, "GET", PAGE, ask, Permission.OPEN)
    add(app, "POST", PAGE, enter, Permission.OPEN)
