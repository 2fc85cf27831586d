"""Who may do what: the one table of permissions.

No route exists without one (``web/gate.py`` refuses to start), and a sensitive read asks for one
again where it is made (``accounts/grants.py``). A person may have several roles; what any of them
may do, the person may.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Final


class Role(enum.StrEnum):
    """What a person is to the service."""

    CLIENT = "client"
    COUNSELOR = "counselor"
    SUPERVISOR = "supervisor"
    OFFICER = "officer"
    """Takes complaints; stands outside the counseling line."""
    ADMIN = "admin"


STAFF: Final = frozenset(Role) - {Role.CLIENT}
EVERYONE: Final = frozenset(Role)


class Permission(enum.StrEnum):
    """One thing that may be done; its value stands in the audit."""

    # Not asked of a person: whoever comes.
    OPEN = "open"
    """Anybody, logged in or not."""
    PROGRAM = "program"
    """An API key's token, checked by ``web/api_auth.py``."""
    PLACE = "place"
    """A join code, a ticket or a token of one place, checked where it is used."""
    OPERATOR = "operator"
    """The metrics token or loopback, checked by ``web/metrics.py``."""

    # Everybody who is logged in, about themselves.
    OWN_LOGIN = "own:login"
    OWN_NOTICES = "own:notices"
    OWN_PLACES = "own:places"
    OWN_ACCOUNT = "own:account"
    """A client's account: name, recovery code, phone, erasure."""
    OWN_CONSENTS = "own:consents"
    OWN_RECORDINGS = "own:recordings"
    """Recordings of one's own sessions, as one of the two in them."""
    OWN_HISTORY = "own:history"
    """Who opened what of mine."""
    OWN_COMPLAINTS = "own:complaints"
    OWN_CREDENTIALS = "own:credentials"
    """A staff member's password and second factor."""
    OWN_REGISTER = "own:register"
    """A counselor's own entry in the register."""
    OWN_WAY = "own:way"
    """A client's way to a counselor: walking in, waiting, booking, messages, preparation, intake."""

    # About others.
    SERVE = "desk:serve"
    """A counselor's desk: who waits, offers, own appointments, own messages."""
    READ_MESSAGES = "messages:read"
    """Messages of one's own clients."""
    DUTY = "duty:answer"
    """Urgent alarms."""
    BREAK_GLASS = "contact:open"
    """Where a client is and whom to call, in danger."""
    SEE_HINTS = "hints:see"
    """What the client one talks with answered while waiting."""
    CALL_BACK = "number:open"
    """The number of a client who asked to be called when the line drops."""
    EDIT_INSTRUMENTS = "instruments:edit"
    SEE_QUALITY = "quality:see"
    """How the line of a session was; of which sessions says ``counseling/oversight.py``."""
    SEE_TRENDS = "trends:see"
    """How lines were over many sessions."""
    SEE_REPORTS = "reports:see"
    SEE_SUPERVISED = "supervised:see"
    SEE_PEOPLE = "people:see"
    CHANGE_PEOPLE = "people:change"
    SEE_REGISTER = "register:see"
    VERIFY_COUNSELOR = "register:verify"
    OPEN_PROOF = "register:proof"
    EDIT_TEXTS = "texts:edit"
    EDIT_ROSTER = "roster:edit"
    EDIT_CRISIS_LINES = "crisis:edit"
    SEE_SETTINGS = "settings:see"
    SEE_AUDIT = "audit:see"
    SEE_CONSENT_PROOF = "consents:proof"
    HANDLE_INCIDENTS = "incidents:handle"
    HANDLE_COMPLAINTS = "complaints:handle"
    DECIDE_MINORS = "minors:decide"
    OWN_REVIEWS = "own:reviews"
    """What supervisors may open and say of a counselor's own recordings."""
    REVIEW_RECORDINGS = "recording:review"
    """Recordings of those whom one supervises; of which says ``recordings/opening.py``."""
    DECIDE_EXPORT = "export:decide"
    """The second word on a recording that is to be taken out."""


_ADMIN: Final = frozenset({Role.ADMIN})

PERMITTED: Final[Mapping[Permission, frozenset[Role] | None]] = {
    Permission.OPEN: None,
    Permission.PROGRAM: None,
    Permission.PLACE: None,
    Permission.OPERATOR: None,
    Permission.OWN_LOGIN: EVERYONE,
    Permission.OWN_NOTICES: EVERYONE,
    Permission.OWN_PLACES: frozenset({Role.CLIENT, Role.COUNSELOR}),
    Permission.OWN_ACCOUNT: frozenset({Role.CLIENT}),
    Permission.OWN_CONSENTS: frozenset({Role.CLIENT}),
    Permission.OWN_RECORDINGS: frozenset({Role.CLIENT, Role.COUNSELOR}),
    Permission.OWN_HISTORY: frozenset({Role.CLIENT}),
    Permission.OWN_COMPLAINTS: frozenset({Role.CLIENT}),
    Permission.OWN_CREDENTIALS: STAFF,
    Permission.OWN_REGISTER: frozenset({Role.COUNSELOR}),
    Permission.OWN_WAY: frozenset({Role.CLIENT}),
    Permission.SERVE: frozenset({Role.COUNSELOR}),
    Permission.READ_MESSAGES: frozenset({Role.COUNSELOR}),
    Permission.DUTY: frozenset({Role.COUNSELOR, Role.SUPERVISOR}),
    Permission.BREAK_GLASS: frozenset({Role.COUNSELOR, Role.SUPERVISOR}),
    Permission.SEE_HINTS: frozenset({Role.COUNSELOR}),
    Permission.CALL_BACK: frozenset({Role.COUNSELOR}),
    Permission.EDIT_INSTRUMENTS: _ADMIN,
    Permission.SEE_QUALITY: frozenset({Role.COUNSELOR, Role.SUPERVISOR, Role.ADMIN}),
    Permission.SEE_TRENDS: frozenset({Role.SUPERVISOR, Role.ADMIN}),
    Permission.SEE_REPORTS: _ADMIN,
    Permission.SEE_SUPERVISED: frozenset({Role.SUPERVISOR}),
    Permission.SEE_PEOPLE: _ADMIN,
    Permission.CHANGE_PEOPLE: _ADMIN,
    Permission.SEE_REGISTER: _ADMIN,
    Permission.VERIFY_COUNSELOR: _ADMIN,
    Permission.OPEN_PROOF: _ADMIN,
    Permission.EDIT_TEXTS: _ADMIN,
    Permission.EDIT_ROSTER: _ADMIN,
    Permission.EDIT_CRISIS_LINES: _ADMIN,
    Permission.SEE_SETTINGS: _ADMIN,
    Permission.SEE_AUDIT: _ADMIN,
    Permission.SEE_CONSENT_PROOF: _ADMIN,
    Permission.HANDLE_INCIDENTS: _ADMIN,
    Permission.HANDLE_COMPLAINTS: frozenset({Role.OFFICER}),
    Permission.DECIDE_MINORS: _ADMIN,
    Permission.OWN_REVIEWS: frozenset({Role.COUNSELOR}),
    Permission.REVIEW_RECORDINGS: frozenset({Role.SUPERVISOR}),
    Permission.DECIDE_EXPORT: _ADMIN,
}
"""Which roles may do it. None: it is not asked of a person at all."""


def may(roles: Iterable[Role], permission: Permission) -> bool:
    """Whether somebody with these roles may do it. What is not in the table, nobody may."""
    permitted = PERMITTED.get(permission, frozenset())
    return permitted is None or not permitted.isdisjoint(roles)
