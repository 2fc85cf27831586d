"""`/crisis`: help in the worst hour, open to all. `/admin/crisis`: the lines, their checks, the sign-off."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import BooleanField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length, Regexp

from accounts.people import Person
from accounts.roles import Permission
from core.errors import InvalidState
from counseling import crisis
from counseling.crisis import MAX_NUMBERS, NUMBER, Line
from web.duties import DUTIES, clinical_digest, clinical_texts, clock, hours_of
from web.fields import Checks, pick
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add, person_of
from web.pages.site import SITE, language_of
from web.services import SERVICES

ADMIN: Final = "/admin/crisis"
DAY_CHOICES: Final = [(str(day), f"day.{day}") for day in range(7)]
TIME: Final = re.compile(r"([01]?[0-9]|2[0-3])[.:]([0-5][0-9])")
Act = Callable[[AsyncSession, Person], Awaitable[None]]


def _short(label: str, most: int, *, needed: bool = True) -> StringField:
    checks = [Length(max=most, message="form.long")]
    return StringField(label, [DataRequired("form.missing"), *checks] if needed else checks)


class LineForm(PageForm):
    """One line."""

    name = _short("lines.name", 80)
    numbers = TextAreaField(
        "lines.numbers", [DataRequired("form.missing"), Length(max=200, message="form.long")]
    )
    about_id = _short("lines.about_id", 200)
    about_en = _short("lines.about_en", 200)
    always = BooleanField("lines.always")
    violence = BooleanField("lines.violence")
    days = Checks("lines.days", choices=pick(*DAY_CHOICES))
    opens = StringField("lines.opens", [Regexp(rf"^$|^{TIME.pattern}$", message="lines.time_wrong")])
    closes = StringField("lines.closes", [Regexp(rf"^$|^{TIME.pattern}$", message="lines.time_wrong")])
    languages = _short("lines.languages", 80)
    owner = _short("lines.owner", 80)
    source = _short("lines.source", 300)


class SignForm(PageForm):
    """A clinician's word."""

    clinician = _short("lines.clinician", 120)


async def show(request: http.Request) -> http.Response:
    """Answer `GET /crisis`."""
    services, site, language = request.app[SERVICES], request.app[SITE], language_of(request)
    now, zone = services.now(), request.app[DUTIES].zone
    async with services.database.sessions() as db:
        lines = crisis.ordered(await crisis.shown(db), now, zone)
        signed = await crisis.signoff(db, digest=clinical_digest(site.renderer))
    return site.show(
        request,
        "crisis/page.html",
        lines=[(line, is_open, crisis.is_stale(line, now)) for line, is_open in lines],
        numbers=crisis.spoken,
        dial=crisis.dial,
        hours=lambda line: hours_of(line, language),
        signed=signed,
        zone=services.config.time_zone.rpartition("/")[2].replace("_", " "),
    )


async def listed(request: http.Request) -> http.Response:
    """Answer `GET /admin/crisis`."""
    return await _list(request, blank(request, SignForm))


async def _list(request: http.Request, form: SignForm, *, status: int = 200) -> http.Response:
    services, site, language = request.app[SERVICES], request.app[SITE], language_of(request)
    now = services.now()
    async with services.database.sessions() as db:
        lines = await crisis.every(db)
        signed = await crisis.signoff(db, digest=clinical_digest(site.renderer))
    shown = lines or crisis.suggestions()
    return site.show(
        request,
        "crisis/admin.html",
        status=status,
        lines=[(line, crisis.is_stale(line, now)) for line in shown],
        own=bool(lines),
        numbers=crisis.spoken,
        hours=lambda line: hours_of(line, language),
        signed=signed,
        texts=clinical_texts(site.renderer),
        form=form,
    )


async def adopt(request: http.Request) -> http.Response:
    """Answer `POST /admin/crisis/adopt`: copy what ships."""

    async def act(db: AsyncSession, admin: Person) -> None:
        services = request.app[SERVICES]
        await crisis.adopt(db, services.audit, actor=admin, now=services.now())

    return await _button(request, act, "lines_adopted")


async def check(request: http.Request) -> http.Response:
    """Answer `POST /admin/crisis/{line}/checked`."""

    async def act(db: AsyncSession, admin: Person) -> None:
        services, number = request.app[SERVICES], request.match_info["line"]
        await crisis.checked(db, services.audit, number=number, actor=admin, now=services.now())

    return await _button(request, act, "line_checked")


async def up(request: http.Request) -> http.Response:
    """Answer `POST /admin/crisis/{line}/up`."""

    async def act(db: AsyncSession, admin: Person) -> None:
        services, number = request.app[SERVICES], request.match_info["line"]
        await crisis.raise_up(db, services.audit, number=number, actor=admin, now=services.now())

    return await _button(request, act, "saved")


async def remove(request: http.Request) -> http.Response:
    """Answer `POST /admin/crisis/{line}/remove`."""

    async def act(db: AsyncSession, admin: Person) -> None:
        services, number = request.app[SERVICES], request.match_info["line"]
        await crisis.remove(db, services.audit, number=number, actor=admin, now=services.now())

    return await _button(request, act, "line_removed")


