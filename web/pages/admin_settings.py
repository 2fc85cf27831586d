"""`/admin/settings`: how this server is run, to be read. Settings change by variables and a restart."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Final

from aiohttp import web as http

from accounts.roles import Permission
from core.config import Config
from core.shapes import Outside
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


async def settings(request: http.Request) -> http.Response:
    """Answer `GET /admin/settings`."""
    rows = in_force(request.app[SERVICES].config)
    return request.app[SITE].show(request, "admin/settings.html", rows=rows)


def setup(app: http.Application) -> None:
    """Add the page."""
    add(app, "GET", "/admin/settings", settings, Permission.SEE_SETTINGS)
