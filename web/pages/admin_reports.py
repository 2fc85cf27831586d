"""`/admin/reports`: how the way in went, in counts and durations; small groups are kept back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from aiohttp import web as http

from accounts.roles import Permission
from counseling import reports
from counseling.reports import PERIODS
from counseling.tallies import SMALLEST, Tally
from web.gate import add
from web.pages.site import SITE, language_of
from web.register import REGISTER
from web.services import SERVICES

DEFAULT_DAYS: Final = 30
MINUTE_S: Final = 60


async def show(request: http.Request) -> http.Response:
    """Answer `GET /admin/reports?days=30`."""
    services, language = request.app[SERVICES], language_of(request)
    wanted = request.query.get("days", "")
    days = next((one for one in PERIODS if str(one) == wanted), DEFAULT_DAYS)
    async with services.database.sessions() as db:
        found = await reports.over(db, since=services.now() - timedelta(days=days))
    text = request.app[SITE].renderer.text

    def word(prefix: str) -> Callable[[str], str]:
        return lambda key: text(language, f"{prefix}_{key}")

    topics = request.app[REGISTER].marks.topics
    groups: list[tuple[str, Tally, Callable[[str], str]]] = [
        ("outcomes", found.outcomes, word("report.outcome")),
        ("left", found.left_after, word("report.left")),
        ("topics", found.topics, lambda key: topics[key][language] if key in topics else key),
        ("media", found.media, word("register.medium")),
        ("reasons", found.reasons, word("report.reason")),
        ("alarms", found.alarms, word("report.alarm")),
        ("steps", found.steps, word("report.step")),
        ("promises", found.promises, word("report.promise")),
    ]
    return request.app[SITE].show(
        request,
        "reports/reports.html",
        days=days,
        periods=PERIODS,
        smallest=SMALLEST,
        waits=[("wait", found.waited), ("wait_urgent", found.waited_urgent), ("answer", found.answered)],
        groups=groups,
        long=lambda seconds: _long(seconds, lambda key, n: text(language, key, n=n)),
    )


def _long(seconds: float, say: Callable[[str, int], str]) -> str:
    """Write a duration in the largest unit that says enough."""
    if seconds < 2 * MINUTE_S:
        return say("report.seconds", round(seconds))
    if seconds < 120 * MINUTE_S:
        return say("report.minutes", round(seconds / MINUTE_S))
    return say("report.hours", round(seconds / 60 / MINUTE_S))


def setup(app: http.Application) -> None:
    """Add the reports."""
    add(app, "GET", "/admin/reports", show, Permission.SEE_REPORTS)
