"""Throttles password guessing without locking out the owner of the account.

Failures are counted by username and address together, so attempts from one address do not affect
the owner at another. Existing and unknown usernames are treated alike.
"""

from __future__ import annotations

from hashlib import blake2b

from api.http.rate_counter import RateCounter
from domain.core.characters import fold

FREE_FAILURES = 5
"""Failures without a wait."""

MAX_WAIT = 30
"""Seconds between two attempts, at most."""

FORGET_AFTER = 15 * 60
"""Seconds after the last failure, when the count restarts at 0."""

BEGIN = """
-- Returns the milliseconds to wait; 0 starts an attempt. Concurrent attempts wait as if it had
-- failed.
local failures = tonumber(redis.call('HGET', KEYS[1], 'failures') or 0)
local free, longest = tonumber(ARGV[1]), tonumber(ARGV[2])
if failures < free then return 0 end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local wait = tonumber(redis.call('HGET', KEYS[1], 'next') or 0) - now
if wait > 0 then return wait end
redis.call('HSET', KEYS[1], 'next', now + math.min(longest, 1000 * 2 ^ (failures - free)))
return 0
"""

FAILED = """
local failures = redis.call('HINCRBY', KEYS[1], 'failures', 1)
local free, longest = tonumber(ARGV[1]), tonumber(ARGV[2])
if failures >= free then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('HSET', KEYS[1], 'next', now + math.min(longest, 1000 * 2 ^ (failures - free)))
end
return redis.call('EXPIRE', KEYS[1], ARGV[3])
"""

SUCCEEDED = "return redis.call('DEL', KEYS[1])"

_ARGUMENTS = [FREE_FAILURES, MAX_WAIT * 1000, FORGET_AFTER]


class LoginThrottle:
    """The wait doubles with each failure after `FREE_FAILURES`."""

    def __init__(self, counter: RateCounter) -> None:
        self._counter = counter
        self._begin = counter.script(BEGIN)
        self._failed = counter.script(FAILED)
        self._succeeded = counter.script(SUCCEEDED)

    async def begin(self, username: str, address: str) -> float:
        """Seconds to wait before an attempt; 0 if the attempt may begin now."""
        wait = await self._counter.run(self._begin, [_key(username, address)], _ARGUMENTS)
        return (wait or 0) / 1000

    async def failed(self, username: str, address: str) -> None:
        await self._counter.run(self._failed, [_key(username, address)], _ARGUMENTS)

    async def succeeded(self, username: str, address: str) -> None:
        await self._counter.run(self._succeeded, [_key(username, address)], _ARGUMENTS)


def _key(username: str, address: str) -> str:
    """Without the name itself: people sometimes type their password as the username."""
    name = blake2b(fold(username).encode(), digest_size=16).hexdigest()
    return f"login:{name}:{address}"
