"""A connection to one service through the proxy that the environment names.

httpx knows proxies, tunnels and `NO_PROXY`; for each request it takes over ten times the processor
time of a connection of our own.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

import httpx

from workers.delivery.http_connection import LARGEST_ANSWER, LAST_LOOK, NotBegun, Response, settled

Trace = Callable[[str, object], Awaitable[None]]
"""What httpcore calls at each step of a request."""


class ProxiedConnection:
    """Posts as `http_connection.Connection` does. In a pool that many share httpx looks at every
    connection for every request, so each has a client of its own."""

    def __init__(
        self, url: httpx.URL, headers: Mapping[str, str], encryption: ssl.SSLContext
    ) -> None:
        self._url = url
        self._client = httpx.AsyncClient(headers=headers, timeout=None, verify=encryption)  # noqa: S113 - the caller has a deadline for all of it

    async def post(
        self, key: str, body: bytes, *, within: float, may_begin: Callable[[], bool]
    ) -> Response:
        """The answer, within so many seconds. Raises `httpx.TransportError`, `TimeoutError` or
        `NotBegun`."""

        async def check(event: str, _: object) -> None:
            if event == "http11.send_request_headers.started" and not may_begin():
                raise NotBegun

        deadline = asyncio.get_running_loop().time() + within
        call = asyncio.create_task(self._post(key, body, check))
        try:
            if await settled(call, deadline):
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
            # The rest only matters for the connection, which is used again if all of it was read.
            with suppress(httpx.TransportError, TimeoutError):
                async with asyncio.timeout(LAST_LOOK):
                    read = 0
                    async for part in response.aiter_raw():
                        read += len(part)
                        if read > LARGEST_ANSWER:
                            break
        return Response(response.status_code, response.headers.get("Retry-After", ""))

    async def close(self) -> None:
        await self._client.aclose()
