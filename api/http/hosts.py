"""`ALLOWED_HOSTS`: which `Host` a request may name. A leading dot stands for all subdomains.

Health and metrics are told to whoever asks: probes come by address.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from litestar.exceptions import ClientException

from api.http.requests import Request

FOR_PROBES = ("/health/", "/metrics")

Check = Callable[[Any], Awaitable[None]]
"""Refuses a request by raising."""


def in_turn(*checks: Check | None) -> Check:
    """One check of several; the first to raise is the last."""
    asked = [check for check in checks if check is not None]
    if len(asked) == 1:
        return asked[0]

    async def check_all(request: Request) -> None:
        for check in asked:
            await check(request)

    return check_all


def only_hosts(allowed: tuple[str, ...]) -> Check | None:
    """What refuses requests that name another host; None when any will do."""
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
