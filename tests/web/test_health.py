from __future__ import annotations

import pytest

from core.ids import ParticipantId, SessionId
from signaling.records import EventRecord, QualitySample
from tests.web.conftest import Client, FakeCalls, FakeMedia, Program
from web.services import Services


async def get(client: Client, path: str, **headers: str) -> tuple[int, object]:
    async with client.get(path, headers=headers) as answer:
        return answer.status, await answer.json()


async def test_it_is_ready_when_database_and_media_port_work(client: Client) -> None:
    assert await get(client, "/healthz") == (200, {"status": "ok"})
    ready = {"status": "ready", "checks": {"database": True, "media": True}}
    assert await get(client, "/readyz") == (200, ready)


async def test_without_the_media_port_it_serves_and_is_not_ready(client: Client, services: Services) -> None:
    assert isinstance(services.media, FakeMedia)
    services.media.ready = False
    assert (await get(client, "/healthz"))[0] == 200
    checks = {"database": True, "media": False}
    assert await get(client, "/readyz") == (503, {"status": "not ready", "checks": checks})


async def test_without_the_database_it_serves_and_is_not_ready(
    client: Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:
        raise OSError("gone")

    monkeypatch.setattr(services.database, "check", fail)
    assert (await get(client, "/healthz"))[0] == 200
    assert (await get(client, "/readyz", **{"X-Forwarded-For": "203.0.113.7"})) == (
        503,
        {"status": "not ready"},
    )


async def test_the_details_are_not_for_everybody(client: Client) -> None:
    assert await get(client, "/readyz", **{"X-Forwarded-For": "203.0.113.7"}) == (200, {"status": "ready"})


async def test_metrics_name_no_person_and_no_session(program: Program, client: Client) -> None:
    made = await program.create()
    await program.ask("GET", f"/api/v1/sessions/{made['id']}")
    async with client.get("/metrics") as answer:
        assert answer.status == 200
        text = await answer.text()
    assert 'teduh_http_requests_total{route="/api/v1/sessions/{id}",status="200"} 1.0' in text
    assert "teduh_media_legs 1.0" in text
    assert "teduh_media_packets_total 7.0" in text
    assert "teduh_calls_sessions 2.0" in text
    assert made["id"] not in text
    assert program.key not in text
    assert "Sekar" not in text


async def test_metrics_have_histograms_of_quality(client: Client, services: Services) -> None:
    assert isinstance(services.calls, FakeCalls)
    quality, who, now = services.calls.quality, ParticipantId("p_1"), services.now()
    for rtt_ms, grade in ((40.0, "good"), (240.0, "good"), (9_000.0, "poor")):
        quality.take(QualitySample(participant_id=who, at=now, rtt_ms=rtt_ms, loss_down_pct=6.0, grade=grade))
    quality.joined(0.3)
    cut = {"gap_ms": 4_000, "direction": "both", "kind": "cut"}
    for kind in ("interrupted", "resumed"):
        quality.take(EventRecord(SessionId("s_1"), who, kind, cut, now))
    async with client.get("/metrics") as answer:
        lines = (await answer.text()).splitlines()
    for line in (
        "# TYPE teduh_calls_rtt_seconds histogram",
        'teduh_calls_rtt_seconds_bucket{le="0.05"} 1.0',
        'teduh_calls_rtt_seconds_bucket{le="0.3"} 2.0',
        'teduh_calls_rtt_seconds_bucket{le="+Inf"} 3.0',
        "teduh_calls_rtt_seconds_count 3.0",
        "teduh_calls_rtt_seconds_sum 9.28",
        'teduh_calls_loss_ratio_bucket{direction="down",le="0.05"} 0.0',
        'teduh_calls_loss_ratio_bucket{direction="down",le="0.08"} 3.0',
        'teduh_calls_loss_ratio_count{direction="up"} 0.0',
        'teduh_calls_join_seconds_bucket{le="0.5"} 1.0',
        'teduh_calls_gap_seconds_bucket{le="5.0"} 1.0',
        "# TYPE teduh_calls_troubles_total counter",
        'teduh_calls_troubles_total{direction="both",kind="cut"} 1.0',
        'teduh_calls_samples_total{grade="good"} 2.0',
        'teduh_calls_events_total{kind="resumed"} 1.0',
    ):
        assert line in lines
    assert not [line for line in lines if "p_1" in line or "s_1" in line]


async def test_metrics_are_hidden_from_others(client: Client, services: Services) -> None:
    away = {"X-Forwarded-For": "203.0.113.7"}
    async with client.get("/metrics", headers=away) as answer:
        assert answer.status == 404
    object.__setattr__(services.config, "metrics_token", "a-token-of-some-length")
    for sent, status in (("a-token-of-some-length", 200), ("another-token-of-some", 404), ("\u20ac", 404)):
        headers = away | {"Authorization": f"Bearer {sent}"}
        async with client.get("/metrics", headers=headers) as answer:
            assert answer.status == status
