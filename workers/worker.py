"""The worker role: takes tasks from the broker and does them, and relays the outbox to it."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Collection, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import partial
from typing import NoReturn

import dramatiq
import structlog
from dramatiq.asyncio import EventLoopThread, get_event_loop_thread
from dramatiq.brokers.redis import RedisBroker

from runtime import metrics, tracing
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import installation_keys
from runtime.settings import Settings
from workers.broker import NOTIFICATIONS, PERIODIC, redis_broker
from workers.delivery.deliverer import Delivery, new_delivery
from workers.delivery.wake_ups import relay
from workers.tasks import declare_delivery, declare_periodic, wake

THREADS = 4
"""Each waits for one task, which is under way in the event loop."""

IDLE_POLL = 100
"""Milliseconds between two looks at an empty queue, at the most."""

STOP_TIMEOUT = 4_000
"""Milliseconds that tasks under way have to end."""

log = structlog.get_logger()


def run(settings: Settings, services: Services, queues: Collection[str]) -> None:
    """Work on these queues until SIGTERM or SIGINT. What goes away is waited for."""
    if services.redis_url is None:
        raise CommandFailed("REDIS_URL is not set, and no embedded Valkey runs on this data dir")
    metrics.serve(settings)
    stopping = _asked_to_stop()
    keys = installation_keys(settings, services.database_url)
    broker = redis_broker(services.redis_url)
    if PERIODIC in queues:
        declare_periodic(broker, settings, services.database_url, keys)
    if not _is_to_deliver(settings, queues):
        with _working(broker):
            stopping.wait()
        return
    delivery = new_delivery(settings, services.database_url, keys)
    declare_delivery(broker, delivery)
    with (
        tracing.sent("worker", settings),
        _working(broker) as loop,
        _delivering(broker, services.database_url, delivery, loop),
    ):
        stopping.wait()


def _is_to_deliver(settings: Settings, queues: Collection[str]) -> bool:
    if NOTIFICATIONS not in queues:
        return False
    if settings.notification_service_url is None:
        log.warning("NOTIFICATION_SERVICE_URL is not set: notifications wait in the outbox")
        return False
    return True


def _asked_to_stop() -> threading.Event:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


@contextmanager
def _working(broker: RedisBroker) -> Iterator[EventLoopThread]:
    """Do the tasks that were declared; gives the event loop that they run in."""
    worker = dramatiq.Worker(broker, worker_threads=THREADS, worker_timeout=IDLE_POLL)
    worker.start()
    try:
        loop = get_event_loop_thread()
        if loop is None:
            raise RuntimeError("the broker lacks the AsyncIO middleware")
        yield loop
    finally:
        worker.stop(timeout=STOP_TIMEOUT)


@contextmanager
def _delivering(
    broker: RedisBroker, database_url: str, delivery: Delivery, loop: EventLoopThread
) -> Iterator[None]:
    """Relay the outbox; at the end, let what is being sent come to its end."""
    relaying = asyncio.run_coroutine_threadsafe(
        relay(database_url, partial(wake, broker, delivery), delivery.leave_leases), loop.loop
    )
    relaying.add_done_callback(_end_with_the_relay)
    try:
        yield
    finally:
        relaying.cancel()
        loop.run_coroutine(delivery.close())


def _end_with_the_relay(relaying: Future[NoReturn]) -> None:
    """A bug in the relay must not leave a worker that looks alive."""
    if not relaying.cancelled():
        log.critical("the relay failed", exc_info=relaying.exception())
        os.kill(os.getpid(), signal.SIGTERM)
