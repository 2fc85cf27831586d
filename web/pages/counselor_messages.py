"""`/counselor/messages`: a counselor's threads, and what waits at the desk for whoever takes it.

Of what waits only topic, language and the time are shown. Opening a thread takes a grant; it is given for an
hour with the first look, so that the client's history tells of each time somebody came to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import grants, people
from accounts.grants import Grant
from accounts.people import Person
from accounts.roles import Permission
from core.errors import NotFound
from core.ids import UserId, is_id
from counseling import exclusions, register, talks, thread_lists, thread_reading, threads
from counseling.replies import promised_by
from counseling.thread_reading import Leaf
from counseling.threads import Taken, Thread
from web import messages
from web.forms import PageForm, blank, do_once, sent
from web.gate import add, person_of
from web.pages.history import before_of
from web.pages.messages import TextForm
from web.pages.site import SITE, language_of
from web.register import REGISTER
from web.services import SERVICES

PAGE: Final = "/counselor/messages"
NOTICES: Final = ("message_client", "message_late")
LOOK_MINUTES: Final = 60


async def listed(request: http.Request) -> http.Response:
    """Answer `GET /counselor/messages`."""
    me, services, ours = person_of(request), request.app[SERVICES], request.app[REGISTER]
    now, language = services.now(), language_of(request)
    async with services.database.sessions.begin() as db:
        own = await thread_lists.of_counselor(db, counselor=me.id)
        names = await _names(db, [one.thread.client for one in own])
        waiting = await messages.may_take(db, ours, me.id, await thread_lists.waiting(db), now=now)
        kept = await thread_lists.measure(db, counselor=me.id, now=now)
        entry = await register.own(db, user=me.id, now=now)
        await messages.seen(db, me, kinds=("message_waiting", *NOTICES), now=now)
    return request.app[SITE].show(
        request,
        "messages/counselor.html",
        threads=[(one, names[one.thread.client]) for one in own],
        waiting=[
            (one, ours.topics([one.topic], language), ours.languages([one.language], language))
            for one in waiting
        ],
        kept=kept,
        promised=entry.practice.reply_hours,
        topic=lambda key: ours.topics([key], language),
        days=services.config.message_days,
        now=now,
    )


async def take(request: http.Request) -> http.Response:
    """Answer `POST /counselor/messages/{thread}/take`: whoever is first has it."""
    me, services, ours = person_of(request), request.app[SERVICES], request.app[REGISTER]
    number, now = _number(request, "thread"), services.now()
    form = await sent(request, PageForm)

    async def act(db: AsyncSession) -> str:
        waiting = await thread_lists.waiting(db, thread=number)
        mine = (await threads.find(db, thread=number)).counselor == me.id
        if not mine and not await messages.may_take(db, ours, me.id, waiting, now=now):
            raise Taken("This message is not there for you any more.")
        entry = await register.own(db, user=me.id, now=now)
        due = promised_by(entry, now=now, zone=ours.zone)
        await threads.take(db, services.audit, counselor=me, thread=number, due_at=due, now=now)
        return f"{PAGE}/{number}?done=message_taken"

    try:
        return await do_once(request, form, act)
    except Taken:
        return _to(f"{PAGE}?done=message_gone")


async def one(request: http.Request) -> http.Response:
    """Answer `GET /counselor/messages/{thread}`: what is shown counts as read from then on."""
    return await _show(request, blank(request, TextForm))


async def reply(request: http.Request) -> http.Response:
    """Answer `POST /counselor/messages/{thread}`."""
    me, services, number = person_of(request), request.app[SERVICES], _number(request, "thread")
    form = await sent(request, TextForm)

    async def act(db: AsyncSession) -> str:
        await threads.reply(
            db,
            services.audit,
            person=me,
            thread=number,
            text=str(form.text.data),
            due_at=None,
            now=services.now(),
        )
        return f"{PAGE}/{number}?done=answer_sent#last"

    if not form.validate():
        return await _show(request, form, status=422)
    return await do_once(request, form, act)


async def _show(request: http.Request, form: TextForm, *, status: int = 200) -> http.Response:
    me, services, number = person_of(request), request.app[SERVICES], _number(request, "thread")
    before = before_of(request)
    async with services.database.sessions.begin() as db:
        grant = await _grant(request, db, me, await threads.find(db, thread=number))
        thread, leaf = await thread_reading.opened(
            db, grant, services.audit, thread=number, before=before, now=services.now()
        )
        client = await people.get(db, user=thread.client)
        if client.is_leaving:
            raise NotFound("There is no such thread.")
        if request.method == "GET" and before is None:
            await _read(request, db, me, thread, leaf)
    return request.app[SITE].show(
        request,
        "messages/counselor_thread.html",
        status=status,
        form=form,
        thread=thread,
        leaf=leaf,
        name=client.name,
        late=thread.due_at is not None and thread.due_at < services.now(),
        topic=request.app[REGISTER].topics([thread.topic], language_of(request)),
        days=services.config.message_days,
    )


async def _read(request: http.Request, db: AsyncSession, me: Person, thread: Thread, leaf: Leaf) -> None:
    if leaf.messages:
        await thread_reading.mark_read(db, person=me, thread=thread.id, number=leaf.messages[-1].number)
        await messages.seen(db, me, kinds=NOTICES, now=request.app[SERVICES].now())


async def _grant(request: http.Request, db: AsyncSession, me: Person, thread: Thread) -> Grant:
    """Give the grant to read one's own thread, and write it down unless there is one that holds."""
    if thread.counselor != me.id:
        raise NotFound("There is no such thread.")
    services, permission = request.app[SERVICES], Permission.READ_MESSAGES
    now, subject = services.now(), thread.client
    found = await grants.current(
        db,
        services.audit,
        person=me,
        permission=permission,
        subject=subject,
        object_id=thread.id,
        now=now,
    )
    if found is not None:
        return found
    client = await people.get(db, user=subject)
    return await grants.give(
        db,
        services.audit,
        person=me,
        permission=permission,
        subject=subject,
        object_id=thread.id,
        purpose=request.app[SITE].renderer.text(client.language, "messages.purpose"),
        minutes=LOOK_MINUTES,
        now=now,
    )


