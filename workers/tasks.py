"""The tasks that workers take from the broker, and how to ask for each.

Queue           Task                 Asked for by
notifications   deliver_due          the relay, while rows of the outbox are due and its own process
                                     does not deliver
periodic        sync                 the scheduler
periodic        requested_sync       the scheduler, when somebody has asked for one
periodic        requested_rebuilds   the scheduler, when somebody has asked for some
periodic        cleanup              the scheduler
periodic        token_cleanup        the scheduler
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
from workers.aside import called_back, run_aside
from workers.broker import NOTIFICATIONS, PERIODIC
from workers.delivery.deliverer import Delivery
from workers.provider.client import configured
from workers.provider.sync import SyncFailed, synchronise, synchronise_as_asked
from workers.upkeep.cleanup import clean_up
from workers.upkeep.rebuilds import rebuild_as_asked
from workers.upkeep.session_cleanup import clean_up_tokens

LONGEST_DELIVERY = 30.0
"""Seconds of constant work, after which another worker may go on."""

WAKE_UP_KEY = "events-face:deliver-due"
WAKE_UP_STANDS = 10
"""Seconds that one wake-up stands for all; then it counts as lost."""

ASKED_KEY = "events-face:asked-for:{task}"
"""Holds the id of the last message that asks for the task."""

PeriodicTask = Literal["sync", "requested_sync", "requested_rebuilds", "cleanup", "token_cleanup"]

log = structlog.get_logger()


def wake_workers(broker: RedisBroker) -> None:
    """Have some worker deliver what is due. A flood of calls makes few messages."""
    if broker.client.set(WAKE_UP_KEY, b"", nx=True, ex=WAKE_UP_STANDS):
        broker.enqueue(_message(NOTIFICATIONS, "deliver_due"))


async def wake(broker: RedisBroker, delivery: Delivery) -> None:
    """Have what is due delivered: by this process if it is at it already, else by some worker."""
    if delivery.running:
        delivery.wake()
    else:
        await asyncio.to_thread(wake_workers, broker)


def ask_for(broker: RedisBroker, task: PeriodicTask) -> None:
    """Have some worker do it, once: however long no worker comes to it, one message asks for it."""
    key = ASKED_KEY.format(task=task)
    asked = broker.client.get(key)
    if asked is not None and broker.client.hexists(f"{broker.namespace}:{PERIODIC}.msgs", asked):
        return
    message = broker.enqueue(_message(PERIODIC, task))
    broker.client.set(key, message.options["redis_message_id"])


def _message(queue: str, task: str) -> dramatiq.Message[Any]:
    return dramatiq.Message(queue_name=queue, actor_name=task, args=(), kwargs={}, options={})


def declare_delivery(broker: RedisBroker, delivery: Delivery) -> None:
    """Let this process deliver."""

    async def deliver_due() -> None:
        with contextlib.suppress(redis.RedisError):  # the key runs out by itself
            await asyncio.to_thread(broker.client.delete, WAKE_UP_KEY)
        if delivery.running:
            delivery.wake()
            return
        try:
            if await delivery.run(LONGEST_DELIVERY):
                await asyncio.to_thread(wake_workers, broker)
        except UNAVAILABLE as error:
            log.warning("delivering ended; the relay will ask for it again", error=str(error))

    # No retries: while rows are due the relay asks again.
    dramatiq.actor(broker=broker, queue_name=NOTIFICATIONS, max_retries=0)(deliver_due)


def declare_periodic(
    broker: RedisBroker, settings: Settings, database_url: str, keys: InstallationKeys
) -> None:
    """Let this process do what the scheduler asks for."""

    async def sync() -> None:
        await _with_provider(partial(synchronise, full=False))

    async def requested_sync() -> None:
        await _with_provider(synchronise_as_asked)

    async def _with_provider(
        synchronised: Callable[..., Coroutine[Any, Any, RecordSync | None]],
    ) -> None:
        provider = configured(settings)
        if provider is None:
            log.warning("no sync: EVENTS_PROVIDER_URL is not set")
            return
        observer = called_back(count_batch)
        try:
            result = await run_aside(synchronised(database_url, provider, keys, observer=observer))
        except SyncFailed as error:
            log.error("not synchronised", reason=str(error))  # noqa: TRY400 - the reason is all
        else:
            if result is not None:
                log.info("synchronised", **msgspec.structs.asdict(result.counts))

    async def requested_rebuilds() -> None:
        try:
            await rebuild_as_asked(database_url)
        except UNAVAILABLE as error:
            log.warning("rebuilding ended; the scheduler will ask for it again", error=str(error))

    async def cleanup() -> None:
        removed = await run_aside(clean_up(database_url, keys, settings.cleanup_days))
        log.info("cleaned up", removed=removed)

    async def token_cleanup() -> None:
        log.info("cleaned up sessions", removed=await clean_up_tokens(database_url))

    for task in (sync, requested_sync, requested_rebuilds, cleanup, token_cleanup):
        dramatiq.actor(broker=broker, queue_name=PERIODIC, notify_shutdown=True)(task)
