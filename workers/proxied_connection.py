"""A connection to one service through the proxy that the environment names.

httpx knows proxies, tunnels and `NO_PROXY`; for each request it takes over ten times the processor
time of a connection of our own.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import httpx

from workers.http_connection import LARGEST_ANSWER, Response


class ProxiedConnection:
    """Posts as `http_connection.Connection` does. In a pool that many share httpx looks at every
    connection for every request, so each has a client of its own."""

    def __init__(
        self, url: httpx.URL, headers: Mapping[str, str], encryption: ssl.SSLContext
    ) -> None:
        self._url = url
        self._client = httpx.AsyncClient(headers=headers, timeout=None, verify=encryption)  # noqa: S113 - the caller has a deadline for all of it

    async def post(self, key: str, body: bytes) -> Response:
        """The answer. Raises `httpx.TransportError`."""
        async with self._client.stream(
            "POST", self._url, content=body, headers={"Idempotency-Key": key}
        ) as response:
            read = b""
            async for part in response.aiter_raw():
                read += part
                if len(read) > LARGEST_ANSWER:
                    break
        return Response(response.status_code, response.headers.get("Retry-After", ""), read)

    async def close(self) -> None:
        await self._client.aclose()
