"""Security headers on every answer."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web as http

from core.config import Config
from core.shapes import Tls

YEAR_S = 31_536_000


def policy(config: Config) -> str:
    """Write the Content-Security-Policy: nothing from anywhere else, no inline script or style.

    The socket's address is named because ``'self'`` does not cover ``ws:`` in older Safari.
    """
    parts = urlsplit(config.public_url)
    socket = f"{'wss' if config.secure else 'ws'}://{parts.netloc}"
    return "; ".join(
        (
            "default-src 'self'",
            f"connect-src 'self' {socket}",
            "media-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def security_headers(config: Config) -> dict[str, str]:
    """Say which headers go with every answer.

    HSTS is left out with a certificate of our own making: a browser that has seen it lets nobody past
    the warning any more.
    """
    headers = {
        "Content-Security-Policy": policy(config),
        "X-Content-Type-Options": "nosniff",
        # Others learn nothing. With "no-referrer" browsers would send "Origin: null" with our own forms
        # (Fetch, "append a request Origin header"), and the gate could not tell them from another site's.
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(self), microphone=(self), geolocation=(), payment=(), usb=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
    if config.secure and config.tls != Tls():
        headers["Strict-Transport-Security"] = f"max-age={YEAR_S}"
    return headers


def setup(app: http.Application, config: Config) -> None:
    """Add the headers to every answer of ``app``; what says nothing about caches is not stored."""
    headers = security_headers(config)

    async def add(_request: http.Request, response: http.StreamResponse) -> None:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.pop("Server", None)

    app.on_response_prepare.append(add)
