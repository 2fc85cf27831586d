"""The OpenAPI 3.1 description of the API for programs, kept beside the handlers of ``web/api.py``."""

from __future__ import annotations

from typing import Any

import msgspec

from web import api_schemas as schema

Json = dict[str, Any]

_STRUCTS = (
    schema.NewSession,
    schema.MadeSession,
    schema.Session,
    schema.Quality,
    schema.NewEnd,
    schema.NewWithdrawal,
    schema.Receipts,
    schema.Problem,
    schema.Health,
)
_PROBLEMS = {
    400: "The body is not JSON.",
    401: "There is no valid token.",
    403: "The key may not do this.",
    404: "There is no such session for this key.",
    409: "The session's state does not allow it.",
    413: "The body is longer than 64 KiB.",
    422: "A value does not fit; `errors` says which.",
    429: "Too many requests; `Retry-After` says when to ask again.",
    503: "The database or the media port does not work.",
}
_SESSION_ID: Json = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The session's id.",
    "schema": {"type": "string", "pattern": "^s_[0-9a-z]{20}$"},
}
_FORMAT: Json = {
    "name": "format",
    "in": "query",
    "required": False,
    "schema": {"type": "string", "enum": ["json", "csv"], "default": "json"},
}


def document(version: str) -> Json:
    """Write the whole document."""
    _, components = msgspec.json.schema_components(_STRUCTS, ref_template="#/components/schemas/{name}")
    _tell_roles_apart(components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "teduh",
            "version": version,
            "description": "Make, watch and end counseling sessions from a program of one's own.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/api/v1/sessions": {"post": _create()},
            "/api/v1/sessions/{id}": {"get": _show()},
            "/api/v1/sessions/{id}/quality": {"get": _quality()},
            "/api/v1/sessions/{id}/end": {"post": _end()},
            "/api/v1/sessions/{id}/recording/withdraw": {"post": _withdraw()},
            "/api/v1/sessions/{id}/recording/receipts": {"get": _receipts()},
            "/healthz": {"get": _health("healthz", "Whether the process serves.", 200)},
            "/readyz": {"get": _health("readyz", "Whether database and media port work.", 200, 503)},
        },
        "components": {
            "schemas": components,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A JWT (HS256) signed with the key's secret: iss is the key's id, aud is "
                    "teduh-api, iat, and exp at most 10 minutes ahead.",
                }
            },
        },
    }


def _tell_roles_apart(components: Json) -> None:
    """Say in the schema that of the two one is the client and one the counselor."""

    def place(role: str) -> Json:
        fixed: Json = {"type": "object", "properties": {"role": {"const": role}}}
        return {"allOf": [{"$ref": "#/components/schemas/NewPlace"}, fixed]}

    pairs = [[place("client"), place("counselor")], [place("counselor"), place("client")]]
    components["NewSession"]["properties"]["participants"] = {
        "type": "array",
        "minItems": 2,
        "maxItems": 2,
        "oneOf": [{"prefixItems": pair} for pair in pairs],
    }


def _create() -> Json:
    return _operation(
        "createSession",
        "Make a session and get a token and a link for each of the two.",
        {201: _content("The session was made.", "MadeSession", location=True)},
        problems=(400, 401, 403, 413, 422, 429),
        body="NewSession",
    )


def _show() -> Json:
    return _operation(
        "getSession",
        "See how a session stands.",
        {200: _content("The session.", "Session")},
        problems=(401, 403, 404, 429),
        parameters=[_SESSION_ID],
    )


def _quality() -> Json:
    found = _content("The whole quality record.", "Quality")
    found["content"]["text/csv"] = {"schema": {"type": "string"}}
    return _operation(
        "getSessionQuality",
        "Read the whole quality record, as JSON or CSV.",
        {200: found},
        problems=(401, 403, 404, 422, 429),
        parameters=[_SESSION_ID, _FORMAT],
    )


def _end() -> Json:
    return _operation(
        "endSession",
        "End a session for both sides.",
        {204: {"description": "The session has ended."}},
        problems=(400, 401, 403, 404, 409, 413, 422, 429),
        parameters=[_SESSION_ID],
        body="NewEnd",
    )


def _withdraw() -> Json:
    return _operation(
        "withdrawRecording",
        "Take the consent of one of the two to all that is recorded of a session back, while it goes on and "
        "for as long as there is a recording. A client's destroys it, a counselor's closes it.",
        {204: {"description": "It is taken back, and nothing is recorded any more."}},
        problems=(400, 401, 403, 404, 409, 413, 422, 429),
        parameters=[_SESSION_ID],
        body="NewWithdrawal",
    )


def _receipts() -> Json:
    return _operation(
        "getRecordingReceipts",
        "Get the signed receipts of what each of the two agreed to and took back, to hand them out.",
        {200: _content("The receipts of both; the oldest first.", "Receipts")},
        problems=(401, 403, 404, 429),
        parameters=[_SESSION_ID],
    )


def _health(name: str, text: str, *codes: int) -> Json:
    answers = {str(code): _content(text, "Health") for code in codes}
    return {"operationId": name, "summary": text, "responses": answers, "security": []}


def _operation(
    name: str,
    text: str,
    answers: dict[int, Json],
    *,
    problems: tuple[int, ...],
    parameters: list[Json] | None = None,
    body: str | None = None,
) -> Json:
    responses = answers | {code: _problem(code) for code in problems}
    operation: Json = {
        "operationId": name,
        "summary": text,
        "security": [{"key": []}],
        "responses": {str(code): answer for code, answer in sorted(responses.items())},
    }
    if parameters:
        operation["parameters"] = parameters
    if body is not None:
        reference = {"schema": {"$ref": f"#/components/schemas/{body}"}}
        operation["requestBody"] = {"required": True, "content": {"application/json": reference}}
    return operation


def _content(text: str, name: str, *, location: bool = False) -> Json:
    reference = {"schema": {"$ref": f"#/components/schemas/{name}"}}
    answer: Json = {"description": text, "content": {"application/json": reference}}
    if location:
        answer["headers"] = {"Location": {"schema": {"type": "string"}, "required": True}}
    return answer


def _problem(code: int) -> Json:
    reference = {"schema": {"$ref": "#/components/schemas/Problem"}}
    answer: Json = {"description": _PROBLEMS[code], "content": {"application/problem+json": reference}}
    if code == 429:
        answer["headers"] = {"Retry-After": {"schema": {"type": "string"}, "required": True}}
    return answer
