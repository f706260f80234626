"""Metrics of the tasks that workers take from the broker."""

from __future__ import annotations

from time import perf_counter

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import Middleware
from prometheus_client import Counter, Histogram

from runtime.metrics import REGISTRY, SECONDS

TASKS = Counter(
    "events_face_tasks",
    "Finished tasks: `done`, or `failed` (those are retried a few times).",
    ["task", "outcome"],
    registry=REGISTRY,
)
TASK_SECONDS = Histogram(
    "events_face_task_seconds",
    "Duration of tasks.",
    ["task"],
    buckets=(*SECONDS, 10.0, 30.0, 60.0, 300.0),
    registry=REGISTRY,
)


class TaskMetrics(Middleware):
    """Replaces dramatiq's own middleware, which measures in milliseconds and needs a process of its
    own."""

    def __init__(self) -> None:
        self._begun: dict[str, float] = {}

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        self._begun[message.message_id] = perf_counter()

    def after_process_message(
        self,
        broker: Broker,
        message: MessageProxy,
        *,
        result: object = None,
        exception: BaseException | None = None,
    ) -> None:
        TASKS.labels(message.actor_name, "done" if exception is None else "failed").inc()
        begun = self._begun.pop(message.message_id, perf_counter())
        TASK_SECONDS.labels(message.actor_name).observe(perf_counter() - begun)
