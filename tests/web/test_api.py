from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from accounts.apikeys import Scope
from core.ids import ParticipantId, SessionId
from media.codecs import Mode
from signaling import directory, records
from signaling.records import EventRecord, QualitySample, StateRecord
from tests.fakes import FakeClock
from tests.web.conftest import Client, FakeCalls, Program, new_program, wanted
from web.services import Services

NOTHING: dict[str, Any] = {
    "rtt_ms": None,
    "loss_up_pct": None,
    "loss_down_pct": None,
    "jitter_ms": None,
    "bytes_up": 0,
    "bytes_down": 0,
    "interruptions": 0,
    "gaps_ms": 0,
    "longest_gap_ms": 0,
    "causes": {},
    "grades": {},
    "steps_down": 0,
    "freezes": 0,
    "network": None,
    "percentiles": dict.fromkeys(("rtt_ms", "loss_pct", "loss_up_pct", "loss_down_pct", "jitter_ms", "mos")),
}


async def test_a_program_makes_a_session_and_gets_a_token_and_a_link_for_each(
    program: Program, services: Services, clock: FakeClock
) -> None:
    made = await program.create(mode="voice", recording="ask")
    assert made["state"] == "waiting"
    assert [place["role"] for place in made["participants"]] == ["client", "counselor"]
    for place in made["participants"]:
        assert set(place) == {"id", "role", "token", "join_url"}
        claims = services.tokens.read_place(place["token"], now=clock.now())
        assert (claims.participant, claims.session, claims.role) == (place["id"], made["id"], place["role"])
        assert (claims.expires - clock.now()).total_seconds() == 24 * 3600
        assert place["join_url"].startswith("http://localhost:8080/join#")
    codes = {place["join_url"].partition("#")[2] for place in made["participants"]}
    assert len(codes) == 2
    assert all(len(code) == 22 for code in codes)


async def test_a_program_sees_its_session(program: Program) -> None:
    made = await program.create()
    status, seen = await program.ask("GET", f"/api/v1/sessions/{made['id']}")
    assert status == 200
    ids = [place["id"] for place in made["participants"]]
    assert seen == {
        "id": made["id"],
        "state": "waiting",
        "mode": "video",
        "started_at": None,
        "ended_at": None,
        "participants": [
            {"id": ids[0], "role": "client", "name": "Sekar", "state": "absent"},
            {"id": ids[1], "role": "counselor", "name": "Bima", "state": "absent"},
        ],
        "quality": {"participants": dict.fromkeys(ids, NOTHING)},
        "recording": {"state": "off"},
    }


async def test_a_live_session_is_shown_as_it_is_now(program: Program, services: Services) -> None:
    made = await program.create()
    one = made["participants"][0]["id"]
    assert isinstance(services.calls, FakeCalls)
    services.calls.live[SessionId(made["id"])] = {ParticipantId(one): "interrupted"}
    _, seen = await program.ask("GET", f"/api/v1/sessions/{made['id']}")
    assert [place["state"] for place in seen["participants"]] == ["interrupted", "absent"]


async def test_a_session_is_ended_once(program: Program, services: Services, clock: FakeClock) -> None:
    made = await program.create()
    path = f"/api/v1/sessions/{made['id']}"
    assert await program.ask("POST", f"{path}/end", {"reason": "The time is over."}) == (204, None)
    assert isinstance(services.calls, FakeCalls)
    assert services.calls.ended_by == ["api"]
    _, seen = await program.ask("GET", path)
    assert (seen["state"], seen["ended_at"]) == ("ended", clock.now().isoformat().replace("+00:00", "Z"))
    status, problem = await program.ask("POST", f"{path}/end", {"reason": "Again."})
    assert (status, problem["type"]) == (409, "urn:teduh:error:invalid_state")


async def keep_quality(services: Services, made: dict[str, Any], clock: FakeClock) -> str:
    session, place = SessionId(made["id"]), ParticipantId(made["participants"][0]["id"])
    async with services.database.sessions.begin() as db:
        for number, loss in enumerate((0.0, 3.0, None)):
            sample = QualitySample(
                participant_id=place,
                at=clock.now(),
                rtt_ms=20.0 + number,
                loss_up_pct=loss,
                loss_down_pct=1.0,
                grade="good",
                mos=4.2,
                network="cellular",
                bytes_up=100 * number,
                bytes_down=50,
                transport="udp",
                ip_version=4,
            )
            await records.write(db, [sample])
        for number, kind in enumerate(("interrupted", "resumed", "interrupted")):
            at = clock.now() + timedelta(seconds=number)
            detail = {"gap_ms": 7, "direction": "up", "kind": "cut"} if kind == "resumed" else {"gap_ms": 7}
            await records.write(db, [EventRecord(session, place, kind, detail, at)])
        await records.write(db, [StateRecord(session, "active", began_at=clock.now())])
    return place


