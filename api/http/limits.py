"""Rate limits of clients: each route has a class, and each class has a rate.

A route declares its class with `opt={"limit": "login"}`, or that it is `UNLIMITED`. Every other
call also counts towards the default limit of its address.
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


class LimitState(msgspec.Struct, frozen=True):
    """One limit of a client after a call."""

    limit: int
    left: int
    reset: int
    """Seconds until the count restarts at 0."""

    @property
    def headers(self) -> tuple[Header, ...]:
        return (
            (b"x-ratelimit-limit", b"%d" % self.limit),
            (b"x-ratelimit-remaining", b"%d" % max(0, self.left)),
            (b"x-ratelimit-reset", b"%d" % self.reset),
        )


class Limits:
    """All limits; without a broker nothing is limited."""

    def __init__(self, settings: Settings, clients: Clients, broker: Redis | None) -> None:
        self.classes = {
            EVERY_CALL: Limit(settings.rate_limit_default),
            "login": Limit(settings.rate_limit_login),
            "accounts": Limit(settings.rate_limit_accounts),
            "register": Limit(settings.rate_limit_register, _event),
        }
        if settings.rate_limits and broker is None:
            log.warning("no Redis is configured (REDIS_URL): rate limits are suspended")
        self._counter = RateCounter(broker if settings.rate_limits else None)
        self._clients = clients
        self._login_throttle = LoginThrottle(self._counter)

    async def check(self, request: Request[Any, Any, Any]) -> None:
        """Runs before authentication and before the body is read. Raises RateLimited."""
        name = request.route_handler.opt.get("limit", EVERY_CALL)
        if name is None:
            return
        scope = request.scope
        address = self._clients.address_of(scope)
        keys = [(f"limit:{EVERY_CALL}:{address}", self.classes[EVERY_CALL].rate)]
        if name != EVERY_CALL:
            limit = self.classes[name]
            keys.append((f"limit:{name}:{limit.of(scope)}:{address}", limit.rate))
        counted = await self._counter.count(keys)
        if counted is None:
            return
        state = min(
            (
                LimitState(rate.calls, rate.calls - count, math.ceil(left / 1000) or 1)
                for (_, rate), (count, left) in zip(keys, counted, strict=True)
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
