"""Texts that people agree to or sign: each by version and language, never changed in place.

The first versions come with teduh (``accounts/data/texts``) and enter the table at the first start;
later ones are published by an admin as a whole: both languages, three headings, what changed. A
version is **material** when who agreed to an older one has to be asked again. A newer teduh that comes with
another text publishes it where its own still stood: an admin's text is never replaced.
"""

from __future__ import annotations

import contextlib
import enum
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import prose
from accounts.audit import Audit
from accounts.consent_tables import ConsentTextRow
from accounts.people import Person
from accounts.prose import LOCALES
from accounts.roles import Permission
from core.errors import Forbidden, InvalidState, NotFound
from core.ids import UserId

FIRST: Final = Path(__file__).parent / "data" / "texts"
MAX_CHANGES_CHARS: Final = 500


class Kind(enum.StrEnum):
    """What a text is about."""

    SERVICE = "service"
    RECORDING = "recording"
    SUPERVISION = "supervision"
    RESEARCH = "research"
    ETHICS = "ethics"
    """The code of ethics; counselors sign it (``counseling/ethics.py``)."""


CONSENTS: Final = (Kind.SERVICE, Kind.RECORDING, Kind.SUPERVISION, Kind.RESEARCH)
"""What a client is asked for, each by itself."""


class BadText(InvalidState):
    """A text that cannot be published; ``locale`` and ``fault`` say where and why."""

    code = "bad_text"

    def __init__(self, locale: str, fault: prose.Fault) -> None:
        super().__init__(f"The text in {locale} cannot be published: {fault.value}.")
        self.locale = locale
        self.fault = fault


class Overtaken(InvalidState):
    """Somebody else published a version meanwhile."""

    code = "overtaken"


@dataclass(frozen=True, slots=True)
class Text:
    """One version in one language. ``changes`` says what is new in it, empty in a first version."""

    locale: str
    body: str
    sha256: str
    changes: str

    @property
    def title(self) -> str:
        """Its first line."""
        return prose.title_of(self.body)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of one kind, in every language. ``reviewed``: the operator says that a lawyer read it.

    ``published_by`` is None for the texts that teduh came with.
    """

    kind: Kind
    number: int
    material: bool
    reviewed: bool
    published_at: datetime
    published_by: UserId | None
    texts: Mapping[str, Text]

    def text(self, locale: str) -> Text:
        """Give the text in a language, or in the service's own."""
        return self.texts.get(locale) or self.texts[LOCALES[0]]


@dataclass(frozen=True, slots=True)
class Numbers:
    """The current version of a kind, and the latest one that was material."""

    current: int
    material: int


def sha256_of(body: str) -> str:
    """Hash the exact bytes of a text."""
    return hashlib.sha256(body.encode()).hexdigest()


async def put_first(db: AsyncSession, *, now: datetime) -> None:
    """Put the texts that came with teduh into the table, at every start.

    Of a kind that has none, and as a material version where the newest came with an older teduh.
    """
    for kind in Kind:
        known = await _versions(db, kind)
        shipped = {locale: _shipped(kind, locale) for locale in LOCALES}
        bodies = {locale: body for locale, (body, _) in shipped.items()}
        if any(_says(version, bodies) for version in known) or (known and known[0].published_by is not None):
            continue
        number = known[0].number + 1 if known else 1
        changes = {locale: text for locale, (_, text) in shipped.items() if known}
        with contextlib.suppress(IntegrityError):  # another process that starts was faster
            async with db.begin_nested():
                await _put(db, kind, number, bodies, changes, material=True, reviewed=False, by=None, now=now)


def _says(version: Version, bodies: Mapping[str, str]) -> bool:
    return all(locale in version.texts and version.texts[locale].body == bodies[locale] for locale in LOCALES)


