"""Tokens: JWTs with HS256 and no other algorithm (RFC 7519, RFC 8725).

Every key is derived from the master key for a purpose of its own (``core/derive.py``), so a
token for one purpose is no token for another and no derived secret is ever stored. This file owns
PyJWT.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
from jwt.types import Options

from core.derive import derive
from core.errors import Unauthenticated
from core.ids import ApiKeyId, ParticipantId, SessionId

ALGORITHM = "HS256"
API_AUDIENCE = "teduh-api"
PLACE_AUDIENCE = "teduh-place"
COOKIE_AUDIENCE = "teduh-place-cookie"
TICKET_LIFE = timedelta(hours=12)
API_TOKEN_LIFE = timedelta(minutes=10)
SKEW = timedelta(seconds=5)
MAX_TOKEN_CHARS = 4096


@dataclass(frozen=True, slots=True)
class PlaceClaims:
    """What a place token says: it opens this one place and nothing else.

    ``login`` is the login that a cookie was given for, and without which it opens nothing; None for
    one that a join code gave.
    """

    participant: ParticipantId
    session: SessionId
    role: str
    expires: datetime
    login: str | None = None


class Tokens:
    """Makes and reads all tokens of one installation.

    Every ``read_*`` raises ``Unauthenticated`` for anything that does not hold; the text never says
    more than the asker may know.
    """

    def __init__(self, master: bytes) -> None:
        self._master = master
        self._place = derive(master, "place token")
        self._cookie = derive(master, "place cookie")
        self._ticket = derive(master, "place ticket")

    def api_secret(self, key: ApiKeyId) -> str:
        """Give the secret of an API key: derived, so it can be printed once and stored nowhere."""
        return base64.urlsafe_b64encode(derive(self._master, f"api key {key}")).rstrip(b"=").decode()

    def read_api(self, token: str, *, key: ApiKeyId, now: datetime) -> None:
        """Check a program's token against the key it names."""
        claims = _decode(token, self.api_secret(key).encode(), audience=API_AUDIENCE, typ=None, now=now)
        issued = _time(claims, "iat")
        if claims.get("iss") != key or issued > now + SKEW:
            raise Unauthenticated("The token does not hold.")
        if _time(claims, "exp") > now + API_TOKEN_LIFE + SKEW:
            raise Unauthenticated("The token lives too long: exp may be at most 10 minutes ahead.")

    def issue_place(
        self, *, participant: ParticipantId, session: SessionId, role: str, now: datetime, expires: datetime
    ) -> str:
        """Make the token that a program gives to one participant. It holds no name."""
        return _encode(
            self._place,
            PLACE_AUDIENCE,
            participant=participant,
            session=session,
            role=role,
            now=now,
            expires=expires,
        )

    def read_place(self, token: str, *, now: datetime) -> PlaceClaims:
        """Read a place token."""
        return _place(_decode(token, self._place, audience=PLACE_AUDIENCE, typ=PLACE_AUDIENCE, now=now))

    def read_place_late(self, token: str) -> PlaceClaims:
        """Read a place token whether or not it has expired: for what somebody may say at any time."""
        return _place(_decode(token, self._place, audience=PLACE_AUDIENCE, typ=PLACE_AUDIENCE, now=None))

    def issue_cookie(
        self,
        *,
        participant: ParticipantId,
        session: SessionId,
        role: str,
        now: datetime,
        expires: datetime,
        login: str | None = None,
    ) -> str:
        """Make the value of the cookie that keeps one place for one browser, or for one login of it."""
        return _encode(
            self._cookie,
            COOKIE_AUDIENCE,
            participant=participant,
            session=session,
            role=role,
            now=now,
            expires=expires,
            login=login,
        )

    def read_cookie(self, value: str, *, now: datetime) -> PlaceClaims:
        """Read the value of a place cookie."""
        return _place(_decode(value, self._cookie, audience=COOKIE_AUDIENCE, typ=COOKIE_AUDIENCE, now=now))

    def issue_ticket(self, *, participant: ParticipantId, cookie: str, now: datetime) -> str:
        """Make the CSRF ticket that must go with a cookie: ``participant.expiry.mac``, 12 hours."""
        expires = int((now + TICKET_LIFE).timestamp())
        return f"{participant}.{expires}.{self._ticket_mac(participant, expires, cookie)}"

    def ticket_participant(self, ticket: str) -> ParticipantId:
        """Say whose cookie a ticket claims to go with; proves nothing before ``read_ticket``."""
        return ParticipantId(ticket.partition(".")[0])

    def read_ticket(self, ticket: str, *, cookie: str, now: datetime) -> ParticipantId:
        """Check that a ticket was made for this cookie and still holds."""
        participant, _, rest = ticket.partition(".")
        expiry, _, mac = rest.partition(".")
        if not (expiry.isascii() and expiry.isdigit() and len(expiry) <= 12 and mac.isascii()):
            raise Unauthenticated("The ticket does not hold.")
        expected = self._ticket_mac(ParticipantId(participant), int(expiry), cookie)
        if not hmac.compare_digest(expected, mac) or int(expiry) <= now.timestamp():
            raise Unauthenticated("The ticket does not hold.")
        return ParticipantId(participant)

    def _ticket_mac(self, participant: ParticipantId, expires: int, cookie: str) -> str:
        digest = hashlib.sha256(cookie.encode("utf-8", "surrogateescape")).hexdigest()
        message = f"{participant}.{expires}.{digest}".encode("utf-8", "surrogateescape")
        mac = hmac.digest(self._ticket, message, "sha256")
        return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def claimed_issuer(token: str) -> ApiKeyId:
    """Say which API key a token claims to be made with; proves nothing before ``read_api``."""
    if len(token) > MAX_TOKEN_CHARS:
        raise Unauthenticated("The token does not hold.")
    try:
        claims = jwt.decode(token, options={"verify_signature": False}, algorithms=[ALGORITHM])
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise Unauthenticated("The token does not hold.") from error
    issuer = claims.get("iss")
    if not isinstance(issuer, str):
        raise Unauthenticated("The token does not name its key.")
    return ApiKeyId(issuer)


