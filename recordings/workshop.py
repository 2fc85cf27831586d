"""What it takes to finish, check and destroy recordings, in one place; any process may have its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from accounts.audit import Audit
from core.bucket import Bucket
from core.clock import Clock
from core.config import Config
from core.db import Database
from core.warrants import Warrants
from recordings.store import Store, stored_in
from recordings.store_local import LocalStore
from recordings.vault import Vault


@dataclass(frozen=True, slots=True)
class Workshop:
    """Parts that belong together. ``spool`` is ``<TEDUH_DATA_DIR>/recordings``: live logs and drafts."""

    database: Database
    vault: Vault
    warrants: Warrants
    audit: Audit
    store: Store
    spool: Path
    clock: Clock

    @classmethod
    def of(cls, config: Config, *, database: Database, master: bytes, clock: Clock) -> Self:
        """Build what the settings ask for; nothing is opened before it is used. ``store`` is to be closed."""
        return cls(
            database=database,
            vault=Vault.of(config, master=master, clock=clock),
            warrants=Warrants(master),
            audit=Audit(master),
            store=open_store(config),
            spool=config.data_dir / "recordings",
            clock=clock,
        )


def open_store(config: Config) -> Store:
    """Give the store that the settings ask for."""
    place = stored_in(config.recordings_url, config.data_dir)
    if not isinstance(place, Bucket):
        return LocalStore(place, mounted=not place.is_relative_to(config.data_dir))
    from recordings.store_s3 import BucketStore  # noqa: PLC0415  # its library is for who has a bucket

    return BucketStore(place)