async def publish(
    db: AsyncSession,
    audit: Audit,
    *,
    person: Person,
    kind: Kind,
    base: int,
    bodies: Mapping[str, str],
    changes: Mapping[str, str],
    material: bool,
    reviewed: bool,
    now: datetime,
) -> Version:
    """Publish the next version after ``base``, which was the current one when writing began.

    ``bodies`` are tidy (``prose.tidy``). Raises ``BadText``, ``Overtaken``, ``Forbidden``.
    """
    if not person.may(Permission.EDIT_TEXTS):
        raise Forbidden("Texts are published by an admin.")
    for locale in LOCALES:
        body = bodies.get(locale, "")
        found = prose.fault(body, locale=locale)
        if found is None and prose.tidy(body) != body:
            found = prose.Fault.LETTERS
        if found is not None:
            raise BadText(locale, found)
    before = await current(db, kind=kind)
    if before.number != base:
        raise Overtaken("Another version was published meanwhile.")
    await _put(
        db, kind, base + 1, bodies, changes, material=material, reviewed=reviewed, by=person.id, now=now
    )
    await audit.append(
        db,
        tag="text:publish",
        actor=person.id,
        subject=None,
        object_id=f"{kind.value}/{base + 1}",
        detail={"kind": kind.value, "version": base + 1, "material": material, "reviewed": reviewed},
        now=now,
    )
    return await find(db, kind=kind, number=base + 1)


async def current(db: AsyncSession, *, kind: Kind) -> Version:
    """Give the version that holds now. Raises ``NotFound`` before ``put_first``."""
    newest = select(func.max(ConsentTextRow.version)).where(ConsentTextRow.kind == kind.value)
    return _only(await _versions(db, kind, ConsentTextRow.version == newest.scalar_subquery()))


async def find(db: AsyncSession, *, kind: Kind, number: int) -> Version:
    """Give one version. Raises ``NotFound``."""
    return _only(await _versions(db, kind, ConsentTextRow.version == number))


async def versions(db: AsyncSession, *, kind: Kind) -> list[Version]:
    """List all versions of a kind, the newest first."""
    return await _versions(db, kind)


async def numbers(db: AsyncSession) -> dict[Kind, Numbers]:
    """Say of each kind which version holds and which was the latest material one, without reading texts."""
    version = ConsentTextRow.version
    rows = await db.execute(
        select(
            ConsentTextRow.kind,
            func.max(version),
            func.max(case((ConsentTextRow.material, version), else_=0)),
        ).group_by(ConsentTextRow.kind)
    )
    return {Kind(kind): Numbers(newest, material) for kind, newest, material in rows}


async def _versions(db: AsyncSession, kind: Kind, *which: ColumnElement[bool]) -> list[Version]:
    rows = await db.scalars(
        select(ConsentTextRow)
        .where(ConsentTextRow.kind == kind.value, *which)
        .order_by(ConsentTextRow.version.desc(), ConsentTextRow.locale)
    )
    by_number: dict[int, list[ConsentTextRow]] = {}
    for row in rows:
        by_number.setdefault(row.version, []).append(row)
    return [_version(kind, of_one) for of_one in by_number.values()]


async def _put(
    db: AsyncSession,
    kind: Kind,
    number: int,
    bodies: Mapping[str, str],
    changes: Mapping[str, str],
    *,
    material: bool,
    reviewed: bool,
    by: UserId | None,
    now: datetime,
) -> None:
    db.add_all(
        ConsentTextRow(
            kind=kind.value,
            version=number,
            locale=locale,
            body=bodies[locale],
            sha256=sha256_of(bodies[locale]),
            changes=changes.get(locale, "")[:MAX_CHANGES_CHARS],
            material=material,
            reviewed=reviewed,
            published_at=now,
            published_by=by,
        )
        for locale in LOCALES
    )
    await db.flush()


def _shipped(kind: Kind, locale: str) -> tuple[str, str]:
    """Read a text that came with teduh, and what is new in it since an older one.

    What stands between the two ``---`` is about it, not part of it.
    """
    whole = (FIRST / f"{kind.value}.{locale}.md").read_text(encoding="utf-8")
    about, _, body = whole.removeprefix("---\n").partition("\n---\n")
    said = dict(line.partition(": ")[::2] for line in about.splitlines())
    return prose.tidy(body), said.get("changes", "")


def _only(found: Iterable[Version]) -> Version:
    for version in found:
        return version
    raise NotFound("There is no such text.")


def _version(kind: Kind, rows: list[ConsentTextRow]) -> Version:
    row = rows[0]
    return Version(
        kind,
        row.version,
        row.material,
        row.reviewed,
        row.published_at,
        None if row.published_by is None else UserId(row.published_by),
        {row.locale: Text(row.locale, row.body, row.sha256, row.changes) for row in rows},
    )
