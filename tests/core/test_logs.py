from __future__ import annotations

import io
import json
import logging
from typing import Any

from core.logs import Pii


def lines(debug_log: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in debug_log.getvalue().splitlines()]


def test_an_event_is_one_line_with_its_fields(debug_log: io.StringIO) -> None:
    logging.getLogger("media.relay").info("leg.interrupted", extra={"leg": "l1", "gap_ms": 2400})
    (line,) = lines(debug_log)
    assert (line["event"], line["leg"], line["gap_ms"]) == ("leg.interrupted", "l1", 2400)
    assert (line["level"], line["logger"]) == ("info", "media.relay")


def test_what_belongs_to_people_is_never_printed(debug_log: io.StringIO) -> None:
    name = Pii("Sekar Ayu")
    logging.getLogger("web.place").info("place.opened", extra={"name_": name, "all": [name]})
    assert "Sekar" not in debug_log.getvalue() + f"{name} {name!r} {name!s} {name:>20}"
    assert lines(debug_log)[0]["name_"] == "<redacted>"


def test_an_error_says_where_and_not_what(debug_log: io.StringIO) -> None:
    try:
        int("Sekar Ayu said so")
    except ValueError:
        logging.getLogger("web.errors").exception("http.failed")
    (line,) = lines(debug_log)
    assert line["error"] == "ValueError"
    assert "test_logs.py" in line["trace"][-1]
    assert "Sekar" not in debug_log.getvalue()


def test_a_library_speaks_without_its_values(debug_log: io.StringIO) -> None:
    logging.getLogger("aiohttp.server").error("Error handling request from %s", "203.0.113.7")
    logging.getLogger("asyncio").error("Task failed\nfuture: ValueError('Sekar')")
    assert [line["event"] for line in lines(debug_log)] == ["Error handling request from %s", "Task failed"]


def test_libraries_are_quiet_at_debug(debug_log: io.StringIO) -> None:
    for name in ("aiosqlite", "asyncio", "sqlalchemy.engine", "aioice"):
        logging.getLogger(name).debug("SELECT 'Sekar'")
    assert debug_log.getvalue() == ""
