"""Records to the disk: a thread for each log, so that a slow disk holds up nobody but its own logs."""

from __future__ import annotations

import enum
import errno
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Final

from core.agefile import Recipient
from recordings.cutter import Piece
from recordings.events import Failure
from recordings.log import LogWriter
from recordings.reserve import NoRoom, demand
from recordings.sides import log_path
from recordings.wire import Open, Told, ToldFailed, ToldGrew

logger = logging.getLogger(__name__)

FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
MOST_BYTES: Final = 64 << 20
PATIENCE_S: Final = 8.0
"""A disk that takes no record for so long counts as failed."""


class End(enum.Enum):
    """How a log ends."""

    COMPLETE = "complete"
    CUT_OFF = "cut off"
    """Whoever fed it is gone: what is there is kept, without the mark of a last record."""


class Writing(threading.Thread):
    """Writes one log. ``put`` and ``fault`` are for one other thread; ``tell`` is called in this one."""

    def __init__(self, channel: int, opening: Open, tell: Callable[[Told], None]) -> None:
        super().__init__(name=f"log-{channel}", daemon=True)
        self._channel, self._opening, self._tell = channel, opening, tell
        self._queue: SimpleQueue[Piece | End] = SimpleQueue()
        self._put_bytes = self._done_bytes = 0
        self._busy_s: float | None = None
        self._until_ms = 0
        self.start()

    def put(self, what: Piece | End) -> None:
        """Have something written, after what was put before."""
        if isinstance(what, Piece):
            self._put_bytes += len(what.plain)
        self._queue.put(what)

    def fault(self, now_s: float) -> bool:
        """Say whether the disk stands still, or is so slow that too much waits for it."""
        busy_s = self._busy_s
        stands_still = busy_s is not None and now_s - busy_s > PATIENCE_S
        return self.is_alive() and (stands_still or self._put_bytes - self._done_bytes > MOST_BYTES)

    def run(self) -> None:
        """Write until the log ends or cannot be written any more."""
        try:
            self._write()
        except NoRoom:
            self._tell(ToldFailed(self._channel, Failure.DISK_FULL))
        except OSError as error:
            full = error.errno in FULL
            self._tell(ToldFailed(self._channel, Failure.DISK_FULL if full else Failure.DISK_FAILED))
        except Exception:
            logger.exception("recording.log_failed")
            self._tell(ToldFailed(self._channel, Failure.INTERNAL))

    def _write(self) -> None:
        opening = self._opening
        self._busy_s = time.monotonic()
        demand(Path(opening.directory))
        log = LogWriter(
            log_path(Path(opening.directory), opening.recording_id, opening.side),
            recording_id=opening.recording_id,
            side=opening.side,
            recipient=Recipient.parse(opening.recipient),
        )
        try:
            self._busy_s = None
            while isinstance(piece := self._queue.get(), Piece):
                self._append(log, piece)
                self._done_bytes += len(piece.plain)
            if piece is End.COMPLETE:
                self._append(log, None)
        finally:
            log.close()

    def _append(self, log: LogWriter, piece: Piece | None) -> None:
        """Write a record, None for the last one, and tell how far the log is."""
        self._busy_s = time.monotonic()
        if piece is None:
            log.append(b"", final=True)
        else:
            demand(Path(self._opening.directory))
            log.append(piece.plain)
            self._until_ms = piece.until_ms
        self._busy_s = None
        chain = log.chain
        self._tell(ToldGrew(self._channel, chain.records, chain.head, log.bytes, self._until_ms))
