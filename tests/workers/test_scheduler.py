"""The scheduler: each due task is enqueued once, by the active scheduler."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import psycopg
import pytest
from dramatiq.brokers.redis import RedisBroker

from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.clocks import OtherClock
from tests.support.processes import environment, role
from tests.support.waiting import until
from workers.broker import PERIODIC, redis_broker
from workers.schedule import Schedule
from workers.scheduler import database_time, schedule_while_active, schedules_of
from workers.tasks import PeriodicTask, enqueue_once

pytestmark = pytest.mark.usefixtures("frequent_checks")

DAILY: dict[PeriodicTask, Schedule] = {"cleanup": Schedule.parse("0 3 * * *")}


class Clock:
    def __init__(self, day: int, hour: int) -> None:
        self.set(day, hour)

    def set(self, day: int, hour: int) -> None:
        self.now = datetime(2030, 5, day, hour, tzinfo=UTC)

    def __call__(self, _: object) -> datetime:
        return self.now


@contextmanager
def active_scheduler(
    database_url: str, clock: Clock, ask: Callable[[PeriodicTask], None]
) -> Iterator[None]:
    stopping = threading.Event()
    thread = threading.Thread(
        target=schedule_while_active, args=[database_url, DAILY, ask, stopping, clock]
    )
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
        until(lambda: no_scheduler_is_active(database_url))


def no_scheduler_is_active(database_url: str) -> bool:
    """PostgreSQL lets a lock go a moment after its connection was closed."""
    with psycopg.connect(database_url) as connection:
        cursor = connection.execute("SELECT pg_try_advisory_xact_lock(hashtext('scheduler'))")
        return cursor.fetchone() == (True,)


def noted(database_url: str) -> datetime | None:
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT last_due FROM schedule_runs").fetchone()
        return row[0] if row else None


def hour(day: int) -> datetime:
    return datetime(2030, 5, day, 3, tzinfo=UTC)


def test_each_due_time_is_handed_over_once(database_url: str) -> None:
    clock, asked = Clock(1, 12), list[PeriodicTask]()
    with active_scheduler(database_url, clock, asked.append):
        until(lambda: noted(database_url) == hour(1))
        assert asked == []  # it was not there at three o'clock, and owes nothing
        clock.set(2, 3)
        until(lambda: noted(database_url) == hour(2))
        clock.set(2, 23)
        clock.set(3, 4)
        until(lambda: noted(database_url) == hour(3))
    assert asked == ["cleanup", "cleanup"]


def test_a_time_missed_while_no_scheduler_ran_is_made_up_for_once(database_url: str) -> None:
    clock, asked = Clock(1, 12), list[PeriodicTask]()
    with active_scheduler(database_url, clock, asked.append):
        until(lambda: noted(database_url) == hour(1))
    clock.set(9, 12)
    with active_scheduler(database_url, clock, asked.append):
        until(lambda: noted(database_url) == hour(9))
    with active_scheduler(database_url, clock, asked.append):
        pass
    assert asked == ["cleanup"]


def test_a_task_that_could_not_be_handed_over_is_retried(database_url: str) -> None:
    clock, asked = Clock(1, 12), list[PeriodicTask]()
    with active_scheduler(database_url, clock, asked.append):
        until(lambda: noted(database_url) == hour(1))
    clock.set(2, 12)

    def fail(task: PeriodicTask) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        schedule_while_active(database_url, DAILY, fail, threading.Event(), clock)
    until(lambda: no_scheduler_is_active(database_url))
    assert noted(database_url) == hour(1)
    with active_scheduler(database_url, clock, asked.append):
        until(lambda: asked == ["cleanup"])


def test_one_scheduler_is_active_and_another_takes_over(database_url: str) -> None:
    clock, asked, others = Clock(1, 12), list[PeriodicTask](), list[PeriodicTask]()
    with active_scheduler(database_url, clock, asked.append):
        until(lambda: noted(database_url) == hour(1))
        schedule_while_active(database_url, DAILY, others.append, threading.Event(), clock)
    clock.set(2, 12)
    with active_scheduler(database_url, clock, others.append):
        until(lambda: noted(database_url) == hour(2))
    assert (asked, others) == ([], ["cleanup"])


def test_a_slower_clock_of_the_next_scheduler_repeats_nothing(database_url: str) -> None:
    ahead, behind, asked = Clock(1, 12), Clock(2, 2), list[PeriodicTask]()
    with active_scheduler(database_url, ahead, asked.append):
        until(lambda: noted(database_url) == hour(1))
        ahead.set(2, 3)
        until(lambda: noted(database_url) == hour(2))
    with active_scheduler(database_url, behind, asked.append):
        behind.set(2, 4)
        behind.set(3, 3)
        until(lambda: noted(database_url) == hour(3))
    assert asked == ["cleanup", "cleanup"]


def test_the_time_is_that_of_the_database_not_of_the_host(other_clock: OtherClock) -> None:
    url = other_clock(timedelta(days=-365))
    with psycopg.connect(url) as connection:
        now_there = database_time(connection)
    assert timedelta(days=364) < datetime.now(UTC) - now_there < timedelta(days=366)


def test_a_task_that_no_worker_has_taken_is_enqueued_once(redis_url: str) -> None:
    broker = redis_broker(redis_url)
    for _ in range(24):
        enqueue_once(broker, "sync")
    enqueue_once(broker, "cleanup")
    assert broker.client.llen(f"dramatiq:{PERIODIC}") == 2
    broker.client.flushall()  # Redis forgets
    enqueue_once(broker, "sync")
    assert broker.client.llen(f"dramatiq:{PERIODIC}") == 1


def test_a_sync_is_scheduled_only_with_a_provider(settings: Settings) -> None:
    assert set(schedules_of(settings)) == {"cleanup", "retention", "token_cleanup", "sweep"}
    with_provider = msgspec.structs.replace(settings, events_provider_url="http://provider.example")
    assert set(schedules_of(with_provider)) == {
        "cleanup",
        "retention",
        "token_cleanup",
        "sweep",
        "sync",
    }


def enqueued(broker: RedisBroker) -> set[str]:
    """The tasks that workers find in Redis."""
    messages: Any = broker.client.hvals(f"dramatiq:{PERIODIC}.msgs")
    return {msgspec.json.decode(message)["actor_name"] for message in messages}


def test_the_process_sends_tasks_to_the_workers_through_redis(
    settings: Settings, services: Services
) -> None:
    with psycopg.connect(services.database_url) as connection:
        connection.execute("INSERT INTO schedule_runs VALUES ('cleanup', '2020-01-01T00:00:00Z')")
    broker = redis_broker(services.redis_url or "")
    with role(environment(settings, services), "scheduler") as process:
        until(lambda: {"cleanup", "retention"} <= enqueued(broker))
        process.terminate()
        assert process.wait(30) == 0
