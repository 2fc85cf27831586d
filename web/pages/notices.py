"""`/me/notices`: the inbox. `/me/email`: where a letter without content may go when something is in it."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Final

from aiohttp import web as http
from aiohttp.typedefs import Handler
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import EmailField
from wtforms.validators import DataRequired, Length

from accounts import contacts, notices, people, tries
from accounts.codes import is_code
from accounts.notices import Notice
from accounts.roles import Permission
from core.errors import NotFound, TooMany
from core.mail import MAX_ADDRESS_CHARS, BadAddress, check_address
from web import jobs
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add, person_of, visitor_of
from web.pages.site import SITE, UNREAD, language_of
from web.render import Renderer
from web.services import SERVICES, Services

logger = logging.getLogger(__name__)

LETTERS_EVERY_S: Final = 15
CONFIRM: Final = "confirm e-mail"
CONFIRM_CHARS: Final = 32  # 160 bits

LEADS: Final = {
    "complaint_answered": "/complaint",
    "complaint_new": "/officer",
    "complaint_late": "/officer",
    "login_new": "/me/devices",
    "credentials_changed": "/me/credentials",
    "staff_factors": "/me/credentials",
    "factor_tried_own": "/me/credentials/password",
    "factor_tried": "/admin/people",
    "admin_new": "/admin/people",
    "crisis_stale": "/admin/crisis",
    "duty": "/me/duty",
    "recording_closed": "/me/recordings",
    "register_verify": "/counselor/register",
    "register_refuse": "/counselor/register",
    "register_withdraw": "/counselor/register",
    "register_ends": "/counselor/register",
    "register_ended": "/counselor/register",
}
"""Which page a notice is about; one of another kind says all that there is."""


class EmailForm(PageForm):
    """The address."""

    email = EmailField(
        "email.field", [DataRequired("form.missing"), Length(max=MAX_ADDRESS_CHARS, message="email.wrong")]
    )


@http.middleware
async def count_unread(request: http.Request, handler: Handler) -> http.StreamResponse:
    """Count what the person has not read before a page is made for them."""
    person = visitor_of(request).person
    if (
        person is not None
        and request.match_info.http_exception is None
        and not request.path.startswith("/api/")
    ):
        async with request.app[SERVICES].database.sessions() as db:
            request[UNREAD] = await notices.unread(db, user=person.id)
    return await handler(request)


async def inbox(request: http.Request) -> http.Response:
    """Answer `GET /me/notices`: what is shown counts as read from then on."""
    person = person_of(request)
    services, site = request.app[SERVICES], request.app[SITE]
    async with services.database.sessions.begin() as db:
        found = await notices.inbox(db, user=person.id, before=_before(request))
        if request.method == "GET" and found and request.get(UNREAD, 0):
            await notices.mark_read(db, user=person.id, until=found[0].at, now=services.now())
    shown = [
        (one, *words(site.renderer, language_of(request), one), LEADS.get(one.kind, "")) for one in found
    ]
    older = found[-1].at.isoformat() if len(found) == notices.PAGE else None
    return site.show(request, "notices/inbox.html", notices=shown, older=older)


def words(renderer: Renderer, language: str, notice: Notice) -> tuple[str, str]:
    """Give a notice's title and text in one language."""
    places = notice.said(language)
    key = f"notice.{notice.kind}"
    title, text = (renderer.text(language, f"{key}.{part}", **places) for part in ("title", "text"))
    return title, text


def _before(request: http.Request) -> datetime | None:
    text = request.query.get("before")
    if text is None:
        return None
    try:
        before = datetime.fromisoformat(text)
        at = before.astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotFound("There is nothing here.") from None
    if before.tzinfo is None:
        raise NotFound("There is nothing here.")
    return at


async def email(request: http.Request) -> http.Response:
    """Answer `GET /me/email`."""
    address = await _address(request)
    return await _show_email(
        request, blank(request, EmailForm, email=address or ""), has_one=address is not None
    )


async def keep(request: http.Request) -> http.Response:
    """Answer `POST /me/email`: keep an address, and ask there whether it is theirs. Once an hour."""
    form = await sent(request, EmailForm)
    person, services = person_of(request), request.app[SERVICES]
    code = services.codes.make(CONFIRM, f"{person.id} {form.once.data}", CONFIRM_CHARS)
    kept: list[str] = []

    async def act(db: AsyncSession) -> str:
        try:
            address = check_address(form.email.data or "")
        except BadAddress:
            raise Wrong("email", "email.wrong") from None
        subject = services.codes.hash("e-mail letters", person.id)
        try:
            await tries.take(db, subject=subject, limit=tries.ADDRESS, now=services.now())
        except TooMany:
            raise Wrong("email", "email.too_soon") from None
        await contacts.keep_email(
            db,
            services.subjects,
            user=person.id,
            email=address,
            code_hash=services.codes.hash(CONFIRM, code),
            now=services.now(),
        )
        kept.append(address)
        await services.audit.append(
            db, tag="email:keep", actor=person.id, subject=person.id, now=services.now()
        )
        return "/me/email?done=email_kept"

    if form.validate():
        try:
            answer = await do_once(request, form, act)
        except Wrong as error:
            form.say_wrong(error)
        else:
            for address in kept:
                await _ask_there(request, address, code)
            return answer
    return await _show_email(request, form, has_one=await _address(request) is not None, status=422)


