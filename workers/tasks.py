"""The tasks that workers take from the broker, and how each is enqueued.

Queue           Task                 Enqueued by
notifications   deliver_due          the relay, while rows of the outbox are due and its own process
                                     does not deliver
periodic        sync                 the scheduler
periodic        requested_sync       the scheduler, after a user requested one
periodic        requested_rebuilds   the scheduler, after a user requested some
periodic        cleanup              the scheduler
periodic        retention            the scheduler, when due and when it starts
periodic        token_cleanup        the scheduler
periodic        sweep                the scheduler
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Literal

import dramatiq
import msgspec
import redis
import structlog
from dramatiq.brokers.redis import RedisBroker

from domain.core.availability import UNAVAILABLE
from domain.privacy.keys import InstallationKeys
from domain.syncs import RecordSync
from runtime.command_metrics import count_batch
from runtime.settings import Settings
from workers.broker import NOTIFICATIONS, PERIODIC
from workers.delivery.deliverer import Delivery
from workers.own_loop import call_on_this_loop, run_in_own_loop
from workers.provider.client import configured_source
from workers.provider.sync import SyncFailed, run_requested_sync, run_sync
from workers.upkeep.cleanup import clean_up
from workers.upkeep.rebuilds import run_requested_rebuilds
from workers.upkeep.retention import Behind, BeingDone, forget_by_setting
from workers.upkeep.session_cleanup import remove_expired_sessions
from workers.upkeep.sweeps import Swept
from workers.upkeep.sweeps import sweep as sweep_what_is_due

MAX_DELIVERY_TIME = 30.0
"""Seconds of continuous delivery, after which another worker may continue."""

WAKE_UP_KEY = "events-face:deliver-due"
WAKE_UP_TTL = 10
"""Seconds in which one message stays the only wake-up; after that it is considered lost."""

ENQUEUED_KEY = "events-face:asked-for:{task}"
"""Redis key with the id of the last message for the task."""

PeriodicTask = Literal[
    "sync",
    "requested_sync",
    "requested_rebuilds",
    "cleanup",
    "retention",
    "token_cleanup",
    "sweep",
]

log = structlog.get_logger()


def wake_workers(broker: RedisBroker) -> None:
    """Enqueue the delivery of due rows. Many calls make few messages."""
    if broker.client.set(WAKE_UP_KEY, b"", nx=True, ex=WAKE_UP_TTL):
        broker.enqueue(_message(NOTIFICATIONS, "deliver_due"))


async def wake_delivery(broker: RedisBroker, delivery: Delivery) -> None:
    """Start the delivery of due rows: in this process if it delivers already, else in any
    worker."""
    if delivery.running:
        delivery.wake()
    else:
        await asyncio.to_thread(wake_workers, broker)


def enqueue_once(broker: RedisBroker, task: PeriodicTask) -> None:
    """Enqueue the task, unless its last message is still in the queue."""
    key = ENQUEUED_KEY.format(task=task)
    last = broker.client.get(key)
    if last is not None and broker.client.hexists(f"{broker.namespace}:{PERIODIC}.msgs", last):
        return
    message = broker.enqueue(_message(PERIODIC, task))
    broker.client.set(key, message.options["redis_message_id"])


def _message(queue: str, task: str) -> dramatiq.Message[Any]:
    return dramatiq.Message(queue_name=queue, actor_name=task, args=(), kwargs={}, options={})


def declare_delivery(broker: RedisBroker, delivery: Delivery) -> None:
    """Declare the task that delivers notifications."""

    async def deliver_due() -> None:
        with contextlib.suppress(redis.RedisError):  # the key expires by itself
            await asyncio.to_thread(broker.client.delete, WAKE_UP_KEY)
        if delivery.running:
            delivery.wake()
            return
        try:
            if await delivery.run(MAX_DELIVERY_TIME):
                await asyncio.to_thread(wake_workers, broker)
        except UNAVAILABLE as error:
            log.warning("delivery interrupted; the relay will start it again", error=str(error))

    # No retries: while rows are due, the relay enqueues the task again.
    dramatiq.actor(broker=broker, queue_name=NOTIFICATIONS, max_retries=0)(deliver_due)


def declare_periodic(
    broker: RedisBroker, settings: Settings, database_url: str, keys: InstallationKeys
) -> None:
    """Declare the tasks that the scheduler enqueues."""

    async def sync() -> None:
        await _with_provider(partial(run_sync, full=False))

    async def requested_sync() -> None:
        await _with_provider(run_requested_sync)

    async def _with_provider(
        run: Callable[..., Coroutine[Any, Any, RecordSync | None]],
    ) -> None:
        provider = configured_source(settings)
        if provider is None:
            log.warning("no sync: EVENTS_PROVIDER_URL is not set")
            return
        observer = call_on_this_loop(count_batch)
        try:
            result = await run_in_own_loop(run(database_url, provider, keys, observer=observer))
        except SyncFailed as error:
            log.error("sync failed", reason=str(error))  # noqa: TRY400 - the reason says it all
        else:
            if result is not None:
                log.info("sync completed", **msgspec.structs.asdict(result.counts))

    async def requested_rebuilds() -> None:
        try:
            await run_requested_rebuilds(database_url)
        except UNAVAILABLE as error:
            log.warning("rebuild interrupted; the scheduler will start it again", error=str(error))

    async def cleanup() -> None:
        removed = await run_in_own_loop(clean_up(database_url, keys, settings.cleanup_days))
        log.info("removed past events", removed=removed)

    async def retention() -> None:
        try:
            await run_in_own_loop(forget_by_setting(database_url, keys, settings.retention_days))
        except (Behind, BeingDone) as reason:
            log.warning("no visitors were forgotten now", reason=reason.__doc__)

    async def token_cleanup() -> None:
        log.info("removed expired sessions", removed=await remove_expired_sessions(database_url))

    async def sweep() -> None:
        try:
            swept = await run_in_own_loop(sweep_what_is_due(database_url, keys))
        except UNAVAILABLE as error:
            log.warning("sweep interrupted; the scheduler will start it again", error=str(error))
            return
        if swept != Swept():
            log.info("swept what was due", **msgspec.structs.asdict(swept))

    for task in (
        sync,
        requested_sync,
        requested_rebuilds,
        cleanup,
        retention,
        token_cleanup,
        sweep,
    ):
        dramatiq.actor(broker=broker, queue_name=PERIODIC, notify_shutdown=True)(task)
