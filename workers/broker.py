"""The broker: Redis carries wake-ups and periodic tasks to the workers, through dramatiq.

No data depends on it: if Redis loses everything, the next sweep and the next due time find the
pending work in PostgreSQL.
"""

from __future__ import annotations

import redis
import uvloop
from dramatiq import Broker, Worker
from dramatiq.asyncio import EventLoopThread, set_event_loop_thread
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AsyncIO, Middleware, Retries, ShutdownNotifications

from workers.task_metrics import TaskMetrics

NOTIFICATIONS = "notifications"
PERIODIC = "periodic"

WEBHOOKS = "webhooks"
"""Not in Redis: the workers find in PostgreSQL what is to be sent."""

START_TIMEOUT = 30.0  # seconds

REDIS_TIMEOUT = 5.0
"""Seconds without an answer, after which Redis is considered unavailable."""


def redis_broker(redis_url: str) -> RedisBroker:
    """A broker with the middleware of this product; it connects at its first use."""
    client = redis.Redis.from_url(
        redis_url, socket_timeout=REDIS_TIMEOUT, socket_connect_timeout=REDIS_TIMEOUT
    )
    middleware: list[Middleware] = [
        _EventLoop(),
        ShutdownNotifications(),
        Retries(max_retries=3),
        TaskMetrics(),
    ]
    return RedisBroker(client=client, middleware=middleware)  # type: ignore[no-untyped-call]


class _EventLoop(AsyncIO):
    """The event loop thread of dramatiq, with uvloop and a longer start timeout: dramatiq gives up
    after one second, which is too short on a busy machine."""

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        thread = EventLoopThread(self.logger)
        thread.loop.close()
        thread.loop = uvloop.new_event_loop()
        thread.start(timeout=START_TIMEOUT)
        set_event_loop_thread(thread)
