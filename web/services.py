"""What handlers need, in one place: built by ``web/app.py``, found in the application by its key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from aiohttp import web as http
from aiohttp.typedefs import Handler

from accounts.audit import Audit
from accounts.checkpoints import Checkpoints
from accounts.codes import Codes
from accounts.erasure import Erasure
from accounts.passkeys import Passkeys
from accounts.passwords import Passwords
from accounts.printing import Printer
from accounts.receipts import Receipts
from accounts.subjects import Subjects
from accounts.throttle import Throttle
from accounts.tokens import Tokens
from accounts.totp import Totps
from core.clock import Clock
from core.config import Config
from core.db import Database
from core.ids import ParticipantId, SessionId, UserId
from core.mail import Mail
from core.warrants import Warrants
from counseling.crowd import CrowdReader
from counseling.minors import Policy
from media.description import Answer, OfferRequest
from media.events import LegId
from recordings.vault import Vault
from signaling.presence import Dropped, Presence
from signaling.quality_counts import Measured
from signaling.quality_trouble import TroubledSession

ATTEMPTS_PER_S = 20.0
ATTEMPTS_AT_ONCE = 200.0
STARTS_PER_S = 10.0
STARTS_AT_ONCE = 200.0


class Calls(Protocol):
    """What is let happen to the live calls (``signaling.hub.Hub``)."""

    async def end(self, session_id: SessionId, *, reason: str, by: str | None = None) -> None:
        """End a session for both sides; ``by`` is a word such as ``api``.

        Raises ``InvalidState`` when it has ended already.
        """
        ...

    def log_out(self, login: str) -> None:
        """Take out whoever sits in a call by a login that has ended."""
        ...

    def leave_quickly(self, participant: ParticipantId) -> None:
        """Take somebody out who left by the quick exit; nothing happens when they are not here."""
        ...

    async def stop_recording(self, participant: ParticipantId) -> None:
        """Take somebody's consent to be recorded back; nothing happens when they are not here."""
        ...

    async def stop_recordings_of(self, client: UserId) -> None:
        """Take a client's consent to be recorded back in all live sessions."""
        ...

    async def recheck_recordings_of(self, client: UserId) -> None:
        """Look again whether a client may be asked for a recording in the live sessions."""
        ...

    def watch_closely(self, clients: frozenset[UserId]) -> None:
        """Notice soonest when the line of one of these breaks, and of no others."""
        ...

    def by_phone(self, participant: ParticipantId) -> None:
        """Let somebody go on with the other by telephone; nothing happens while both are connected."""
        ...


class Survey(Protocol):
    """What is asked about the live calls (``signaling.survey.Survey``)."""

    def logins(self) -> set[str]:
        """Name the logins that somebody sits in a call by."""
        ...

    def dropped(self) -> Sequence[Dropped]:
        """List those whose line broke, of all sessions in memory."""
        ...

    def presence(self, participant: ParticipantId) -> Presence | None:
        """Say how somebody stands to their session; None when it is not in memory."""
        ...

    def states(self, session_id: SessionId) -> Mapping[ParticipantId, str] | None:
        """Say how the participants look now; None for a session that is not in memory."""
        ...

    def in_trouble(self) -> Sequence[TroubledSession]:
        """List the live sessions whose lines are in trouble, the worst first."""
        ...

    def counters(self) -> dict[str, int | float]:
        """Count what is live, for /metrics."""
        ...

    def measured(self) -> Iterable[Measured]:
        """Tell the histograms and counts of quality, for /metrics."""
        ...


class Media(Protocol):
    """What the API and the probe ask of the media port (``media.relay.Relay``)."""

    @property
    def ready(self) -> bool:
        """Whether the media port is bound and its loop runs."""
        ...

    def counters(self) -> dict[str, int]:
        """Count packets and legs, for /metrics."""
        ...

    def open_leg(self, leg: LegId) -> None:
        """Make a leg."""
        ...

    def offer(self, leg: LegId, request: OfferRequest) -> str:
        """Return the SDP of an offer. Raises ``NotFound``."""
        ...

    def answer(self, leg: LegId, sdp: str) -> Answer:
        """Take the answer. Raises ``InvalidAnswer``, ``NotFound``."""
        ...

    def pair(self, a: LegId, b: LegId) -> None:
        """Let packets flow between two legs."""
        ...

    def forward(self, leg: LegId, *, audio: bool, video: bool) -> None:
        """Say which kinds are passed on."""
        ...

    def close_leg(self, leg: LegId) -> None:
        """End a leg. Idempotent."""
        ...


class Engine(Protocol):
    """What carries the calls of one application."""

    @property
    def calls(self) -> Calls:
        """The live calls."""
        ...

    @property
    def survey(self) -> Survey:
        """A look at them."""
        ...

    @property
    def media(self) -> Media:
        """The media port."""
        ...

    @property
    def signal(self) -> Handler:
        """The handler of ``GET /api/v1/signal``."""
        ...

    async def start(self) -> None:
        """Open the media port and take calls."""
        ...

    async def tell_everybody(self) -> None:
        """Tell everybody that the server goes, and close their sockets. Idempotent."""
        ...

    async def close(self) -> None:
        """End everything. Idempotent, and also after a start that failed."""
        ...


@dataclass(slots=True)
class Services:
    """Everything one application is made of. ``attempts`` throttles addresses, ``asked`` API keys."""

    config: Config
    clock: Clock
    database: Database
    tokens: Tokens
    calls: Calls
    survey: Survey
    media: Media
    asked: Throttle
    audit: Audit
    subjects: Subjects
    """The key of each person."""
    erasure: Erasure
    checkpoints: Checkpoints
    passwords: Passwords
    codes: Codes
    totps: Totps
    passkeys: Passkeys
    receipts: Receipts
    vault: Vault
    """The key of each recording."""
    warrants: Warrants
    """Leave to open one."""
    printer: Printer
    csrf_key: bytes
    """Proves that a form was made here."""
    minors: Policy | None = None
    """The operator's policy for people under 18; None: the service is for adults."""
    mail: Mail | None = None
    """The queue of letters; None without TEDUH_SMTP_URL."""
    attempts: Throttle = field(default_factory=lambda: Throttle(ATTEMPTS_PER_S, ATTEMPTS_AT_ONCE))
    starts: Throttle = field(default_factory=lambda: Throttle(STARTS_PER_S, STARTS_AT_ONCE))
    """Slows down addresses that make many accounts."""
    crowd: CrowdReader = field(default_factory=CrowdReader)
    """How many wait and are there, for everybody who asks."""

    def now(self) -> datetime:
        """Say the time."""
        return self.clock.now()


SERVICES: Final = http.AppKey("services", Services)
