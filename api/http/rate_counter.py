"""Counting in Redis, whose absence hurts nobody: then nothing is counted, and no one is refused.

Counts that are asked for while an answer is under way go together in the next question, so that
many requests at once cost few round trips.
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

PATIENCE = 0.25
"""Seconds that Redis has for an answer."""

PAUSE = 1.0
"""Seconds that Redis is left alone for when it gave none."""

TOGETHER = 200
"""Questions in one round trip, at most."""

COUNT = """
-- One more for each key; a key lives so many milliseconds from its first. Gives {count, left}.
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
"""How many there were with this one, and in how many milliseconds counting begins anew."""

Question = tuple[Sequence[tuple[str, Rate]], "Future[Counted | None]"]


class Tally:
    """None as the broker counts nothing."""

    def __init__(self, broker: Redis | None) -> None:
        self._broker = broker
        self._count = broker.register_script(COUNT) if broker else None
        self._questions: list[Question] = []
        self._asking: Task[None] | None = None
        self._away = False
        self._left_alone_until = 0.0

    def script(self, source: str) -> AsyncScript | None:
        """For `run`."""
        return self._broker.register_script(source) if self._broker else None

    async def count(self, keys: Sequence[tuple[str, Rate]]) -> Counted | None:
        """One more for each of the keys; None when nothing could be counted."""
        if self._broker is None or self._is_left_alone():
            return None
        loop = asyncio.get_running_loop()
        answer: Future[Counted | None] = loop.create_future()
        self._questions.append((keys, answer))
        if self._asking is None:
            self._asking = loop.create_task(self._ask())
        return await answer

    async def run(
        self, script: AsyncScript | None, keys: Sequence[str], args: Sequence[int]
    ) -> Any | None:
        """What the script gives; None when it could not be run."""
        if script is None or self._is_left_alone():
            return None
        try:
            async with asyncio.timeout(PATIENCE):
                answer = await script(keys, args)
        except (RedisError, OSError) as error:  # TimeoutError is an OSError
            self._left_alone_until = time.monotonic() + PAUSE
            if not self._away:
                reason = str(error) or type(error).__name__
                log.warning("Redis is away: no rate limit holds until it is back", reason=reason)
                self._away = True
            return None
        if self._away:
            log.info("Redis is back: rate limits hold again")
            self._away = False
        return answer

    def _is_left_alone(self) -> bool:
        return self._away and time.monotonic() < self._left_alone_until

    async def _ask(self) -> None:
        while self._questions:
            asked, self._questions = self._questions[:TOGETHER], self._questions[TOGETHER:]
            limited = [pair for keys, _ in asked for pair in keys]
            try:
                counts = await self.run(
                    self._count,
                    [key for key, _ in limited],
                    [rate.seconds * 1000 for _, rate in limited],
                )
            except Exception as bug:
                for _, answer in asked:
                    _end(answer, bug)
                self._asking = None
                raise
            each = iter(counts or ())
            for keys, answer in asked:
                _end(answer, list(islice(each, len(keys))) if counts is not None else None)
        self._asking = None


def _end(answer: Future[Counted | None], outcome: Counted | Exception | None) -> None:
    if answer.done():  # whoever asked has gone
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