async def sign(request: http.Request) -> http.Response:
    """Answer `POST /admin/crisis/sign`."""
    form = await sent(request, SignForm)
    if not form.validate():
        return await _list(request, form, status=422)
    services, admin = request.app[SERVICES], person_of(request)
    digest = clinical_digest(request.app[SITE].renderer)

    async def act(db: AsyncSession) -> str:
        await crisis.sign_off(
            db,
            services.audit,
            digest=digest,
            clinician=str(form.clinician.data).strip(),
            actor=admin,
            now=services.now(),
        )
        return f"{ADMIN}?done=lines_signed"

    return await do_once(request, form, act)


async def ask(request: http.Request) -> http.Response:
    """Answer `GET /admin/crisis/new` and `GET /admin/crisis/{line}`."""
    number = request.match_info.get("line")
    if number is None:
        form = blank(request, LineForm, always=True, days=[], languages="id", owner=person_of(request).name)
    else:
        async with request.app[SERVICES].database.sessions() as db:
            form = _filled(request, await crisis.get(db, number=number))
    return _show_form(request, form)


async def save(request: http.Request) -> http.Response:
    """Answer `POST /admin/crisis/new` and `POST /admin/crisis/{line}`."""
    form = await sent(request, LineForm)
    services, admin = request.app[SERVICES], person_of(request)
    number = request.match_info.get("line", "")

    async def act(db: AsyncSession) -> str:
        line, now = _read(form, number), services.now()
        if number:
            await crisis.change(db, services.audit, line=line, actor=admin, now=now)
        else:
            try:
                await crisis.add(db, services.audit, line=line, actor=admin, now=now)
            except InvalidState:
                raise Wrong("name", "lines.full") from None
        return f"{ADMIN}?done=line_saved"

    if form.validate():
        try:
            return await do_once(request, form, act)
        except Wrong as error:
            form.say_wrong(error)
    return _show_form(request, form, status=422)


async def _button(request: http.Request, act: Act, done: str) -> http.Response:
    form, admin = await sent(request, PageForm), person_of(request)

    async def once(db: AsyncSession) -> str:
        await act(db, admin)
        return f"{ADMIN}?done={done}"

    return await do_once(request, form, once)


def _show_form(request: http.Request, form: LineForm, *, status: int = 200) -> http.Response:
    return request.app[SITE].show(
        request, "crisis/line.html", status=status, form=form, number=request.match_info.get("line", "new")
    )


def _filled(request: http.Request, line: Line) -> LineForm:
    return blank(
        request,
        LineForm,
        name=line.name,
        numbers="\n".join(line.numbers),
        about_id=line.about_id,
        about_en=line.about_en,
        always=line.always,
        days=[str(day) for day in range(7) if line.days[day] == "1"],
        opens=clock(line.opens_minute, "en"),
        closes=clock(line.closes_minute, "en"),
        languages=", ".join(line.languages),
        owner=line.owner,
        source=line.source,
        violence=line.violence,
    )


def _read(form: LineForm, number: str) -> Line:
    """Make a line of what was typed. Raises ``Wrong``."""
    numbers = tuple(
        "".join(one.split()).replace("-", "") for one in str(form.numbers.data).splitlines() if one.strip()
    )
    if not 1 <= len(numbers) <= MAX_NUMBERS or not all(map(NUMBER.fullmatch, numbers)):
        raise Wrong("numbers", "lines.numbers_wrong")
    days, opens, closes = crisis.EVERY_DAY, 0, 0
    if not form.always.data:
        if not form.days.data:
            raise Wrong("days", "lines.days_missing")
        days = "".join("1" if str(day) in form.days.data else "0" for day in range(7))
        opens, closes = _minute(form, "opens"), _minute(form, "closes")
    languages = tuple(
        dict.fromkeys(word for word in re.split(r"[,\s]+", str(form.languages.data).lower()) if word)
    )
    return Line(
        number,
        str(form.name.data).strip(),
        numbers,
        str(form.about_id.data).strip(),
        str(form.about_en.data).strip(),
        days,
        opens,
        closes,
        languages,
        str(form.owner.data).strip(),
        str(form.source.data).strip(),
        violence=bool(form.violence.data),
    )


def _minute(form: LineForm, name: str) -> int:
    match = TIME.fullmatch(str(form[name].data or ""))
    if match is None:
        raise Wrong(name, "lines.time_wrong")
    return int(match[1]) * 60 + int(match[2])


def setup(app: http.Application) -> None:
    """Add the crisis page and the lines behind it."""
    edit = Permission.EDIT_CRISIS_LINES
    add(app, "GET", "/crisis", show, Permission.OPEN)
    add(app, "GET", ADMIN, listed, edit)
    add(app, "POST", ADMIN + "/adopt", adopt, edit)
    add(app, "POST", ADMIN + "/sign", sign, edit)
    add(app, "GET", ADMIN + "/new", ask, edit)
    add(app, "POST", ADMIN + "/new", save, edit)
    add(app, "GET", ADMIN + "/{line}", ask, edit)
    add(app, "POST", ADMIN + "/{line}", save, edit)
    add(app, "POST", ADMIN + "/{line}/checked", check, edit)
    add(app, "POST", ADMIN + "/{line}/up", up, edit)
    add(app, "POST", ADMIN + "/{line}/remove", remove, edit)
