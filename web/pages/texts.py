"""`/texts/{kind}`: what people agree to or sign, as it holds now or as it stood in an older version."""

from __future__ import annotations

from typing import Final

from aiohttp import web as http
from markupsafe import Markup

from accounts import prose, texts
from accounts.roles import Permission
from accounts.texts import Kind
from core.errors import NotFound
from web.gate import add
from web.pages.site import SITE, language_of
from web.services import SERVICES

MAX_DIGITS: Final = 6


def kind_of(request: http.Request) -> Kind:
    """Read which text is meant. Raises ``NotFound``."""
    try:
        return Kind(request.match_info["kind"])
    except ValueError:
        raise NotFound("There is no such text.") from None


def number_of(text: str) -> int:
    """Read a version's number. Raises ``NotFound``."""
    if not text.isascii() or not text.isdigit() or len(text) > MAX_DIGITS:
        raise NotFound("There is no such version.")
    return int(text)


def shown(body: str) -> Markup:
    """Make HTML of a text below its title."""
    return Markup(prose.as_html(prose.without_title(body)))  # noqa: S704  # prose lets no HTML through


async def text(request: http.Request) -> http.Response:
    """Answer `GET /texts/{kind}` and `GET /texts/{kind}/{version}`."""
    kind, wanted = kind_of(request), request.match_info.get("version")
    async with request.app[SERVICES].database.sessions() as db:
        current = await texts.current(db, kind=kind)
        version = current if wanted is None else await texts.find(db, kind=kind, number=number_of(wanted))
    one = version.text(language_of(request))
    return request.app[SITE].show(
        request,
        "texts/text.html",
        kind=kind,
        version=version,
        text=one,
        html=shown(one.body),
        current=current.number,
    )


def setup(app: http.Application) -> None:
    """Add the texts."""
    add(app, "GET", "/texts/{kind}", text, Permission.OPEN)
    add(app, "GET", "/texts/{kind}/{version}", text, Permission.OPEN)
