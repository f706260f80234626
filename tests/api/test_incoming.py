"""Answers that are known before their request has ended reach its sender, and at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing

import pytest

from tests.api.serving import Api

pytestmark = pytest.mark.anyio

AREAS = "/api/events/areas/"

JSON = {"Content-Type": "application/json"}

CHUNK = b" " * 100_000

CHUNKS = 200
"""More than a system's buffers between the two hold."""


async def _in_chunks() -> AsyncIterator[bytes]:
    for _ in range(CHUNKS):
        yield CHUNK


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health/live", 200),
        ("POST", "/nowhere", 404),
        ("DELETE", AREAS, 405),
        ("POST", AREAS, 413),
    ],
)
async def test_a_client_that_still_sends_receives_the_answer(
    lone_api: Api, method: str, path: str, status: int, *, streamed: bool
) -> None:
    body = _in_chunks() if streamed else CHUNK * CHUNKS
    answer = await lone_api.http.request(method, path, content=body, headers=JSON)
    assert answer.status_code == (status if streamed else 413)


async def test_a_client_that_never_stops_sending_is_disconnected_after_the_answer(
    lone_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.body_limits.DEADLINE", 0.1)
    url = lone_api.http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    with closing(writer):
        writer.write(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nbegun")
        assert await reader.readline() == b"HTTP/1.1 404 Not Found\r\n"
        await reader.read()  # to the end of the connection
