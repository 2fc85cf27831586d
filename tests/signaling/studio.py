"""A studio whose recorders write down what they are told, and a house in which sessions may be recorded."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from core.agefile import Identity, Recipient
from core.ids import SessionId
from media.codecs import Kind
from media.rtcp import SenderReport
from recordings.consent_steps import Terms
from recordings.events import RecorderEvent
from recordings.marks import Marks
from recordings.records import Times
from recordings.states import Side
from signaling.studio import Asking

TEXTS = {locale: Terms(2, locale, locale[0] * 64) for locale in ("id", "en")}


@dataclass
class FakeSink:
    side: Side
    packets: int = 0

    def rtp(self, packet: memoryview, kind: Kind, now_s: float) -> None:  # noqa: ARG002  # the sink's
        self.packets += 1

    def sender_report(self, report: SenderReport, now_s: float) -> None:
        pass


@dataclass
class FakeRecorder:
    id: str
    on_event: Callable[[RecorderEvent], None]
    told: list[str] = field(default_factory=list)
    sinks: dict[Side, FakeSink] = field(default_factory=dict)

    def sink(self, side: Side) -> FakeSink:
        return self.sinks.setdefault(side, FakeSink(side))

    def pause(self, now_s: float) -> None:  # noqa: ARG002  # the recorder's
        self.told.append("pause")

    def resume(self, now_s: float) -> None:  # noqa: ARG002  # the recorder's
        self.told.append("resume")

    async def close(self) -> None:
        self.told.append("close")


@dataclass
class FakeStudio:
    audit: Audit = field(default_factory=lambda: Audit(b"0" * 32))
    times: Times = field(
        default_factory=lambda: Times(timedelta(hours=72), timedelta(days=90), timedelta(days=30))
    )
    texts: dict[str, Terms] = field(default_factory=lambda: dict(TEXTS))
    prepared: Terms | None = None
    may_ask: bool = True
    heard: bool = True
    meanwhile: Callable[[], None] = lambda: None
    """What happens while a key is made."""
    keys: list[str] = field(default_factory=list)
    recorders: list[FakeRecorder] = field(default_factory=list)
    marks: Marks = field(default_factory=lambda: Marks(Path(tempfile.mkdtemp(prefix="teduh-spool-"))))

    async def asking(self, db: AsyncSession, session: SessionId) -> Asking | None:  # noqa: ARG002  # the same
        return Asking(self.texts, self.prepared, heard=self.heard) if self.may_ask else None

    async def key(self, recording: str) -> Recipient:
        self.keys.append(recording)
        self.meanwhile()
        return Identity.generate().recipient

    async def destroy_key(self, recording: str, *, now: datetime) -> None:  # noqa: ARG002  # noted alone
        self.keys.remove(recording)

    def recorder(
        self,
        recording: str,
        recipient: Recipient,  # noqa: ARG002  # nothing is sealed
        *,
        on_event: Callable[[RecorderEvent], None],
        now_s: float,  # noqa: ARG002  # nor timed
    ) -> FakeRecorder:
        made = FakeRecorder(recording, on_event)
        self.recorders.append(made)
        return made
