"""Setting a second factor up: what `/staff/enrol` (the first one) and `/me/credentials` (others) share.

The TOTP secret and the backup codes follow from the form's one-time number: nothing is kept before a
code proves that the app has the secret, and a form that is sent twice shows the same codes.
"""

from __future__ import annotations

from typing import Any, Final

import segno
from aiohttp import web as http
from markupsafe import Markup
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length

from accounts import backup_codes, login_names, totp
from accounts.codes import shown
from accounts.passkeys import MOST_RESPONSE_CHARS, NoPasskey
from accounts.people import Person
from core.ids import UserId
from signaling.device import describe
from web.forms import PageForm, Wrong
from web.services import SERVICES

GROUP: Final = 5


class AppForm(PageForm):
    """A code that proves that the app has the secret."""

    code = StringField(
        "factor.app_code", [InputRequired("form.missing"), Length(max=20, message="form.long")]
    )


class NewPasskeyForm(PageForm):
    """What the browser made."""

    credential = HiddenField(
        "factor.passkey", [InputRequired("form.missing"), Length(max=MOST_RESPONSE_CHARS)]
    )


async def app_offer(request: http.Request, person: Person, form: PageForm) -> dict[str, object]:
    """Give what the page shows of the secret that this form offers."""
    services = request.app[SERVICES]
    async with services.database.sessions() as db:
        named = await login_names.of(db, user=person.id)
    secret = totp.new_secret(services.codes, user=person.id, once=str(form.once.data))
    uri = totp.uri_of(secret, login=named.login)
    picture = segno.make(uri, micro=False).svg_inline(omitsize=True, border=4, dark="#000", light="#fff")
    groups = [secret[at : at + 4] for at in range(0, len(secret), 4)]
    return {"secret": groups, "uri": uri, "qr": Markup(picture)}  # noqa: S704  # made by us, no text in it


async def keep_app(request: http.Request, db: AsyncSession, user: UserId, form: AppForm) -> None:
    """Keep the secret that the form offered. Raises ``Wrong`` when the code is not one of it."""
    services = request.app[SERVICES]
    secret = totp.new_secret(services.codes, user=user, once=str(form.once.data))
    kept = await services.totps.keep(
        db, user=user, secret=secret, code=str(form.code.data), now=services.now()
    )
    if not kept:
        raise Wrong("code", "factor.app_wrong")
    await note(request, db, user, "factor:add", {"kind": "app"})


async def passkey_offer(request: http.Request, person: Person, login: str) -> dict[str, Any] | None:
    """Give the options for a new passkey; None where this host can have none."""
    services = request.app[SERVICES]
    if not services.passkeys.available:
        return None
    async with services.database.sessions.begin() as db:
        named = await login_names.of(db, user=person.id)
        return await services.passkeys.ask_to_make(
            db, login=login, user=person.id, name=named.login, now=services.now()
        )


async def keep_passkey(
    request: http.Request, db: AsyncSession, *, user: UserId, login: str, response: str
) -> None:
    """Keep the passkey that the browser made; it is called by its device. Raises ``Wrong``."""
    services = request.app[SERVICES]
    label = describe(request.headers.get("User-Agent", ""))
    try:
        await services.passkeys.keep(
            db, login=login, user=user, response=response, label=label, now=services.now()
        )
    except NoPasskey:
        raise Wrong("credential", "factor.passkey_wrong") from None
    await note(request, db, user, "factor:add", {"kind": "passkey"})


async def keep_backup_codes(request: http.Request, db: AsyncSession, user: UserId, form: PageForm) -> None:
    """Keep the backup codes that belong to this form in place of all former ones."""
    services = request.app[SERVICES]
    made = backup_codes.new_codes(services.codes, user=user, once=str(form.once.data))
    await backup_codes.keep(db, services.codes, user=user, made=made, now=services.now())
    await note(request, db, user, "factor:backup", {})


def codes_of(request: http.Request, user: UserId, form: PageForm) -> list[str]:
    """Write the backup codes that belong to this form."""
    made = backup_codes.new_codes(request.app[SERVICES].codes, user=user, once=str(form.once.data))
    return [shown(code, GROUP) for code in made]


async def note(
    request: http.Request, db: AsyncSession, user: UserId, tag: str, detail: dict[str, str]
) -> None:
    """Write into the audit what somebody changed about how they log in."""
    services = request.app[SERVICES]
    await services.audit.append(db, tag=tag, actor=user, subject=user, detail=detail, now=services.now())
