"""Numbers of a server for Prometheus: requests, images, and how long they took."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from resnetkit.serving.served import Served, State

CONTENT_TYPE = "text/plain; version=1.0.0; charset=utf-8"
SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
PREFIX = "resnetkit"


class Metrics:
    """Counters of one server. Labels are names of ours and of classifiers, never what a client sends."""

    def __init__(self, served: Mapping[str, Served], measure_now: Callable[[], tuple[int, int]]) -> None:
        """Count from zero.

        Args:
            measure_now: gives the number of open requests, and the bytes that are held for them.
        """
        self._registry = CollectorRegistry()
        for kind in (ProcessCollector, PlatformCollector, GCCollector):
            kind(registry=self._registry)
        self._registry.register(_Now(served, measure_now))
        self._requests = Counter(
            f"{PREFIX}_requests", "Requests that were answered.", ("route", "status"), registry=self._registry
        )
        self._seconds = Histogram(
            f"{PREFIX}_request_seconds",
            "Time from a request's head to the end of its answer.",
            ("route",),
            buckets=SECONDS,
            registry=self._registry,
        )
        self._images = Counter(
            f"{PREFIX}_images",
            "Images that were answered, were unsure or unknown, or could not be read.",
            ("model", "status"),
            registry=self._registry,
        )

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_images(self, model: str, statuses: Iterable[str]) -> None:
        """Count a request's images, by their status."""
        for status in statuses:
            self._images.labels(model, status).inc()

    def as_text(self) -> bytes:
        """All numbers, in the text that Prometheus reads."""
        return generate_latest(self._registry)


class _Now(Collector):
    """Numbers of the moment, measured when somebody reads them."""

    def __init__(self, served: Mapping[str, Served], measure_now: Callable[[], tuple[int, int]]) -> None:
        self._served, self._measure_now = served, measure_now

    def collect(self) -> Iterable[Metric]:
        num_open, num_bytes = self._measure_now()
        yield GaugeMetricFamily(f"{PREFIX}_open_requests", "Requests that are not answered yet.", num_open)
        yield GaugeMetricFamily(f"{PREFIX}_held_bytes", "Memory that bodies of requests hold.", num_bytes)
        states = GaugeMetricFamily(f"{PREFIX}_model_state", "1 for the state that it is in.", labels=("model", "state"))
        for name, one in self._served.items():
            for state in get_args(State):
                states.add_metric((name, state), float(one.state == state))
        yield states