def issue_api_token(
    *, key: ApiKeyId, secret: str, now: datetime, life: timedelta = timedelta(minutes=5)
) -> str:
    """Make the token a program sends; here for our own tests, demo and bench."""
    claims = {
        "iss": key,
        "aud": API_AUDIENCE,
        "iat": int(now.timestamp()),
        "exp": int((now + life).timestamp()),
    }
    return jwt.encode(claims, secret, algorithm=ALGORITHM)


def _encode(
    key: bytes,
    audience: str,
    *,
    participant: ParticipantId,
    session: SessionId,
    role: str,
    now: datetime,
    expires: datetime,
    login: str | None = None,
) -> str:
    claims = {
        "aud": audience,
        "sub": participant,
        "sid": session,
        "role": role,
        "jti": secrets.token_urlsafe(16),
        "iat": int(now.timestamp()),
        "exp": int(expires.timestamp()),
    }
    if login is not None:
        claims["login"] = login
    return jwt.encode(claims, key, algorithm=ALGORITHM, headers={"typ": audience})


def _decode(
    token: str, key: bytes, *, audience: str, typ: str | None, now: datetime | None
) -> Mapping[str, Any]:
    """Check signature, algorithm, type, audience and expiry. Time comes from ``now``, not the machine.

    With None it may have expired.
    """
    if len(token) > MAX_TOKEN_CHARS:
        raise Unauthenticated("The token does not hold.")
    options: Options = {
        "verify_exp": False,
        "verify_iat": False,
        "verify_nbf": False,
        "require": ["exp"],
    }
    try:
        whole = jwt.decode_complete(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=audience,
            options=options,
        )
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise Unauthenticated("The token does not hold.") from error
    if typ is not None and whole["header"].get("typ") != typ:
        raise Unauthenticated("The token is for something else.")
    claims: Mapping[str, Any] = whole["payload"]
    if now is not None and _time(claims, "exp") <= now:
        raise Unauthenticated("The token has expired.")
    return claims


def _time(claims: Mapping[str, Any], name: str) -> datetime:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unauthenticated(f"The token has no {name}.")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Unauthenticated(f"The token has no usable {name}.") from error


def _place(claims: Mapping[str, Any]) -> PlaceClaims:
    values = [claims.get(name) for name in ("sub", "sid", "role")]
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) != len(values):
        raise Unauthenticated("The token does not hold.")
    participant, session, role = texts
    login = claims.get("login")
    if login is not None and not isinstance(login, str):
        raise Unauthenticated("The token does not hold.")
    return PlaceClaims(ParticipantId(participant), SessionId(session), role, _time(claims, "exp"), login)
