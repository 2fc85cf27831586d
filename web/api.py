"""The API for programs: sessions by HTTP. A key sees the sessions that it made and no others."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.apikeys import ApiKey, Scope
from accounts.roles import Permission
from core.errors import InvalidInput, InvalidState, Misfit, NotFound
from core.ids import SessionId, is_id
from recordings import receipts, withdrawals
from signaling import directory, quality_record
from signaling.directory import Created, NewParticipant, Recording, Role, SessionRecord, SessionState
from signaling.quality_report import report_of
from web import api_quality, withdrawing
from web import api_schemas as schema
from web.api_auth import with_key
from web.bodies import read_body
from web.gate import add
from web.openapi import document
from web.services import SERVICES, Services

DOCUMENT = "/api/v1/openapi.json"


def setup(app: http.Application) -> None:
    """Add the API."""
    add(app, "POST", "/api/v1/sessions", create, Permission.PROGRAM)
    add(app, "GET", "/api/v1/sessions/{id}", show, Permission.PROGRAM)
    add(app, "GET", "/api/v1/sessions/{id}/quality", quality, Permission.PROGRAM)
    add(app, "POST", "/api/v1/sessions/{id}/end", end, Permission.PROGRAM)
    add(app, "POST", "/api/v1/sessions/{id}/recording/withdraw", withdraw, Permission.PROGRAM)
    add(app, "GET", "/api/v1/sessions/{id}/recording/receipts", signed, Permission.PROGRAM)
    described = document(app_version())
    answer = msgspec.json.encode(described)

    async def openapi(_request: http.Request) -> http.Response:
        return http.Response(body=answer, content_type="application/json")

    add(app, "GET", DOCUMENT, openapi, Permission.OPEN)


def app_version() -> str:
    """Say the version of the API's description."""
    return "1.0.0"


@with_key(Scope.CREATE)
async def create(request: http.Request, key: ApiKey) -> http.Response:
    """Answer ``POST /api/v1/sessions``."""
    services = request.app[SERVICES]
    wanted = await read_body(request, schema.NewSession)
    check(wanted, may_record=services.config.recording)
    async with services.database.sessions.begin() as db:
        created = await directory.create(
            db,
            mode=wanted.mode,
            recording=wanted.recording,
            participants=[NewParticipant(place.role, place.name) for place in wanted.participants],
            owner=key.id,
            starts_at=wanted.starts_at,
            max_minutes=None if wanted.max_minutes is None else int(wanted.max_minutes),
            now=services.now(),
        )
    location = f"/api/v1/sessions/{created.session.id}"
    return _json(made(created, services), status=201, headers={"Location": location})


def check(wanted: schema.NewSession, *, may_record: bool) -> None:
    """Check what the types do not say; raises ``InvalidInput`` with a pointer for each misfit."""
    misfits: list[Misfit] = []
    if {place.role for place in wanted.participants} != set(Role):
        misfits.append(Misfit("/participants", "One must be the client and the other the counselor."))
    if wanted.starts_at is not None and not _is_a_time(wanted.starts_at):
        misfits.append(Misfit("/starts_at", "It lies outside of the years 1 to 9999 in UTC."))
    if wanted.recording is Recording.ASK and not may_record:
        misfits.append(Misfit("/recording", "Nobody is asked for a recording here."))
    if misfits:
        raise InvalidInput("The body does not fit.", misfits)


def _is_a_time(at: datetime) -> bool:
    try:
        at.astimezone(UTC)
    except OverflowError:
        return False
    return True


def made(created: Created, services: Services) -> schema.MadeSession:
    """Write a new session with the two ways into each place."""
    session = created.session
    places = [
        schema.MadePlace(
            id=place.id,
            role=place.role,
            token=services.tokens.issue_place(
                participant=place.id,
                session=session.id,
                role=place.role.value,
                now=services.now(),
                expires=session.places_until,
            ),
            join_url=f"{services.config.public_url}/join#{created.codes[place.id]}",
        )
        for place in session.participants
    ]
    return schema.MadeSession(session.id, session.state, places)


