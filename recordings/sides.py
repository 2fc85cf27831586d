"""The two sides of a recording, and where their files lie."""

from __future__ import annotations

from pathlib import Path

from recordings.states import Side

__all__ = ["Side", "log_path"]


def log_path(directory: Path, recording_id: str, side: Side) -> Path:
    """Where the live log of a side lies; ``directory`` is ``<TEDUH_DATA_DIR>/recordings``."""
    return directory / recording_id / f"{side}.log"
