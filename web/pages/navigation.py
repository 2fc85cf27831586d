"""Where one may go: the links of each place, shown to those whom the table of permissions lets in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from accounts.people import Person
from accounts.roles import Permission, Role


@dataclass(frozen=True, slots=True)
class Way:
    """One link: its path, the key of its words, and what opens it. ``place`` is the home it stands in."""

    place: Role
    path: str
    words: str
    permission: Permission


WAYS: Final = (
    Way(Role.CLIENT, "/talk", "nav.talk", Permission.OWN_WAY),
    Way(Role.CLIENT, "/me/counselor", "nav.wishes", Permission.OWN_WAY),
    Way(Role.CLIENT, "/messages", "nav.messages", Permission.OWN_WAY),
    Way(Role.CLIENT, "/book", "nav.booking", Permission.OWN_WAY),
    Way(Role.CLIENT, "/talk/intake", "nav.intake", Permission.OWN_WAY),
    Way(Role.CLIENT, "/me/consents", "nav.consents", Permission.OWN_CONSENTS),
    Way(Role.CLIENT, "/me/recordings", "nav.own_recordings", Permission.OWN_RECORDINGS),
    Way(Role.CLIENT, "/me/history", "nav.history", Permission.OWN_HISTORY),
    Way(Role.CLIENT, "/me/devices", "nav.devices", Permission.OWN_LOGIN),
    Way(Role.CLIENT, "/me/recovery", "nav.recovery", Permission.OWN_ACCOUNT),
    Way(Role.CLIENT, "/me/name", "nav.name", Permission.OWN_ACCOUNT),
    Way(Role.CLIENT, "/me/email", "nav.email", Permission.OWN_ACCOUNT),
    Way(Role.CLIENT, "/complaint", "nav.complaint", Permission.OPEN),
    Way(Role.CLIENT, "/me/erase", "nav.erase", Permission.OWN_ACCOUNT),
    Way(Role.COUNSELOR, "/counselor/desk", "nav.desk", Permission.SERVE),
    Way(Role.COUNSELOR, "/counselor/messages", "nav.desk_messages", Permission.SERVE),
    Way(Role.COUNSELOR, "/duty", "nav.duty_desk", Permission.DUTY),
    Way(Role.COUNSELOR, "/counselor/calendar", "nav.calendar", Permission.SERVE),
    Way(Role.COUNSELOR, "/quality/sessions", "nav.quality_sessions", Permission.SEE_QUALITY),
    Way(Role.COUNSELOR, "/counselor/reviews", "nav.reviews", Permission.OWN_REVIEWS),
    Way(Role.COUNSELOR, "/me/recordings", "nav.own_recordings", Permission.OWN_RECORDINGS),
    Way(Role.COUNSELOR, "/counselor/register", "nav.register", Permission.OWN_REGISTER),
    Way(Role.COUNSELOR, "/counselor/proofs", "nav.proofs", Permission.OWN_REGISTER),
    Way(Role.COUNSELOR, "/counselor/hours", "nav.hours", Permission.OWN_REGISTER),
    Way(Role.COUNSELOR, "/counselor/ethics", "nav.ethics", Permission.OWN_REGISTER),
    Way(Role.COUNSELOR, "/contact", "nav.contact", Permission.BREAK_GLASS),
    Way(Role.SUPERVISOR, "/supervisor", "nav.supervised", Permission.SEE_SUPERVISED),
    Way(Role.SUPERVISOR, "/supervisor/recordings", "nav.recordings", Permission.REVIEW_RECORDINGS),
    Way(Role.SUPERVISOR, "/quality", "nav.quality", Permission.SEE_QUALITY),
    Way(Role.SUPERVISOR, "/quality/sessions", "nav.quality_sessions", Permission.SEE_QUALITY),
    Way(Role.SUPERVISOR, "/quality/trends", "nav.quality_trends", Permission.SEE_TRENDS),
    Way(Role.SUPERVISOR, "/contact", "nav.contact", Permission.BREAK_GLASS),
    Way(Role.SUPERVISOR, "/duty", "nav.duty_desk", Permission.DUTY),
    Way(Role.OFFICER, "/officer", "nav.complaints", Permission.HANDLE_COMPLAINTS),
    Way(Role.ADMIN, "/admin/people", "nav.people", Permission.SEE_PEOPLE),
    Way(Role.ADMIN, "/admin/register", "nav.verification", Permission.SEE_REGISTER),
    Way(Role.ADMIN, "/admin/reports", "nav.reports", Permission.SEE_REPORTS),
    Way(Role.ADMIN, "/quality", "nav.quality", Permission.SEE_QUALITY),
    Way(Role.ADMIN, "/quality/sessions", "nav.quality_sessions", Permission.SEE_QUALITY),
    Way(Role.ADMIN, "/quality/trends", "nav.quality_trends", Permission.SEE_TRENDS),
    Way(Role.ADMIN, "/admin/exports", "nav.exports", Permission.DECIDE_EXPORT),
    Way(Role.ADMIN, "/admin/roster", "nav.roster", Permission.EDIT_ROSTER),
    Way(Role.ADMIN, "/admin/crisis", "nav.crisis_lines", Permission.EDIT_CRISIS_LINES),
    Way(Role.ADMIN, "/admin/texts", "nav.texts", Permission.EDIT_TEXTS),
    Way(Role.ADMIN, "/admin/consents", "nav.consent_proof", Permission.SEE_CONSENT_PROOF),
    Way(Role.ADMIN, "/admin/instruments", "nav.instruments", Permission.EDIT_INSTRUMENTS),
    Way(Role.ADMIN, "/admin/minors", "nav.minors", Permission.DECIDE_MINORS),
    Way(Role.ADMIN, "/admin/incidents", "nav.incidents", Permission.HANDLE_INCIDENTS),
    Way(Role.ADMIN, "/admin/audit", "nav.audit", Permission.SEE_AUDIT),
    Way(Role.ADMIN, "/admin/settings", "nav.settings", Permission.SEE_SETTINGS),
)

STAFF_ALSO: Final = (
    Way(Role.ADMIN, "/me/duty", "nav.duty", Permission.OWN_CREDENTIALS),
    Way(Role.ADMIN, "/me/credentials", "nav.credentials", Permission.OWN_CREDENTIALS),
    Way(Role.ADMIN, "/me/devices", "nav.devices", Permission.OWN_LOGIN),
)
"""What every staff member has, whatever the role."""

HOMES: Final = ((Role.CLIENT, "/home"), (Role.ADMIN, "/admin"), (Role.COUNSELOR, "/counselor"))
"""The home of each role that has one of its own; the others' is their first link."""


def ways_of(person: Person, place: Role) -> list[Way]:
    """List what this person may open in one place."""
    return [
        way for way in WAYS if way.place is place and place in person.roles and person.may(way.permission)
    ]


def places_of(person: Person) -> list[tuple[Role, str]]:
    """List the homes of a person: each role with its address, in the order of the roles."""
    own = dict(HOMES)
    return [
        (role, own.get(role) or ways[0].path)
        for role in Role
        if role in person.roles and (ways := ways_of(person, role))
    ]


def home_of(person: Person) -> str:
    """Say where a person begins."""
    if person.is_leaving:
        return "/me/erase"
    places = places_of(person)
    return places[0][1] if places else "/"
