"""`/me/counselor`: whom a client talks to. One tap changes it, nobody asks why, and nobody is told.

History moves only where the client ticks it, for one talk. Whom a client will not meet stands in
``counseling/exclusions.py``; counselors never see it.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import HiddenField, SelectField
from wtforms.validators import Length

from accounts.roles import Permission
from core.ids import UserId
from counseling import exclusions, histories, queue, talks, walkins
from counseling.credentials import Verified
from counseling.entry import MAX_LINE_CHARS
from counseling.talks import Talk
from counseling.triage import Risk
from counseling.walkin_states import State, Walkin
from web import escalation, opening
from web.forms import PageForm, blank, do_once, sent
from web.gate import add, person_of
from web.pages.register_forms import Line
from web.pages.site import SITE, language_of
from web.pages.waiting import PAGE as WAITING
from web.pages.waiting import rung, who
from web.services import SERVICES

PAGE: Final = "/me/counselor"


class NotWithForm(PageForm):
    """A person or a group, of those there are."""

    person = SelectField("wishes.person", validate_choice=False)
    group = SelectField("wishes.group", validate_choice=False)


class RegionForm(PageForm):
    """Where the client is, as far as they care to say."""

    region = Line("wishes.region", [Length(max=MAX_LINE_CHARS[Verified.LICENCE_REGION], message="form.long")])


class ShareForm(PageForm):
    """A tick."""

    shares = HiddenField()
    back = HiddenField()


class TakeBackForm(PageForm):
    """Which one."""

    which = HiddenField()


async def show(request: http.Request) -> http.Response:
    """Answer `GET /me/counselor`."""
    return await _show(request, blank(request, NotWithForm))


async def change(request: http.Request) -> http.Response:
    """Answer `POST /me/counselor/change`: somebody else, from now on. A talk that goes on ends."""
    services, person = request.app[SERVICES], person_of(request)
    form = await sent(request, PageForm)
    ended: list[Talk] = []

    async def act(db: AsyncSession) -> str:
        now, audit = services.now(), services.audit
        talk = await talks.last_of_client(db, client=person.id)
        if talk is None:
            return PAGE
        await exclusions.not_with(db, audit, client=person.id, counselor=talk.counselor, now=now)
        if talk.ended_at is not None:
            await _prefer_nobody(request, db, await walkins.find_open(db, client=person.id))
            return f"{PAGE}?done=changed"
        await talks.end(db, audit, talk=talk.id, now=now)
        ended.append(talk)
        if talk.walkin is None:
            return f"{PAGE}?done=changed"
        before = await walkins.get(db, walkin=talk.walkin)
        again = await walkins.ask(
            db,
            audit,
            client=person,
            language=before.language,
            topic=before.topic,
            medium=before.medium,
            alone=before.alone,
            triage=before.triage,
            region=before.region,
            now=now,
        )
        if again.triage.risk is Risk.URGENT:
            await escalation.raise_alarm(services, db, again)
        return f"{WAITING}?done=changed"

    response = await do_once(request, form, act)
    for talk in ended:
        await opening.end_session(services, talk)
    return await rung(request, response)


async def share(request: http.Request) -> http.Response:
    """Answer `POST /me/counselor/share`: whether this counselor may see when and about what they talked."""
    services, person = request.app[SERVICES], person_of(request)
    form = await sent(request, ShareForm)

    async def act(db: AsyncSession) -> str:
        talk = await talks.open_of_client(db, client=person.id)
        if talk is not None:
            await talks.share_history(
                db, services.audit, talk=talk.id, shares=form.shares.data == "y", now=services.now()
            )
        return f"{WAITING if form.back.data == 'waiting' else PAGE}?done=wish_kept"

    return await do_once(request, form, act)


async def not_with(request: http.Request) -> http.Response:
    """Answer `POST /me/counselor/not-with`."""
    services, person = request.app[SERVICES], person_of(request)
    form = await sent(request, NotWithForm)
    async with services.database.sessions() as db:
        people, groups = await _choices(db)
    named, group = str(form.person.data or ""), str(form.group.data or "")
    if named not in dict(people) and group not in groups:
        form.person.errors = ["wishes.pick"]
        return await _show(request, form, status=422)

    async def act(db: AsyncSession) -> str:
        now, audit = services.now(), services.audit
        if named in dict(people):
            await exclusions.not_with(db, audit, client=person.id, counselor=UserId(named), now=now)
        if group in groups:
            await exclusions.not_with_group(db, audit, client=person.id, group=group, now=now)
        walkin = await walkins.find_open(db, client=person.id)
        prefers = None if walkin is None else walkin.prefers
        if prefers is not None and await exclusions.excludes(db, client=person.id, counselor=prefers):
            await _prefer_nobody(request, db, walkin)
        return f"{PAGE}?done=wish_kept"

    return await rung(request, await do_once(request, form, act))


async def take_back(request: http.Request) -> http.Response:
    """Answer `POST /me/counselor/take-back`."""
    services, person = request.app[SERVICES], person_of(request)
    form = await sent(request, TakeBackForm)

    async def act(db: AsyncSession) -> str:
        await exclusions.remove(
            db, services.audit, client=person.id, exclusion=str(form.which.data), now=services.now()
        )
        return f"{PAGE}?done=wish_kept"

    return await rung(request, await do_once(request, form, act))


async def region(request: http.Request) -> http.Response:
    """Answer `POST /me/counselor/region`: kept with the walk-in, and gone with it."""
    services, person = request.app[SERVICES], person_of(request)
    form = await sent(request, RegionForm)
    if not form.validate():
        return await _show(request, blank(request, NotWithForm), where=form, status=422)

    async def act(db: AsyncSession) -> str:
        walkin = await walkins.find_open(db, client=person.id)
        if walkin is not None and walkin.state is not State.TALKING:
            await walkins.ask(
                db,
                services.audit,
                client=person,
                language=walkin.language,
                topic=walkin.topic,
                medium=walkin.medium,
                alone=walkin.alone,
                triage=walkin.triage,
                region=form.region.data or None,
                prefers=walkin.prefers,
                now=services.now(),
            )
        return f"{WAITING}?done=wish_kept"

    return await rung(request, await do_once(request, form, act))


async def _prefer_nobody(request: http.Request, db: AsyncSession, walkin: Walkin | None) -> None:
    services = request.app[SERVICES]
    if walkin is not None and walkin.state is not State.TALKING:
        await walkins.wait_for(
            db, services.audit, walkin=walkin.id, counselor=None, waits=False, now=services.now()
        )


async def _choices(db: AsyncSession) -> tuple[list[tuple[str, str]], list[str]]:
    """List the counselors, and the groups that any of them belongs to or keeps from, as they wrote them."""
    entries = await queue.verified(db)
    groups = {group for entry in entries for group in entry.practice.recusals}
    return [(entry.user, entry.licence.shown_name) for entry in entries], sorted(groups)


async def _show(
    request: http.Request, form: NotWithForm, *, where: RegionForm | None = None, status: int = 200
) -> http.Response:
    services, person = request.app[SERVICES], person_of(request)
    say = request.app[SITE].renderer.text
    language = language_of(request)
    async with services.database.sessions() as db:
        talk = await talks.last_of_client(db, client=person.id)
        walkin = await walkins.find_open(db, client=person.id)
        people, groups = await _choices(db)
        excluded = await exclusions.of_client(db, client=person.id)
        names = dict(people)
        if talk is not None and talk.ended_at and any(one.counselor == talk.counselor for one in excluded):
            talk = None
        counselor = None if talk is None else await who(db, talk.counselor)
        asks_share = talk is not None and talk.ended_at is None and await histories.has_others(db, talk=talk)
    form.person.choices = [("", say(language, "wishes.person_none")), *people]
    form.group.choices = [("", say(language, "wishes.group_none")), *((one, one) for one in groups)]
    waits = walkin is not None and walkin.state is not State.TALKING
    known = walkin.region if walkin is not None else None
    return request.app[SITE].show(
        request,
        "waiting/wishes.html",
        status=status,
        form=form,
        where=where or blank(request, RegionForm, region=known or ""),
        talk=talk,
        counselor=counselor,
        asks_share=asks_share,
        excluded=[(one, names.get(one.counselor or "", "") or one.group) for one in excluded],
        waits=walkin is not None,
        asks_region=waits,
    )


def setup(app: http.Application) -> None:
    """Add the page and what it does."""
    add(app, "GET", PAGE, show, Permission.OWN_WAY)
    add(app, "POST", PAGE + "/change", change, Permission.OWN_WAY)
    add(app, "POST", PAGE + "/share", share, Permission.OWN_WAY)
    add(app, "POST", PAGE + "/not-with", not_with, Permission.OWN_WAY)
    add(app, "POST", PAGE + "/take-back", take_back, Permission.OWN_WAY)
    add(app, "POST", PAGE + "/region", region, Permission.OWN_WAY)
