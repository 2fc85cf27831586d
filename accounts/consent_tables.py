"""Tables of consent: the texts by version, and the ledger. Both are only ever added to; triggers see to it.

The ledger has no foreign key to a person: it outlives the account (docs/privacy.md), and then the opaque
id in it is all that is left of somebody.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKeyConstraint, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime

_NUMBER = BigInteger().with_variant(Integer(), "sqlite")


class ConsentTextRow(Base):
    """One version of one text in one language. ``sha256`` is of the UTF-8 bytes of ``body``.

    ``changes`` says for people what is new; it is empty in a first version. ``published_by`` is null for the
    texts that teduh came with.
    """

    __tablename__ = "consent_texts"

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    locale: Mapped[str] = mapped_column(String(8), primary_key=True)
    body: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(String(64))
    changes: Mapped[str] = mapped_column(String(500))
    material: Mapped[bool]
    reviewed: Mapped[bool]
    published_at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_by: Mapped[str | None] = mapped_column(String(32))


class ConsentRow(Base):
    """One line of the ledger: somebody gave or withdrew one consent, with this text, on this page."""

    __tablename__ = "consents"
    __table_args__ = (
        ForeignKeyConstraint(
            ["kind", "version", "locale"],
            ["consent_texts.kind", "consent_texts.version", "consent_texts.locale"],
        ),
    )

    number: Mapped[int] = mapped_column(_NUMBER, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(String(32), unique=True)
    user_id: Mapped[str] = mapped_column(String(32), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    given: Mapped[bool]
    version: Mapped[int]
    locale: Mapped[str] = mapped_column(String(8))
    sha256: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    page: Mapped[str] = mapped_column(String(100))
