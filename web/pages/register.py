"""`/counselor/register` and below: a counselor's own entry, in steps, each of which can be left for later."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.roles import Permission
from counseling import decisions, register
from counseling.matchable import Why, has_card, takes_minors, why_not
from counseling.register import Unfinished
from counseling.standings import standings
from counseling.verification import Event, State
from web.forms import PageForm, blank, do_once, sent
from web.gate import add, person_of
from web.pages.register_forms import HandInForm, HoursForm, LicenceForm, PracticeForm
from web.pages.site import SITE, language_of
from web.register import MEDIA, REGISTER
from web.register import setup as open_register
from web.services import SERVICES

HOME: Final = "/counselor/register"


async def overview(request: http.Request) -> http.Response:
    """Answer `GET /counselor/register`."""
    return await _overview(request, blank(request, HandInForm))


async def _overview(
    request: http.Request, form: PageForm, *, unfinished: bool = False, status: int = 200
) -> http.Response:
    services, ours = request.app[SERVICES], request.app[REGISTER]
    user, now = person_of(request).id, services.now()
    today = ours.today(now)
    async with services.database.sessions() as db:
        entry = await register.own(db, user=user, now=now)
        proofs = await ours.proofs.of(db, user=user)
        story = await decisions.of(db, user=user)
        _, standing = (await standings(db, entries=[entry], today=today))[user]
    why = why_not(standing, ours.credentials, today=today)
    open_steps = register.unfinished(
        entry, ours.credentials, proofs=[proof.kind for proof in proofs], today=today
    )
    told = next((one for one in story if one.event in {Event.REFUSE, Event.WITHDRAW}), None)
    return request.app[SITE].show(
        request,
        "register/overview.html",
        status=status,
        form=form,
        entry=entry,
        steps=(
            ("licence", f"{HOME}/licence", "licence" not in open_steps),
            ("practice", f"{HOME}/practice", "practice" not in open_steps),
            ("proofs", "/counselor/proofs", "proofs" not in open_steps),
            ("hours", "/counselor/hours", bool(entry.hours)),
            ("ethics", "/counselor/ethics", not {Why.ETHICS_OLD, Why.ETHICS_UNSIGNED} & set(why)),
        ),
        why=why,
        card=has_card(why),
        unfinished=unfinished,
        can_hand_in=entry.state in {State.DRAFT, State.REFUSED, State.WITHDRAWN},
        told=told if entry.state in {State.REFUSED, State.WITHDRAWN} else None,
    )


async def hand_in(request: http.Request) -> http.Response:
    """Answer `POST /counselor/register`: hand the entry in to be verified."""
    services, ours = request.app[SERVICES], request.app[REGISTER]
    user, now = person_of(request).id, services.now()
    form = await sent(request, HandInForm)

    async def act(db: AsyncSession) -> str:
        await register.hand_in(
            db, services.audit, ours.credentials, user=user, today=ours.today(now), now=now
        )
        return f"{HOME}?done=handed_in"

    try:
        return await do_once(request, form, act)
    except Unfinished:
        return await _overview(request, form, unfinished=True, status=422)


async def licence(request: http.Request) -> http.StreamResponse:
    """Answer `GET /counselor/register/licence`: the fields of one kind of credential, or the kinds."""
    services, ours = request.app[SERVICES], request.app[REGISTER]
    async with services.database.sessions() as db:
        entry = await register.own(db, user=person_of(request).id, now=services.now())
    wanted = request.query.get("kind", entry.licence.kind)
    kind = ours.credentials.kind(wanted)
    if kind is None or "choose" in request.query:
        return request.app[SITE].show(
            request,
            "register/kinds.html",
            kinds=list(ours.credentials.kinds.values()),
            chosen=entry.licence.kind,
            entry=entry,
        )
    form = blank(request, LicenceForm, **(asdict(entry.licence) | {"kind": kind.key}))
    return _licence(request, form, verified=entry.state is State.VERIFIED)


def _licence(request: http.Request, form: LicenceForm, *, verified: bool, status: int = 200) -> http.Response:
    ours, language = request.app[REGISTER], language_of(request)
    kind = ours.credentials.kinds[form.kind.data or ""]
    return request.app[SITE].show(
        request,
        "register/licence.html",
        status=status,
        form=form,
        kind=kind,
        required={field.value for field in kind.required},
        degrees=[(key, names[language]) for key, names in ours.credentials.degrees.items()],
        verified=verified,
    )


async def keep_licence(request: http.Request) -> http.StreamResponse:
    """Answer `POST /counselor/register/licence`."""
    services, ours = request.app[SERVICES], request.app[REGISTER]
    user, now = person_of(request).id, services.now()
    form = await sent(request, LicenceForm)
    if ours.credentials.kind(form.kind.data or "") is None:
        return http.Response(status=303, headers={"Location": f"{HOME}/licence?choose=1"})
    if not form.fits(ours.credentials, ours.today(now)):
        async with services.database.sessions() as db:
            entry = await register.own(db, user=user, now=now)
        return _licence(request, form, verified=entry.state is State.VERIFIED, status=422)

    async def act(db: AsyncSession) -> str:
        await register.change_licence(db, services.audit, user=user, licence=form.licence, now=now)
        return f"{HOME}?done=saved"

    return await do_once(request, form, act)


async def practice(request: http.Request) -> http.Response:
    """Answer `GET /counselor/register/practice`."""
    services, ours = request.app[SERVICES], request.app[REGISTER]
    async with services.database.sessions() as db:
        entry = await register.own(db, user=person_of(request).id, now=services.now())
    start = asdict(entry.practice) | {
        "recusals": "\n".join(entry.practice.recusals),
        "minors": takes_minors(entry, ours.credentials),
    }
    return _practice(request, blank(request, PracticeForm, **start))


def _practice(request: http.Request, form: PracticeForm, *, status: int = 200) -> http.Response:
    ours, language = request.app[REGISTER], language_of(request)
    return request.app[SITE].show(
        request,
        "register/practice.html",
        status=status,
        form=form,
        topics=[(key, names[language]) for key, names in ours.marks.topics.items()],
        tongues=[(key, names[language]) for key, names in ours.marks.languages.items()],
        media=MEDIA,
    )


async def keep_practice(request: http.Request) -> http.Response:
    """Answer `POST /counselor/register/practice`."""
    services, ours = request.app[SERVICES], request.app[REGISTER]
    user, now = person_of(request).id, services.now()
    form = await sent(request, PracticeForm)
    async with services.database.sessions() as db:
        entry = await register.own(db, user=user, now=now)
    kind = ours.credentials.kind(entry.licence.kind)
    if not form.fits(ours.marks, kind):
        return _practice(request, form, status=422)

    async def act(db: AsyncSession) -> str:
        await register.change_practice(db, services.audit, user=user, practice=form.practice, now=now)
        return f"{HOME}?done=saved"

    return await do_once(request, form, act)


async def hours(request: http.Request) -> http.Response:
    """Answer `GET /counselor/hours`."""
    services = request.app[SERVICES]
    async with services.database.sessions() as db:
        entry = await register.own(db, user=person_of(request).id, now=services.now())
    away = {"away_from": entry.away_from, "away_until": entry.away_until}
    return _hours(request, blank(request, HoursForm, **(HoursForm.start(entry.hours) | away)))


def _hours(request: http.Request, form: HoursForm, *, status: int = 200) -> http.Response:
    zone = request.app[SERVICES].config.time_zone
    return request.app[SITE].show(request, "register/hours.html", status=status, form=form, zone=zone)


async def keep_hours(request: http.Request) -> http.Response:
    """Answer `POST /counselor/hours`."""
    services = request.app[SERVICES]
    user, now = person_of(request).id, services.now()
    form = await sent(request, HoursForm)
    week = form.week()
    if week is None:
        return _hours(request, form, status=422)

    async def act(db: AsyncSession) -> str:
        await register.change_hours(
            db,
            services.audit,
            user=user,
            week=week,
            away_from=form.away_from.data,
            away_until=form.away_until.data,
            now=now,
        )
        return f"{HOME}?done=saved"

    return await do_once(request, form, act)


def setup(app: http.Application) -> None:
    """Add a counselor's own entry, and what all pages of the register share."""
    open_register(app)
    own = Permission.OWN_REGISTER
    add(app, "GET", HOME, overview, own)
    add(app, "POST", HOME, hand_in, own)
    add(app, "GET", f"{HOME}/licence", licence, own)
    add(app, "POST", f"{HOME}/licence", keep_licence, own)
    add(app, "GET", f"{HOME}/practice", practice, own)
    add(app, "POST", f"{HOME}/practice", keep_practice, own)
    add(app, "GET", "/counselor/hours", hours, own)
    add(app, "POST", "/counselor/hours", keep_hours, own)
