"""Metrics, logs and traces of each attempt to deliver a notification."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from time import perf_counter
from uuid import UUID

import structlog
from prometheus_client import Counter

from runtime import tracing
from runtime.batched_metrics import Batched, BatchHistogram
from runtime.metrics import REGISTRY, SECONDS
from workers.delivery.leases import Leased
from workers.delivery.sender import (
    Accepted,
    Answer,
    BadCredentials,
    Rejected,
    TryLater,
)

TRIES = Counter(
    "events_face_delivery_tries",
    "Attempts to deliver: `sent`, `refused` finally, `later` (retried), or `bad_credentials`.",
    ["outcome"],
    registry=REGISTRY,
)
CALL = BatchHistogram(
    "events_face_delivery_call_seconds",
    "Duration of calls of the notification service, or of sending a mail.",
    buckets=SECONDS,
    registry=REGISTRY,
)

OUTCOMES: dict[type[Answer], str] = {
    Accepted: "sent",
    Rejected: "refused",
    TryLater: "later",
    BadCredentials: "bad_credentials",
}

log = structlog.get_logger()


def _count(calls: Sequence[tuple[str, float]]) -> None:
    for outcome, number in Tally(outcome for outcome, _ in calls).items():
        TRIES.labels(outcome).inc(number)
    CALL.observe_all([seconds for _, seconds in calls])


_calls = Batched(_count)


class DeliveryMetrics:
    """The attempts of one `Delivery`, from the lease to the recorded outcome."""

    def __init__(self) -> None:
        self._spans: dict[UUID, int] = {}
        """Span ids of calls whose outcome is not recorded yet, by notification id."""

    def leased(self, rows: Iterable[Leased], begun: float) -> None:
        now = perf_counter()
        for row in rows:
            if tracing.is_traced(row.correlation_id):
                tracing.send_span("lease", row.correlation_id, begun, now)

    def called(self, row: Leased, answer: Answer, begun: float) -> None:
        now = perf_counter()
        outcome = OUTCOMES[type(answer)]
        _calls.add((outcome, now - begun))
        # Without the reason, which the row has: the service may name people in it.
        write = log.warning if isinstance(answer, Rejected) else log.debug
        write("delivery", notification=str(row.id), outcome=outcome, tries=row.attempts)
        if tracing.is_traced(row.correlation_id):
            self._spans[row.id] = tracing.send_span(
                "deliver",
                row.correlation_id,
                begun,
                now,
                {"outcome": outcome, "try": row.attempts, "notification.id": str(row.id)},
                kind="client",
                failed=not isinstance(answer, Accepted),
            )

    def recorded(self, rows: Iterable[Leased], begun: float) -> None:
        now = perf_counter()
        for row in rows:
            if (call := self._spans.pop(row.id, None)) is not None:
                tracing.send_span("record outcome", row.correlation_id, begun, now, parent_id=call)
