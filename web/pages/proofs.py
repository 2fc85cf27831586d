"""`/counselor/proofs`: a counselor's proofs, and `/counselor/ethics`: the code they sign.

Uploaded files are made harmless in a process of their own before anything is kept of them.
"""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web as http
from markupsafe import Markup
from multidict import MultiDictProxy
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import prose, texts
from accounts.roles import Permission
from accounts.texts import Kind
from core.errors import NotFound
from core.ids import is_id
from counseling import ethics, register
from counseling.entry import missing_proofs
from counseling.ethics import Superseded
from counseling.proofs import MAX_FILES, TooManyProofs
from counseling.uploads import Refused
from web.forms import PageForm, blank, do_once, filled, sent
from web.gate import add, person_of
from web.pages.register_forms import EthicsForm, ProofForm, say
from web.pages.site import SITE, language_of
from web.register import REGISTER
from web.services import SERVICES
from web.uploads import UPLOADS, Sent, upload

HOME: Final = "/counselor/proofs"


async def proofs(request: http.Request) -> http.Response:
    """Answer `GET /counselor/proofs`."""
    return await _proofs(request, blank(request, ProofForm))


async def _proofs(request: http.Request, form: ProofForm, *, status: int = 200) -> http.Response:
    services, ours, language = request.app[SERVICES], request.app[REGISTER], language_of(request)
    user = person_of(request).id
    async with services.database.sessions() as db:
        entry = await register.own(db, user=user, now=services.now())
        there = await ours.proofs.of(db, user=user)
    kind = ours.credentials.kind(entry.licence.kind)
    missing = () if kind is None else missing_proofs(kind, [proof.kind for proof in there])
    return request.app[SITE].show(
        request,
        "register/proofs.html",
        status=status,
        form=form,
        proofs=[(proof, ours.proof_kind(proof.kind, language)) for proof in there],
        missing=[ours.proof_kind(one, language) for one in missing],
        chosen=form.kind.data or (missing[0] if missing else "other"),
        kinds=[(key, names[language]) for key, names in ours.credentials.proof_kinds.items()],
        full=len(there) >= MAX_FILES,
        most=MAX_FILES,
        verified=entry.state.value == "verified",
    )


async def add_proof(request: http.Request) -> http.Response:
    """Answer `POST /counselor/proofs`: one file."""

    async def check(fields: MultiDictProxy[Any]) -> None:
        filled(request, ProofForm, fields)

    async with upload(request, name="file", check=check) as given:
        return await _add_proof(request, given)


async def _add_proof(request: http.Request, given: Sent) -> http.Response:
    services, ours = request.app[SERVICES], request.app[REGISTER]
    user = person_of(request).id
    form = filled(request, ProofForm, given.fields)
    form.validate()
    if form.kind.data not in ours.credentials.proof_kinds:
        say(form.kind, "form.choice")
    clean = None
    try:
        clean = None if given.file is None else await request.app[UPLOADS].cleaner.clean(given.file)
    except Refused as error:
        say(form.file, f"proofs.refused_{error.key}")
    if given.file is None:
        say(form.file, "proofs.refused_size")
    if form.wrong or clean is None:
        return await _proofs(request, form, status=422)

    async def act(db: AsyncSession) -> str:
        kind = str(form.kind.data)
        await ours.proofs.add(db, user=user, kind=kind, file=clean, now=services.now())
        return f"{HOME}?done=proof_added"

    try:
        return await do_once(request, form, act)
    except TooManyProofs:
        say(form.file, "proofs.refused_many")
        return await _proofs(request, form, status=422)


async def remove_proof(request: http.Request) -> http.Response:
    """Answer `POST /counselor/proofs/{proof}/remove`."""
    services, ours = request.app[SERVICES], request.app[REGISTER]
    form = await sent(request, PageForm)
    proof = request.match_info["proof"]
    gone: list[str] = []
    if not is_id(proof):
        raise NotFound("There is no such proof.")

    async def act(db: AsyncSession) -> str:
        user = person_of(request).id
        gone.append(await ours.proofs.remove(db, user=user, proof=proof, now=services.now()))
        return f"{HOME}?done=proof_removed"

    response = await do_once(request, form, act)
    await ours.proofs.unlink(*gone)
    return response


async def code(request: http.Request) -> http.Response:
    """Answer `GET /counselor/ethics`."""
    return await _code(request, None)


async def _code(request: http.Request, form: EthicsForm | None, *, status: int = 200) -> http.Response:
    services, language = request.app[SERVICES], language_of(request)
    user = person_of(request).id
    async with services.database.sessions() as db:
        current = await texts.current(db, kind=Kind.ETHICS)
        signed = await ethics.signatures(db, user=user)
        needed = await ethics.needed(db)
    text = current.text(language)
    if form is None:
        form = blank(request, EthicsForm, version=str(current.number), digest=text.sha256)
    return request.app[SITE].show(
        request,
        "register/ethics.html",
        status=status,
        form=form,
        version=current,
        heading=text.title,
        text_language=text.locale,
        body=Markup(prose.as_html(prose.without_title(text.body))),  # noqa: S704  # made from Markdown without HTML
        signed=next((one for one in signed if one.version == current.number), None),
        older=next((one for one in signed if one.version < current.number), None),
        anew=bool(signed) and signed[0].version < needed,
    )


async def sign(request: http.Request) -> http.Response:
    """Answer `POST /counselor/ethics`."""
    services, language = request.app[SERVICES], language_of(request)
    form = await sent(request, EthicsForm)
    if not form.validate():
        return await _code(request, form, status=422)
    typed = str(form.version.data or "")

    async def act(db: AsyncSession) -> str:
        await ethics.sign(
            db,
            services.audit,
            user=person_of(request).id,
            version=int(typed) if typed.isascii() and typed.isdigit() and len(typed) < 6 else 0,
            digest=str(form.digest.data),
            language=language,
            now=services.now(),
        )
        return "/counselor/register?done=signed"

    try:
        return await do_once(request, form, act)
    except Superseded:
        form = blank(request, EthicsForm)
        say(form.agree, "ethics.superseded")
        return await _superseded(request, form)


async def _superseded(request: http.Request, form: EthicsForm) -> http.Response:
    """Show the text that holds by now, to be signed instead."""
    async with request.app[SERVICES].database.sessions() as db:
        current = await texts.current(db, kind=Kind.ETHICS)
    form.version.data = str(current.number)
    form.digest.data = current.text(language_of(request)).sha256
    return await _code(request, form, status=422)


def setup(app: http.Application) -> None:
    """Add proofs and the code of ethics."""
    own = Permission.OWN_REGISTER
    add(app, "GET", HOME, proofs, own)
    add(app, "POST", HOME, add_proof, own)
    add(app, "POST", HOME + "/{proof}/remove", remove_proof, own)
    add(app, "GET", "/counselor/ethics", code, own)
    add(app, "POST", "/counselor/ethics", sign, own)