async def ask_first(request: http.Request) -> http.Response:
    """Answer `GET /counselor/messages/to/{talk}`: write to the client of a talk of one's own."""
    return await _show_first(request, blank(request, TextForm))


async def begin(request: http.Request) -> http.Response:
    """Answer `POST /counselor/messages/to/{talk}`."""
    me, services = person_of(request), request.app[SERVICES]
    form = await sent(request, TextForm)
    if not form.validate():
        return await _show_first(request, form, status=422)

    async def act(db: AsyncSession) -> str:
        client = await _client(request, db)
        thread = await threads.begin(
            db, services.audit, counselor=me, client=client.id, text=str(form.text.data), now=services.now()
        )
        return f"{PAGE}/{thread.id}?done=answer_sent#last"

    return await do_once(request, form, act)


async def _show_first(request: http.Request, form: TextForm, *, status: int = 200) -> http.Response:
    services = request.app[SERVICES]
    async with services.database.sessions() as db:
        client = await _client(request, db)
    return request.app[SITE].show(
        request,
        "messages/counselor_first.html",
        status=status,
        form=form,
        name=client.name,
        talk=request.match_info["talk"],
        days=services.config.message_days,
    )


async def _client(request: http.Request, db: AsyncSession) -> Person:
    """Say with whom this talk was. Raises ``NotFound`` unless it was with whoever asks, and both may meet."""
    talk = await talks.get(db, talk=_number(request, "talk"))
    if talk.counselor != person_of(request).id:
        raise NotFound("There is no such talk.")
    client = await people.get(db, user=talk.client)
    kept = await exclusions.excludes(db, client=client.id, counselor=talk.counselor)
    if client.is_leaving or kept:
        raise NotFound("There is no such talk.")
    return client


async def _names(db: AsyncSession, users: Sequence[UserId]) -> dict[UserId, str]:
    return {person.id: person.name for person in await people.find_all(db, users=users)}


def _number(request: http.Request, name: str) -> str:
    number = request.match_info[name]
    if not is_id(number):
        raise NotFound("There is nothing here.")
    return number


def _to(path: str) -> http.Response:
    return http.Response(status=303, headers={"Location": path})


def setup(app: http.Application) -> None:
    """Add the counselor's messages."""
    add(app, "GET", PAGE, listed, Permission.SERVE)
    add(app, "GET", f"{PAGE}/to/{{talk}}", ask_first, Permission.SERVE)
    add(app, "POST", f"{PAGE}/to/{{talk}}", begin, Permission.SERVE)
    add(app, "POST", f"{PAGE}/{{thread}}/take", take, Permission.SERVE)
    add(app, "GET", f"{PAGE}/{{thread}}", one, Permission.SERVE)
    add(app, "POST", f"{PAGE}/{{thread}}", reply, Permission.SERVE)
