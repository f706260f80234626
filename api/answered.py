"""What is told of each request once it is answered: it is counted, logged, and traced."""

from __future__ import annotations

from collections.abc import Callable
from logging import DEBUG
from time import perf_counter

import msgspec
import structlog
from litestar.types import Scope
from prometheus_client import Counter, Histogram

from api.hosts import FOR_PROBES
from events_face import tracing
from events_face.metrics import REGISTRY, SECONDS

REQUESTS = Counter(
    "events_face_requests",
    "Requests answered; the status is its class, as 2xx.",
    ["method", "route", "status"],
    registry=REGISTRY,
)
ANSWERED_IN = Histogram(
    "events_face_request_seconds",
    "From a request's arrival to the end of its answer.",
    ["method", "route"],
    buckets=SECONDS,
    registry=REGISTRY,
)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

NOWHERE = "none"
"""The route of requests that there is none for."""

log = structlog.get_logger()

_counters: dict[tuple[str, str, int], tuple[Callable[[], None], Callable[[float], None]]] = {}
"""Looking one up in the library costs more than counting."""


class Arrival(msgspec.Struct, frozen=True):
    """What is known of a request before anything is done about it."""

    method: str
    correlation_id: str
    caller_id: int | None
    """The span, outside, that the request is part of."""
    at: float
    """By `time.perf_counter`."""


def answered(arrival: Arrival, scope: Scope, status: int) -> None:
    """Nothing of it tells the path, in which anybody may write anything, names included."""
    now = perf_counter()
    route = scope.get("path_template", NOWHERE)
    method = arrival.method if arrival.method in METHODS else "other"
    _count(method, route, status, now - arrival.at)
    if status >= 500:
        log.error("answered", method=method, route=route, status=status)
    elif log.isEnabledFor(DEBUG):
        log.debug("answered", method=method, route=route, status=status)
    if tracing.is_traced(arrival.correlation_id) and not route.startswith(FOR_PROBES):
        tracing.root_span(
            f"{method} {route}",
            arrival.correlation_id,
            arrival.at,
            now,
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
            },
            caller_id=arrival.caller_id,
            failed=status >= 500,
        )


def _count(method: str, route: str, status: int, seconds: float) -> None:
    key = (method, route, status // 100)
    if key not in _counters:
        _counters[key] = (
            REQUESTS.labels(method, route, f"{key[2]}xx").inc,
            ANSWERED_IN.labels(method, route).observe,
        )
    count, observe = _counters[key]
    count()
    observe(seconds)
