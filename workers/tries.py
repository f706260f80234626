"""What is counted, logged and traced of each try to deliver a notification."""

from __future__ import annotations

from collections.abc import Iterable
from time import perf_counter
from uuid import UUID

import structlog
from prometheus_client import Counter, Histogram

from events_face import tracing
from events_face.metrics import REGISTRY, SECONDS
from workers.notification_service import Answer, BadCredentials, Refused, Sent, TryLater
from workers.outbox import Leased

TRIES = Counter(
    "events_face_delivery_tries",
    "Notifications tried: `sent`, `refused` for good, to be tried `later`, or `bad_credentials`.",
    ["outcome"],
    registry=REGISTRY,
)
CALL = Histogram(
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
        TRIES.labels(outcome).inc()
        CALL.observe(now - begun)
        match answer:
            case Refused(reason):
                log.warning("refused for good", notification=str(row.id), reason=reason)
            case TryLater(reason):
                log.debug("not sent yet", notification=str(row.id), reason=reason)
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
