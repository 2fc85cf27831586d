"""Tokens, and those who forge them."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from accounts.tokens import PLACE_AUDIENCE, Tokens, claimed_issuer, issue_api_token
from core.errors import Unauthenticated
from core.ids import ApiKeyId, ParticipantId, SessionId
from tests.fakes import FakeClock

MASTER = bytes(range(32))
KEY = ApiKeyId("k_one")
PLACE = ParticipantId("p_one")
SESSION = SessionId("s_one")


@pytest.fixture
def tokens() -> Tokens:
    return Tokens(MASTER)


def api_claims(clock: FakeClock, **changed: object) -> dict[str, Any]:
    now = int(clock.now().timestamp())
    return {"iss": KEY, "aud": "teduh-api", "iat": now, "exp": now + 300} | changed


def place_claims(clock: FakeClock, **changed: object) -> dict[str, Any]:
    now = int(clock.now().timestamp())
    claims = {"aud": PLACE_AUDIENCE, "sub": PLACE, "sid": SESSION, "role": "client", "jti": "x"}
    return claims | {"exp": now + 300} | changed


def unsigned(claims: dict[str, Any], algorithm: str = "none", typ: str = PLACE_AUDIENCE) -> str:
    parts = [{"alg": algorithm, "typ": typ}, claims]
    packed = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*packed, ""])


def test_the_secret_of_a_key_is_derived_and_its_own(tokens: Tokens) -> None:
    assert tokens.api_secret(KEY) == Tokens(MASTER).api_secret(KEY)
    assert tokens.api_secret(KEY) != tokens.api_secret(ApiKeyId("k_two"))
    assert tokens.api_secret(KEY) != Tokens(bytes(32)).api_secret(KEY)
    assert len(base64.urlsafe_b64decode(tokens.api_secret(KEY) + "=")) == 32


def test_a_program_is_let_in(tokens: Tokens, clock: FakeClock) -> None:
    token = issue_api_token(key=KEY, secret=tokens.api_secret(KEY), now=clock.now())
    assert claimed_issuer(token) == KEY
    tokens.read_api(token, key=KEY, now=clock.now())


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "teduh-place"},
        {"aud": None},
        {"iss": "k_two"},
        {"exp": 0},
        {"exp": None},
        {"exp": "soon"},
        {"exp": True},
        {"exp": 1e300},
        {"exp": float("nan")},
        {"iat": None},
        {"iat": 99_999_999_999},
    ],
)
def test_a_program_with_wrong_claims_stays_out(
    tokens: Tokens, clock: FakeClock, changed: dict[str, object]
) -> None:
    claims = {name: value for name, value in api_claims(clock, **changed).items() if value is not None}
    token = jwt.encode(claims, tokens.api_secret(KEY), algorithm="HS256")
    with pytest.raises(Unauthenticated):
        tokens.read_api(token, key=KEY, now=clock.now())


def test_a_token_lives_ten_minutes_at_most(tokens: Tokens, clock: FakeClock) -> None:
    secret = tokens.api_secret(KEY)
    for minutes, holds in ((10, True), (11, False), (60 * 24 * 365, False)):
        token = issue_api_token(key=KEY, secret=secret, now=clock.now(), life=timedelta(minutes=minutes))
        if holds:
            tokens.read_api(token, key=KEY, now=clock.now())
        else:
            with pytest.raises(Unauthenticated):
                tokens.read_api(token, key=KEY, now=clock.now())


def test_an_expired_token_stays_out(tokens: Tokens, clock: FakeClock) -> None:
    token = issue_api_token(key=KEY, secret=tokens.api_secret(KEY), now=clock.now())
    clock.advance(301)
    with pytest.raises(Unauthenticated):
        tokens.read_api(token, key=KEY, now=clock.now())


def hs512(claims: dict[str, Any], secret: str, typ: str) -> str:
    """A good signature of another algorithm with the right secret."""
    text = unsigned(claims, "HS512", typ)
    mac = hmac.digest(secret.encode(), text[:-1].encode(), "sha512")
    return text + base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def forged(tokens: Tokens, claims: dict[str, Any], secret: str, typ: str) -> dict[str, str]:
    """The ways to forge a token that have worked on others."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    good = jwt.encode(claims, secret, algorithm="HS256", headers={"typ": typ})
    head, body, mac = good.split(".")
    rs256 = jwt.encode(claims, pem, algorithm="RS256", headers={"typ": typ})
    relabelled = unsigned(claims, "RS256", typ).split(".")[0]
    return {
        "none": unsigned(claims, "none", typ),
        "None": unsigned(claims, "None", typ),
        "without a signature": f"{head}.{body}.",
        "another body": f"{head}.{base64.urlsafe_b64encode(b'{}').decode().rstrip('=')}.{mac}",
        "RS256 with a key of one's own": rs256,
        "RS256 signed with the HMAC secret": f"{relabelled}.{body}.{mac}",
        "HS512": hs512(claims, secret, typ),
        "another secret": jwt.encode(claims, "x" * 43, algorithm="HS256", headers={"typ": typ}),
        "the public key as secret": jwt.encode(
            claims, base64.b64encode(public), algorithm="HS256", headers={"typ": typ}
        ),
        "five parts": f"{good}.{mac}.{mac}",
        "nothing": "",
        "noise": "a.b.c",
        "no ASCII": "\u20ac.\u20ac.\u20ac",
        "very long": good + "A" * 100_000,
        "an encrypted one": unsigned(claims, "dir", typ),
        "crit": jwt.encode(claims, secret, algorithm="HS256", headers={"typ": typ, "crit": ["exp"]}),
    }


FORGERIES = sorted(forged(Tokens(MASTER), {}, "x" * 43, "JWT"))


