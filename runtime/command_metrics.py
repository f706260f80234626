"""Metrics and traces of commands, as an observer of the decider."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Sequence
from typing import NamedTuple

from prometheus_client import Counter

from domain.core.availability import UNAVAILABLE
from domain.core.errors import DomainError
from domain.history.batch import Batch, CommandFailure, CommandRequest, Done, OutcomeUnknown
from runtime import tracing
from runtime.batched_metrics import Batched, BatchHistogram
from runtime.metrics import COUNTS, REGISTRY, SECONDS

COMMANDS = Counter(
    "events_face_commands",
    "Decided commands; the outcome is `accepted`, `replayed` (done before under the same"
    " Idempotency-Key), the slug of the refusal, or the kind of failure.",
    ["command", "outcome"],
    registry=REGISTRY,
)
BATCH_SIZE = BatchHistogram(
    "events_face_command_batch_size",
    "Commands in one batch.",
    buckets=COUNTS,
    registry=REGISTRY,
)
DECIDE = BatchHistogram(
    "events_face_command_decide_seconds",
    "Time to load and decide one batch.",
    buckets=SECONDS,
    registry=REGISTRY,
)
COMMIT = BatchHistogram(
    "events_face_command_commit_seconds",
    "Time to append the events of one batch to history.",
    buckets=SECONDS,
    registry=REGISTRY,
)
CONFLICTS = Counter(
    "events_face_command_conflicts",
    "Batches that were decided again, because a stream had changed since it was read.",
    registry=REGISTRY,
)
LOCKED = Counter(
    "events_face_command_locked",
    "Batches that were decided under the lock of history.",
    registry=REGISTRY,
)


def observe_batch(batch: Batch) -> None:
    """Count and trace a batch of commands from requests."""
    count_batch(batch)
    if tracing.is_enabled():
        for request, outcome in zip(batch.requests, batch.outcomes, strict=True):
            if tracing.is_traced(request.origin.correlation_id):
                _trace(batch, request, outcome)


def count_batch(batch: Batch) -> None:
    appending = sum(append.ended - append.begun for append in batch.appends)
    _batches.add(
        _Figures(
            outcomes=[
                (type(request.command), _name(outcome))
                for request, outcome in zip(batch.requests, batch.outcomes, strict=True)
            ],
            deciding=batch.ended - batch.begun - appending,
            appending=appending if batch.appends else None,
            conflicts=_conflicts(batch),
            locked=batch.locked,
        )
    )


class _Figures(NamedTuple):
    """The figures of a batch until they are counted, without personal data."""

    outcomes: list[tuple[type, str]]
    deciding: float
    appending: float | None
    conflicts: int
    locked: bool


def _count(batches: Sequence[_Figures]) -> None:
    outcomes = Tally(outcome for batch in batches for outcome in batch.outcomes)
    for (command, outcome), number in outcomes.items():
        COMMANDS.labels(command.__name__, outcome).inc(number)
    BATCH_SIZE.observe_all([len(batch.outcomes) for batch in batches])
    DECIDE.observe_all([batch.deciding for batch in batches])
    COMMIT.observe_all([batch.appending for batch in batches if batch.appending is not None])
    CONFLICTS.inc(sum(batch.conflicts for batch in batches))
    LOCKED.inc(sum(batch.locked for batch in batches))


_batches = Batched(_count)


def _trace(batch: Batch, request: CommandRequest, outcome: Done | CommandFailure) -> None:
    """Send a span for the command, with spans for its parts. All commands of a batch end
    together."""
    id = request.origin.correlation_id
    begun = batch.begun if request.waiting_since is None else request.waiting_since
    about: dict[str, str | int] = {"outcome": _name(outcome), "batch.size": len(batch.requests)}
    if conflicts := _conflicts(batch):
        about["batch.conflicts"] = conflicts
    if isinstance(outcome, Done):
        about["history.position"] = outcome.position
    failed = isinstance(outcome, CommandFailure) and not isinstance(outcome.error, DomainError)
    name = type(request.command).__name__
    command = tracing.send_span(name, id, begun, batch.ended, about, failed=failed)
    if request.waiting_since is not None:
        tracing.send_span("queue", id, begun, batch.begun, parent_id=command)
    at = batch.begun
    for append in batch.appends:
        tracing.send_span("decide", id, at, append.begun, parent_id=command)
        name = "commit" if append.taken else "commit refused"
        tracing.send_span(name, id, append.begun, append.ended, parent_id=command)
        at = append.ended
    if not (batch.appends and batch.appends[-1].taken):
        tracing.send_span("decide", id, at, batch.ended, parent_id=command)


def _conflicts(batch: Batch) -> int:
    return sum(not append.taken for append in batch.appends)


def _name(outcome: Done | CommandFailure) -> str:
    if isinstance(outcome, Done):
        return "accepted" if outcome.replayed is None else "replayed"
    match outcome.error:
        case DomainError() as refusal:
            return refusal.slug
        case OutcomeUnknown():
            return "unknown"
        case error:
            return "unavailable" if isinstance(error, UNAVAILABLE) else "bug"
