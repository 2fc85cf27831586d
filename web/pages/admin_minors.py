"""`/admin/minors`: the policy for people under 18, and decisions by a named person with a reason.

Nobody browses clients: one is found by the whole made-up name, which their counselor knows, and each who
is shown can see in their history that they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import RadioField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length

from accounts import grants, people
from accounts.grants import MAX_PURPOSE_CHARS, MIN_PURPOSE_CHARS
from accounts.people import Person
from accounts.roles import Permission
from core.errors import NotFound
from core.ids import UserId
from counseling import minors
from counseling.minors import MAX_REASON_CHARS, Decision, Kind, Policy
from web.fields import pick
from web.forms import PageForm, blank, do_once, sent
from web.gate import add, person_of
from web.pages.site import SITE, language_of
from web.services import SERVICES

HOME: Final = "/admin/minors"
DECIDE: Final = Permission.DECIDE_MINORS


class DecisionForm(PageForm):
    """What was decided. The people are those of the policy."""

    kind = RadioField(
        "minors.kind",
        [InputRequired("form.choice")],
        choices=pick(*[(kind.value, f"minors.kind_{kind.value}") for kind in Kind]),
    )
    decider = SelectField("minors.decider", [InputRequired("form.choice")])
    reason = TextAreaField(
        "minors.reason", [DataRequired("form.missing"), Length(max=MAX_REASON_CHARS, message="form.long")]
    )


class PurposeForm(PageForm):
    """What the reasons are opened for."""

    purpose = StringField(
        "officer.purpose",
        [
            DataRequired("form.missing"),
            Length(min=MIN_PURPOSE_CHARS, message="form.short"),
            Length(max=MAX_PURPOSE_CHARS, message="form.long"),
        ],
    )


class FindForm(PageForm):
    """Whom to look for: by the whole name, and never in an address."""

    name = StringField("minors.name", [DataRequired("form.missing"), Length(max=60, message="form.long")])


async def show(request: http.Request) -> http.Response:
    """Answer `GET /admin/minors`: the policy, and a search by name."""
    return _show(request, blank(request, FindForm))


def _show(
    request: http.Request,
    form: FindForm,
    found: Sequence[tuple[Person, Sequence[Decision]]] | None = None,
    *,
    status: int = 200,
) -> http.Response:
    policy = request.app[SERVICES].minors
    return request.app[SITE].show(
        request,
        "minors/list.html",
        status=status,
        policy=policy,
        words=_words(request, policy),
        form=form,
        found=found,
    )


async def find(request: http.Request) -> http.Response:
    """Answer `POST /admin/minors`: who has this name; each who is found can see that they were."""
    services, admin = request.app[SERVICES], person_of(request)
    _policy(request)
    form = await sent(request, FindForm)
    if not form.validate():
        return _show(request, form, status=422)
    now = services.now()
    async with services.database.sessions.begin() as db:
        found = [
            (client, await minors.see(db, services.audit, client=client, viewer=admin, now=now))
            for client in await people.under_18(db, name=str(form.name.data))
        ]
    return _show(request, form, found)


async def one(request: http.Request) -> http.Response:
    """Answer `GET /admin/minors/{user}`."""
    return await _one(request)


async def _one(
    request: http.Request,
    form: DecisionForm | None = None,
    opening: PurposeForm | None = None,
    *,
    status: int = 200,
) -> http.Response:
    services, admin = request.app[SERVICES], person_of(request)
    policy = _policy(request)
    now = services.now()
    async with services.database.sessions.begin() as db:
        client = await _client(request, db)
        decisions = await minors.see(db, services.audit, client=client, viewer=admin, now=now)
        grant = await grants.current(
            db, services.audit, person=admin, permission=DECIDE, subject=client.id, now=now
        )
        reasons: Mapping[str, str] = {}
        if grant is not None:
            reasons = await minors.reasons(db, grant, services.audit, user=client.id, now=now)
    form = form or blank(request, DecisionForm)
    form.decider.choices = pick(*[(name, name) for name in policy.may_decide])
    standing = minors.admits(policy, adult=False, number=policy.consent_from_session, decisions=decisions)
    return request.app[SITE].show(
        request,
        "minors/one.html",
        status=status,
        client=client,
        decisions=decisions,
        reasons=reasons,
        opened=grant is not None,
        form=form,
        opening=opening or blank(request, PurposeForm),
        standing=standing,
        policy=policy,
    )


async def decide(request: http.Request) -> http.Response:
    """Answer `POST /admin/minors/{user}`."""
    services, admin, policy = request.app[SERVICES], person_of(request), _policy(request)
    form = await sent(request, DecisionForm)
    form.decider.choices = pick(*[(name, name) for name in policy.may_decide])
    if not form.validate():
        return await _one(request, form, status=422)

    async def act(db: AsyncSession) -> str:
        client = await _client(request, db)
        await minors.decide(
            db,
            services.audit,
            policy,
            client=client,
            kind=Kind(form.kind.data),
            decider=str(form.decider.data),
            reason=str(form.reason.data).strip(),
            recorder=admin,
            now=services.now(),
        )
        return f"{HOME}/{client.id}?done=minor_decided"

    return await do_once(request, form, act)


async def open_reasons(request: http.Request) -> http.Response:
    """Answer `POST /admin/minors/{user}/open`: open the reasons, for a purpose."""
    services, admin = request.app[SERVICES], person_of(request)
    form = await sent(request, PurposeForm)
    if not form.validate():
        return await _one(request, opening=form, status=422)

    async def act(db: AsyncSession) -> str:
        client = await _client(request, db)
        await grants.give(
            db,
            services.audit,
            person=admin,
            permission=DECIDE,
            subject=client.id,
            purpose=str(form.purpose.data),
            now=services.now(),
        )
        return f"{HOME}/{client.id}"

    return await do_once(request, form, act)


async def _client(request: http.Request, db: AsyncSession) -> Person:
    """Find the client of this page; an adult is not found here."""
    client = await people.get(db, user=UserId(request.match_info["user"]))
    if client.adult is not False or client.is_leaving:
        raise NotFound("There is no such client.")
    return client


def _policy(request: http.Request) -> Policy:
    policy = request.app[SERVICES].minors
    if policy is None:
        raise NotFound("There is no policy for people under 18.")
    return policy


def _words(request: http.Request, policy: Policy | None) -> tuple[str, str]:
    language = language_of(request)
    return ("", "") if policy is None else (policy.words[language], policy.contact[language])


def setup(app: http.Application) -> None:
    """Add the pages about people under 18."""
    add(app, "GET", HOME, show, DECIDE)
    add(app, "POST", HOME, find, DECIDE)
    add(app, "GET", HOME + "/{user}", one, DECIDE)
    add(app, "POST", HOME + "/{user}", decide, DECIDE)
    add(app, "POST", HOME + "/{user}/open", open_reasons, DECIDE)
