"""Who gets a place and who does not, over the real WebSocket."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json

import aiohttp
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.e2e.conftest import MakePeer, Pair
from tests.e2e.server import Server
from tests.e2e.traffic import both_ways, media_of
from tests.peers.peer import Peer, Place, random_settings
from tests.peers.wire import Wire, WireClosed


async def code_after(http: aiohttp.ClientSession, server: Server, token: str) -> int | None:
    """Say hello with a token; returns the close code. Fails if a welcome comes."""
    wire = await Wire.open(http, f"{server.url}/api/v1/signal")
    await wire.send("hello", token=token, codecs=["audio/opus", "video/VP8"])
    code = await wire.closed()
    assert [message["type"] for message in wire.log if message["type"] != "error"] == []
    await wire.close()
    return code


def claims_of(token: str) -> dict[str, object]:
    body = token.split(".")[1]
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    return found


def unsigned(claims: dict[str, object]) -> str:
    return jwt.encode(claims, "", algorithm="none", headers={"typ": "teduh-place"})


def with_guessed_secret(claims: dict[str, object]) -> str:
    return jwt.encode(claims, "x" * 64, algorithm="HS256", headers={"typ": "teduh-place"})


def signed_by_rsa(claims: dict[str, object]) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return jwt.encode(claims, pem, algorithm="RS256", headers={"typ": "teduh-place"})


@pytest.mark.parametrize("forge", [unsigned, with_guessed_secret, signed_by_rsa])
async def test_a_forged_token_is_refused(server: Server, http: aiohttp.ClientSession, forge: object) -> None:
    assert callable(forge)
    session = await server.create_session(http)
    claims = claims_of(session.client.token)
    assert await code_after(http, server, forge(claims)) == 4401


@pytest.mark.parametrize("changed", [{"role": "counselor"}, {"sub": "p_x"}, {"sid": "s_x"}, {"exp": 1}])
async def test_a_changed_claim_breaks_the_signature(
    server: Server, http: aiohttp.ClientSession, changed: dict[str, object]
) -> None:
    session = await server.create_session(http)
    head, _, tail = session.client.token.split(".")
    body = json.dumps(claims_of(session.client.token) | changed).encode()
    forged = f"{head}.{base64.urlsafe_b64encode(body).decode().rstrip('=')}.{tail}"
    assert await code_after(http, server, forged) == 4401


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "💥" * 100, "." * 4_000])
async def test_rubbish_is_no_token(server: Server, http: aiohttp.ClientSession, token: str) -> None:
    assert await code_after(http, server, token) == 4401


async def test_a_token_of_the_api_opens_no_place(server: Server, http: aiohttp.ClientSession) -> None:
    assert server.key is not None
    bearer = server.key.bearer()["Authorization"].removeprefix("Bearer ")
    assert await code_after(http, server, bearer) == 4401


async def test_the_token_holds_no_name_and_outlives_an_hour(
    server: Server, http: aiohttp.ClientSession
) -> None:
    session = await server.create_session(http)
    claims = claims_of(session.client.token)
    assert "Sekar" not in json.dumps(claims)
    assert claims["aud"] == "teduh-place"
    assert claims["sub"] == session.client.participant
    assert claims["sid"] == session.id
    assert isinstance(claims["exp"], int)
    assert claims["exp"] > (dt.datetime.now(tz=dt.UTC) + dt.timedelta(hours=1)).timestamp()


async def test_no_hello_in_five_seconds_closes(server: Server, http: aiohttp.ClientSession) -> None:
    wire = await Wire.open(http, f"{server.url}/api/v1/signal")
    assert await wire.closed(within_s=7) == 4401
    await wire.close()


async def test_another_origin_is_refused(server: Server, http: aiohttp.ClientSession) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await Wire.open(http, f"{server.url}/api/v1/signal", headers={"Origin": "https://elsewhere.example"})
    assert refused.value.status == 403


async def newcomer_at(place: Place, make_peer: MakePeer) -> Peer:
    newcomer = make_peer(place, settings=random_settings())
    await newcomer.enter()
    return newcomer


async def test_a_second_browser_receives_nothing_before_it_is_admitted(
    pair: Pair, make_peer: MakePeer
) -> None:
    one, other = await pair()
    await other.on.ask("chat", text="hanya untuk kita berdua")
    newcomer = await newcomer_at(one.place, make_peer)
    asked = await one.on.expect("takeover")
    await both_ways(one, other)
    await other.on.ask("chat", text="dan ini juga")
    for packet in media_of(one, count=5, first=62_000):
        one.send_rtp(packet)
    await asyncio.sleep(0.5)
    seen = newcomer.on.log
    assert {message["type"] for message in seen} <= {"peer", "pong"}
    assert [message["state"] for message in seen if message["type"] == "peer"] == ["waiting"]
    text = json.dumps(seen)
    for word in ("Sekar", "Bima", "kita berdua", "ini juga"):
        assert word not in text
    assert newcomer.leg is None

    await one.on.request("takeover", id=asked["id"], admit=True)
    await newcomer.on.expect("welcome")
    assert await one.on.closed() == 4409
    await newcomer.paired()
    await other.until(
        lambda leg: (
            leg.offer is not None and newcomer.settings.audio_ssrcs[0] in leg.offer.line("audio").ssrcs
        )
    )
    await both_ways(newcomer, other, first=100)


async def test_a_second_browser_that_is_refused_is_closed(pair: Pair, make_peer: MakePeer) -> None:
    one, other = await pair()
    newcomer = await newcomer_at(one.place, make_peer)
    asked = await one.on.expect("takeover")
    await one.on.ask("takeover", id=asked["id"], admit=False)
    assert await newcomer.on.closed() == 4403
    await both_ways(one, other)


async def test_the_other_side_is_asked_when_the_place_is_empty(pair: Pair, make_peer: MakePeer) -> None:
    one, other = await pair()
    await one.close(silently=True)
    await asyncio.sleep(0.3)
    newcomer = await newcomer_at(one.place, make_peer)
    asked = await other.on.expect("takeover", within_s=10)
    await other.on.ask("takeover", id=asked["id"], admit=True)
    await newcomer.on.expect("welcome")
    await newcomer.paired()
    await other.paired()


async def test_a_wrong_resume_key_is_held_like_a_stranger(pair: Pair, make_peer: MakePeer) -> None:
    one, _other = await pair()
    newcomer = make_peer(one.place)
    await newcomer.enter(resume={"key": f"{one.place.participant}.wrong", "seq": 0})
    await one.on.expect("takeover")
    with pytest.raises((TimeoutError, WireClosed)):
        await newcomer.on.expect("welcome", within_s=0.5)


async def test_the_right_key_continues_at_once_and_gets_what_it_missed(pair: Pair) -> None:
    one, other = await pair()
    key = one.resume_key()
    await one.on.kill()
    await other.on.ask("chat", text="satu")
    await other.on.ask("chat", text="dua")
    leg = one.media
    welcome = await one.join(resume=key)
    assert welcome["resumed"] is True
    assert welcome["seq"] == key["seq"]
    assert [(await one.on.expect("chat"))["text"] for _ in range(2)] == ["satu", "dua"]
    assert one.media is leg
    await both_ways(one, other)


async def test_a_revoked_api_key_is_refused_within_a_second(
    own_server: Server, http: aiohttp.ClientSession
) -> None:
    await own_server.create_session(http)
    assert own_server.key is not None
    await asyncio.to_thread(own_server.command, "api-key", "revoke", own_server.key.key_id)
    await asyncio.sleep(1)
    async with http.post(
        f"{own_server.url}/api/v1/sessions", json={}, headers=own_server.key.bearer()
    ) as answer:
        assert answer.status == 401
        assert answer.content_type == "application/problem+json"
