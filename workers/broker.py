"""The broker: Redis carries wake-ups and periodic work to the workers, by way of dramatiq.

Nothing that matters rests on it: were Redis emptied, the next sweep and the next due time
find in PostgreSQL what is to be done.
"""

from __future__ import annotations

import redis
import uvloop
from dramatiq import Broker, Worker
from dramatiq.asyncio import EventLoopThread, set_event_loop_thread
from dramatiq.brokers.redis import RedisBroker
from dramatiq.middleware import AsyncIO, Middleware, Retries, ShutdownNotifications

from workers.task_metrics import TasksCounted

NOTIFICATIONS = "notifications"
PERIODIC = "periodic"

START_TIMEOUT = 30.0  # seconds

REDIS_TIMEOUT = 5.0
"""Seconds without an answer after which Redis counts as gone."""


def redis_broker(redis_url: str) -> RedisBroker:
    """A broker with our middleware; it connects when it is first used."""
    client = redis.Redis.from_url(
        redis_url, socket_timeout=REDIS_TIMEOUT, socket_connect_timeout=REDIS_TIMEOUT
    )
    middleware: list[Middleware] = [
        _EventLoop(),
        ShutdownNotifications(),
        Retries(max_retries=3),
        TasksCounted(),
    ]
    return RedisBroker(client=client, middleware=middleware)  # type: ignore[no-untyped-call]


class _EventLoop(AsyncIO):
    """The library's event loop thread, with the faster loop and a patient start: the library's own
    gives up after a second, which a busy machine may take."""

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        thread = EventLoopThread(self.logger)
        thread.loop.close()
        thread.loop = uvloop.new_event_loop()
        thread.start(timeout=START_TIMEOUT)
        set_event_loop_thread(thread)
