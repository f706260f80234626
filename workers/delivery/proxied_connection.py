"""A connection to one service through the proxy that the environment configures.

httpx supports proxies, tunnels and `NO_PROXY`. For each request it needs more than ten times the
processor time of `http_connection.Connection`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import httpx

from workers.delivery.http_connection import (
    FINAL_READ_TIME,
    MAX_KEPT_BODY,
    MAX_RESPONSE_SIZE,
    Response,
    wait_until,
)
from workers.delivery.sender import NotStarted

Trace = Callable[[str, object], Awaitable[None]]
"""The callback of httpcore for each step of a request."""


class ProxiedConnection:
    """Sends POST requests as `http_connection.Connection` does. Each has an httpx client of its
    own, because httpx checks every connection of a shared pool for each request."""

    def __init__(
        self, url: httpx.URL, headers: Mapping[str, str], encryption: ssl.SSLContext
    ) -> None:
        self._url = url
        self._client = httpx.AsyncClient(headers=headers, timeout=None, verify=encryption)  # noqa: S113 - `post` has a deadline

    async def post(
        self, key: str, body: bytes, *, within: float, may_start: Callable[[], bool]
    ) -> Response:
        """The response, within this number of seconds. Raises `httpx.TransportError`,
        `TimeoutError` or `NotStarted`."""

        async def check(event: str, _: object) -> None:
            if event == "http11.send_request_headers.started" and not may_start():
                raise NotStarted

        deadline = asyncio.get_running_loop().time() + within
        call = asyncio.create_task(self._post(key, body, check))
        try:
            if await wait_until(call, deadline):
                return call.result()
            raise TimeoutError
        finally:
            call.cancel()

    async def _post(self, key: str, body: bytes, trace: Trace) -> Response:
        async with self._client.stream(
            "POST",
            self._url,
            content=body,
            headers={"Idempotency-Key": key},
            extensions={"trace": trace},
        ) as response:
            # The body only matters for the connection, which is reused if all of it was read.
            read, body = 0, b""
            with suppress(httpx.TransportError, TimeoutError):
                async with asyncio.timeout(FINAL_READ_TIME):
                    async for part in response.aiter_raw():
                        read += len(part)
                        if response.is_error:
                            body += part[: MAX_KEPT_BODY - len(body)]
                        if read > MAX_RESPONSE_SIZE:
                            break
        return Response(response.status_code, response.headers.get("Retry-After", ""), body)

    async def close(self) -> None:
        await self._client.aclose()
