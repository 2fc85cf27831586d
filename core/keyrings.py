"""Which keyring this server uses, from its settings."""

from __future__ import annotations

from core.clock import Clock
from core.config import Config
from core.filekeys import FileKeys
from core.keylog import NAME, KeyLog
from core.keyring import KeyringHere, Keys
from core.warrants import Checker


def keyring_for(config: Config, *, signer: bytes, clock: Clock) -> Keys:
    """Give the keyring. ``signer`` is the public key of who signs warrants (``Warrants.public``)."""
    directory = config.keys_at
    return KeyringHere(
        FileKeys(directory, clock),
        checker=Checker(signer),
        log=KeyLog(directory / NAME, hourly=config.keys_hourly),
        clock=clock,
    )
