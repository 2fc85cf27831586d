"""Clients under 18: the operator's policy, who decided what, and the rule that follows from both.

The policy is a TOML file (``TEDUH_MINORS_POLICY``; ``examples/minors.toml`` shows one). Without it the
service is for adults, and the crisis page stays open to all. Crisis help and a first talk are never gated;
further sessions need a guardian's consent that somebody has seen, or an exception that a named person made
and gave a reason for, above all where the guardian is the danger. Nobody is notified by the program.
Law 27/2022 (PDP), article 25.
"""

from __future__ import annotations

import enum
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from accounts.grants import Grant
from accounts.people import Person
from accounts.roles import Permission
from core.errors import ConfigError, InvalidState
from core.ids import UserId, new_id
from core.sealing import seal, unseal
from counseling.duty_tables import MinorDecisionRow

LANGUAGES: Final = ("id", "en")
FIELDS: Final = {"adopted_on", "guardian_consent_from_session", "may_decide", "words", "contact"}
MAX_WORDS_CHARS: Final = 1000
MAX_REASON_CHARS: Final = 1000


@dataclass(frozen=True, slots=True)
class Policy:
    """Under which terms people under 18 are counseled. ``words`` and ``contact`` are in both languages."""

    adopted_on: date
    consent_from_session: int
    """From which session on a guardian's consent is needed: 2 or later, for the first talk is never gated."""
    may_decide: tuple[str, ...]
    words: Mapping[str, str]
    contact: Mapping[str, str]


class Kind(enum.StrEnum):
    """What was decided about one client."""

    CONSENT = "consent"
    """A guardian's consent was seen."""
    EXCEPTION = "exception"
    """No guardian is asked, above all because the guardian is the danger."""
    WITHDRAWN = "withdrawn"
    """What was decided before counts no more."""


class Why(enum.StrEnum):
    """Why a session may take place or not."""

    ADULT = "adult"
    CRISIS = "crisis"
    FIRST_TALK = "first_talk"
    CONSENT = "consent"
    EXCEPTION = "exception"
    NEEDS_DECISION = "needs_decision"
    NO_POLICY = "no_policy"


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a session may take place, and why."""

    admitted: bool
    why: Why


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision about one client; the reason stays sealed until ``opened``."""

    id: str
    kind: Kind
    decider: str
    recorded_by: UserId
    at: datetime


def admits(
    policy: Policy | None,
    *,
    adult: bool,
    number: int,
    crisis: bool = False,
    decisions: Sequence[Decision] = (),
) -> Admission:
    """Say whether a client's session, their ``number``-th, may take place; the last decision counts."""
    if adult:
        return Admission(admitted=True, why=Why.ADULT)
    if crisis:
        return Admission(admitted=True, why=Why.CRISIS)
    if policy is None:
        return Admission(admitted=False, why=Why.NO_POLICY)
    if number < policy.consent_from_session:
        return Admission(admitted=True, why=Why.FIRST_TALK)
    last = max(decisions, key=lambda one: (one.at, one.id), default=None)
    if last is None or last.kind is Kind.WITHDRAWN:
        return Admission(admitted=False, why=Why.NEEDS_DECISION)
    return Admission(admitted=True, why=Why.CONSENT if last.kind is Kind.CONSENT else Why.EXCEPTION)


def read_policy(path: Path | None) -> Policy | None:
    """Read the operator's policy; None for none. Raises ``ConfigError`` that says what is wrong."""
    if path is None:
        return None
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"The minors policy {path} of TEDUH_MINORS_POLICY cannot be read.") from None
    except tomllib.TOMLDecodeError as error:
        raise _refusal(path, f"it is no TOML ({error})") from None
    if unknown := sorted(set(data) - FIELDS):
        raise _refusal(path, f"it holds {', '.join(unknown)}, which means nothing here")
    if missing := sorted(FIELDS - set(data)):
        raise _refusal(path, f"{', '.join(missing)} is missing")
    adopted, first, names = data["adopted_on"], data["guardian_consent_from_session"], data["may_decide"]
    if not isinstance(adopted, date) or isinstance(adopted, datetime):
        raise _refusal(path, "adopted_on must be a date such as 2026-01-31, without quotes")
    if not isinstance(first, int) or isinstance(first, bool) or not 2 <= first <= 100:
        raise _refusal(path, "guardian_consent_from_session must be 2 to 100: the first talk is never gated")
    if not isinstance(names, list) or not names or not all(_is_text(name, 120) for name in names):
        raise _refusal(path, "may_decide must list at least one person by name")
    return Policy(adopted, first, tuple(names), _both(path, data, "words"), _both(path, data, "contact"))


