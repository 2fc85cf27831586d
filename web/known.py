"""Known browsers: where somebody of the staff has logged in completely, their tries count by themselves.

So nobody who knows a name and no more keeps its owner out. The cookie holds a random number and, for each
of the last few people, a keyed hash of both; nothing of it is stored, and it opens nothing.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import timedelta
from typing import Final

from aiohttp import web as http

from accounts import login_names
from core.ids import UserId
from web.services import SERVICES

LIFE: Final = timedelta(days=365)
MOST_PEOPLE: Final = 5
NUMBER_CHARS: Final = 22
PROOF_CHARS: Final = 32


def cookie_name(*, secure: bool) -> str:
    """Name the cookie of a known browser."""
    return "__Host-teduh_known" if secure else "teduh_known"


def subject_of(request: http.Request, login: str, user: UserId | None) -> str:
    """Say what counts the tries of a login name here; the same work whether it exists or not."""
    codes = request.app[SERVICES].codes
    by_name = codes.hash("login", login_names.key_of(login))
    number, proofs = _read(request)
    proof = _proof(request, number, "" if user is None else user)
    by_browser = codes.hash("login known", f"{number}|{user}")
    is_known = any(hmac.compare_digest(one, proof) for one in proofs)
    return by_browser if is_known and user is not None else by_name


def remember(request: http.Request, response: http.StreamResponse, user: UserId) -> None:
    """Make this a browser that the person is known in."""
    secure = request.app[SERVICES].config.secure
    number, proofs = _read(request)
    proof = _proof(request, number, user)
    kept = [proof, *(one for one in proofs if one != proof)][:MOST_PEOPLE]
    response.set_cookie(
        cookie_name(secure=secure),
        ".".join((number, *kept)),
        max_age=int(LIFE.total_seconds()),
        path="/",
        httponly=True,
        samesite="Lax",
        secure=secure,
    )


def _read(request: http.Request) -> tuple[str, list[str]]:
    """Read the browser's number and proofs; a new number for one that has none."""
    secure = request.app[SERVICES].config.secure
    number, *proofs = request.cookies.get(cookie_name(secure=secure), "").split(".")
    fits = len(number) == NUMBER_CHARS and number.isascii()
    if not fits or not all(len(one) == PROOF_CHARS and one.isascii() for one in proofs):
        return secrets.token_urlsafe(16), []
    return number, proofs[:MOST_PEOPLE]


def _proof(request: http.Request, number: str, user: str) -> str:
    return request.app[SERVICES].codes.hash("known browser", f"{number}|{user}")[:PROOF_CHARS]
