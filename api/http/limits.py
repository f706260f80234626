"""Rate limits of clients: each route has a class, and each class has a rate.

A route declares its class with `opt={"limit": "login"}`, or that it is `UNLIMITED`. Every other
call also counts towards the default limit of its address, or of its API key.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from litestar import Request
from litestar.types import Scope
from redis.asyncio import Redis

from api.database.api_keys import KnownKey
from api.http.clients import Clients
from api.http.headers import Header
from api.http.login_throttle import LoginThrottle
from api.http.rate_counter import RateCounter
from domain.core.errors import ProblemError
from runtime.settings import Settings
from runtime.variables import Rate

log = structlog.get_logger()

EVERY_CALL = "default"
"""The class of routes without a declaration."""

OF_KEY = "key"
"""The class of all calls with an API key: they count towards the key instead of the address."""

UNLIMITED = {"limit": None}
"""Declares a route without a limit."""


class RateLimited(ProblemError):
    """Too many calls; come back after Retry-After"""

    status = 429
    title = "Too many requests"

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.headers = {"Retry-After": str(seconds)}


class Limit(msgspec.Struct, frozen=True):
    """A class of routes. Calls are counted by address, and by the result of `of` if given."""

    rate: Rate
    of: Callable[[Scope], str] = lambda _: ""
    with_key: bool = True
    """Whether it applies to calls with an API key, too."""


class LimitState(msgspec.Struct, frozen=True):
    """One limit of a client after a call."""

    name: str
    seconds: int
    limit: int
    left: int
    reset: int
    """Seconds until the count restarts at 0."""

    @property
    def headers(self) -> tuple[Header, ...]:
        """As most APIs have them, and as the draft of a standard has them
        (draft-ietf-httpapi-ratelimit-headers)."""
        name, left = self.name.encode(), max(0, self.left)
        return (
            (b"x-ratelimit-limit", b"%d" % self.limit),
            (b"x-ratelimit-remaining", b"%d" % left),
            (b"x-ratelimit-reset", b"%d" % self.reset),
            (b"ratelimit-policy", b'"%b";q=%d;w=%d' % (name, self.limit, self.seconds)),
            (b"ratelimit", b'"%b";r=%d;t=%d' % (name, left, self.reset)),
        )


class Limits:
    """All limits; without a broker nothing is limited."""

    def __init__(self, settings: Settings, clients: Clients, broker: Redis | None) -> None:
        self.classes = {
            EVERY_CALL: Limit(settings.rate_limit_default),
            OF_KEY: Limit(settings.rate_limit_key),
            "login": Limit(settings.rate_limit_login),
            "accounts": Limit(settings.rate_limit_accounts),
            "register": Limit(settings.rate_limit_register, _event, with_key=False),
            "frames": Limit(settings.rate_limit_frames),
        }
        if settings.rate_limits and broker is None:
            log.warning("no Redis is configured (REDIS_URL): rate limits are suspended")
        self._counter = RateCounter(broker if settings.rate_limits else None)
        self._clients = clients
        self._login_throttle = LoginThrottle(self._counter)

    async def check(self, request: Request[Any, Any, Any]) -> None:
        """Runs before an account is authenticated and before the body is read. Raises
        RateLimited."""
        name = request.route_handler.opt.get("limit", EVERY_CALL)
        if name is not None and not self._counter.is_off:
            await self._count(request.scope, name)

    async def check_unrouted(self, scope: Scope) -> None:
        """Counts a request that leads to no route. Raises RateLimited."""
        await self._count(scope, EVERY_CALL)

    async def _count(self, scope: Scope, name: str) -> None:
        address = self._clients.address_of(scope)
        caller = scope.get("user")
        if isinstance(caller, KnownKey):
            names, keys = [OF_KEY], [f"limit:{OF_KEY}:{caller.id}"]
        else:
            names, keys = [EVERY_CALL], [f"limit:{EVERY_CALL}:{address}"]
        limit = self.classes[name]
        if name != EVERY_CALL and (limit.with_key or caller is None):
            names.append(name)
            keys.append(f"limit:{name}:{limit.of(scope)}:{address}")
        rates = [self.classes[name].rate for name in names]
        counted = await self._counter.count(list(zip(keys, rates, strict=True)))
        if counted is None:
            return
        state = min(
            (
                LimitState(
                    name, rate.seconds, rate.calls, rate.calls - count, math.ceil(left / 1000) or 1
                )
                for name, rate, (count, left) in zip(names, rates, counted, strict=True)
            ),
            key=lambda state: state.left,
        )
        scope["state"]["limit_headers"] = state.headers
        if state.left < 0:
            raise RateLimited(state.reset)

    async def login_allowed(self, username: str, scope: Scope) -> None:
        """Runs before a password is checked, whether or not the account exists.

        Raises RateLimited if this client has to wait before the next attempt with this name.
        """
        wait = await self._login_throttle.begin(username, self._clients.address_of(scope))
        if wait > 0:
            raise RateLimited(math.ceil(wait))

    async def login_failed(self, username: str, scope: Scope) -> None:
        await self._login_throttle.failed(username, self._clients.address_of(scope))

    async def login_succeeded(self, username: str, scope: Scope) -> None:
        await self._login_throttle.succeeded(username, self._clients.address_of(scope))


def _event(scope: Scope) -> str:
    return str(scope["path_params"]["event_id"])