async def test_the_summary_sums_up(program: Program, services: Services, clock: FakeClock) -> None:
    made = await program.create()
    place = await keep_quality(services, made, clock)
    _, seen = await program.ask("GET", f"/api/v1/sessions/{made['id']}")
    assert seen["started_at"] is not None
    assert seen["quality"]["participants"][place] == NOTHING | {
        "rtt_ms": 21.0,
        "loss_up_pct": 1.5,
        "loss_down_pct": 1.0,
        "bytes_up": 200,
        "bytes_down": 50,
        "interruptions": 2,
        "gaps_ms": 7,
        "longest_gap_ms": 7,
        "causes": {"unknown_unknown": 1, "up_cut": 1},
        "grades": {"good": 3},
        "network": "cellular",
        "percentiles": {
            "rtt_ms": {"p5": 20.0, "p50": 21.0, "p95": 22.0},
            "loss_pct": {"p5": 1.0, "p50": 1.0, "p95": 3.0},
            "loss_up_pct": {"p5": 0.0, "p50": 0.0, "p95": 3.0},
            "loss_down_pct": {"p5": 1.0, "p50": 1.0, "p95": 1.0},
            "jitter_ms": None,
            "mos": {"p5": 4.2, "p50": 4.2, "p95": 4.2},
        },
    }


async def test_the_whole_record_as_json_and_as_csv(
    program: Program, services: Services, clock: FakeClock
) -> None:
    made = await program.create()
    place = await keep_quality(services, made, clock)
    path = f"/api/v1/sessions/{made['id']}/quality"
    _, whole = await program.ask("GET", path)
    assert whole["session"] == made["id"]
    assert [sample["rtt_ms"] for sample in whole["samples"]] == [20.0, 21.0, 22.0]
    assert [event["kind"] for event in whole["events"]] == ["interrupted", "resumed", "interrupted"]
    assert whole["events"][0]["detail"] == {"gap_ms": 7}
    assert set(whole["samples"][0]) == {"participant", *QualitySample.__slots__} - {"participant_id"}
    dropped = {"participant": place, "direction": "up", "kind": "cut", "gap_ms": 7, "returned": True}
    assert whole["drops"][0] == dropped | {"began_at": "2026-03-02T09:00:00.993000Z"}
    assert [drop["returned"] for drop in whole["drops"]] == [True, False]
    async with program.client.get(f"{path}?format=csv", headers=program.headers()) as answer:
        assert answer.content_type == "text/csv"
        rows = list(csv.DictReader(io.StringIO(await answer.text())))
    assert [row["loss_up_pct"] for row in rows] == ["0.0", "3.0", ""]
    assert rows[0]["participant"] == place
    assert rows[0]["at"] == "2026-03-02T09:00:00.000Z"
    status, problem = await program.ask("GET", f"{path}?format=xml")
    assert (status, problem["errors"][0]["pointer"]) == (422, "/format")


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"mode": "hologram"}, "/mode"),
        ({"mode": None}, "/mode"),
        ({"mode": 5}, "/mode"),
        ({"recording": "on"}, "/recording"),
        ({"participants": None}, "/participants"),
        ({"participants": []}, "/participants"),
        ({"participants": [{"role": "client", "name": "A"}]}, "/participants"),
        ({"participants": [{"role": "client", "name": "A"}] * 2}, "/participants"),
        ({"participants": [{"role": "client", "name": "A"}] * 3}, "/participants"),
        (
            {"participants": [{"role": "client", "name": ""}, {"role": "counselor", "name": "B"}]},
            "/participants/0/name",
        ),
        ({"participants": [{"role": "client", "name": "A"}, {"role": "counselor"}]}, "/participants/1/name"),
        ({"participants": [{"role": "client", "name": "A" * 101}, {}]}, "/participants/0/name"),
        ({"participants": [{"role": "client", "name": "A\u0000"}, {}]}, "/participants/0/name"),
        ({"participants": [{"role": "client", "name": "   "}, {}]}, "/participants/0/name"),
        ({"participants": [{"role": "guest", "name": "A"}, {}]}, "/participants/0/role"),
        ({"max_minutes": 0}, "/max_minutes"),
        ({"max_minutes": 1441}, "/max_minutes"),
        ({"max_minutes": 1.5}, "/max_minutes"),
        ({"max_minutes": "50"}, "/max_minutes"),
        ({"starts_at": "tomorrow"}, "/starts_at"),
        ({"starts_at": "2026-03-02T09:00:00"}, "/starts_at"),
        ({"starts_at": "9999-12-31T23:59:59-14:00"}, "/starts_at"),
    ],
)
async def test_a_value_that_does_not_fit_is_pointed_at(
    program: Program, changed: dict[str, object], pointer: str
) -> None:
    status, problem = await program.ask("POST", "/api/v1/sessions", wanted(**changed))
    assert (status, problem["status"], problem["title"]) == (422, 422, "Unprocessable Entity")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert all(error["detail"] for error in problem["errors"])


