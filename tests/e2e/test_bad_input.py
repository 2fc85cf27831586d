"""Malformed, oversized, out of order, too frequent: each gets its code and touches nobody else."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from tests.e2e.conftest import MakePeer, Pair
from tests.e2e.server import Server
from tests.e2e.traffic import both_ways
from tests.peers.checks import Checks, Credentials, Nomination
from tests.peers.leg import Leg
from tests.peers.links import TcpLink, open_link
from tests.peers.peer import Peer, random_settings
from tests.peers.sdp import Candidate
from tests.peers.wire import Wire


async def open_session(server: Server, http: aiohttp.ClientSession, make_peer: MakePeer) -> Peer:
    session = await server.create_session(http)
    peer = make_peer(session.client)
    await peer.join()
    return peer


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "nonsense",
        "[]",
        "{}",
        '{"type": 5}',
        '{"type": "chat", "ref": "a"}',
        "[" * 50_000,
        '{"type": "media", "ref": "a", "audio": "x", "video": 1}',
    ],
)
async def test_a_malformed_frame_gets_an_error_and_4400(pair: Pair, frame: str) -> None:
    one, other = await pair()
    await one.on.send_text(frame)
    await one.on.expect("error")
    assert await one.on.closed() == 4400
    assert other.on.close_code is None
    await both_ways(one, other, count=5)


async def test_an_oversized_frame_closes_with_1009(pair: Pair) -> None:
    one, other = await pair()
    await one.on.send_text(json.dumps({"type": "chat", "ref": "a", "text": "x" * 70_000}))
    assert await one.on.closed() == 1009
    await both_ways(one, other, count=5)


async def test_a_binary_frame_is_malformed(pair: Pair) -> None:
    one, _other = await pair()
    await one.on.websocket.send_bytes(b"\x00" * 10)
    assert await one.on.closed() == 4400


async def test_too_many_messages_close_with_4429(pair: Pair) -> None:
    one, other = await pair()

    async def flood() -> None:
        for number in range(2_000):
            await one.on.send("ping", t=number)

    with_close = asyncio.ensure_future(flood())
    assert await one.on.closed() == 4429
    await asyncio.gather(with_close, return_exceptions=True)
    assert other.on.close_code is None


async def test_a_message_before_hello_closes_with_4401(server: Server, http: aiohttp.ClientSession) -> None:
    wire = await Wire.open(http, f"{server.url}/api/v1/signal")
    await wire.send("chat", ref="a", text="halo")
    assert await wire.closed() == 4401
    await wire.close()


@pytest.mark.parametrize(
    ("kind", "fields", "code"),
    [
        ("nonsense", {}, "unknown_type"),
        ("chat", {"text": ""}, None),
        ("chat", {"text": "x" * 4_001}, None),
        ("end", {}, None),
        ("consent", {"subject": "recording", "granted": True, "terms": "0"}, None),
        ("takeover", {"id": "none", "admit": True}, None),
        ("relay", {"to": "p_nobody", "data": "x"}, None),
    ],
)
async def test_a_request_that_cannot_be_done_gets_an_error_and_the_connection_goes_on(
    pair: Pair, kind: str, fields: dict[str, object], code: str | None
) -> None:
    one, _other = await pair()
    ref = await one.on.request(kind, **fields)
    error = await one.on.expect("error", ref=ref)
    assert code in (None, error["code"])
    await one.on.send("ping", t=7)
    assert (await one.on.expect("pong"))["t"] == 7


async def test_a_ref_is_handled_once(pair: Pair) -> None:
    one, other = await pair()
    for _ in range(3):
        await one.on.send("chat", ref="same", text="sekali saja")
    await other.on.expect("chat")
    with pytest.raises(TimeoutError):
        await other.on.expect("chat", within_s=0.5)


def _garbage(real: str) -> dict[str, str]:
    """Answers that are none. ``real`` is one that fits."""
    candidate = "a=candidate:1 1 udp 1 127.0.0.1 9 typ host\r\n"
    return {
        "empty": "",
        "noise": "\x00\xff" * 5_000,
        "long lines": "a=" + "x" * 50_000,
        "many candidates": real + candidate * 1_000,
        "no fingerprint": "\r\n".join(row for row in real.split("\r\n") if "fingerprint" not in row),
        "other lines": real.replace("m=audio", "m=application"),
        "huge numbers": real.replace("111", "9" * 40),
        "negative port": real.replace("m=audio 9", "m=audio -1"),
        "cut short": real[: len(real) // 2],
    }


NAMES = tuple(_garbage(""))


@pytest.mark.parametrize("name", NAMES)
async def test_a_garbage_answer_is_refused_and_harms_nobody(
    pair: Pair, server: Server, http: aiohttp.ClientSession, make_peer: MakePeer, name: str
) -> None:
    session = await server.create_session(http)
    bad = make_peer(session.client)
    bad.answers = False
    await bad.join()
    offer = await bad.on.expect("offer")
    real = Leg(bad.certificate, bad.settings).take(offer["sdp"])
    ref = await bad.on.request(
        "answer", leg=offer["leg"], negotiation=offer["negotiation"], sdp=_garbage(real)[name]
    )
    if name not in ("many candidates", "huge numbers"):
        await bad.on.expect("error", ref=ref)
    one, other = await pair()
    await both_ways(one, other, count=10)


async def test_an_answer_of_100_kb_closes_with_1009(
    server: Server, http: aiohttp.ClientSession, make_peer: MakePeer
) -> None:
    peer = await open_session(server, http, make_peer)
    await peer.on.request("answer", leg="x", negotiation=1, sdp="v=0\r\n" + "a=x\r\n" * 20_000)
    assert await peer.on.closed() == 1009


async def test_who_never_answers_gets_an_error_and_a_new_leg(
    server: Server, http: aiohttp.ClientSession, make_peer: MakePeer
) -> None:
    session = await server.create_session(http)
    peer = make_peer(session.client)
    peer.answers = False
    await peer.join()
    first = await peer.on.expect("offer")
    error = await peer.on.expect("error", within_s=13)
    assert error["code"] == "negotiation_timeout"
    second = await peer.on.expect("offer")
    assert second["leg"] != first["leg"]
    assert second["negotiation"] == 1


async def test_no_common_audio_is_said(
    server: Server, http: aiohttp.ClientSession, make_peer: MakePeer
) -> None:
    session = await server.create_session(http)
    one = make_peer(session.client, settings=random_settings(payload_types=frozenset({96, 97})))
    other = make_peer(session.counselor)
    await one.join()
    await other.join()
    error = await one.on.expect("error", within_s=8)
    assert error["code"] in ("no_common_codec", "invalid_answer")


async def test_wrong_framing_and_junk_on_the_media_port_harm_nobody(pair: Pair, server: Server) -> None:
    one, other = await pair()
    got: list[bytes] = []
    tcp = await open_link(Candidate("tcp", "127.0.0.1", server.media_port), got.append)
    udp = await open_link(Candidate("udp", "127.0.0.1", server.media_port), got.append)
    assert isinstance(tcp, TcpLink)
    for junk in (
        b"",
        b"\x00",
        b"\x00\x01" * 700,
        b"\x16\xfe\xfd" + b"x" * 100,
        b"\x80" * 1_400,
        b"\xff" * 1_000,
    ):
        udp.send(junk)
        tcp.send_raw(junk)
    tcp.send_raw(b"\xff\xff" + b"x" * 70_000)
    await both_ways(one, other)
    assert got == []
    await asyncio.wait_for(tcp.ended.wait(), 8)
    udp.close()
    tcp.close()


async def test_a_wrong_password_gets_no_answer(pair: Pair) -> None:
    one, other = await pair()
    assert one.media.offer is not None
    got: list[bytes] = []
    link = await open_link(one.media.offer.candidates[0], got.append)
    for remote in (
        Credentials(one.media.offer.ufrag, "wrong" * 6),
        Credentials("nobody", one.media.offer.pwd),
    ):
        checks = Checks(local=Credentials.fresh(), remote=remote, nomination=Nomination.ALWAYS, tie_breaker=1)
        link.send(checks.request())
    await both_ways(one, other)
    assert got == []
    link.close()
