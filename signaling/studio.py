"""What recording a session needs of the rest of the program: what may be asked, a key, a recorder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from core.agefile import Recipient
from core.ids import SessionId
from media.sinks import Sink
from recordings.consent_steps import Terms
from recordings.events import RecorderEvent
from recordings.marks import Marks
from recordings.records import Times
from recordings.states import Side


@dataclass(frozen=True, slots=True)
class Asking:
    """What is asked in a session: the text that holds now, by language; the first is the service's own.

    ``prepared`` is the text that the client agreed to beforehand, alone; None where that was not asked, or
    answered otherwise. Where they are not ``heard`` the counselor may ask, and nobody hears it: they said no,
    have not answered for this appointment, or took their consent back as a whole.
    """

    texts: Mapping[str, Terms]
    prepared: Terms | None = None
    heard: bool = True

    @property
    def version(self) -> str:
        """The version as the protocol names it."""
        return str(next(iter(self.texts.values())).version)

    def text(self, locale: str) -> Terms:
        """Give the text in a language, or in the service's own."""
        return self.texts.get(locale) or next(iter(self.texts.values()))


class RecorderLike(Protocol):
    """What is needed of ``recordings.recorder.Recorder``."""

    def sink(self, side: Side) -> Sink:
        """Return the sink of a side."""
        ...

    def pause(self, now_s: float) -> None:
        """Keep nothing from now on."""
        ...

    def resume(self, now_s: float) -> None:
        """Keep again what comes."""
        ...

    async def close(self) -> None:
        """Bring all to the disk and end."""
        ...


class Studio(Protocol):
    """Gives what a recording is made with."""

    @property
    def audit(self) -> Audit:
        """The audit that consents and recordings are written down in."""
        ...

    @property
    def times(self) -> Times:
        """How long recordings wait and are kept."""
        ...

    @property
    def marks(self) -> Marks:
        """Where a withdrawal is kept until the database knows of it."""
        ...

    async def asking(self, db: AsyncSession, session: SessionId) -> Asking | None:
        """Say what is asked in a session; None where nothing may be asked, of whomever."""
        ...

    async def key(self, recording: str) -> Recipient:
        """Make a recording's key and give its public half."""
        ...

    async def destroy_key(self, recording: str, *, now: datetime) -> None:
        """Destroy the key of a recording that did not come to be."""
        ...

    def recorder(
        self,
        recording: str,
        recipient: Recipient,
        *,
        on_event: Callable[[RecorderEvent], None],
        now_s: float,
    ) -> RecorderLike:
        """Make a recorder whose timeline begins now."""
        ...
