"""The audit in plain words: what a row says, and who it was, in the reader's language.

Whoever has a tag writes its text: ``audit.`` and the tag with ``-`` for ``:``, in both catalogues. A grant
may have one for each permission, such as ``audit.grant-give.register-proof``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import people
from accounts.audit import Entry
from accounts.people import Person
from core.ids import UserId
from web.render import Renderer


def key_of(tag: str) -> str:
    """Name the text of a tag."""
    return f"audit.{tag.replace(':', '-')}"


def say_tag(renderer: Renderer, language: str, entry: Entry) -> str:
    """Say what happened. A tag that has no text yet is said in general words."""
    texts = renderer.texts[language]
    keys = [key_of(entry.tag), "audit.other"]
    if entry.detail is not None and "permission" in entry.detail:
        keys.insert(0, f"{keys[0]}.{str(entry.detail['permission']).replace(':', '-')}")
    return texts[next(key for key in keys if key in texts)]


def say_who(renderer: Renderer, language: str, person: Person | None, *, me: UserId | None = None) -> str:
    """Say who somebody is to the service: staff by name and role, clients as such and never by name."""
    if person is None:
        return renderer.text(language, "who.gone")
    if person.id == me:
        return renderer.text(language, "who.you")
    if not person.is_staff:
        return renderer.text(language, "who.client")
    roles = ", ".join(renderer.text(language, f"who.{role.value}") for role in sorted(person.roles))
    return renderer.text(language, "who.staff", name=person.name, roles=roles)


async def everybody_in(db: AsyncSession, entries: Sequence[Entry]) -> Mapping[UserId, Person]:
    """Look up all who did what is in these rows, or were concerned by it."""
    users = {one for entry in entries for one in (entry.actor, entry.subject) if one is not None}
    return {person.id: person for person in await people.find_all(db, users=sorted(users))}
