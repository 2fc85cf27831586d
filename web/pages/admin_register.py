"""`/admin/register`: who is to be verified; each entry, its proofs by grant, the decision, supervisors."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import grants, notices, people
from accounts.people import Person
from accounts.roles import Permission, Role
from core.errors import InvalidInput, NotFound
from core.ids import UserId, is_id
from counseling import decisions, queue, register, supervision
from counseling.decisions import Overtaken
from counseling.entry import Entry
from counseling.hours import DAYS, write_day
from counseling.matchable import has_card, takes_minors, why_not
from counseling.proofs import Proof
from counseling.queue import View
from counseling.standings import standings
from counseling.supervision import Twice
from counseling.verification import Event
from counseling.verification import decisions as open_decisions
from web.forms import PageForm, blank, do_once, sent
from web.gate import add, person_of
from web.pages.register_forms import DecisionForm, PurposeForm, SupervisorForm, say
from web.pages.site import SITE, language_of
from web.register import REGISTER
from web.services import SERVICES

HOME: Final = "/admin/register"
ATTACHMENT: Final = {
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


async def listed(request: http.Request) -> http.Response:
    """Answer `GET /admin/register`."""
    services, ours, language = request.app[SERVICES], request.app[REGISTER], language_of(request)
    today = ours.today(services.now())
    asked = request.query.get("view", "")
    view = View(asked) if asked in set(View) else View.PENDING
    typed = request.query.get("page", "1")
    number = int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 5 else 1
    async with services.database.sessions() as db:
        entries, more = await queue.page(db, view=view, today=today, number=max(1, number))
        counts = await queue.counts(db, today=today)
        found = await standings(db, entries=entries, today=today)
    rows = [
        (
            entry,
            found[entry.user][0],
            ours.kind(entry.licence.kind, language),
            why_not(found[entry.user][1], ours.credentials, today=today),
        )
        for entry in entries
        if entry.user in found
    ]
    return request.app[SITE].show(
        request,
        "register/queue.html",
        rows=rows,
        view=view.value,
        counts=[(one.value, counts[one]) for one in View],
        number=max(1, number),
        more=more,
        today=today,
    )


async def _one(request: http.Request, db: AsyncSession) -> tuple[Person, Entry]:
    user = UserId(request.match_info["user"])
    person = await people.find(db, user=user) if is_id(user) else None
    if person is None or (Role.COUNSELOR not in person.roles and await register.find(db, user=user) is None):
        raise NotFound("There is no such counselor.")
    return person, await register.own(db, user=user, now=request.app[SERVICES].now())


async def entry(request: http.Request) -> http.Response:
    """Answer `GET /admin/register/{user}`."""
    return await _entry(request)


async def _entry(request: http.Request, *, status: int = 200, **forms: PageForm) -> http.Response:
    """Show an entry with its forms; ``forms`` are those that were sent and do not fit."""
    services, ours, language = request.app[SERVICES], request.app[REGISTER], language_of(request)
    now = services.now()
    today = ours.today(now)
    admin = person_of(request)
    async with services.database.sessions() as db:
        person, entry = await _one(request, db)
        begun = await register.find(db, user=person.id) is not None
        proofs = await ours.proofs.of(db, user=person.id)
        story = await decisions.of(db, user=person.id)
        _, standing = (await standings(db, entries=[entry], today=today))[person.id]
        above = await supervision.of_counselor(db, counselor=person.id)
        saw = await decisions.seen(db, user=person.id) if begun else ""
        grant = await grants.current(
            db,
            services.audit,
            person=admin,
            permission=Permission.OPEN_PROOF,
            subject=person.id,
            now=now,
        )
        supervisors = await people.with_role(db, role=Role.SUPERVISOR)
        named = {one.supervisor for one in above} | {one.decided_by for one in story if one.decided_by}
        names = {one.id: one.name for one in await people.find_all(db, users=sorted(named))}
    why = why_not(standing, ours.credentials, today=today)
    shown: dict[str, Any] = {
        "decide": blank(request, DecisionForm, saw=saw, on=today),
        "purpose": blank(request, PurposeForm),
        "assign": blank(request, SupervisorForm, from_day=today),
    }
    return request.app[SITE].show(
        request,
        "register/entry.html",
        status=status,
        about=person,
        entry=entry,
        kind=ours.credentials.kind(entry.licence.kind),
        kind_name=ours.kind(entry.licence.kind, language),
        degree=ours.degree(entry.licence.degree, language),
        topics=ours.topics(entry.practice.topics, language),
        tongues=ours.languages(entry.practice.languages, language),
        hours=[(number, write_day(entry.hours, number)) for number in DAYS],
        proofs=[(proof, ours.proof_kind(proof.kind, language)) for proof in proofs],
        story=story,
        standing=standing,
        why=why,
        card=has_card(why),
        minors=takes_minors(entry, ours.credentials),
        grant=grant,
        above=above,
        names=names,
        today=today,
        supervisors=[(one.id, one.name) for one in supervisors if one.id != person.id],
        can=[event.value for event in open_decisions(entry.state)] if admin.id != person.id else [],
        **(shown | forms),
    )


async def decide(request: http.Request) -> http.Response:
    """Answer `POST /admin/register/{user}`: verify, refuse or withdraw."""
    services, ours = request.app[SERVICES], request.app[REGISTER]
    now = services.now()
    form = await sent(request, DecisionForm)
    form.validate()
    decision = str(form.decision.data)
    if decision not in {Event.VERIFY, Event.REFUSE, Event.WITHDRAW}:
        say(form.decision, "form.choice")
    if form.on.data is None and not form.on.errors:
        say(form.on, "form.missing")
    elif form.on.data is not None and form.on.data > ours.today(now):
        say(form.on, "register.wrong_future")
    on = form.on.data
    if form.wrong or on is None:
        return await _entry(request, status=422, decide=form)

    async def act(db: AsyncSession) -> str:
        person, _ = await _one(request, db)
        await decisions.decide(
            db,
            services.audit,
            person=person_of(request),
            user=person.id,
            event=Event(decision),
            saw=str(form.saw.data),
            on=on,
            note=str(form.note.data),
            now=now,
        )
        await _tell(request, db, person.id, Event(decision), str(form.note.data))
        return f"{HOME}/{person.id}?done=register_{decision}"

    try:
        return await do_once(request, form, act)
    except Overtaken:
        anew = blank(request, DecisionForm, on=form.on.data, note=form.note.data)
        async with services.database.sessions() as db:
            anew.saw.data = await decisions.seen(db, user=UserId(request.match_info["user"]))
        say(anew.decision, "admin_register.overtaken")
        return await _entry(request, status=409, decide=anew)


async def _tell(request: http.Request, db: AsyncSession, user: UserId, event: Event, note: str) -> None:
    places = {} if event is Event.VERIFY else {"note": note}
    now = request.app[SERVICES].now()
    await notices.post(db, user=user, kind=f"register_{event.value}", places=places, now=now)


async def open_proofs(request: http.Request) -> http.Response:
    """Answer `POST /admin/register/{user}/open`: leave to open the proofs, for a stated purpose."""
    services = request.app[SERVICES]
    form = await sent(request, PurposeForm)
    form.validate()
    try:
        grants.fit_purpose(str(form.purpose.data))
    except InvalidInput:
        say(form.purpose, "admin_register.purpose_length")
        return await _entry(request, status=422, purpose=form)

    async def act(db: AsyncSession) -> str:
        person, _ = await _one(request, db)
        await grants.give(
            db,
            services.audit,
            person=person_of(request),
            permission=Permission.OPEN_PROOF,
            subject=person.id,
            purpose=str(form.purpose.data),
            now=services.now(),
        )
        return f"{HOME}/{person.id}?done=proofs_open#proofs"

    return await do_once(request, form, act)


async def proof(request: http.Request) -> http.Response:
    """Answer `GET /admin/register/{user}/proofs/{proof}`: one proof, as a file to be saved."""
    services, ours = request.app[SERVICES], request.app[REGISTER]
    now, wanted = services.now(), request.match_info["proof"]
    async with services.database.sessions.begin() as db:
        person, _ = await _one(request, db)
        grant = await grants.current(
            db,
            services.audit,
            person=person_of(request),
            permission=Permission.OPEN_PROOF,
            subject=person.id,
            now=now,
        )
        if grant is None:
            return http.Response(status=303, headers={"Location": f"{HOME}/{person.id}#proofs"})
        if not is_id(wanted):
            raise NotFound("There is no such proof.")
        found, data = await ours.proofs.open(db, grant, user=person.id, proof=wanted, now=now)
    return _attachment(found, data)


def _attachment(proof: Proof, data: bytes) -> http.Response:
    return http.Response(
        body=data,
        content_type=proof.content_type,
        headers=ATTACHMENT | {"Content-Disposition": f'attachment; filename="{proof.file_name}"'},
    )


async def assign(request: http.Request) -> http.Response:
    """Answer `POST /admin/register/{user}/supervisors`."""
    services = request.app[SERVICES]
    form = await sent(request, SupervisorForm)
    form.validate()
    if form.from_day.data is None and not form.from_day.errors:
        say(form.from_day, "form.missing")
    chosen = UserId(str(form.supervisor.data))
    async with services.database.sessions() as db:
        person, _ = await _one(request, db)
        supervisor = await people.find(db, user=chosen) if is_id(chosen) else None
    if supervisor is None or not supervisor.may(Permission.SEE_SUPERVISED) or supervisor.id == person.id:
        say(form.supervisor, "form.choice")
    if form.from_day.data and form.until_day.data and form.until_day.data < form.from_day.data:
        say(form.until_day, "register.wrong_order")
    from_day = form.from_day.data
    if form.wrong or supervisor is None or from_day is None:
        return await _entry(request, status=422, assign=form)

    async def act(db: AsyncSession) -> str:
        await supervision.assign(
            db,
            services.audit,
            person=person_of(request),
            supervisor=supervisor,
            counselor=person,
            from_day=from_day,
            until_day=form.until_day.data,
            now=services.now(),
        )
        return f"{HOME}/{person.id}?done=saved#supervisors"

    try:
        return await do_once(request, form, act)
    except Twice:
        say(form.supervisor, "admin_register.twice")
        return await _entry(request, status=422, assign=form)


async def end(request: http.Request) -> http.Response:
    """Answer `POST /admin/register/{user}/supervisors/{supervision}/end`."""
    services, ours = request.app[SERVICES], request.app[REGISTER]
    form = await sent(request, PageForm)
    wanted = request.match_info["supervision"]

    async def act(db: AsyncSession) -> str:
        person, _ = await _one(request, db)
        if not is_id(wanted):
            raise NotFound("There is no such assignment.")
        await supervision.end(
            db,
            services.audit,
            person=person_of(request),
            counselor=person.id,
            supervision=wanted,
            today=ours.today(services.now()),
            now=services.now(),
        )
        return f"{HOME}/{person.id}?done=saved#supervisors"

    return await do_once(request, form, act)


def setup(app: http.Application) -> None:
    """Add the verification of counselors."""
    one = HOME + "/{user}"
    add(app, "GET", HOME, listed, Permission.SEE_REGISTER)
    add(app, "GET", one, entry, Permission.SEE_REGISTER)
    add(app, "POST", one, decide, Permission.VERIFY_COUNSELOR)
    add(app, "POST", one + "/open", open_proofs, Permission.OPEN_PROOF)
    add(app, "GET", one + "/proofs/{proof}", proof, Permission.OPEN_PROOF)
    add(app, "POST", one + "/supervisors", assign, Permission.VERIFY_COUNSELOR)
    add(app, "POST", one + "/supervisors/{supervision}/end", end, Permission.VERIFY_COUNSELOR)