async def _ask_there(request: http.Request, address: str, code: str) -> None:
    """Write the one letter that goes to an address that nobody has confirmed; it says not even for what."""
    services, renderer = request.app[SERVICES], request.app[SITE].renderer
    if services.mail is None:
        return
    language = person_of(request).language
    link = f"{services.config.public_url}/email/{code}"
    subject = renderer.text(language, "letter.confirm_subject")
    await services.mail.send(address, subject, renderer.text(language, "letter.confirm_text", link=link))


async def ask_confirm(request: http.Request) -> http.Response:
    """Answer `GET /email/{code}`: one button; mail programs open links by themselves."""
    return request.app[SITE].show(
        request, "notices/confirm.html", form=blank(request, PageForm), code=_code(request), said=""
    )


async def confirm(request: http.Request) -> http.Response:
    """Answer `POST /email/{code}`: the address is theirs who gave it. Nobody needs to be logged in."""
    form, services, code = await sent(request, PageForm), request.app[SERVICES], _code(request)
    async with services.database.sessions.begin() as db:
        await services.audit.hold(db)
        user = await contacts.confirm_email(
            db, code_hash=services.codes.hash(CONFIRM, code), now=services.now()
        )
        if user is not None:
            await services.audit.append(db, tag="email:confirm", actor=user, subject=user, now=services.now())
    how = "email.confirm_gone" if user is None else "email.confirmed"
    return request.app[SITE].show(
        request, "notices/confirm.html", status=404 if user is None else 200, form=form, code=code, said=how
    )


def _code(request: http.Request) -> str:
    code = request.match_info["code"]
    if not is_code(code, CONFIRM_CHARS):
        raise NotFound("There is nothing here.")
    return code


async def forget(request: http.Request) -> http.Response:
    """Answer `POST /me/email/forget`."""
    form = await sent(request, PageForm)
    person, services = person_of(request), request.app[SERVICES]

    async def act(db: AsyncSession) -> str:
        await contacts.forget_email(db, user=person.id)
        await services.audit.append(
            db, tag="email:forget", actor=person.id, subject=person.id, now=services.now()
        )
        return "/me/email?done=email_forgotten"

    return await do_once(request, form, act)


async def _address(request: http.Request) -> str | None:
    services = request.app[SERVICES]
    async with services.database.sessions() as db:
        return await contacts.email_of(db, services.subjects, user=person_of(request).id)


async def _show_email(
    request: http.Request, form: EmailForm, *, has_one: bool, status: int = 200
) -> http.Response:
    services = request.app[SERVICES]
    async with services.database.sessions() as db:
        confirmed = await contacts.is_confirmed(db, user=person_of(request).id)
    return request.app[SITE].show(
        request,
        "notices/email.html",
        status=status,
        form=form,
        has_one=has_one,
        confirmed=confirmed,
        sends=services.mail is not None,
    )


def letters(renderer: Renderer) -> jobs.Job:
    """Make the job that writes to whoever has something new in the inbox: one letter, without content."""

    async def send_letters(services: Services) -> None:
        mail = services.mail
        if mail is None:
            return
        async with services.database.sessions.begin() as db:
            users = await notices.owed_letters(db, now=services.now())
            addresses = await contacts.emails_of(db, services.subjects, users=users)
            found = await people.find_all(db, users=users)
            readers = {
                one.id: one.language for one in found if not one.is_leaving and one.disabled_at is None
            }
            await notices.letters_gone(db, users=users, now=services.now())
        for user, language in readers.items():
            if user not in addresses:
                continue
            subject, text = (renderer.text(language, f"letter.{part}") for part in ("subject", "text"))
            await mail.send(addresses[user], subject, text)
        if addresses:
            logger.info("letters.sent", extra={"count": len(addresses)})

    return send_letters


def setup(app: http.Application) -> None:
    """Add the inbox, the address, and the job that writes letters."""
    app.middlewares.append(count_unread)
    jobs.every(app, LETTERS_EVERY_S, letters(app[SITE].renderer))
    add(app, "GET", "/me/notices", inbox, Permission.OWN_NOTICES)
    add(app, "GET", "/me/email", email, Permission.OWN_NOTICES)
    add(app, "POST", "/me/email", keep, Permission.OWN_NOTICES)
    add(app, "POST", "/me/email/forget", forget, Permission.OWN_NOTICES)
    add(app, "GET", "/email/{code}", ask_confirm, Permission.OPEN)
    add(app, "POST", "/email/{code}", confirm, Permission.OPEN)