async def test_what_is_not_known_is_ignored(program: Program) -> None:
    await program.create(colour="green", max_minutes=50.0, starts_at="9999-12-31T23:59:59Z")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"nul", b'{"mode": "\xed\xa0\x80"}', b'{"x": ' + b"[" * 5000]
)
async def test_a_body_that_is_no_json_is_told_so(program: Program, body: bytes) -> None:
    async with program.client.post("/api/v1/sessions", data=body, headers=program.headers()) as answer:
        problem = await answer.json(content_type="application/problem+json")
    assert (answer.status, problem["type"]) == (400, "urn:teduh:error:malformed")


async def test_a_body_over_64_kib_is_too_long(program: Program) -> None:
    for size, status in ((64 * 1024, 400), (64 * 1024 + 1, 413)):
        async with program.client.post(
            "/api/v1/sessions", data=b" " * size, headers=program.headers()
        ) as answer:
            assert answer.status == status
            assert answer.content_type == "application/problem+json"


async def test_a_key_sees_the_sessions_that_it_made_and_no_others(
    program: Program, client: Client, clock: FakeClock
) -> None:
    made = await program.create()
    stranger = await new_program(client, clock)
    for method, path, body in (
        ("GET", f"/api/v1/sessions/{made['id']}", None),
        ("GET", f"/api/v1/sessions/{made['id']}/quality", None),
        ("POST", f"/api/v1/sessions/{made['id']}/end", {"reason": "Mine."}),
        ("GET", "/api/v1/sessions/s_00000000000000000000", None),
        ("GET", "/api/v1/sessions/%00", None),
    ):
        status, problem = await stranger.ask(method, path, body)
        assert (status, problem["type"]) == (404, "urn:teduh:error:not_found")
    _, seen = await program.ask("GET", f"/api/v1/sessions/{made['id']}")
    assert seen["state"] == "waiting"


async def test_our_own_sessions_are_no_programs_business(program: Program, services: Services) -> None:
    async with services.database.sessions.begin() as db:
        own = await directory.create(
            db,
            mode=Mode.VIDEO,
            recording=directory.Recording.OFF,
            participants=[],
            owner=None,
            starts_at=None,
            max_minutes=None,
            now=services.now(),
        )
    status, _ = await program.ask("GET", f"/api/v1/sessions/{own.session.id}")
    assert status == 404


@pytest.mark.parametrize("scope", list(Scope))
async def test_a_key_does_what_its_scopes_say_and_no_more(
    program: Program, client: Client, clock: FakeClock, scope: Scope
) -> None:
    narrow = await new_program(client, clock, frozenset({scope}))
    made = await program.create()
    asked = {
        Scope.CREATE: ("POST", "/api/v1/sessions", wanted()),
        Scope.READ: ("GET", f"/api/v1/sessions/{made['id']}", None),
        Scope.END: ("POST", f"/api/v1/sessions/{made['id']}/end", {"reason": "x"}),
    }
    for needed, (method, path, body) in asked.items():
        status, problem = await narrow.ask(method, path, body)
        if needed is scope:
            assert status in {201, 404}
        else:
            assert (status, problem["type"]) == (403, "urn:teduh:error:forbidden")


async def test_an_unknown_way_is_a_problem_document(program: Program) -> None:
    status, problem = await program.ask("GET", "/api/v1/nothing")
    assert (status, problem["title"]) == (404, "Not Found")
    async with program.client.delete("/api/v1/sessions", headers=program.headers()) as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")
        assert answer.content_type == "application/problem+json"