async def decide(
    db: AsyncSession,
    audit: Audit,
    policy: Policy,
    *,
    client: Person,
    kind: Kind,
    decider: str,
    reason: str,
    recorder: Person,
    now: datetime,
) -> Decision:
    """Record what a named person decided about a client under 18.

    Raises ``InvalidState`` for an adult, and when the policy does not name the decider.
    """
    if client.adult is not False:
        raise InvalidState("This client is not under 18.")
    if decider not in policy.may_decide:
        raise InvalidState("The policy does not name this person.")
    number = new_id("d")
    key = await audit.subjects.key_of(db, subject=client.id)
    db.add(
        MinorDecisionRow(
            id=number,
            user_id=client.id,
            kind=kind.value,
            decider=decider,
            recorded_by=recorder.id,
            reason=seal(key, reason.encode(), about=_about(number)),
            at=now,
        )
    )
    await db.flush()
    await audit.append(
        db,
        tag="minor:decide",
        actor=recorder.id,
        subject=client.id,
        object_id=number,
        detail={"kind": kind.value, "decider": decider},
        now=now,
    )
    return Decision(number, kind, decider, recorder.id, now)


async def decisions_about(db: AsyncSession, *, user: UserId) -> list[Decision]:
    """List what was decided about a client, the newest first, without the reasons."""
    rows = await db.scalars(
        select(MinorDecisionRow)
        .where(MinorDecisionRow.user_id == user)
        .order_by(MinorDecisionRow.at.desc(), MinorDecisionRow.id.desc())
    )
    return [Decision(row.id, Kind(row.kind), row.decider, UserId(row.recorded_by), row.at) for row in rows]


async def see(
    db: AsyncSession, audit: Audit, *, client: Person, viewer: Person, now: datetime
) -> list[Decision]:
    """Show a client to somebody of the staff, with what was decided; the client can see that it was."""
    await audit.append(db, tag="minor:see", actor=viewer.id, subject=client.id, now=now)
    return await decisions_about(db, user=client.id)


async def reasons(
    db: AsyncSession, grant: Grant, audit: Audit, *, user: UserId, now: datetime
) -> Mapping[str, str]:
    """Open the reasons of all decisions about a client, by decision."""
    grant.require(Permission.DECIDE_MINORS, user, now)
    key = await audit.subjects.key_of(db, subject=user)
    rows = await db.scalars(select(MinorDecisionRow).where(MinorDecisionRow.user_id == user))
    return {row.id: unseal(key, row.reason, about=_about(row.id)).decode() for row in rows}


async def erase(db: AsyncSession, *, user: UserId, now: datetime) -> None:  # noqa: ARG001  # as erasers are
    """Delete what was decided about a client."""
    await db.execute(delete(MinorDecisionRow).where(MinorDecisionRow.user_id == user))


def _about(number: str) -> str:
    return f"minor_decisions:{number}:reason"


def _both(path: Path, data: Mapping[str, Any], name: str) -> Mapping[str, str]:
    texts = data[name]
    if not isinstance(texts, dict) or set(texts) != set(LANGUAGES):
        raise _refusal(path, f"[{name}] must hold id and en, and nothing else")
    if not all(_is_text(text, MAX_WORDS_CHARS) for text in texts.values()):
        raise _refusal(
            path, f"[{name}] must hold a text of 1 to {MAX_WORDS_CHARS} characters in each language"
        )
    return {language: " ".join(text.split()) for language, text in texts.items()}


def _is_text(value: object, most: int) -> bool:
    return isinstance(value, str) and 0 < len(value.strip()) <= most


def _refusal(path: Path, what: str) -> ConfigError:
    return ConfigError(f"The minors policy {path} does not fit: {what}.")
