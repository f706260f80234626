"""What is counted, logged and traced of each try to deliver a notification."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from time import perf_counter
from uuid import UUID

import structlog
from prometheus_client import Counter

from runtime import tracing
from runtime.batched_metrics import Gathered, HistogramOfMany
from runtime.metrics import REGISTRY, SECONDS
from workers.delivery.leases import Leased
from workers.delivery.notification_service import Answer, BadCredentials, Refused, Sent, TryLater

TRIES = Counter(
    "events_face_delivery_tries",
    "Notifications tried: `sent`, `refused` for good, to be tried `later`, or `bad_credentials`.",
    ["outcome"],
    registry=REGISTRY,
)
CALL = HistogramOfMany(
    "events_face_delivery_call_seconds",
    "Calls of the notification service.",
    buckets=SECONDS,
    registry=REGISTRY,
)

OUTCOMES: dict[type[Answer], str] = {
    Sent: "sent",
    Refused: "refused",
    TryLater: "later",
    BadCredentials: "bad_credentials",
}

log = structlog.get_logger()


def _count(calls: Sequence[tuple[str, float]]) -> None:
    for outcome, number in Tally(outcome for outcome, _ in calls).items():
        TRIES.labels(outcome).inc(number)
    CALL.observe_all([seconds for _, seconds in calls])


_calls = Gathered(_count)


class Tries:
    """Those of one delivery, from lease to record."""

    def __init__(self) -> None:
        self._spans: dict[UUID, int] = {}
        """Of the calls that are not recorded yet, by notification."""

    def leased(self, rows: Iterable[Leased], begun: float) -> None:
        now = perf_counter()
        for row in rows:
            if tracing.is_traced(row.correlation_id):
                tracing.span("lease", row.correlation_id, begun, now)

    def called(self, row: Leased, answer: Answer, begun: float) -> None:
        now = perf_counter()
        outcome = OUTCOMES[type(answer)]
        _calls.add((outcome, now - begun))
        # Not the reason, which its row has: a service may name people in it.
        tell = log.warning if isinstance(answer, Refused) else log.debug
        tell("delivery", notification=str(row.id), outcome=outcome, tries=row.attempts)
        if tracing.is_traced(row.correlation_id):
            self._spans[row.id] = tracing.span(
                "deliver",
                row.correlation_id,
                begun,
                now,
                {"outcome": outcome, "try": row.attempts, "notification.id": str(row.id)},
                kind="client",
                failed=not isinstance(answer, Sent),
            )

    def recorded(self, rows: Iterable[Leased], begun: float) -> None:
        now = perf_counter()
        for row in rows:
            if (call := self._spans.pop(row.id, None)) is not None:
                tracing.span("record outcome", row.correlation_id, begun, now, parent_id=call)
