from __future__ import annotations

from datetime import timedelta

import jwt
import pytest

from accounts import apikeys
from accounts.tokens import issue_api_token
from core.ids import ApiKeyId
from tests.accounts.test_tokens import FORGERIES, api_claims, forged
from tests.fakes import FakeClock
from tests.web.conftest import Client, Program, wanted
from web.services import Services

PATH = "/api/v1/sessions"


async def post(client: Client, authorization: str | None) -> tuple[int, str]:
    headers = {} if authorization is None else {"Authorization": authorization}
    async with client.post(PATH, json=wanted(), headers=headers) as answer:
        body = await answer.json(content_type=None)
        if answer.status == 401:
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
            assert answer.content_type == "application/problem+json"
        return answer.status, body.get("type", "")


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", "Basic dTpw", "Bearer x", "Bearer a.b.c"]
)
async def test_without_a_token_nothing_is_done(client: Client, authorization: str | None) -> None:
    assert await post(client, authorization) == (401, "urn:teduh:error:unauthenticated")


@pytest.mark.parametrize("way", [way for way in FORGERIES if way != "very long"])
async def test_a_forged_token_is_refused(program: Program, clock: FakeClock, way: str) -> None:
    claims = api_claims(clock, iss=program.key)
    token = forged(program.services.tokens, claims, program.services.tokens.api_secret(program.key), "JWT")[
        way
    ]
    status, _ = await post(program.client, f"Bearer {token}")
    assert status == 401


async def test_a_token_that_lives_too_long_or_no_more_is_refused(program: Program, clock: FakeClock) -> None:
    secret = program.services.tokens.api_secret(program.key)
    for life, status in ((-1, 401), (0, 401), (9, 201), (11, 401)):
        token = issue_api_token(key=program.key, secret=secret, now=clock.now(), life=timedelta(minutes=life))
        assert (await post(program.client, f"Bearer {token}"))[0] == status


async def test_a_place_token_is_no_key(program: Program) -> None:
    made = await program.create()
    status, _ = await post(program.client, f"Bearer {made['participants'][0]['token']}")
    assert status == 401


async def test_a_token_of_one_key_signed_with_another_is_refused(
    program: Program, services: Services, clock: FakeClock
) -> None:
    async with services.database.sessions.begin() as db:
        other = await apikeys.create(db, name="other", now=clock.now())
    token = jwt.encode(
        api_claims(clock, iss=program.key), services.tokens.api_secret(other.id), algorithm="HS256"
    )
    assert (await post(program.client, f"Bearer {token}"))[0] == 401


async def test_a_good_signature_for_a_key_that_was_never_made_is_refused(
    client: Client, services: Services, clock: FakeClock
) -> None:
    secret = services.tokens.api_secret(ApiKeyId("k_never"))
    token = issue_api_token(key=ApiKeyId("k_never"), secret=secret, now=clock.now())
    assert (await post(client, f"Bearer {token}"))[0] == 401


async def test_a_revoked_key_is_out_at_once(program: Program, services: Services, clock: FakeClock) -> None:
    authorization = program.headers()["Authorization"]
    assert (await post(program.client, authorization))[0] == 201
    async with services.database.sessions.begin() as db:
        await apikeys.revoke(db, key=program.key, now=clock.now())
    assert (await post(program.client, authorization))[0] == 401


async def test_who_asks_too_often_is_told_when_to_come_back(
    program: Program, services: Services, clock: FakeClock
) -> None:
    services.asked.per_s, services.asked.burst = 0.5, 3
    for _ in range(3):
        await program.create()
    async with program.client.post(PATH, json=wanted(), headers=program.headers()) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (429, "2")
        problem = await answer.json(content_type="application/problem+json")
        assert problem["type"] == "urn:teduh:error:too_many"
    clock.advance(2)
    await program.create()


async def test_who_guesses_too_often_is_slowed_down_and_others_are_not(
    program: Program, services: Services
) -> None:
    services.attempts.per_s, services.attempts.burst = 1, 3
    statuses = [(await post(program.client, "Bearer a.b.c"))[0] for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    await program.create()
