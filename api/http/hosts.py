"""`ALLOWED_HOSTS`: the values of `Host` that requests may have. A leading dot means the domain and
all its subdomains.

Health and metrics accept any host: probes use addresses.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar.exceptions import ClientException

from api.http.requests import Request

FOR_PROBES = ("/health/", "/metrics")

Check = Callable[[Any], Awaitable[None]]
"""Refuses a request by raising."""


def in_turn(*checks: Check) -> Check:
    """One check that runs several in turn, until one raises."""

    async def check_all(request: Request) -> None:
        for check in checks:
            await check(request)

    return check_all


def only_hosts(allowed: tuple[str, ...]) -> Check | None:
    """A check that refuses requests to other hosts; None when any host is allowed."""
    if "*" in allowed:
        return None
    exact = {host.lower() for host in allowed}
    suffixes = tuple(host for host in exact if host.startswith("."))

    async def check(request: Request) -> None:
        if request.scope["path"].startswith(FOR_PROBES):
            return
        host = _without_port(request.headers.get("Host", "")).lower()
        if host not in exact and not f".{host}".endswith(suffixes):
            raise ClientException("This host is not served here")

    return check


def _without_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    return name if port.isdigit() else host
