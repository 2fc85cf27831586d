"""The master key: 32 random bytes in the data directory, from which every other secret is derived."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

from core.errors import ConfigError
from core.settings import key_256

NAME = "master.key"
KEY_BYTES = 32


def make_data_dir(path: Path) -> None:
    """Make the data directory for its owner alone, unless it is there."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"TEDUH_DATA_DIR cannot be made: {error.strerror}.") from None


def master_key(data_dir: Path) -> bytes:
    """Read the master key, or make it on first run, mode 0600.

    Two processes that start at the same time get the same key: the file appears whole or not at
    all, and the first one stays. Raises ``ConfigError`` when it cannot be read or made.
    """
    path = data_dir / NAME
    make_data_dir(data_dir)
    try:
        if not path.exists():
            write_once(path, base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n")
        text = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ConfigError(f"The master key {path} cannot be used: {error.strerror}.") from None
    try:
        return key_256(text)
    except ValueError as error:
        raise ConfigError(f"The master key {path} does not fit: {error}.") from None


def write_once(path: Path, content: bytes) -> None:
    """Write a secret file, mode 0600, atomically; a file that is there already stays as it is."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
