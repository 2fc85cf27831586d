"""What every page needs to be shown: the templates, the files, the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web as http
from markupsafe import Markup

from accounts.people import Person
from accounts.roles import Permission
from web.drops import DROPS
from web.escalation import CALLS
from web.forms import new_once, token_for
from web.gate import visitor_of
from web.pages.assets import Assets
from web.pages.back import back_to
from web.pages.navigation import home_of, places_of
from web.render import Renderer, preferred, say_day, say_time
from web.services import SERVICES

LANGUAGE_COOKIE: Final = "teduh_lang"
BESIDE: Final = ("/talk/intake", "/talk/ready", "/talk/else", "/self-help", "/me/counselor", "/me/recovery")
"""What is read while waiting: there a bar says when the counselor is ready."""
UNREAD: Final = http.RequestKey("unread", int)
"""How many notices the person has not read (`web/pages/notices.py`)."""


@dataclass(frozen=True, slots=True)
class Site:
    """The renderer and the files of one application."""

    renderer: Renderer
    assets: Assets

    def show(
        self,
        request: http.Request,
        template: str,
        *,
        status: int = 200,
        back: str | None = None,
        **values: object,
    ) -> http.Response:
        """Return `template` as a page in the reader's language.

        `back` is where the page can be had again, for the switch of languages; found out unless given.
        """
        language = language_of(request)
        person, login = visitor_of(request).person, visitor_of(request).login
        zone = request.app[SERVICES].config.time_zone
        html = self.renderer.page(
            template,
            language=language,
            asset=self.assets.url,
            modules=self.assets.under,
            path=request.path,
            back=back or back_to(request, status=status),
            person=person,
            places=() if person is None else places_of(person),
            home="/" if person is None else home_of(person),
            leaves_quickly=person is None or person.is_client,
            keeps=login is not None and login.own_phone,
            leave_to=request.app[SERVICES].config.quick_exit_url,
            fresh=lambda: _fresh(request),
            done=self._done(request, language),
            unread=request.get(UNREAD, 0),
            waits_beside=person is not None and person.is_client and request.path.startswith(BESIDE),
            alarms=_alarms(request, person),
            drops=0 if person is None else request.app[DROPS].count(person),
            drop_page="/counselor/desk" if person is not None and person.may(Permission.SERVE) else "/duty",
            when=lambda at: say_time(at, language=language, zone=zone),
            day=lambda on: say_day(on, language=language, zone=zone),
            **values,
        )
        response = http.Response(
            text=html,
            status=status,
            content_type="text/html",
            charset="utf-8",
            headers={
                "Cache-Control": "no-store",
                "Content-Language": language,
                "Vary": "Accept-Encoding, Accept-Language, Cookie",
                "X-Robots-Tag": "noindex",
            },
        )
        # What is secret in a page differs each time, so its compressed length tells nothing.
        response.enable_compression()
        return response

    def _done(self, request: http.Request, language: str) -> str:
        """Say what the form did that led here: its address ends in ``?done=word``."""
        return self.renderer.texts[language].get(f"done.{request.query.get('done', '')}", "")


def _alarms(request: http.Request, person: Person | None) -> int | None:
    """Count the urgent calls that sound on this page; None on pages of those who answer none."""
    may = person is not None and person.may(Permission.DUTY)
    return request.app[CALLS].count(person) if may and person is not None else None


def _fresh(request: http.Request) -> Markup:
    """Make the hidden fields of a form that is one button."""
    fields = '<input type="hidden" name="csrf" value="{}"><input type="hidden" name="once" value="{}">'
    return Markup(fields).format(  # noqa: S704  # a constant; what is put in is escaped
        token_for(request), new_once()
    )


SITE: Final = http.AppKey("site", Site)


def language_of(request: http.Request) -> str:
    """Return the reader's language: the cookie's, else the person's, else the browser's, else Indonesian."""
    person = visitor_of(request).person
    chosen = request.cookies.get(LANGUAGE_COOKIE) or (None if person is None else person.language)
    return preferred(request.headers.get("Accept-Language", ""), chosen)
