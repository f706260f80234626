"""Counts, logs and traces each request after its response."""

from __future__ import annotations

import logging
from time import perf_counter

import structlog
from litestar.types import Scope

from api.http.hosts import FOR_PROBES
from api.http.request_metrics import count_request
from runtime import tracing

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

NOWHERE = "none"
"""The route of requests to unknown addresses."""

_BUG = 500
"""The status of a bug. Higher statuses ask to try again; their causes are logged elsewhere."""

log = structlog.get_logger()

_level = logging.getLogger(__name__)


def answered(
    scope: Scope,
    method: str,
    status: int,
    arrived: float,
    correlation_id: str,
    caller_id: int | None,
) -> None:
    """`arrived` is a time of `time.perf_counter`; `caller_id` is the caller's span. The path is
    never recorded: it may contain anything, names included."""
    now = perf_counter()
    route = scope.get("path_template", NOWHERE)
    if method not in METHODS:
        method = "other"
    count_request(method, route, status, now - arrived)
    if status >= _BUG:
        say = log.error if status == _BUG else log.warning
        say("answered", method=method, route=route, status=status)
    elif _level.isEnabledFor(logging.DEBUG):  # structlog's own check takes much longer
        log.debug("answered", method=method, route=route, status=status)
    if tracing.is_traced(correlation_id) and not route.startswith(FOR_PROBES):
        tracing.send_root_span(
            f"{method} {route}",
            correlation_id,
            arrived,
            now,
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
            },
            caller_id=caller_id,
            failed=status >= 500,
        )
