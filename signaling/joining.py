"""From ``hello`` to a place: who this is, and what the call is told."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from core.errors import TeduhError, Unauthenticated
from core.ids import ParticipantId, SessionId
from media.codecs import recordable
from media.description import VoiceProfile
from media.grading import Limits
from media.ladder import Ladder
from signaling.call import Call
from signaling.client_messages import Hello
from signaling.directory import Recording, SessionRecord, SessionState
from signaling.events import Join
from signaling.live import Live
from signaling.mode import ModeState
from signaling.participant import Place, Seat
from signaling.protocol import CloseCode
from signaling.server_messages import IceServer
from signaling.terms import CallState, CallTerms
from signaling.wire import Wire

_NOBODY = {"absent", "left"}


class PlaceClaims(Protocol):
    """What a place token says."""

    @property
    def participant(self) -> ParticipantId:
        """Whose place it opens."""
        ...

    @property
    def session(self) -> SessionId:
        """In which session."""
        ...

    @property
    def role(self) -> str:
        """As what."""
        ...


class PlaceTokens(Protocol):
    """Reads place tokens; raises ``Unauthenticated`` for those that do not hold."""

    def read_place(self, token: str, *, now: datetime) -> PlaceClaims:
        """Read one token."""
        ...


class TurnedAway(TeduhError):
    """This connection gets no place; ``close`` says why."""

    code = "turned_away"

    def __init__(self, close: CloseCode) -> None:
        super().__init__(close.name.lower())
        self.close = close


@dataclass(frozen=True, slots=True)
class Claim:
    """Who a connection says it is, by a token or a cookie that holds.

    ``session`` and ``role`` are None for a cookie, which names the place alone.
    """

    participant: ParticipantId
    session: SessionId | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class SignalingSettings:
    """What the operator set. ``turned_on`` names the extra video codecs, such as ``VP9``.

    ``unseated_per_address`` is how many sockets without a seat one address may have open.
    """

    grace_s: float = 600.0
    heartbeat_s: float = 2.0
    heartbeat_chat_s: float = 15.0
    heartbeat_risk_s: float = 5.0
    ice_servers: tuple[IceServer, ...] = ()
    turned_on: frozenset[str] = frozenset()
    unseated_per_address: int = 50
    voice: VoiceProfile = VoiceProfile()  # noqa: RUF009  # frozen, without state
    limits: Limits = Limits()  # noqa: RUF009  # frozen, without state


def claim(hello: Hello, wire: Wire, *, tokens: PlaceTokens, now: datetime) -> Claim:
    """Say whose place is asked for. Raises ``TurnedAway`` without a token or cookie that holds."""
    if hello.token is None:
        if wire.comer.place is None:
            raise TurnedAway(CloseCode.UNAUTHENTICATED)
        return Claim(wire.comer.place)
    try:
        claims = tokens.read_place(hello.token, now=now)
    except Unauthenticated as error:
        raise TurnedAway(CloseCode.UNAUTHENTICATED) from error
    return Claim(claims.participant, claims.session, claims.role)


def admit(claim: Claim, call: Call, session: SessionId) -> None:
    """Check a claim against the session. Raises ``TurnedAway`` when it does not fit."""
    place = call.place(claim.participant)
    if place is None or (claim.session is not None and claim.session != session):
        raise TurnedAway(CloseCode.NOT_YOUR_PLACE)
    if claim.role is not None and claim.role != place.role:
        raise TurnedAway(CloseCode.NOT_YOUR_PLACE)


def seat_hash(secret: str) -> str:
    """Hash a seat secret as it is stored."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def join_event(claim: Claim, hello: Hello, live: Live, wire: Wire) -> Join:
    """Make the event that the call is told. A new holder's seat secret is made here."""
    participant = claim.participant
    secret = secrets.token_urlsafe(24)
    shown, key, resume_seq = None, "", None
    place = live.call.place(participant)
    if hello.resume is not None:
        owner, _, shown_secret = hello.resume.key.partition(".")
        if owner == participant:
            shown, key = seat_hash(shown_secret), hello.resume.key
            if live.outboxes[participant].can_resume(hello.resume.seq):
                resume_seq = hello.resume.seq
    return Join(
        participant=participant,
        connection=wire.id,
        codecs=tuple(hello.codecs),
        device=wire.device,
        takeover_id="t_" + secrets.token_urlsafe(9),
        fresh_key=f"{participant}.{secret}",
        fresh_hash=seat_hash(secret),
        key=key,
        shown=shown,
        resume_seq=resume_seq,
        own=place is not None and place.user is not None and wire.comer.user == place.user,
    )


def revive(
    record: SessionRecord, *, settings: SignalingSettings, now: datetime, new_tag: Callable[[], str]
) -> Live:
    """Make a session in memory from its record. A place that was taken is within its grace time."""
    places = [
        Place(
            id=one.id,
            role=one.role.value,
            name=one.name,
            seat=_seat(one.state, one.seat),
            seat_hash=one.seat,
            lost_at=now if _seat(one.state, one.seat) is Seat.LOST else None,
            user=one.user,
        )
        for one in record.participants
    ]
    if len(places) != 2:
        raise TurnedAway(CloseCode.NO_SESSION)
    tag = new_tag()
    call = Call(
        terms=CallTerms(
            session=record.id,
            leg_tag=tag,
            recording=record.recording.value,
            grace_s=settings.grace_s,
            heartbeat_s=settings.heartbeat_s,
            heartbeat_chat_s=settings.heartbeat_chat_s,
            heartbeat_risk_s=settings.heartbeat_risk_s,
            max_minutes=record.max_minutes,
            ice_servers=settings.ice_servers,
            turned_on=recordable(settings.turned_on)
            if record.recording is Recording.ASK
            else settings.turned_on,
            voice=settings.voice,
        ),
        places=(places[0], places[1]),
        mode=ModeState(record.mode, reason=record.mode_reason),
        state=CallState.WAITING if record.state is SessionState.WAITING else CallState.INTERRUPTED,
        started_at=record.started_at,
        ends_at=record.ends_at,
    )
    return Live(record.id, tag, call, ladder=Ladder(settings.limits), limits=settings.limits)


def _seat(state: str, seat: str | None) -> Seat:
    if seat is None or state in _NOBODY:
        return Seat.LEFT if state == "left" else Seat.ABSENT
    return Seat.LOST
