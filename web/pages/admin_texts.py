"""`/admin/texts`: what people agree to and sign, by version; a new one is written, previewed, published."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import web as http
from markupsafe import Markup
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import BooleanField, HiddenField, RadioField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from accounts import prose, texts
from accounts.prose import LOCALES, Part
from accounts.roles import Permission
from accounts.texts import MAX_CHANGES_CHARS, BadText, Kind, Overtaken, Version
from web.fields import pick
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add, person_of
from web.pages.site import SITE
from web.pages.texts import kind_of, number_of, shown
from web.services import SERVICES

MIN_CHANGES_CHARS: Final = 3
NOTE: Final = [
    InputRequired("form.missing"),
    Length(MIN_CHANGES_CHARS, MAX_CHANGES_CHARS, "admin_texts.length"),
]
AGAIN: Final = [("yes", "admin_texts.again_yes"), ("no", "admin_texts.again_no")]


class TextForm(PageForm):
    """A version being written. ``base`` is what it follows; ``seen`` names what the last preview showed."""

    body_id = TextAreaField("admin_texts.body_id")
    body_en = TextAreaField("admin_texts.body_en")
    changes_id = StringField("admin_texts.changes_id", NOTE)
    changes_en = StringField("admin_texts.changes_en", NOTE)
    again = RadioField(
        "admin_texts.again", [InputRequired("admin_texts.choose")], choices=pick(*AGAIN), validate_choice=True
    )
    reviewed = BooleanField("admin_texts.reviewed_label")
    base = HiddenField()
    seen = HiddenField()

    def bodies(self) -> dict[str, str]:
        """Give the texts as they would be published."""
        return {locale: prose.tidy(str(self[f"body_{locale}"].data or "")) for locale in LOCALES}

    def changes(self) -> dict[str, str]:
        """Give what is said to be new, each in one line."""
        return {locale: " ".join(str(self[f"changes_{locale}"].data).split()) for locale in LOCALES}

    def fits(self, current: Version) -> bool:
        """Whether all of it may be published after ``current``; says at each field why not."""
        whole = self.validate()
        before = {locale: current.text(locale).body for locale in LOCALES}
        if self.bodies() == before and bool(self.reviewed.data) == current.reviewed:
            self.say_wrong(Wrong("body_id", "admin_texts.same"))
            whole = False
        for locale, body in self.bodies().items():
            fault = prose.fault(body, locale=locale)
            if fault is not None:
                self.say_wrong(Wrong(f"body_{locale}", f"text_fault.{fault.value}"))
                whole = False
        return whole


@dataclass(frozen=True, slots=True)
class Side:
    """One language of a version, beside what it was before; ``parts`` is empty when nothing changed."""

    locale: str
    title: str
    html: Markup
    parts: tuple[Part, ...]


async def listed(request: http.Request) -> http.Response:
    """Answer `GET /admin/texts`."""
    async with request.app[SERVICES].database.sessions() as db:
        found = [await texts.current(db, kind=kind) for kind in Kind]
    return request.app[SITE].show(
        request, "texts/list.html", found=found, unreviewed=any(not one.reviewed for one in found)
    )


async def one(request: http.Request) -> http.Response:
    """Answer `GET /admin/texts/{kind}`: its versions."""
    kind = kind_of(request)
    async with request.app[SERVICES].database.sessions() as db:
        found = await texts.versions(db, kind=kind)
    return request.app[SITE].show(request, "texts/kind.html", kind=kind, found=found)


async def version(request: http.Request) -> http.Response:
    """Answer `GET /admin/texts/{kind}/{version}`: a version, and what it changed."""
    kind, number = kind_of(request), number_of(request.match_info["version"])
    async with request.app[SERVICES].database.sessions() as db:
        found = await texts.find(db, kind=kind, number=number)
        before = await texts.find(db, kind=kind, number=number - 1) if number > 1 else None
    bodies = {locale: text.body for locale, text in found.texts.items()}
    return request.app[SITE].show(
        request,
        "texts/version.html",
        kind=kind,
        version=found,
        before=before,
        sides=_sides(bodies, before),
    )


async def ask_new(request: http.Request) -> http.Response:
    """Answer `GET /admin/texts/{kind}/new`: begin with what holds now."""
    kind = kind_of(request)
    current = await _current(request, kind)
    bodies = {f"body_{locale}": current.text(locale).body for locale in LOCALES}
    form = blank(request, TextForm, base=str(current.number), **bodies)
    return _show_new(request, form, current)


async def new(request: http.Request) -> http.Response:
    """Answer `POST /admin/texts/{kind}/new`: show a preview, or publish what the last one showed."""
    kind, person, services = kind_of(request), person_of(request), request.app[SERVICES]
    form = await sent(request, TextForm)
    current = await _current(request, kind)
    publish = (await request.post()).get("do") == "publish"
    if not form.fits(current):
        return _show_new(request, form, current, status=422)
    bodies, digest = form.bodies(), _digest(form)
    if not publish or form.seen.data != digest:
        form.seen.data = digest
        note = "preview_again" if publish else "preview_what"
        return _show_new(request, form, current, preview=_sides(bodies, current), note=note)

    async def act(db: AsyncSession) -> str:
        made = await texts.publish(
            db,
            services.audit,
            person=person,
            kind=kind,
            base=number_of(str(form.base.data)),
            bodies=bodies,
            changes=form.changes(),
            material=form.again.data == "yes",
            reviewed=bool(form.reviewed.data),
            now=services.now(),
        )
        return f"/admin/texts/{kind.value}/{made.number}?done=text_published"

    try:
        return await do_once(request, form, act)
    except Overtaken:
        form.say_wrong(Wrong("body_id", "admin_texts.overtaken"))
        form.base.data, form.seen.data = str(current.number), ""
    except BadText as error:
        form.say_wrong(Wrong(f"body_{error.locale}", f"text_fault.{error.fault.value}"))
    return _show_new(request, form, current, status=422)


def _show_new(
    request: http.Request,
    form: TextForm,
    current: Version,
    *,
    preview: list[Side] | None = None,
    note: str = "preview_what",
    status: int = 200,
) -> http.Response:
    return request.app[SITE].show(
        request,
        "texts/new.html",
        status=status,
        form=form,
        kind=current.kind,
        current=current,
        preview=preview,
        note=f"admin_texts.{note}",
        headings=prose.HEADINGS,
        max_chars=prose.MAX_CHARS,
    )


def _sides(bodies: Mapping[str, str], before: Version | None) -> list[Side]:
    return [
        Side(
            locale,
            prose.title_of(bodies[locale]),
            shown(bodies[locale]),
            _changed(before.text(locale).body, bodies[locale]) if before is not None else (),
        )
        for locale in LOCALES
    ]


def _changed(before: str, after: str) -> tuple[Part, ...]:
    return () if before == after else tuple(prose.changes(before, after))


def _digest(form: TextForm) -> str:
    """Name what a preview showed, so that nothing else is published."""
    whole = "\0".join([*form.bodies().values(), *form.changes().values(), str(form.again.data)])
    return hashlib.sha256(whole.encode()).hexdigest()


async def _current(request: http.Request, kind: Kind) -> Version:
    async with request.app[SERVICES].database.sessions() as db:
        return await texts.current(db, kind=kind)


def setup(app: http.Application) -> None:
    """Add the pages."""
    add(app, "GET", "/admin/texts", listed, Permission.EDIT_TEXTS)
    add(app, "GET", "/admin/texts/{kind}", one, Permission.EDIT_TEXTS)
    add(app, "GET", "/admin/texts/{kind}/new", ask_new, Permission.EDIT_TEXTS)
    add(app, "POST", "/admin/texts/{kind}/new", new, Permission.EDIT_TEXTS)
    add(app, "GET", "/admin/texts/{kind}/{version}", version, Permission.EDIT_TEXTS)
