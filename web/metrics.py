"""``/metrics`` in Prometheus' text format, for loopback or with ``TEDUH_METRICS_TOKEN`` only.

A registry for each application, nothing global; no person and no session in any label. This file
owns prometheus_client.
"""

from __future__ import annotations

import hmac
import itertools
from collections.abc import Iterator

from aiohttp import web as http
from prometheus_client import CollectorRegistry, exposition
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from accounts.roles import Permission
from core.errors import NotFound
from signaling.quality_counts import Histogram, Measured
from web.access import REQUESTS
from web.client import from_loopback
from web.finishing import FINISHING
from web.gate import add
from web.services import SERVICES

COUNTS_UP = "_total"


class AppCollector(Collector):
    """Reads the counters of one application when it is asked; nothing is counted twice.

    A name that ends in ``_total`` only grows; any other is a level.
    """

    def __init__(self, app: http.Application) -> None:
        self._app = app

    def describe(self) -> list[Metric]:
        """Say nothing before the application has started."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give all there is."""
        services = self._app[SERVICES]
        requests = CounterMetricFamily("teduh_http_requests", "Answers.", labels=["route", "status"])
        for (route, status), count in sorted(self._app[REQUESTS].items()):
            requests.add_metric([route, str(status)], count)
        yield requests
        yield from _family("teduh_media", services.media.counters())
        yield from _family("teduh_calls", services.survey.counters())
        yield from _family("teduh_recordings", self._app[FINISHING].counters())
        for name, same in itertools.groupby(services.survey.measured(), key=lambda one: one.name):
            yield _labelled(f"teduh_calls_{name}", list(same))


def _family(prefix: str, counters: dict[str, int] | dict[str, int | float]) -> Iterator[Metric]:
    for name, value in sorted(counters.items()):
        full = f"{prefix}_{name}"
        if name.endswith(COUNTS_UP):
            yield CounterMetricFamily(full.removesuffix(COUNTS_UP), name.replace("_", " "), value=value)
        else:
            yield GaugeMetricFamily(full, name.replace("_", " "), value=value)


def _labelled(name: str, same: list[Measured]) -> Metric:
    """Make one family of what has one name and other labels."""
    about, labels = same[0].about, [label for label, _ in same[0].labels]
    counts = CounterMetricFamily(name.removesuffix(COUNTS_UP), about, labels=labels)
    histograms = HistogramMetricFamily(name, about, labels=labels)
    for one in same:
        words = [word for _, word in one.labels]
        if isinstance(one.value, Histogram):
            histograms.add_metric(words, buckets=list(_buckets(one.value)), sum_value=one.value.sum)
        else:
            counts.add_metric(words, one.value)
    return histograms if isinstance(same[0].value, Histogram) else counts


def _buckets(histogram: Histogram) -> Iterator[tuple[str, float]]:
    """Give each bound with how many values were at most that."""
    bounds = [*map(str, histogram.bounds), "+Inf"]
    yield from zip(bounds, itertools.accumulate(histogram.counts), strict=True)


def setup(app: http.Application) -> None:
    """Add the page."""
    registry = CollectorRegistry()
    registry.register(AppCollector(app))

    async def metrics(request: http.Request) -> http.Response:
        """Answer ``GET /metrics``; to those who may not see it, it is not there."""
        if not may_look(request):
            raise NotFound("There is nothing here.")
        encode, content_type = exposition.choose_encoder(request.headers.get("Accept", ""))
        return http.Response(body=encode(registry), headers={"Content-Type": content_type})

    add(app, "GET", "/metrics", metrics, Permission.OPERATOR)


def may_look(request: http.Request) -> bool:
    """Whether the asker may see how the server does: from loopback, or with the token."""
    token = request.app[SERVICES].config.metrics_token
    sent = request.headers.get("Authorization", "").removeprefix("Bearer ").encode("utf-8", "replace")
    if token is not None and hmac.compare_digest(sent, token.encode()):
        return True
    return from_loopback(request)