@pytest.mark.parametrize("way", FORGERIES)
def test_a_forged_program_stays_out(tokens: Tokens, clock: FakeClock, way: str) -> None:
    token = forged(tokens, api_claims(clock), tokens.api_secret(KEY), "JWT")[way]
    with pytest.raises(Unauthenticated):
        tokens.read_api(token, key=KEY, now=clock.now())


def test_a_place_token_says_what_it_opens_and_no_name(tokens: Tokens, clock: FakeClock) -> None:
    expires = clock.now() + timedelta(hours=24)
    token = tokens.issue_place(
        participant=PLACE, session=SESSION, role="client", now=clock.now(), expires=expires
    )
    claims = tokens.read_place(token, now=clock.now())
    assert (claims.participant, claims.session, claims.role) == (PLACE, SESSION, "client")
    assert claims.expires == expires
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "teduh-place"}
    said = jwt.decode(token, options={"verify_signature": False})
    assert set(said) == {"aud", "sub", "sid", "role", "jti", "iat", "exp"}
    assert said["aud"] == "teduh-place"


def test_two_tokens_for_one_place_differ(tokens: Tokens, clock: FakeClock) -> None:
    made = {
        tokens.issue_place(
            participant=PLACE,
            session=SESSION,
            role="client",
            now=clock.now(),
            expires=clock.now() + timedelta(hours=1),
        )
        for _ in range(3)
    }
    assert len(made) == 3


@pytest.mark.parametrize("way", FORGERIES)
def test_a_forged_place_stays_shut(tokens: Tokens, clock: FakeClock, way: str) -> None:
    secret = tokens.api_secret(KEY)
    token = forged(tokens, place_claims(clock), secret, PLACE_AUDIENCE)[way]
    with pytest.raises(Unauthenticated):
        tokens.read_place(token, now=clock.now())


@pytest.mark.parametrize(
    ("changed", "typ"),
    [
        ({}, "JWT"),
        ({"aud": "teduh-api"}, "teduh-place"),
        ({"sub": 7}, "teduh-place"),
        ({"sid": None}, "teduh-place"),
        ({"role": ["client"]}, "teduh-place"),
        ({"exp": 1}, "teduh-place"),
    ],
)
def test_a_place_token_of_the_wrong_kind_opens_nothing(
    tokens: Tokens, clock: FakeClock, changed: dict[str, object], typ: str
) -> None:
    claims = place_claims(clock, **changed)
    token = jwt.encode(claims, tokens._place, algorithm="HS256", headers={"typ": typ})
    with pytest.raises(Unauthenticated):
        tokens.read_place(token, now=clock.now())


def test_a_cookie_is_no_token_and_a_token_no_cookie(tokens: Tokens, clock: FakeClock) -> None:
    until = clock.now() + timedelta(hours=1)
    cookie = tokens.issue_cookie(
        participant=PLACE, session=SESSION, role="client", now=clock.now(), expires=until
    )
    token = tokens.issue_place(
        participant=PLACE, session=SESSION, role="client", now=clock.now(), expires=until
    )
    assert tokens.read_cookie(cookie, now=clock.now()).participant == PLACE
    with pytest.raises(Unauthenticated):
        tokens.read_place(cookie, now=clock.now())
    with pytest.raises(Unauthenticated):
        tokens.read_cookie(token, now=clock.now())


def test_a_ticket_goes_with_its_cookie_for_twelve_hours(tokens: Tokens, clock: FakeClock) -> None:
    ticket = tokens.issue_ticket(participant=PLACE, cookie="one", now=clock.now())
    assert tokens.ticket_participant(ticket) == PLACE
    assert tokens.read_ticket(ticket, cookie="one", now=clock.now()) == PLACE
    clock.advance(12 * 3600 - 1)
    tokens.read_ticket(ticket, cookie="one", now=clock.now())
    clock.advance(1)
    with pytest.raises(Unauthenticated):
        tokens.read_ticket(ticket, cookie="one", now=clock.now())


@pytest.mark.parametrize(
    "spoil",
    [
        lambda ticket: ticket.replace("p_one", "p_two"),
        lambda ticket: ticket[:-1] + ("A" if ticket[-1] != "A" else "B"),
        lambda ticket: ticket.replace(".", ".9", 1),
        lambda ticket: ticket.rpartition(".")[0],
        lambda _ticket: "",
        lambda _ticket: "p_one.1e9.x",
        lambda _ticket: "p_one.\u0661\u0662.x",
        lambda _ticket: "p_one.99999999999.\u20ac",
        lambda _ticket: "p_one." + "9" * 5000 + ".x",
        lambda _ticket: "\udc80.99999999999.x",
    ],
)
def test_a_spoiled_ticket_does_not_hold(tokens: Tokens, clock: FakeClock, spoil: Any) -> None:  # noqa: ANN401  # any way to spoil
    ticket = spoil(tokens.issue_ticket(participant=PLACE, cookie="one", now=clock.now()))
    with pytest.raises(Unauthenticated):
        tokens.read_ticket(ticket, cookie="one", now=clock.now())


def test_a_ticket_does_not_go_with_another_cookie(tokens: Tokens, clock: FakeClock) -> None:
    ticket = tokens.issue_ticket(participant=PLACE, cookie="one", now=clock.now())
    with pytest.raises(Unauthenticated):
        tokens.read_ticket(ticket, cookie="two", now=clock.now())


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", unsigned({}), unsigned({"iss": 7}), unsigned({"iss": None})]
)
def test_a_token_that_names_no_key_is_refused(token: str) -> None:
    with pytest.raises(Unauthenticated):
        claimed_issuer(token)
