"""What every page needs to be shown: the templates, the files, the reader's language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web as http

from web.pages.assets import Assets
from web.render import Renderer, preferred

LANGUAGE_COOKIE: Final = "teduh_lang"


@dataclass(frozen=True, slots=True)
class Site:
    """The renderer and the files of one application."""

    renderer: Renderer
    assets: Assets

    def show(
        self, request: http.Request, template: str, *, status: int = 200, **values: object
    ) -> http.Response:
        """Return `template` as a page in the reader's language."""
        language = language_of(request)
        html = self.renderer.page(
            template,
            language=language,
            asset=self.assets.url,
            modules=self.assets.under,
            path=request.path,
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
        # No page holds a secret, so its compressed length tells nothing.
        response.enable_compression()
        return response


SITE: Final = http.AppKey("site", Site)


def language_of(request: http.Request) -> str:
    """Return the reader's language: the cookie's, else the browser's, else Indonesian."""
    return preferred(request.headers.get("Accept-Language", ""), request.cookies.get(LANGUAGE_COOKIE))
