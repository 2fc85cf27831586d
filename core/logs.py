"""Logging: a constant event name and fields, one JSON object a line.

``logger.info("leg.interrupted", extra={"leg": leg.id, "gap_ms": 2400})``. Ids, not objects; names,
addresses and texts of people only as ``Pii(x)``, which prints as redacted.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_OURS = frozenset({"core", "accounts", "media", "recordings", "counseling", "signaling", "web", "migrations"})
_QUIET = ("aiosqlite", "asyncio", "sqlalchemy", "alembic", "aiohttp.access", "aiortc", "aioice")


class Pii:
    """Wraps what must never be printed: a name, an address, a message."""

    __slots__ = ("value",)

    def __init__(self, value: object) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "<redacted>"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "<redacted>"


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON: at, level, logger, event, and its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one line; an exception's traceback is the field ``trace``, without its message."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _event(record),
        }
        line.update({key: value for key, value in vars(record).items() if key not in _PLAIN})
        if record.exc_info and record.exc_info[0] is not None:
            line["error"] = record.exc_info[0].__name__
            line["trace"] = _trace(record)
        return json.dumps(line, default=str, ensure_ascii=False)


def _event(record: logging.LogRecord) -> str:
    """Name the event; of a library's message only the first line, without the values in it."""
    if record.name.partition(".")[0] in _OURS:
        return record.getMessage()
    return str(record.msg).partition("\n")[0]


def _trace(record: logging.LogRecord) -> list[str]:
    """Where an exception came from: files and lines. Its text may quote a person, so it is left out."""
    places: list[str] = []
    trace = record.exc_info[2] if record.exc_info else None
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return places


def setup_logging(level: str, stream: TextIO | None = None) -> None:
    """Send all logging to ``stream`` (standard error by default) at ``level``.

    Libraries speak from WARNING up: at DEBUG they print addresses and statements with their values.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
