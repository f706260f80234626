"""Metrics of requests: counts by method, route and status class, and response times."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from prometheus_client import Counter

from runtime.batched_metrics import Batched, BatchHistogram
from runtime.metrics import REGISTRY, SECONDS

REQUESTS = Counter(
    "events_face_requests",
    "Requests answered; the status is its class, as 2xx.",
    ["method", "route", "status"],
    registry=REGISTRY,
)
ANSWERED_IN = BatchHistogram(
    "events_face_request_seconds",
    "From a request's arrival to the end of its answer.",
    ["method", "route"],
    buckets=SECONDS,
    registry=REGISTRY,
)


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """`method` and `route` must be known ones: labels from clients would be unlimited in number."""
    _requests.add((method, route, status // 100, seconds))


def _count(requests: Sequence[tuple[str, str, int, float]]) -> None:
    times: defaultdict[tuple[str, str, int], list[float]] = defaultdict(list)
    for method, route, hundreds, seconds in requests:
        times[method, route, hundreds].append(seconds)
    for (method, route, hundreds), found in times.items():
        REQUESTS.labels(method, route, f"{hundreds}xx").inc(len(found))
        ANSWERED_IN.labels(method, route).observe_all(found)


_requests = Batched(_count)
