"""The order of rows in a request: whoever writes to the audit takes it before any other row.

Of two that take a row and the audit in different orders PostgreSQL ends one with an error (``Audit.hold``).
That happens so seldom that no test meets it by chance; the order itself is seen in every test of a page.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, Engine, event

_AUDIT: Final = "UPDATE audit_head"
_TAKES: Final = re.compile(r"\s*(INSERT|UPDATE|DELETE)|.*FOR (NO KEY )?UPDATE", re.DOTALL)


@contextmanager
def rows_before_the_audit() -> Iterator[list[str]]:
    """Note what requests took before they took the audit, in the same transaction."""
    late: list[str] = []
    taken: dict[Connection, list[str]] = {}

    def begins(connection: Connection) -> None:
        taken[connection] = []

    def ends(connection: Connection) -> None:
        taken.pop(connection, None)

    def executes(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        before = taken.get(connection)
        if before is None:
            return
        if statement.startswith(_AUDIT):
            late.extend(before)
            ends(connection)
        elif _TAKES.match(statement) and _in_a_request():
            before.append(" ".join(statement.split()[:3]))

    heard: dict[str, Callable[..., None]] = {
        "begin": begins,
        "commit": ends,
        "rollback": ends,
        "before_cursor_execute": executes,
    }
    for name, does in heard.items():
        event.listen(Engine, name, does)
    try:
        yield late
    finally:
        for name, does in heard.items():
            event.remove(Engine, name, does)


def _in_a_request() -> bool:
    """Whether a handler does this, and not the test, which may do several things in one transaction."""
    task = asyncio.current_task()
    return task is not None and getattr(task.get_coro(), "__qualname__", "").startswith("RequestHandler.")
