"""The two sides of a recording, and where their files lie."""

from __future__ import annotations

import enum
from pathlib import Path


class Side(enum.StrEnum):
    """Whose voice and picture a file holds."""

    CLIENT = "client"
    COUNSELOR = "counselor"


def log_path(directory: Path, recording_id: str, side: Side) -> Path:
    """Where the live log of a side lies; ``directory`` is ``<TEDUH_DATA_DIR>/recordings``."""
    return directory / recording_id / f"{side}.log"
