"""Counts requests in Redis. While Redis is away nothing is counted, and no request is refused.

Counts that are requested during a round trip go together in the next one, so that many concurrent
requests cost few round trips.
"""

from __future__ import annotations

import asyncio
import time
from asyncio import Future, Task
from collections.abc import Sequence
from itertools import islice
from typing import Any

import structlog
from redis import RedisError
from redis.asyncio import Redis
from redis.commands.core import AsyncScript

from runtime.variables import Rate

REDIS_TIMEOUT = 0.25
"""Seconds, of one call."""

RETRY_INTERVAL = 1.0
"""Seconds without calls after a failed one."""

BATCH_SIZE = 200
"""Requests counted in one round trip, at most."""

COUNT = """
-- Increments each key, which expires so many milliseconds after its first count.
-- Returns {count, milliseconds left} for each.
local counts = {}
for i, key in ipairs(KEYS) do
  local count = redis.call('INCR', key)
  local left = redis.call('PTTL', key)
  if left < 0 then
    left = tonumber(ARGV[i])
    redis.call('PEXPIRE', key, left)
  end
  counts[i] = {count, left}
end
return counts
"""

log = structlog.get_logger()

Counted = list[tuple[int, int]]
"""For each key: the count including this request, and the milliseconds until it restarts at 0."""

_Pending = tuple[Sequence[tuple[str, Rate]], "Future[Counted | None]"]


class RateCounter:
    """Counts nothing if `broker` is None."""

    def __init__(self, broker: Redis | None) -> None:
        self._broker = broker
        self._count = broker.register_script(COUNT) if broker else None
        self._pending: list[_Pending] = []
        self._counting: Task[None] | None = None
        self._away = False
        self._retry_at = 0.0

    def script(self, source: str) -> AsyncScript | None:
        """A script for `run`."""
        return self._broker.register_script(source) if self._broker else None

    @property
    def is_off(self) -> bool:
        return self._broker is None

    async def count(self, keys: Sequence[tuple[str, Rate]]) -> Counted | None:
        """Count one request for each key; None when it could not be counted."""
        if self._broker is None or self._is_paused():
            return None
        loop = asyncio.get_running_loop()
        answer: Future[Counted | None] = loop.create_future()
        self._pending.append((keys, answer))
        if self._counting is None:
            self._counting = loop.create_task(self._count_pending())
        return await answer

    async def run(
        self, script: AsyncScript | None, keys: Sequence[str], args: Sequence[int]
    ) -> Any | None:
        """The result of the script; None when it could not be run."""
        if script is None or self._is_paused():
            return None
        try:
            async with asyncio.timeout(REDIS_TIMEOUT):
                answer = await script(keys, args)
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            self._retry_at = time.monotonic() + RETRY_INTERVAL
            if not self._away:
                reason = str(error) or type(error).__name__
                log.warning(
                    "Redis is away: rate limits are suspended until it is back", reason=reason
                )
                self._away = True
            return None
        if self._away:
            log.info("Redis is back: rate limits apply again")
            self._away = False
        return answer

    def _is_paused(self) -> bool:
        return self._away and time.monotonic() < self._retry_at

    async def _count_pending(self) -> None:
        while self._pending:
            batch, self._pending = self._pending[:BATCH_SIZE], self._pending[BATCH_SIZE:]
            limited = [pair for keys, _ in batch for pair in keys]
            try:
                counts = await self.run(
                    self._count,
                    [key for key, _ in limited],
                    [rate.seconds * 1000 for _, rate in limited],
                )
            except Exception as bug:
                for _, answer in batch:
                    _end(answer, bug)
                self._counting = None
                raise
            each = iter(counts or ())
            for keys, answer in batch:
                _end(answer, list(islice(each, len(keys))) if counts is not None else None)
        self._counting = None


def _end(answer: Future[Counted | None], outcome: Counted | Exception | None) -> None:
    if answer.done():  # the caller was cancelled
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
