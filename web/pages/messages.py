"""`/messages`: a client's messages with a counselor, or with the desk while no counselor is known yet.

The first one is written at `/messages/new` (`web/pages/new_message.py`).
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import TextAreaField
from wtforms.fields import Field
from wtforms.validators import DataRequired, Length

from accounts import recovery
from accounts.roles import Permission
from core.errors import InvalidState, NotFound
from core.ids import UserId, is_id
from counseling import thread_lists, thread_reading, threads
from counseling.threads import MAX_TEXT_CHARS, Thread
from web import messages
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add, person_of, visitor_of
from web.messages import POST, Counselor
from web.pages.history import before_of
from web.pages.navigation import home_of
from web.pages.site import SITE, language_of
from web.register import REGISTER
from web.services import SERVICES

PAGE: Final = "/messages"
NEW: Final = "/messages/new"
NOTICES: Final = ("message_new",)


def text_field() -> Field:
    """Make the field of a message's text."""
    return TextAreaField(
        "messages.text",
        [DataRequired("messages.empty"), Length(max=MAX_TEXT_CHARS, message="messages.long")],
    )


class TextForm(PageForm):
    """A message in a thread."""

    text = text_field()


async def listed(request: http.Request) -> http.Response:
    """Answer `GET /messages`: the threads, the latest first; without any, the first message."""
    person = visitor_of(request).person
    if person is not None and not person.is_client:
        return _to(home_of(person))
    if person is None or person.is_leaving:
        return _to(NEW)
    services, ours = request.app[SERVICES], request.app[REGISTER]
    now = services.now()
    async with services.database.sessions() as db:
        found = await thread_lists.of_client(db, client=person.id)
        names = await messages.names_of(db, [one.thread.counselor for one in found])
    if not found:
        return _to(NEW)
    return request.app[SITE].show(
        request,
        "messages/list.html",
        threads=[(one, names.get(one.thread.counselor or UserId(""))) for one in found],
        topic=lambda key: ours.topics([key], language_of(request)),
        days=services.config.message_days,
        now=now,
    )


async def one(request: http.Request) -> http.Response:
    """Answer `GET /messages/{thread}`: what is shown counts as read from then on."""
    return await _show_one(request, blank(request, TextForm))


async def reply(request: http.Request) -> http.Response:
    """Answer `POST /messages/{thread}`."""
    person, services, number = person_of(request), request.app[SERVICES], _number(request)
    form = await sent(request, TextForm)

    async def act(db: AsyncSession) -> str:
        request.app[POST].spend(person.id, services.clock.monotonic())
        thread, _ = await thread_reading.own(db, services.audit, client=person, thread=number)
        counselor = await _counselor_of(request, db, thread)
        if not thread.waits and counselor is None:
            raise InvalidState("Nobody would read it.")
        now = services.now()
        due = now + timedelta(hours=services.config.message_hours)
        await threads.reply(
            db,
            services.audit,
            person=person,
            thread=number,
            text=str(form.text.data),
            due_at=due if counselor is None else counselor.promised,
            now=now,
        )
        return f"{PAGE}/{number}?done=message_sent#last"

    if form.validate():
        try:
            return await do_once(request, form, act)
        except Wrong as error:
            form.say_wrong(error)
        except InvalidState:
            return _to(f"{PAGE}/{number}")
    return await _show_one(request, form, status=422)


async def _show_one(request: http.Request, form: TextForm, *, status: int = 200) -> http.Response:
    person, services, number = person_of(request), request.app[SERVICES], _number(request)
    before, now = before_of(request), services.now()
    async with services.database.sessions.begin() as db:
        thread, leaf = await thread_reading.own(
            db, services.audit, client=person, thread=number, before=before
        )
        counselor = await _counselor_of(request, db, thread)
        if request.method == "GET" and leaf.messages and before is None:
            await thread_reading.mark_read(db, person=person, thread=number, number=leaf.messages[-1].number)
            await messages.seen(db, person, kinds=NOTICES, now=now)
        names = await messages.names_of(db, [thread.counselor])
        has_code = await recovery.made_at(db, user=person.id) is not None
    return request.app[SITE].show(
        request,
        "messages/thread.html",
        status=status,
        form=form,
        thread=thread,
        leaf=leaf,
        counselor=counselor,
        name=names.get(thread.counselor or UserId("")),
        late=thread.due_at is not None and thread.due_at < now,
        topic=request.app[REGISTER].topics([thread.topic], language_of(request)),
        has_code=has_code,
        days=services.config.message_days,
        most=MAX_TEXT_CHARS,
    )


async def _counselor_of(request: http.Request, db: AsyncSession, thread: Thread) -> Counselor | None:
    """Give the counselor who reads a thread; None where it waits, or they are gone or not verified now."""
    if thread.counselor is None:
        return None
    now = request.app[SERVICES].now()
    found = await messages.reachable(db, request.app[REGISTER], [thread.counselor], now=now)
    return found.get(thread.counselor)


def _number(request: http.Request) -> str:
    number = request.match_info["thread"]
    if not is_id(number):
        raise NotFound("There is no such thread.")
    return number


def _to(path: str) -> http.Response:
    return http.Response(status=303, headers={"Location": path})


def setup(app: http.Application) -> None:
    """Add the client's messages."""
    messages.setup(app)
    add(app, "GET", PAGE, listed, Permission.OPEN)
    add(app, "GET", f"{PAGE}/{{thread}}", one, Permission.OWN_WAY)
    add(app, "POST", f"{PAGE}/{{thread}}", reply, Permission.OWN_WAY)
