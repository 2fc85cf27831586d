"""`/me/devices`: where somebody is logged in. Any login can be ended from any other; new ones are shown."""

from __future__ import annotations

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import HiddenField

from accounts import logins, newcomers
from accounts.logins import Login
from accounts.roles import Permission
from web.forms import PageForm, do_once, sent
from web.gate import add, login_of, person_of
from web.pages.site import SITE
from web.services import SERVICES


class DeviceForm(PageForm):
    """One button; ``login`` is the login that it ends."""

    login = HiddenField()


async def newcomers_of(request: http.Request) -> list[Login]:
    """List the newer logins that this browser has not acknowledged, for a page that shows them."""
    services = request.app[SERVICES]
    async with services.database.sessions() as db:
        return await newcomers.unseen(db, login=login_of(request), now=services.now())


async def devices(request: http.Request) -> http.Response:
    """Answer `GET /me/devices`."""
    services = request.app[SERVICES]
    async with services.database.sessions() as db:
        held = await logins.of(db, user=person_of(request).id, now=services.now())
    here = login_of(request).id
    return request.app[SITE].show(
        request,
        "devices/devices.html",
        here=next(one for one in held if one.id == here),
        others=[one for one in held if one.id != here],
        newcomers=await newcomers_of(request),
    )


async def end(request: http.Request) -> http.Response:
    """Answer `POST /me/devices/end`: end one other login."""
    form = await sent(request, DeviceForm)
    wanted = str(form.login.data or "")

    async def act(db: AsyncSession) -> str:
        person = person_of(request)
        if wanted != login_of(request).id:
            await logins.end(db, user=person.id, login=wanted)
            await _note(request, db)
        return "/me/devices?done=device_ended"

    return await do_once(request, form, act)


async def end_others(request: http.Request) -> http.Response:
    """Answer `POST /me/devices/end-others`: end all but this one."""
    form = await sent(request, DeviceForm)

    async def act(db: AsyncSession) -> str:
        await logins.end_all(db, user=person_of(request).id, but=login_of(request).id)
        await _note(request, db)
        return "/me/devices?done=devices_ended"

    return await do_once(request, form, act)


async def seen(request: http.Request) -> http.Response:
    """Answer `POST /me/devices/seen`: the new ones are known."""
    form = await sent(request, DeviceForm)
    services = request.app[SERVICES]

    async def act(db: AsyncSession) -> str:
        await newcomers.acknowledge(db, login=login_of(request), now=services.now())
        return "/me/devices"

    return await do_once(request, form, act)


async def _note(request: http.Request, db: AsyncSession) -> None:
    person = person_of(request)
    services = request.app[SERVICES]
    await services.audit.append(db, tag="login:end", actor=person.id, subject=person.id, now=services.now())


def setup(app: http.Application) -> None:
    """Add the device list."""
    add(app, "GET", "/me/devices", devices, Permission.OWN_LOGIN)
    add(app, "POST", "/me/devices/end", end, Permission.OWN_LOGIN)
    add(app, "POST", "/me/devices/end-others", end_others, Permission.OWN_LOGIN)
    add(app, "POST", "/me/devices/seen", seen, Permission.OWN_LOGIN)
