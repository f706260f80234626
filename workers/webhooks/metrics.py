"""Metrics of webhooks."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Sequence

from prometheus_client import Counter

from runtime.batched_metrics import Batched, BatchHistogram
from runtime.metrics import REGISTRY, SECONDS

TRIES = Counter(
    "events_face_webhook_tries",
    "Calls of webhooks: `taken`, `later` (tried again), or `given_up`.",
    ["outcome"],
    registry=REGISTRY,
)
CALL = BatchHistogram(
    "events_face_webhook_call_seconds",
    "Duration of calls of webhooks.",
    buckets=SECONDS,
    registry=REGISTRY,
)
DISABLED = Counter(
    "events_face_webhooks_disabled",
    "Webhooks that a worker disabled: the endpoint answered 410, or took nothing for five days.",
    registry=REGISTRY,
)


def _count(calls: Sequence[tuple[str, float]]) -> None:
    for outcome, number in Tally(outcome for outcome, _ in calls).items():
        TRIES.labels(outcome).inc(number)
    CALL.observe_all([seconds for _, seconds in calls])


count_call = Batched(_count).add
