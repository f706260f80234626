"""Wrong passwords slow down whoever sends them, and nobody else.

Failures are counted by name and address together: guessing at a name from one address does not keep
its owner, at another, from logging in. It makes no difference whether the name is anyone's.
"""

from __future__ import annotations

from hashlib import blake2b

from api.http.rate_counter import Tally
from domain.core.characters import fold

FREE = 5
"""Failures that cost nothing but themselves."""

LONGEST = 30
"""Seconds between two attempts, at most."""

MEMORY = 15 * 60
"""Seconds after the last failure that all are forgotten."""

BEGIN = """
-- Milliseconds to wait; 0 begins an attempt, and those beside it wait as if it had failed already.
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

PACE = [FREE, LONGEST * 1000, MEMORY]


class LoginPace:
    """The wait doubles with each failure after the free ones."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._begin = tally.script(BEGIN)
        self._failed = tally.script(FAILED)
        self._succeeded = tally.script(SUCCEEDED)

    async def begin(self, username: str, address: str) -> float:
        """Seconds to wait before an attempt; 0 when this is one."""
        wait = await self._tally.run(self._begin, [_key(username, address)], PACE)
        return (wait or 0) / 1000

    async def failed(self, username: str, address: str) -> None:
        await self._tally.run(self._failed, [_key(username, address)], PACE)

    async def succeeded(self, username: str, address: str) -> None:
        await self._tally.run(self._succeeded, [_key(username, address)], PACE)


def _key(username: str, address: str) -> str:
    """Without the name itself: people type passwords where names belong."""
    name = blake2b(fold(username).encode(), digest_size=16).hexdigest()
    return f"login:{name}:{address}"
