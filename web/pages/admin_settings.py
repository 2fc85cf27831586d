"""`/admin/settings`: how this server is run, and how its recordings are, to be read.

Settings change by variables and a restart; what recordings need is done on the server (docs/recordings.md).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web as http

from accounts.roles import Permission
from core.config import Config
from core.shapes import Outside
from recordings.figures import Figures, measure
from recordings.orphans import Orphan
from recordings.states import State
from web.finishing import FINISHING
from web.gate import add
from web.pages.site import SITE
from web.services import SERVICES

SECRET: Final = frozenset(
    {
        "master_key",
        "metrics_token",
        "database_url",
        "smtp",
        "ice_servers",
        "tls",
        "alert_webhook",
        "recordings_url",
    }
)
"""Fields that hold a secret or may: only whether they are set is shown."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One row: the variable, what is in force (None: unset, True: set and not shown), and its unit."""

    variable: str
    value: str | bool | None
    unit: str
    default: bool


@dataclass(frozen=True, slots=True)
class Count:
    """How many recordings are so; ``bad``: people must look."""

    word: str
    count: int
    bad: bool = False


def in_force(config: Config) -> list[Setting]:
    """List all settings in their order, without their secrets."""
    fresh = Config()
    return [
        Setting(
            field.metadata["variable"],
            _shown(field.name, getattr(config, field.name)),
            field.metadata["unit"],
            getattr(config, field.name) == getattr(fresh, field.name),
        )
        for field in dataclasses.fields(config)
    ]


def _shown(name: str, value: object) -> str | bool | None:
    if value is None or value in ((), frozenset(), Outside()):
        return None
    if name in SECRET:
        return True
    if isinstance(value, tuple | frozenset):
        return ", ".join(sorted(map(str, value)))
    return str(value)


def standing(figures: Figures, lost: Sequence[Orphan] | None) -> list[Count]:
    """Say how recordings are. ``lost`` is None before anybody looked."""
    states = figures.states
    waiting = states[State.ENDED] + states[State.FINALIZING]
    return [
        Count("recording", states[State.RECORDING]),
        Count("waiting", waiting),
        Count("stored", states[State.STORED]),
        Count("stuck", states[State.STUCK], bad=states[State.STUCK] > 0),
        Count("broken", states[State.BROKEN], bad=states[State.BROKEN] > 0),
        Count("destroying", states[State.DESTROYING], bad=figures.undestroyed > 0),
        *([] if lost is None else [Count("lost", len(lost), bad=bool(lost))]),
    ]


async def settings(request: http.Request) -> http.Response:
    """Answer `GET /admin/settings`."""
    services = request.app[SERVICES]
    async with services.database.sessions() as db:
        figures = await measure(db, now=services.now())
    return request.app[SITE].show(
        request,
        "admin/settings.html",
        rows=in_force(services.config),
        recordings=standing(figures, request.app[FINISHING].orphans),
    )


def setup(app: http.Application) -> None:
    """Add the page."""
    add(app, "GET", "/admin/settings", settings, Permission.SEE_SETTINGS)
