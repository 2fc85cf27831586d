"""Recording sessions of this service: what may be asked of whom, and what a recording is made with.

In a talk with an adult client, alone and at no risk, it may be asked, whatever they answered before: a no on
the preparation page, or a consent taken back, shows nowhere, but no question reaches them. In the session of
a program the program has decided, and knows whom it asks.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import consents, people, texts
from accounts.audit import Audit
from accounts.prose import LOCALES
from accounts.standing import Standing
from accounts.texts import Kind, Version
from core.agefile import Recipient
from core.config import Config
from core.db import Database
from core.ids import SessionId
from counseling import recording_answers, risk_flags, talks
from counseling.talks import Talk
from recordings import guard
from recordings.consent_steps import Terms
from recordings.desk import Desk
from recordings.events import RecorderEvent
from recordings.marks import Marks
from recordings.recorder import Recorder
from recordings.records import Times
from recordings.vault import Vault
from signaling import directory
from signaling.directory import Recording
from signaling.studio import Asking


class LiveStudio:
    """The real studio. Owns the process that records."""

    def __init__(self, config: Config, audit: Audit, vault: Vault, database: Database) -> None:
        self.audit = audit
        self._asks = config.recording
        days = config.recording_days
        self.times = Times(
            hold=timedelta(hours=config.recording_hold),
            keep=timedelta(days=days),
            # Both are told of the days that hold for all.
            program_keep=timedelta(days=min(days, config.recording_program_days or days)),
        )
        self._spool = config.data_dir / "recordings"
        self.marks = Marks(self._spool)
        self._vault = vault
        self._database = database
        self._desk = Desk()

    async def close(self) -> None:
        """End the recording process. Idempotent; every recorder is closed before."""
        await self._desk.close()

    async def asking(self, db: AsyncSession, session: SessionId) -> Asking | None:
        """Say what is asked in a session; None where nothing may be asked, of whomever."""
        found = await directory.find(db, session_id=session)
        if not self._asks or found is None or found.recording is Recording.OFF:
            return None
        text = await texts.current(db, kind=Kind.RECORDING)
        talk = await talks.of_session(db, session=session)
        if talk is None:
            return Asking(_terms(text))
        if not await may_ask(db, talk=talk):
            return None
        if not await _hears(db, talk):
            return Asking(_terms(text), heard=False)
        return Asking(_terms(text), await _prepared(db, talk, text))

    async def key(self, recording: str) -> Recipient:
        """Make a recording's key and give its public half; the process that records starts with the first.

        Raises ``KeysLost`` where the file of keys went away while the server runs: none is made in its place.
        """
        if not self._vault.is_there:
            async with self._database.sessions() as db:
                await guard.check(db, self._vault)
        if self._desk.pid is None:
            self._desk.start()
        return await self._vault.create(recording)

    async def destroy_key(self, recording: str, *, now: datetime) -> None:
        """Destroy the key of a recording that did not come to be."""
        await self._vault.destroy(recording, now=now)

    def recorder(
        self,
        recording: str,
        recipient: Recipient,
        *,
        on_event: Callable[[RecorderEvent], None],
        now_s: float,
    ) -> Recorder:
        """Make a recorder whose timeline begins now."""
        return Recorder(recording, self._spool, recipient, on_event=on_event, desk=self._desk, now_s=now_s)


async def may_ask(db: AsyncSession, *, talk: Talk) -> bool:
    """Whether the two of a talk may be asked now: by nothing that the counselor does not know too."""
    client = await people.find(db, user=talk.client)
    if client is None or not client.adult or await risk_flags.stands(db, talk=talk.id):
        return False
    return await recording_answers.fits(db, talk=talk.id)


async def _hears(db: AsyncSession, talk: Talk) -> bool:
    """Whether what is asked in the room reaches the client: they have not said no, nor taken it all back."""
    if not await recording_answers.reaches(db, talk=talk.id):
        return False
    ledger = (await consents.state(db, user=talk.client)).consents[Kind.RECORDING]
    return ledger.standing is not Standing.WITHDRAWN


async def _prepared(db: AsyncSession, talk: Talk, text: Version) -> Terms | None:
    """Give what the client agreed to beforehand: a yes to the text that holds now, in the ledger."""
    if not await recording_answers.answer_of(db, talk=talk.id):
        return None
    ledger = (await consents.state(db, user=talk.client)).consents[Kind.RECORDING]
    if ledger.standing is not Standing.GIVEN or ledger.last is None or ledger.last.version != text.number:
        return None
    return Terms(ledger.last.version, ledger.last.locale, ledger.last.sha256)


def _terms(version: Version) -> dict[str, Terms]:
    return {
        locale: Terms(version.number, locale, version.texts[locale].sha256)
        for locale in LOCALES
        if locale in version.texts
    }
