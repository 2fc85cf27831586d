"""`/admin/consents`: proof of somebody's consents, for a stated purpose and a short while, written down."""

from __future__ import annotations

from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from accounts import grants, people, proof
from accounts.grants import MAX_PURPOSE_CHARS, MIN_PURPOSE_CHARS, Grant
from accounts.roles import Permission
from core.errors import InvalidInput, NotFound
from core.ids import UserId, is_id
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add, person_of
from web.pages.consents import printed
from web.pages.receipts import download
from web.pages.site import SITE
from web.services import SERVICES

PAGE: Final = "/admin/consents"


class ProofForm(PageForm):
    """Whose proof is to be opened, and what for."""

    user = StringField("admin_consents.user", [InputRequired("form.missing")])
    purpose = StringField(
        "admin_consents.purpose",
        [
            InputRequired("form.missing"),
            Length(MIN_PURPOSE_CHARS, MAX_PURPOSE_CHARS, "admin_audit.purpose_length"),
        ],
    )


async def ask(request: http.Request) -> http.Response:
    """Answer `GET /admin/consents`; `?user=` fills in whose."""
    user = request.query.get("user", "")
    form = blank(request, ProofForm, user=user if is_id(user) else "")
    return request.app[SITE].show(request, "consents/ask.html", form=form)


async def open_proof(request: http.Request) -> http.Response:
    """Answer `POST /admin/consents`: give the grant."""
    person, services = person_of(request), request.app[SERVICES]
    form = await sent(request, ProofForm)

    async def act(db: AsyncSession) -> str:
        user = UserId(str(form.user.data).strip())
        if not is_id(user) or not user.startswith("u_"):
            raise Wrong("user", "admin_consents.user_wrong")
        try:
            await grants.give(
                db,
                services.audit,
                person=person,
                permission=Permission.SEE_CONSENT_PROOF,
                subject=await _subject(db, user),
                object_id=user,
                purpose=str(form.purpose.data),
                now=services.now(),
            )
        except InvalidInput:
            raise Wrong("purpose", "admin_audit.purpose_length") from None
        return f"{PAGE}/{user}"

    if form.validate():
        try:
            return await do_once(request, form, act)
        except Wrong as error:
            form.say_wrong(error)
    return request.app[SITE].show(request, "consents/ask.html", status=422, form=form)


async def opened(request: http.Request) -> http.Response:
    """Answer `GET /admin/consents/{user}`: what a grant opens, and until when."""
    user = _user(request)
    async with request.app[SERVICES].database.sessions() as db:
        grant = await _grant(request, db, user)
    if grant is None:
        raise http.HTTPSeeOther(f"{PAGE}?user={user}")
    return request.app[SITE].show(request, "consents/opened.html", user=user, grant=grant)


async def proof_json(request: http.Request) -> http.StreamResponse:
    """Answer `GET /admin/consents/{user}/proof.json`."""
    return download(await _proof(request, "json"), "application/json", "proof.json")


async def proof_pdf(request: http.Request) -> http.StreamResponse:
    """Answer `GET /admin/consents/{user}/proof.pdf`."""
    return await printed(request, await _proof(request, "pdf"))


async def _proof(request: http.Request, form: str) -> bytes:
    user, services = _user(request), request.app[SERVICES]
    async with services.database.sessions.begin() as db:
        grant = await _grant(request, db, user)
        if grant is None:
            raise http.HTTPSeeOther(f"{PAGE}?user={user}")
        gathered = await proof.of_another(db, grant, services.audit, user=user, form=form, now=services.now())
    return proof.as_json(gathered, services.receipts)


async def _grant(request: http.Request, db: AsyncSession, user: UserId) -> Grant | None:
    services = request.app[SERVICES]
    return await grants.current(
        db,
        services.audit,
        person=person_of(request),
        permission=Permission.SEE_CONSENT_PROOF,
        subject=await _subject(db, user),
        object_id=user,
        now=services.now(),
    )


async def _subject(db: AsyncSession, user: UserId) -> UserId | None:
    """Say who learns of it: nobody, when the account is gone and with it the key of what concerns it."""
    return None if await people.find(db, user=user) is None else user


def _user(request: http.Request) -> UserId:
    user = request.match_info["user"]
    if not is_id(user):
        raise NotFound("There is no such person.")
    return UserId(user)


def setup(app: http.Application) -> None:
    """Add the pages."""
    add(app, "GET", PAGE, ask, Permission.SEE_CONSENT_PROOF)
    add(app, "POST", PAGE, open_proof, Permission.SEE_CONSENT_PROOF)
    add(app, "GET", f"{PAGE}/{{user}}", opened, Permission.SEE_CONSENT_PROOF)
    add(app, "GET", f"{PAGE}/{{user}}/proof.json", proof_json, Permission.SEE_CONSENT_PROOF)
    add(app, "GET", f"{PAGE}/{{user}}/proof.pdf", proof_pdf, Permission.SEE_CONSENT_PROOF)
