"""`/talk/ready`: preparing for the open walk-in or the next appointment, each part by itself.

All of it may be left out, and said later. What is asked needs no script. `/talk/ready/devices` does:
microphone, speaker, camera, and the probe of the line (`web/probing.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Final

import msgspec
from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import HiddenField, RadioField, StringField
from wtforms.fields import Field
from wtforms.validators import InputRequired, Length, ValidationError

from accounts import consents, texts
from accounts.roles import Permission
from accounts.texts import Kind, Overtaken
from core.errors import InvalidState, NotFound
from counseling import breakglass, preparation, recording_answers
from counseling.entry import Medium
from counseling.preparation import (
    MAX_NUMBER_CHARS,
    MAX_PERSON_CHARS,
    MAX_PLACE_CHARS,
    Contact,
    Occasion,
    OnDrop,
    Preparation,
    is_number,
)
from counseling.recording_answers import Asking, asks_recording
from web import probing
from web.bodies import read_body
from web.fields import pick
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add, person_of
from web.jobs import every
from web.pages.site import SITE, language_of
from web.pages.texts import number_of, shown
from web.probing import PROBER
from web.services import SERVICES, Services

logger = logging.getLogger(__name__)

PAGE: Final = "/talk/ready"
DEVICES: Final = f"{PAGE}/devices"
PROBE: Final = f"{PAGE}/probe"
SCRIPT_TEXTS: Final = ("prepare",)
FORGET_EVERY_S: Final = 60.0
Keep = Callable[[AsyncSession, Occasion], Awaitable[None]]


def _line(label: str, most: int) -> StringField:
    return StringField(label, [Length(max=most, message="form.long")])


def _number(_form: PageForm, field: Field) -> None:
    text = " ".join(str(field.data or "").split())
    if text and not is_number(text):
        raise ValidationError("ready.number_wrong")


class ContactForm(PageForm):
    """Where the client is, whom to call, and a number for this session. All of it may be left out."""

    place = _line("ready.place", MAX_PLACE_CHARS)
    person = _line("ready.person", MAX_PERSON_CHARS)
    person_number = StringField(
        "ready.person_number", [Length(max=MAX_NUMBER_CHARS, message="form.long"), _number]
    )
    number = StringField("ready.number", [Length(max=MAX_NUMBER_CHARS, message="form.long"), _number])


class DropForm(PageForm):
    """What a drop should do."""

    on_drop = RadioField(
        "ready.on_drop",
        [InputRequired("form.choice")],
        choices=pick(*((one.value, f"ready.on_drop_{one.value}") for one in OnDrop)),
    )


class RecordingForm(PageForm):
    """The recording question; who has not said that they are alone says so with it."""

    recording = RadioField(
        "ready.recording",
        [InputRequired("form.choice")],
        choices=pick(
            ("no", "ready.recording_no"), ("yes", "ready.recording_yes"), ("later", "ready.recording_later")
        ),
    )
    version = HiddenField()
    locale = HiddenField()


class Sdp(msgspec.Struct, forbid_unknown_fields=True):
    """A description of one side of a probe."""

    sdp: str


async def ready(request: http.Request) -> http.Response:
    """Answer `GET /talk/ready`."""
    return await _show(request)


async def keep_contact(request: http.Request) -> http.Response:
    """Answer `POST /talk/ready/contact`."""
    form = await sent(request, ContactForm)
    if not form.validate():
        return await _show(request, contact=form, status=422)
    services, told = request.app[SERVICES], _typed(form)

    async def keep(db: AsyncSession, occasion: Occasion) -> None:
        await preparation.keep_contact(
            db, services.audit, occasion=occasion, contact=told, now=services.now()
        )

    return await _keep(request, form, keep, "contact")


def _typed(form: ContactForm) -> Contact:
    texts = {name: str(form[name].data or "") for name in ("place", "person", "person_number", "number")}
    return Contact(**texts)


async def keep_drop(request: http.Request) -> http.Response:
    """Answer `POST /talk/ready/drop`."""
    form = await sent(request, DropForm)
    if not form.validate():
        return await _show(request, drop=form, status=422)
    services = request.app[SERVICES]

    async def keep(db: AsyncSession, occasion: Occasion) -> None:
        try:
            await preparation.keep_on_drop(
                db,
                services.audit,
                occasion=occasion,
                on_drop=OnDrop(form.on_drop.data),
                now=services.now(),
            )
        except InvalidState:
            raise Wrong("on_drop", "ready.no_number") from None

    try:
        return await _keep(request, form, keep, "drop")
    except Wrong as error:
        form.say_wrong(error)
        return await _show(request, drop=form, status=422)


async def keep_recording(request: http.Request) -> http.Response:
    """Answer `POST /talk/ready/recording`: of the client alone. A yes is a consent to the text beside it."""
    form = await sent(request, RecordingForm)
    if not form.validate():
        return await _show(request, recording=form, status=422)
    services, person = request.app[SERVICES], person_of(request)
    answer = {"yes": True, "no": False}.get(str(form.recording.data))

    async def keep(db: AsyncSession, occasion: Occasion) -> None:
        if not services.config.recording:
            raise InvalidState("Nobody is asked for a recording here.")
        await recording_answers.keep(
            db, services.audit, occasion=occasion, client=person, answer=answer, now=services.now()
        )
        if not answer:
            return
        try:
            await consents.give(
                db,
                services.audit,
                person=person,
                kind=Kind.RECORDING,
                version=number_of(str(form.version.data)),
                locale=str(form.locale.data),
                page=PAGE,
                now=services.now(),
            )
        except Overtaken:
            raise Wrong("recording", "consents.overtaken") from None

    try:
        kept = await _keep(request, form, keep, "recording")
    except Wrong as error:
        form.say_wrong(error)
        return await _show(request, recording=form, status=422)
    await services.calls.recheck_recordings_of(person.id)
    return kept


async def _keep(request: http.Request, form: PageForm, keep: Keep, what: str) -> http.Response:
    """Keep one part for what the client prepares for; where there is nothing any more, say so."""
    person = person_of(request)

    async def act(db: AsyncSession) -> str:
        occasion = await preparation.occasion_of(db, client=person.id)
        if occasion is None:
            return PAGE
        await keep(db, occasion)
        return f"{PAGE}?done=ready_kept#part-{what}"

    try:
        return await do_once(request, form, act)
    except InvalidState:
        return http.Response(status=303, headers={"Location": PAGE})


async def _show(
    request: http.Request,
    *,
    contact: ContactForm | None = None,
    drop: DropForm | None = None,
    recording: RecordingForm | None = None,
    status: int = 200,
) -> http.Response:
    person, services, site = person_of(request), request.app[SERVICES], request.app[SITE]
    async with services.database.sessions() as db:
        occasion = await preparation.occasion_of(db, client=person.id)
        if occasion is None:
            return site.show(request, "preparation/nothing.html")
        found = await preparation.find(db, occasion=occasion)
        text = await texts.current(db, kind=Kind.RECORDING)
        told = await preparation.own(db, services.audit, occasion=occasion)
    asking = asks_recording(occasion, adult=person.adult) if services.config.recording else Asking.NO
    if asking is Asking.FIRST_ALONE and (request.query.get("alone") == "yes" or recording is not None):
        asking = Asking.YES
    asked = text.text(language_of(request))
    question = recording or blank(request, RecordingForm, recording=_answer(found))
    question.version.data, question.locale.data = str(text.number), asked.locale
    return site.show(
        request,
        "preparation/ready.html",
        status=status,
        occasion=occasion,
        contact=contact or blank(request, ContactForm, **asdict(told)),
        drop=drop or blank(request, DropForm, on_drop=_on_drop(found)),
        recording=question,
        recording_text=shown(asked.body),
        recording_locale=asked.locale,
        recording_days=services.config.recording_days,
        said=told.said,
        asking=asking,
        in_person=occasion.medium is Medium.IN_PERSON,
        hours=int(preparation.KEPT_AT_RISK.total_seconds() // 3600),
        back="/talk/waiting" if occasion.walkin else "/home",
    )


def _on_drop(found: Preparation | None) -> str:
    return (OnDrop.NOTHING if found is None else found.on_drop).value


def _answer(found: Preparation | None) -> str:
    if found is None or found.recording is None:
        return "later"
    return "yes" if found.recording else "no"


async def devices(request: http.Request) -> http.Response:
    """Answer `GET /talk/ready/devices`."""
    person, services, site = person_of(request), request.app[SERVICES], request.app[SITE]
    async with services.database.sessions() as db:
        occasion = await preparation.occasion_of(db, client=person.id)
    if occasion is None:
        return site.show(request, "preparation/nothing.html")
    return site.show(
        request,
        "preparation/devices.html",
        texts=site.renderer.script_texts(language_of(request), SCRIPT_TEXTS),
        medium=occasion.medium.value,
        quiet=occasion.alone is not None and occasion.alone.value != "yes",
    )


async def begin_probe(request: http.Request) -> http.Response:
    """Answer `POST /talk/ready/probe`: the offer of the leg to send on. For who prepares for something."""
    services, person = request.app[SERVICES], person_of(request)
    async with services.database.sessions() as db:
        if await preparation.occasion_of(db, client=person.id) is None:
            raise NotFound("There is nothing to prepare for.")
    probe, offer = request.app[PROBER].begin(person.id, services.clock.monotonic())
    servers = [
        {"urls": list(one.urls), "username": one.username, "credential": one.credential}
        for one in services.config.ice_servers
    ]
    return http.json_response({"probe": probe.id, "offer": offer, "ice_servers": servers})


async def probe_sends(request: http.Request) -> http.Response:
    """Answer `POST /talk/ready/probe/{probe}/out`: the offer of the leg that gives it back."""
    body = await read_body(request, Sdp)
    offer = request.app[PROBER].sends(person_of(request).id, request.match_info["probe"], body.sdp)
    return http.json_response({"offer": offer})


async def probe_receives(request: http.Request) -> http.Response:
    """Answer `POST /talk/ready/probe/{probe}/back`: what is sent comes back from now on."""
    body = await read_body(request, Sdp)
    request.app[PROBER].receives(person_of(request).id, request.match_info["probe"], body.sdp)
    return http.Response(status=204)


async def end_probe(request: http.Request) -> http.Response:
    """Answer `POST /talk/ready/probe/end`: the page has seen enough, or leaves."""
    request.app[PROBER].end(person_of(request).id)
    return http.Response(status=204)


async def forget(services: Services) -> None:
    """Delete what was prepared for what is over."""
    async with services.database.sessions.begin() as db:
        count = await preparation.prune(db, now=services.now())
        await breakglass.prune(db, now=services.now())
    if count:
        logger.info("preparation.pruned", extra={"count": count})


def setup(app: http.Application) -> None:
    """Add the pages, the probe and the job that forgets."""
    probing.setup(app)
    every(app, FORGET_EVERY_S, forget)
    add(app, "GET", PAGE, ready, Permission.OWN_WAY)
    add(app, "POST", f"{PAGE}/contact", keep_contact, Permission.OWN_WAY)
    add(app, "POST", f"{PAGE}/drop", keep_drop, Permission.OWN_WAY)
    add(app, "POST", f"{PAGE}/recording", keep_recording, Permission.OWN_WAY)
    add(app, "GET", DEVICES, devices, Permission.OWN_WAY)
    add(app, "POST", PROBE, begin_probe, Permission.OWN_WAY)
    add(app, "POST", f"{PROBE}/end", end_probe, Permission.OWN_WAY)
    add(app, "POST", f"{PROBE}/{{probe}}/out", probe_sends, Permission.OWN_WAY)
    add(app, "POST", f"{PROBE}/{{probe}}/back", probe_receives, Permission.OWN_WAY)
