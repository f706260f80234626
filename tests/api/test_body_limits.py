"""Bodies that do not end: none is waited for without an end, and others are served meanwhile."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import httpx
import msgspec
import pytest

from api.http.body_drain import Incoming
from api.http.body_limits import BodyLimits
from api.http.clients import Clients
from tests.api.serving import Api, Serving
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio

BODY = b'{"name": "Great Hall"'

END = b"}"


class Sender(msgspec.Struct):
    """Has sent a request for a new area, all but its end."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    answer: asyncio.Task[bytes]

    @property
    def status(self) -> int | None:
        return int(self.answer.result().split()[1]) if self.answer.done() else None


@asynccontextmanager
async def senders(
    api: Api, count: int, *, body: bytes = BODY, headers: list[str] | None = None
) -> AsyncIterator[list[Sender]]:
    """One after the other."""
    found = list[Sender]()
    for n in range(count):
        url = api.http.base_url
        reader, writer = await asyncio.open_connection(url.host, url.port)
        lines = ["POST /api/events/areas/ HTTP/1.1", "Host: x", "Content-Type: application/json"]
        lines += [f"Content-Length: {len(body + END)}", *((headers or [])[n : n + 1])]
        writer.write("\r\n".join([*lines, "\r\n"]).encode() + body)
        answer = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
        found.append(Sender(reader, writer, answer))
    yield found
    for sender in found:
        sender.answer.cancel()
        sender.writer.close()


async def given_up(senders: list[Sender], count: int) -> None:
    async def they_are() -> bool:
        return sum(sender.answer.done() for sender in senders) >= count

    await until_async(they_are)


@pytest.mark.parametrize("path", ["/api/events/areas/", "/nowhere"])
async def test_a_body_that_does_not_end_is_answered_408_and_its_connection_ends(
    lone_api: Api, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("api.http.body_limits.DEADLINE", 0.1)
    url = lone_api.http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    writer.write(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n")
    text = (await reader.read()).decode()  # to the end of the connection
    writer.close()
    if path == "/nowhere":
        assert text.startswith("HTTP/1.1 404 ")
    else:
        assert text.startswith("HTTP/1.1 408 ")
        assert '"/problems/request-timeout"' in text
        assert "connection: close\r\n" in text.lower()


async def test_a_body_that_comes_in_pieces_is_taken(lone_api: Api) -> None:
    async with senders(lone_api, 1) as (sender,):
        sender.writer.write(END)
        await sender.answer
        assert sender.status == 201


async def test_the_memory_for_unfinished_bodies_is_limited(
    lone_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.body_limits.MAX_HELD_BYTES", 1_000_000)
    large = BODY.replace(b"Great", b" " * 300_000)
    async with senders(lone_api, 8, body=large) as those:
        await given_up(those, 5)  # three are left at most
        assert {sender.status for sender in those if sender.answer.done()} == {503}
        answer = await lone_api.http.post("/api/events/areas/", json={"name": "Small Hall"})
        assert answer.status_code == 201


async def test_bodies_without_a_byte_yet_are_not_aborted_for_memory(
    lone_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.body_limits.MAX_HELD_BYTES", 500_000)
    large = BODY.replace(b"Great", b" " * 300_000)
    async with senders(lone_api, 3, body=b"") as empty:
        async with senders(lone_api, 4, body=large) as those:
            await given_up(those, 3)
        assert not any(sender.answer.done() for sender in empty)
        answer = await lone_api.http.post("/api/events/areas/", json={"name": "Small Hall"})
        assert answer.status_code == 201


async def test_memory_is_free_again_when_a_request_is_over(
    lone_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.body_limits.MAX_HELD_BYTES", 150_000)
    for path in ("/api/events/areas/", "/nowhere") * 3:
        answer = await lone_api.http.post(path, json={"name": " " * 100_000})
        assert answer.status_code in (422, 404)


async def test_the_slow_bodies_of_one_client_are_limited_and_the_oldest_is_aborted(
    lone_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.body_limits.SLOW_AFTER", 0.1)
    monkeypatch.setattr("api.http.body_limits.MAX_SLOW_OF_CLIENT", 3)
    async with senders(lone_api, 5) as those:
        await given_up(those, 2)
        assert sum(sender.answer.done() for sender in those) == 2
        assert {sender.status for sender in those if sender.answer.done()} == {503}
        for sender in those:
            if not sender.answer.done():
                sender.writer.write(END)
        await given_up(those, 5)
        assert 201 in {sender.status for sender in those}


async def test_clients_behind_a_proxy_are_distinguished(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.http.body_limits.SLOW_AFTER", 0.1)
    monkeypatch.setattr("api.http.body_limits.MAX_SLOW_OF_CLIENT", 1)
    trusting = serving(trusted_proxies=(ip_network("127.0.0.0/8"),))
    addresses = [f"X-Forwarded-For: 192.0.2.{n}" for n in (1, 2, 1, 3)]
    async with trusting as api, senders(api, 4, headers=addresses) as those:
        await given_up(those, 1)
        assert [sender.status for sender in those].count(503) == 1
        assert those[1].status is those[3].status is None


async def test_a_large_body_is_refused_though_it_does_not_end(lone_api: Api) -> None:
    large = b" " * (2 * 1024 * 1024)

    async def endless() -> AsyncIterator[bytes]:
        yield large
        yield large

    answer = await lone_api.http.post(
        "/api/events/areas/",
        content=endless(),
        headers=httpx.Headers({"Content-Type": "application/json"}),
    )
    assert answer.status_code == 413


class Receiver:
    """Receives a request without a body, then waits for the client to leave."""

    def __init__(self) -> None:
        self.waits = asyncio.Event()
        self.has_received = False

    async def __call__(self) -> Any:
        if not self.has_received:
            self.has_received = True
            return {"type": "http.request", "body": b"", "more_body": False}
        self.waits.set()
        return await asyncio.Event().wait()


async def test_a_request_that_watched_its_client_is_freed_without_the_garbage_collector() -> None:
    receiver = Receiver()
    scope: Any = {"headers": []}
    incoming = Incoming(receiver, scope, BodyLimits(Clients(()), lambda: False))

    async def watch(incoming: Incoming) -> None:
        while True:
            await incoming()

    watching = asyncio.create_task(watch(incoming))
    await receiver.waits.wait()
    watching.cancel()
    await asyncio.wait([watching])
    left = weakref.ref(receiver)
    gc.disable()
    try:
        del receiver, incoming, watching
        assert left() is None
    finally:
        gc.enable()
