"""PROTOCOL.md and the messages say the same, and hostile text is told from an unknown type."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling import call, dispatch, hub, legs, recording
from signaling.client_messages import CLIENT_MESSAGES, Chat, MalformedMessage, UnknownType, decode
from signaling.protocol import CloseCode
from signaling.server_messages import SERVER_MESSAGES, ServerMessage, encode

PAGE = (Path(__file__).parents[2] / "signaling" / "PROTOCOL.md").read_text(encoding="utf-8")


def examples(side: str) -> list[str]:
    return re.findall(rf"```json {side}\n(.*?)```", PAGE, re.DOTALL)


def type_of(text: str) -> str:
    return str(msgspec.json.decode(text)["type"])


@pytest.mark.parametrize("text", examples("client"), ids=type_of)
def test_every_client_example_decodes(text: str) -> None:
    message = decode(text)
    assert type(message) is CLIENT_MESSAGES[type_of(text)]
    known = set(type(message).__struct_encode_fields__) | {"type"}
    assert set(msgspec.json.decode(text)) <= known, "the page shows a field that nobody reads"


@pytest.mark.parametrize("text", examples("server"), ids=type_of)
def test_every_server_example_is_what_the_server_writes(text: str) -> None:
    message: ServerMessage = msgspec.json.decode(text, type=SERVER_MESSAGES[type_of(text)])
    assert msgspec.json.decode(encode(message, seq=message.seq)) == msgspec.json.decode(text)


def test_every_type_has_an_example_and_nothing_else() -> None:
    assert {type_of(text) for text in examples("client")} == set(CLIENT_MESSAGES)
    assert {type_of(text) for text in examples("server")} == set(SERVER_MESSAGES)


def test_every_type_has_its_own_heading() -> None:
    headings = re.findall(r"^### (\w+)$", PAGE, re.MULTILINE)
    assert set(CLIENT_MESSAGES) | set(SERVER_MESSAGES) <= set(headings)


def test_every_close_code_is_in_the_table_and_nothing_else() -> None:
    rows = re.findall(r"^\| (\d{4}) \|", PAGE, re.MULTILINE)
    assert {int(row) for row in rows} == {int(code) for code in CloseCode}


def test_every_error_code_in_the_source_is_in_the_page() -> None:
    listed = set(re.findall(r"`([a-z_]+)`", PAGE))
    source = "".join(
        Path(module.__file__ or "").read_text() for module in (call, dispatch, hub, legs, recording)
    )
    used = set(re.findall(r'Refused\(\s*"(\w+)"', source)) | set(re.findall(r'code="(\w+)"', source))
    assert used <= listed


def test_every_request_has_a_handler() -> None:
    assert set(dispatch.HANDLERS) == {
        kind for name, kind in CLIENT_MESSAGES.items() if name not in ("hello", "ping")
    }


def test_unknown_fields_are_ignored() -> None:
    message = decode('{"type": "chat", "ref": "1", "text": "a", "colour": "red"}')
    assert message == Chat(ref="1", text="a")


def test_an_unknown_type_is_told_with_its_ref() -> None:
    with pytest.raises(UnknownType) as unknown:
        decode('{"type": "dance", "ref": "7"}')
    assert unknown.value.ref == "7"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '"hello"',
        '{"type": 1}',
        '{"type": "chat", "ref": "1"}',
        '{"type": "chat", "ref": "", "text": "a"}',
        '{"type": "chat", "ref": 1, "text": "a"}',
        '{"type": "chat", "text": "a"}',
        '{"type": "mode", "ref": "1", "mode": "dance", "reason": "user"}',
        '{"type": "hello", "resume": {"key": "a", "seq": -1}}',
        '{"type": "answer", "ref": "1", "leg": "a", "negotiation": 1.5, "sdp": ""}',
        '{"type": "hello", "codecs": ' + "[" * 5_000,
        '{"type": "ping", "t": ' + "[" * 30_000 + "]" * 30_000 + "}",
        '{"type": "chat", "ref": "1", "text": "\\ud800"}',
    ],
)
def test_what_does_not_fit_is_malformed(text: str) -> None:
    with pytest.raises(MalformedMessage):
        decode(text)


@given(st.text(max_size=200))
def test_no_text_raises_anything_else(text: str) -> None:
    with pytest.raises((MalformedMessage, UnknownType)):
        decode(text)


@given(
    st.dictionaries(st.sampled_from(["ref", "leg", "text", "sdp", "mode", "t", "data"]), st.integers()),
    st.sampled_from(sorted(CLIENT_MESSAGES)),
)
def test_no_object_raises_anything_else(fields: dict[str, object], kind: str) -> None:
    text = msgspec.json.encode({"type": kind, **fields}).decode()
    with contextlib.suppress(MalformedMessage):
        assert isinstance(decode(text), CLIENT_MESSAGES[kind])
