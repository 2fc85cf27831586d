"""A drill: whether what is in a backup would open again, and what of it should not.

Every key in the backup is unwrapped with the wrapping keys there are now, compared with what recordings were
sealed to, and forgotten. Each is an opening of its own in the log of the keys.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from core.agefile import AgeError
from core.clock import Clock
from core.keyring import KeyBroken, KeyMissing, Keys
from core.warrants import SYSTEM, Purpose, Warrants
from recordings.keystore import KeyStore
from recordings.vault import Vault


@dataclass(slots=True)
class Drilled:
    """What came of it, as ids of recordings."""

    opened: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    """What would not open, and why, in a sentence."""
    destroyed: list[str] = field(default_factory=list)
    """What opens from the backup only: destroyed here since, and gone with the backup."""
    missing: list[str] = field(default_factory=list)
    """What is here and not in the backup: made since."""


async def drill(backup: KeyStore, *, live: KeyStore, keys: Keys, warrants: Warrants, clock: Clock) -> Drilled:
    """Try every key of a backup. Raises ``TooMany`` when the hour's openings are used up."""
    vault = Vault(backup, keys, clock=clock)
    copied = {kept.recording_id for kept in await asyncio.to_thread(backup.every)}
    here = {kept.recording_id for kept in await asyncio.to_thread(live.every)}
    found = Drilled(missing=sorted(here - copied))
    for recording in sorted(copied):
        warrant = warrants.issue(
            recording_id=recording, viewer=SYSTEM, purpose=Purpose.DRILL, now=clock.now()
        )
        try:
            await vault.open(warrant)
        except (KeyMissing, KeyBroken, AgeError) as error:
            found.lost[recording] = str(error)
            continue
        (found.opened if recording in here else found.destroyed).append(recording)
    return found
