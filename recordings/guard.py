"""What is looked at before anything starts: that the keys are there on which recordings hang."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import ConfigError
from recordings.states import State
from recordings.tables import RecordingRow
from recordings.vault import Vault


class KeysLost(ConfigError):
    """There are recordings, and no file with their keys."""

    code = "keys_lost"


async def check(db: AsyncSession, vault: Vault) -> None:
    """Raise ``KeysLost`` or ``KeyMissing`` when keys are not where they should be; it changes nothing.

    That single recordings have no key is no reason not to start: their destruction may be under way.
    """
    if not vault.is_there:
        kept = select(func.count()).where(RecordingRow.state != State.DESTROYED.value)
        if count := await db.scalar(kept.select_from(RecordingRow)):
            raise KeysLost(
                f"There are {count} recordings, and their keys are not at {vault.path}: bring that file back "
                "from its backup, or set TEDUH_KEYS_DB to where it is. If it is lost, make an empty file "
                "there: then these recordings open no more, and are destroyed when their time is over."
            )
    await vault.check()