@with_key(Scope.READ)
async def show(request: http.Request, key: ApiKey) -> http.Response:
    """Answer ``GET /api/v1/sessions/{id}``."""
    services = request.app[SERVICES]
    async with services.database.sessions() as db:
        session = await _own(db, request, key)
        record = await quality_record.read(db, session_id=session.id)
        recorded = await withdrawals.latest(db, session=session.id)
    live = services.survey.states(session.id) or {}
    return _json(
        schema.Session(
            id=session.id,
            state=session.state,
            mode=session.mode,
            started_at=session.started_at,
            ended_at=session.ended_at,
            participants=[
                schema.Place(place.id, place.role, place.name, live.get(place.id, place.state))
                for place in session.participants
            ],
            quality=api_quality.summary(report_of(session, record, now=services.now())),
            recording=schema.recording_state(recorded),
        )
    )


@with_key(Scope.READ)
async def quality(request: http.Request, key: ApiKey) -> http.Response:
    """Answer ``GET /api/v1/sessions/{id}/quality``, as JSON or with ``?format=csv``."""
    wanted = request.query.get("format", "json")
    if wanted not in {"json", "csv"}:
        raise InvalidInput("The query does not fit.", [Misfit("/format", "It must be json or csv.")])
    services = request.app[SERVICES]
    async with services.database.sessions() as db:
        session = await _own(db, request, key)
        record = await quality_record.read(db, session_id=session.id)
    if wanted == "csv":
        return http.Response(text=api_quality.as_csv(record), content_type="text/csv", charset="utf-8")
    return _json(api_quality.whole(report_of(session, record, now=services.now())))


@with_key(Scope.END)
async def end(request: http.Request, key: ApiKey) -> http.Response:
    """Answer ``POST /api/v1/sessions/{id}/end``."""
    services = request.app[SERVICES]
    async with services.database.sessions() as db:
        session = await _own(db, request, key)
    wanted = await read_body(request, schema.NewEnd)
    if session.state is SessionState.ENDED:
        raise InvalidState("The session has already ended.")
    await services.calls.end(session.id, reason=wanted.reason, by="api")
    return http.Response(status=204)


@with_key(Scope.END)
async def withdraw(request: http.Request, key: ApiKey) -> http.Response:
    """Answer ``POST /api/v1/sessions/{id}/recording/withdraw``: for somebody who says so to the program."""
    services = request.app[SERVICES]
    async with services.database.sessions() as db:
        session = await _own(db, request, key)
    wanted = await read_body(request, schema.NewWithdrawal)
    place = next(one for one in session.participants if one.role is wanted.role)
    await withdrawing.of_place(services, place.id)
    return http.Response(status=204)


@with_key(Scope.READ)
async def signed(request: http.Request, key: ApiKey) -> http.Response:
    """Answer ``GET /api/v1/sessions/{id}/recording/receipts``: for the two, who have no login."""
    services = request.app[SERVICES]
    given: dict[Role, list[str]] = {}
    async with services.database.sessions() as db:
        session = await _own(db, request, key)
        for place in session.participants:
            entries = await receipts.of_place(db, session=session.id, participant=place.id)
            given[place.role] = [services.receipts.make(entry) for entry in entries]
    return _json(schema.Receipts(given[Role.CLIENT], given[Role.COUNSELOR]))


async def _own(db: AsyncSession, request: http.Request, key: ApiKey) -> SessionRecord:
    asked = request.match_info["id"]
    session = await directory.find(db, session_id=SessionId(asked)) if is_id(asked) else None
    if session is None or session.owner != key.id:
        raise NotFound("This key has made no session with this id.")
    return session


def _json(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> http.Response:
    body = msgspec.json.encode(value)
    return http.Response(body=body, status=status, content_type="application/json", headers=headers)
