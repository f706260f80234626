"""The worker role: runs tasks from the broker and the relay that wakes workers for the outbox, and
sends to webhooks."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Collection, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import NoReturn

import dramatiq
import structlog
from dramatiq.asyncio import EventLoopThread, get_event_loop_thread
from dramatiq.brokers.redis import RedisBroker

from domain.application import APPLICATION
from domain.history.decider import Decider
from domain.privacy.keys import InstallationKeys
from runtime import metrics, tracing
from runtime.command_metrics import count_batch
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.installation import installation_keys
from runtime.settings import Settings
from workers.broker import NOTIFICATIONS, PERIODIC, WEBHOOKS, redis_broker
from workers.delivery.deliverer import Delivery, new_delivery
from workers.delivery.wake_ups import relay
from workers.tasks import declare_delivery, declare_periodic, wake_delivery
from workers.webhooks.senders import send_webhooks

THREADS = 4
"""Each thread waits for one task, which runs in the event loop."""

MAX_IDLE_POLL = 100
"""Milliseconds, at most, between two reads of an empty queue."""

STOP_TIMEOUT = 4_000
"""Milliseconds in which running tasks may end."""

log = structlog.get_logger()


def run(settings: Settings, services: Services, queues: Collection[str]) -> None:
    """Work on these queues until SIGTERM or SIGINT. When PostgreSQL or Redis is unavailable, it
    waits until they are back."""
    if services.redis_url is None:
        raise CommandFailed("REDIS_URL is not set, and no embedded Valkey runs on this data dir")
    metrics.serve(settings)
    stopping = _stop_on_signals()
    keys = installation_keys(settings, services.database_url)
    broker = redis_broker(services.redis_url)
    if PERIODIC in queues:
        declare_periodic(broker, settings, services.database_url, keys)
    delivery = None
    if _delivers(settings, queues):
        delivery = new_delivery(settings, services.database_url, keys)
        declare_delivery(broker, delivery)
    with ExitStack() as held:
        held.enter_context(tracing.exporting("worker", settings))
        loop = held.enter_context(_running_worker(broker))
        if delivery is not None:
            held.enter_context(_running_relay(broker, services.database_url, delivery, loop))
        if WEBHOOKS in queues:
            held.enter_context(_running_webhooks(settings, services.database_url, keys, loop))
        stopping.wait()


def _delivers(settings: Settings, queues: Collection[str]) -> bool:
    if NOTIFICATIONS not in queues:
        return False
    if settings.mail is None and settings.notification_service_url is None:
        log.warning(
            "NOTIFICATION_SERVICE_URL and MAIL_URL are not set: notifications wait in the outbox"
        )
        return False
    return True


def _stop_on_signals() -> threading.Event:
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping


@contextmanager
def _running_worker(broker: RedisBroker) -> Iterator[EventLoopThread]:
    """Run the declared tasks; yields the event loop in which they run."""
    worker = dramatiq.Worker(broker, worker_threads=THREADS, worker_timeout=MAX_IDLE_POLL)
    worker.start()
    try:
        loop = get_event_loop_thread()
        if loop is None:
            raise RuntimeError("the broker lacks the AsyncIO middleware")
        yield loop
    finally:
        worker.stop(timeout=STOP_TIMEOUT)


@contextmanager
def _running_relay(
    broker: RedisBroker, database_url: str, delivery: Delivery, loop: EventLoopThread
) -> Iterator[None]:
    """Run the relay; at the end, wait for the calls in progress."""
    relaying = asyncio.run_coroutine_threadsafe(
        relay(database_url, partial(wake_delivery, broker, delivery), delivery.postpone_takeover),
        loop.loop,
    )
    relaying.add_done_callback(_stop_worker)
    try:
        yield
    finally:
        relaying.cancel()
        loop.run_coroutine(delivery.close())


@contextmanager
def _running_webhooks(
    settings: Settings, database_url: str, keys: InstallationKeys, loop: EventLoopThread
) -> Iterator[None]:
    """Send to webhooks; at the end, wait for the calls in progress."""
    ended = threading.Event()

    async def send() -> NoReturn:
        decider = Decider(keys, APPLICATION, observer=count_batch)
        try:
            await send_webhooks(
                database_url, keys, decider, private_networks=settings.webhook_private_networks
            )
        finally:
            ended.set()

    sending = asyncio.run_coroutine_threadsafe(send(), loop.loop)
    sending.add_done_callback(_stop_worker)
    try:
        yield
    finally:
        sending.cancel()
        ended.wait(STOP_TIMEOUT / 1000)


def _stop_worker(failed: Future[NoReturn]) -> None:
    """Without this, a worker whose relay failed, or sends no webhooks, would look healthy."""
    if not failed.cancelled():
        log.critical("a part of the worker failed", exc_info=failed.exception())
        os.kill(os.getpid(), signal.SIGTERM)
