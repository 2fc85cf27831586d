"""Opaque, URL-safe identifiers. They name and open nothing: knowing one is no right."""

from __future__ import annotations

import re
import secrets
from typing import NewType

SessionId = NewType("SessionId", str)
ParticipantId = NewType("ParticipantId", str)
ApiKeyId = NewType("ApiKeyId", str)
UserId = NewType("UserId", str)

_ALPHABET = "0123456789abcdefghijkmnopqrstuvwxyz"
_LENGTH = 20  # 35**20 is above 2**102
_FORM = re.compile(f"[a-z]_[{_ALPHABET}]{{{_LENGTH}}}")


def _random() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))


def is_id(text: str) -> bool:
    """Whether a text has the form of an id; nothing else is looked up."""
    return _FORM.fullmatch(text) is not None


def new_session_id() -> SessionId:
    """Make an id for a counseling session."""
    return SessionId("s_" + _random())


def new_participant_id() -> ParticipantId:
    """Make an id for one person's place in one session."""
    return ParticipantId("p_" + _random())


def new_api_key_id() -> ApiKeyId:
    """Make an id for an API key; it is the ``iss`` of the tokens made with it."""
    return ApiKeyId("k_" + _random())


def new_user_id() -> UserId:
    """Make an id for a person, client or staff."""
    return UserId(new_id("u"))


def new_id(letter: str) -> str:
    """Make an id of another kind; ``letter`` says which: one lower-case letter."""
    return f"{letter}_{_random()}"
