"""`/me/consents`: each consent by itself, its text, giving and withdrawing, receipts, and the full proof."""

from __future__ import annotations

from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import HiddenField

from accounts import consents, proof, texts
from accounts.printing import NotPrinted
from accounts.roles import Permission
from accounts.standing import Standing
from accounts.texts import CONSENTS, Kind, Overtaken
from recordings import withdrawals
from web import withdrawing
from web.forms import PageForm, do_once, sent
from web.gate import add, person_of
from web.pages import receipts
from web.pages.site import SITE, language_of
from web.pages.texts import kind_of, number_of, shown
from web.services import SERVICES

PAGE: Final = "/me/consents"
ASKING: Final = (Standing.OPEN, Standing.REREAD, Standing.WITHDRAWN)
"""Where giving is offered."""
STANDING_GIVEN: Final = (Standing.GIVEN, Standing.REREAD)
"""Where withdrawing is offered."""


class GiveForm(PageForm):
    """Which text was read: its version and language."""

    version = HiddenField()
    locale = HiddenField()


async def listed(request: http.Request) -> http.Response:
    """Answer `GET /me/consents`."""
    return await _show(request)


async def give(request: http.Request) -> http.Response:
    """Answer `POST /me/consents/{kind}/give`."""
    kind, person, services = kind_of(request), person_of(request), request.app[SERVICES]
    form = await sent(request, GiveForm)
    version = number_of(str(form.version.data))

    async def act(db: AsyncSession) -> str:
        await consents.give(
            db,
            services.audit,
            person=person,
            kind=kind,
            version=version,
            locale=str(form.locale.data),
            page=PAGE,
            now=services.now(),
        )
        return f"{PAGE}?done=consent_given#{kind.value}"

    try:
        return await do_once(request, form, act)
    except Overtaken:
        return await _show(request, overtaken=kind, status=422)


async def withdraw(request: http.Request) -> http.Response:
    """Answer `POST /me/consents/{kind}/withdraw`."""
    kind, person, services = kind_of(request), person_of(request), request.app[SERVICES]
    form = await sent(request, PageForm)
    if kind is Kind.RECORDING:
        await withdrawing.stop_all(services, person.id)

    async def act(db: AsyncSession) -> str:
        await consents.withdraw(db, services.audit, person=person, kind=kind, page=PAGE, now=services.now())
        if kind is Kind.RECORDING:
            await withdrawals.withdraw_all(db, services.audit, client=person.id, now=services.now())
        return f"{PAGE}?done=consent_withdrawn#{kind.value}"

    answer = await do_once(request, form, act)
    if kind is Kind.RECORDING:
        # Also what was agreed to while this was being written down.
        await services.calls.recheck_recordings_of(person.id)
    return answer


async def proof_json(request: http.Request) -> http.Response:
    """Answer `GET /me/consents/proof.json`."""
    return receipts.download(await _own_proof(request), "application/json", "proof.json")


async def proof_pdf(request: http.Request) -> http.Response:
    """Answer `GET /me/consents/proof.pdf`."""
    return await printed(request, await _own_proof(request))


async def printed(request: http.Request, content: bytes) -> http.Response:
    """Give the PDF of a proof in the reader's language."""
    renderer, language = request.app[SITE].renderer, language_of(request)

    def say(key: str) -> str:
        return renderer.text(language, key)

    try:
        made = await request.app[SERVICES].printer.pdf(content, say=say, language=language)
    except NotPrinted:
        raise http.HTTPServiceUnavailable from None
    return receipts.download(made, "application/pdf", "proof.pdf")


async def _show(request: http.Request, *, overtaken: Kind | None = None, status: int = 200) -> http.Response:
    person, language = person_of(request), language_of(request)
    asked = request.app[SERVICES].config.recording
    async with request.app[SERVICES].database.sessions() as db:
        state = await consents.state(db, user=person.id)
        current = {kind: await texts.current(db, kind=kind) for kind in CONSENTS}
        entries = await consents.entries(db, user=person.id)
    return request.app[SITE].show(
        request,
        "consents/list.html",
        status=status,
        cards=[
            (
                state.consents[kind],
                current[kind],
                current[kind].text(language),
                shown(current[kind].text(language).body),
            )
            for kind in CONSENTS
            if kind is not Kind.RECORDING or asked or state.consents[kind].standing in STANDING_GIVEN
        ],
        asking=ASKING,
        withdrawable=STANDING_GIVEN,
        overtaken=overtaken,
        entries=entries[::-1],
    )


async def _own_proof(request: http.Request) -> bytes:
    services = request.app[SERVICES]
    async with services.database.sessions() as db:
        gathered = await proof.own(db, user=person_of(request).id, now=services.now())
    return proof.as_json(gathered, services.receipts)


def setup(app: http.Application) -> None:
    """Add the pages."""
    add(app, "GET", PAGE, listed, Permission.OWN_CONSENTS)
    add(app, "GET", f"{PAGE}/proof.json", proof_json, Permission.OWN_CONSENTS)
    add(app, "GET", f"{PAGE}/proof.pdf", proof_pdf, Permission.OWN_CONSENTS)
    receipts.serve(app, PAGE, Permission.OWN_CONSENTS, ledger=consents.entry)
    add(app, "POST", f"{PAGE}/{{kind}}/give", give, Permission.OWN_CONSENTS)
    add(app, "POST", f"{PAGE}/{{kind}}/withdraw", withdraw, Permission.OWN_CONSENTS)
