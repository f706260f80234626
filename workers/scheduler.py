"""The scheduler role: enqueues tasks when they are due or requested, and seals history.

Any number may run: one leads (`domain.history.leadership`), the others wait. A task that became due
while no scheduler ran is enqueued once, late.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, cast

import psycopg
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker
from psycopg import Connection

from domain import sync_requests
from domain.core.availability import UNAVAILABLE
from domain.history.leadership import take_lead_now
from domain.history.store import CONNECTION_TIMEOUTS, SESSION
from projections.rebuild import requests as rebuild_requests
from runtime import metrics
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import signing_key
from runtime.settings import Settings
from workers.broker import redis_broker
from workers.schedule import Schedule
from workers.tasks import PeriodicTask, enqueue_once
from workers.upkeep import sealer

CHECK_INTERVAL = 1.0
"""Seconds between two checks of the clock."""

SWEEP_SCHEDULE = Schedule("*/15 * * * * *")
"""Every 15 seconds: what is due by time alone (`workers.upkeep.sweeps`)."""

ELECTION_INTERVAL = 5.0
"""Seconds between two attempts to become the active scheduler, or to reach the database."""

_TRANSIENT: tuple[type[Exception], ...] = (*UNAVAILABLE, redis.RedisError)

log = structlog.get_logger()


def run(settings: Settings, services: Services) -> None:
    """Enqueue tasks, and seal history, until SIGTERM or SIGINT. When PostgreSQL or Redis is
    unavailable, it waits until they are back."""
    if services.redis_url is None:
        raise CommandFailed("REDIS_URL is not set, and no embedded Valkey runs on this data dir")
    metrics.serve(settings)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    key = signing_key(settings, services.database_url)
    with ThreadPoolExecutor(1, thread_name_prefix="sealer") as threads:
        sealing = threads.submit(sealer.run, services.database_url, key, stopping)
        sealing.add_done_callback(lambda _: stopping.set())  # both end together
        try:
            _schedule(settings, services.database_url, redis_broker(services.redis_url), stopping)
        finally:
            stopping.set()
        sealing.result()


def _schedule(
    settings: Settings, database_url: str, broker: RedisBroker, stopping: threading.Event
) -> None:
    schedules = schedules_of(settings)
    while not stopping.is_set():
        try:
            schedule_while_active(
                database_url, schedules, lambda task: enqueue_once(broker, task), stopping
            )
        except _TRANSIENT as error:
            log.warning("the scheduler waits until it can work again", error=str(error))
        stopping.wait(ELECTION_INTERVAL)


def schedules_of(settings: Settings) -> dict[PeriodicTask, Schedule]:
    schedules: dict[PeriodicTask, Schedule] = {
        "cleanup": Schedule.parse(settings.cleanup_schedule),
        "retention": Schedule.parse(settings.retention_schedule),
        "token_cleanup": Schedule.parse(settings.token_cleanup_schedule),
        "sweep": SWEEP_SCHEDULE,
    }
    if settings.events_provider_url is not None:
        schedules["sync"] = Schedule.parse(settings.sync_schedule)
    return schedules


def database_time(connection: Connection[Any]) -> datetime:
    """The time of the database: all schedulers share it, and the clocks of their hosts may
    differ."""
    cursor = connection.execute("SELECT clock_timestamp()")
    (now,) = cast("tuple[datetime]", cursor.fetchone())
    return now.astimezone(UTC)


def schedule_while_active(
    database_url: str,
    schedules: Mapping[PeriodicTask, Schedule],
    enqueue: Callable[[PeriodicTask], None],
    stopping: threading.Event,
    clock: Callable[[Connection[Any]], datetime] = database_time,
) -> None:
    """Return at once when another scheduler is active, otherwise when `stopping` is set."""
    with psycopg.connect(
        database_url, autocommit=True, options=SESSION, **CONNECTION_TIMEOUTS
    ) as connection:
        if not take_lead_now(connection, "scheduler"):
            return
        log.info("this scheduler is active", tasks=list(schedules))
        if "retention" in schedules:  # a changed setting is recorded, and what follows is logged
            enqueue("retention")
        while not stopping.is_set():
            now = clock(connection)
            for task, schedule in schedules.items():
                _enqueue_if_due(connection, task, schedule.last_due(now), enqueue)
            if sync_requests.wake_up_due(connection):
                enqueue("requested_sync")
            if rebuild_requests.wake_up_due(connection):
                enqueue("requested_rebuilds")
            stopping.wait(CHECK_INTERVAL)


def _enqueue_if_due(
    connection: Connection[Any],
    task: PeriodicTask,
    due: datetime | None,
    enqueue: Callable[[PeriodicTask], None],
) -> None:
    """Enqueue the task, unless that was done since it became due. A new task waits for its next due
    time.

    It is enqueued before this is recorded: a crash in between enqueues it twice, which is harmless.
    """
    cursor = connection.execute("SELECT last_due FROM schedule_runs WHERE task = %s", [task])
    known = cursor.fetchone()
    if due is None or (known is not None and known[0] >= due):
        return
    if known is not None:
        enqueue(task)
        routine = log.debug if task == "sweep" else log.info
        routine("task enqueued", task=task, due=due.isoformat())
    connection.execute(
        """
        INSERT INTO schedule_runs (task, last_due) VALUES (%(task)s, %(due)s)
        ON CONFLICT (task) DO UPDATE SET last_due = EXCLUDED.last_due
        """,
        {"task": task, "due": due},
    )
