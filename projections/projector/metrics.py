"""Metrics and traces of the batches that the projector applies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import Histogram

from domain.core.aggregate import RecordedEvent
from runtime import tracing
from runtime.metrics import COUNTS, REGISTRY, SECONDS

APPLY = Histogram(
    "events_face_projection_apply_seconds",
    "Time to apply the events of one batch to one projection.",
    ["projection"],
    buckets=SECONDS,
    registry=REGISTRY,
)
BATCH_SIZE = Histogram(
    "events_face_projection_batch_size",
    "Events in one batch.",
    buckets=COUNTS,
    registry=REGISTRY,
)
BATCH = Histogram(
    "events_face_projection_batch_seconds",
    "Time to apply one batch to all projections at the same position, in one transaction.",
    buckets=SECONDS,
    registry=REGISTRY,
)


class BatchMetrics:
    """Measures one batch of events, from the start of applying it to the commit."""

    def __init__(self, events: Sequence[RecordedEvent]) -> None:
        self._events = events
        self._begun = perf_counter()
        self._spent: dict[str, float] = {}
        self._projections: dict[type, list[str]] = {}

    @contextmanager
    def measure(self, projection: str, handled: Sequence[RecordedEvent]) -> Iterator[None]:
        """Measures how long it takes to apply the handled events to one projection."""
        begun = perf_counter()
        yield
        if handled:
            self._spent[projection] = perf_counter() - begun
        if tracing.is_enabled():
            for kind in {type(recorded.event) for recorded in handled}:
                self._projections.setdefault(kind, []).append(projection)

    def committed(self) -> None:
        ended = perf_counter()
        for projection, seconds in self._spent.items():
            APPLY.labels(projection).observe(seconds)
        BATCH_SIZE.observe(len(self._events))
        BATCH.observe(ended - self._begun)
        if tracing.is_enabled():
            self._trace(ended)

    def _trace(self, ended: float) -> None:
        """Record a span for each trace with events in this batch."""
        traces: dict[str, list[RecordedEvent]] = {}
        for recorded in self._events:
            traces.setdefault(recorded.metadata.correlation_id, []).append(recorded)
        for correlation_id, events in traces.items():
            if not tracing.is_traced(correlation_id):
                continue
            kinds = {type(recorded.event) for recorded in events}
            names = {name for kind in kinds for name in self._projections.get(kind, ())}
            tracing.send_span(
                "project",
                correlation_id,
                self._begun,
                ended,
                {
                    "history.position": events[-1].position,
                    "history.events": sorted({recorded.event.topic for recorded in events}),
                    "projections": sorted(names),
                    "batch.size": len(self._events),
                },
            )
