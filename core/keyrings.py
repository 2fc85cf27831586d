"""Which keyring this server uses, from its settings."""

from __future__ import annotations

from pathlib import Path

from core.clock import Clock
from core.config import Config
from core.errors import ConfigError
from core.filekeys import FileKeys
from core.keyd import KeydKeys
from core.keylog import NAME, KeyLog
from core.keyring import KeyringHere, Keys, Shelf
from core.transit import Transit
from core.warrants import Checker


def keyring_for(config: Config, *, signer: bytes, clock: Clock) -> Keys:
    """Give the keyring. ``signer`` is the public key of who signs warrants (``Warrants.public``)."""
    at = config.keys_at
    if at.socket is not None:
        return KeydKeys(at.socket)
    if at.directory is not None:
        return keyring_here(config, at.directory, signer=signer, clock=clock)
    if at.vault is None or config.keys_token is None:
        raise ConfigError("TEDUH_KEYS names Vault: set TEDUH_KEYS_TOKEN to the file with its token.")
    shelf = Transit(at.vault, token_file=config.keys_token, clock=clock)
    return _here(config, shelf, config.data_dir / NAME, signer=signer, clock=clock)


def keyring_here(config: Config, directory: Path, *, signer: bytes, clock: Clock) -> Keys:
    """Give the keyring of a directory of keys, whose log lies beside them."""
    return _here(config, FileKeys(directory, clock), directory / NAME, signer=signer, clock=clock)


def _here(config: Config, shelf: Shelf, log: Path, *, signer: bytes, clock: Clock) -> Keys:
    hourly = KeyLog(log, hourly=config.keys_hourly)
    return KeyringHere(shelf, checker=Checker(signer), log=hourly, clock=clock)
