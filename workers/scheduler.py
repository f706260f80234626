"""The scheduler role: hands tasks to the workers when they are due, or when somebody asks for one,
and seals history.

Any number may run: one leads (`domain.history.leadership`), the others stand by. What fell due
while none ran is done once, late.
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

from domain.core.availability import UNAVAILABLE
from domain.history.leadership import take_lead_now
from domain.history.store import CONNECTION_TIMEOUTS, SESSION
from domain.sync_requests import is_to_be_handed_over
from projections.rebuild.requests import wake_up_due
from runtime import metrics
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import signing_key
from runtime.settings import Settings
from workers.broker import redis_broker
from workers.schedule import Schedule
from workers.tasks import PeriodicTask, ask_for
from workers.upkeep import sealer

TICK = 1.0
"""Seconds between two looks at the clock."""

STAND_BY = 5.0
"""Seconds between two tries to become the active one, or to reach the database."""

_TROUBLE: tuple[type[Exception], ...] = (*UNAVAILABLE, redis.RedisError)

log = structlog.get_logger()


def run(settings: Settings, services: Services) -> None:
    """Schedule, and seal history beside, until SIGTERM or SIGINT. What is unreachable is waited
    for."""
    if services.redis_url is None:
        raise CommandFailed("REDIS_URL is not set, and no embedded Valkey runs on this data dir")
    metrics.serve(settings)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    key = signing_key(settings, services.database_url)
    with ThreadPoolExecutor(1, thread_name_prefix="sealer") as threads:
        sealing = threads.submit(sealer.run, services.database_url, key, stopping)
        sealing.add_done_callback(lambda _: stopping.set())  # one does not go on without the other
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
                database_url, schedules, lambda task: ask_for(broker, task), stopping
            )
        except _TROUBLE as error:
            log.warning("the scheduler waits until it can work again", error=str(error))
        stopping.wait(STAND_BY)


def schedules_of(settings: Settings) -> dict[PeriodicTask, Schedule]:
    schedules: dict[PeriodicTask, Schedule] = {
        "cleanup": Schedule.parse(settings.cleanup_schedule),
        "token_cleanup": Schedule.parse(settings.token_cleanup_schedule),
    }
    if settings.events_provider_url is not None:
        schedules["sync"] = Schedule.parse(settings.sync_schedule)
    return schedules


def database_time(connection: Connection[Any]) -> datetime:
    """The time that all schedulers have in common, whatever their hosts' clocks say."""
    cursor = connection.execute("SELECT clock_timestamp()")
    (now,) = cast("tuple[datetime]", cursor.fetchone())
    return now.astimezone(UTC)


def schedule_while_active(
    database_url: str,
    schedules: Mapping[PeriodicTask, Schedule],
    ask: Callable[[PeriodicTask], None],
    stopping: threading.Event,
    clock: Callable[[Connection[Any]], datetime] = database_time,
) -> None:
    """Return at once when another scheduler is active, else once `stopping` is set."""
    with psycopg.connect(
        database_url, autocommit=True, options=SESSION, **CONNECTION_TIMEOUTS
    ) as connection:
        if not take_lead_now(connection, "scheduler"):
            return
        log.info("this scheduler is active", tasks=list(schedules))
        while not stopping.is_set():
            now = clock(connection)
            for task, schedule in schedules.items():
                _ask_if_due(connection, task, schedule.last_due(now), ask)
            if is_to_be_handed_over(connection):
                ask("requested_sync")
            if wake_up_due(connection):
                ask("requested_rebuilds")
            stopping.wait(TICK)


def _ask_if_due(
    connection: Connection[Any],
    task: PeriodicTask,
    due: datetime | None,
    ask: Callable[[PeriodicTask], None],
) -> None:
    """Ask for the task unless it was asked for since it fell due; a new task waits for its next.

    Asked for first and noted then: dying in between repeats it, which does no harm.
    """
    cursor = connection.execute("SELECT last_due FROM schedule_runs WHERE task = %s", [task])
    known = cursor.fetchone()
    if due is None or (known is not None and known[0] >= due):
        return
    if known is not None:
        ask(task)
        log.info("handed over", task=task, due=due.isoformat())
    connection.execute(
        """
        INSERT INTO schedule_runs (task, last_due) VALUES (%(task)s, %(due)s)
        ON CONFLICT (task) DO UPDATE SET last_due = EXCLUDED.last_due
        """,
        {"task": task, "due": due},
    )
