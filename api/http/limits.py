"""How often one client may call: each route is of a class, and each class has its rate.

A route declares its class with `opt={"limit": "login"}`, or that it is `UNLIMITED`. Every other
call, whatever its class, counts as one of its address as well.
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
"""The class of routes that declare none."""

UNLIMITED = {"limit": None}
"""What a route declares that may be called without end."""


class RateLimited(ProblemError):
    """Too many calls; come back after Retry-After"""

    status = 429
    title = "Too many requests"

    def __init__(self, seconds: int) -> None:
        super().__init__(seconds)
        self.headers = {"Retry-After": str(seconds)}


class Limit(msgspec.Struct, frozen=True):
    """A class of routes. Its calls are counted by address and what `of` names, if anything."""

    rate: Rate
    of: Callable[[Scope], str] = lambda _: ""


class Standing(msgspec.Struct, frozen=True):
    """Where a client stands with one limit, after a call."""

    limit: int
    left: int
    reset: int
    """Seconds until counting begins anew."""

    @property
    def headers(self) -> tuple[Header, ...]:
        return (
            (b"x-ratelimit-limit", b"%d" % self.limit),
            (b"x-ratelimit-remaining", b"%d" % max(0, self.left)),
            (b"x-ratelimit-reset", b"%d" % self.reset),
        )


class Limits:
    """All limits, kept in one place; without a broker none holds."""

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
        """Asked before who it is and what is in the body. Raises RateLimited."""
        name = request.route_handler.opt.get("limit", EVERY_CALL)
        if name is None:
            return
        scope = request.scope
        address = self._clients.address_of(scope)
        asked = [(f"limit:{EVERY_CALL}:{address}", self.classes[EVERY_CALL].rate)]
        if name != EVERY_CALL:
            limit = self.classes[name]
            asked.append((f"limit:{name}:{limit.of(scope)}:{address}", limit.rate))
        counted = await self._counter.count(asked)
        if counted is None:
            return
        standing = min(
            (
                Standing(rate.calls, rate.calls - count, math.ceil(left / 1000) or 1)
                for (_, rate), (count, left) in zip(asked, counted, strict=True)
            ),
            key=lambda standing: standing.left,
        )
        scope["state"]["limit_headers"] = standing.headers
        if standing.left < 0:
            raise RateLimited(standing.reset)

    async def login_allowed(self, username: str, scope: Scope) -> None:
        """Before a password is looked at, whether or not there is such an account.

        Raises RateLimited when this client has to wait with this name.
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
