"""A minimal HTTP client with many connections, for loads that wrk cannot generate: a fixed rate, a
fixed number of requests, duplicates. Responses must have a Content-Length.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter, deque
from itertools import count
from typing import cast
from urllib.parse import urlsplit

import msgspec
import uvloop

TICK = 0.001
"""Seconds between two checks for due requests; the precision of latencies at a fixed rate."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    origin: str
    paths: tuple[str, ...]
    """Asked for in turn: those that end with /register with a new visitor each time, those that
    end with = with a text that was never there before."""
    connections: int
    seconds: float | None = None
    requests: int | None = None
    """When to stop: after a time, or a number of requests."""
    rate: float | None = None
    """Requests per second; None: as many as are answered."""
    again_every: int | None = None
    """After this many registrations, the last one is sent again."""
    also: str = ""
    """Further members of a registration's body, after a comma."""
    idempotent: bool = False
    """Whether each registration has an Idempotency-Key."""
    bodies: tuple[str, ...] = ()
    """Sent to the paths in turn, each once; then `requests` is their number."""
    token: str = ""
    """An access token that is sent with the bodies."""


class Got(msgspec.Struct, frozen=True, kw_only=True):
    statuses: dict[str, int]
    lost: int
    seconds: float
    p50: float
    """Milliseconds, as is `p99`."""
    p99: float


class Work:
    """The remaining requests, and the responses."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.statuses = Counter[str]()
        self.latencies: list[float] = []
        self.lost = 0
        self.idle = deque[Connection]()
        self.finished = asyncio.Event()
        self._salt = secrets.token_hex(4)
        self._numbers = count()
        self._sent = 0
        self._under_way = 0
        self._due = deque[float]()
        self._began = self._ends = 0.0

    async def do(self) -> None:
        self._began = time.perf_counter()
        self._ends = self._began + (self.asked.seconds or 1e9)
        if self.asked.rate is None:
            while self.idle and self._more():
                self._send(time.perf_counter())
        else:
            await self._pace(self.asked.rate)
        if self._under_way:
            self.finished.clear()  # at a fixed rate there may be moments without a running request
            await self.finished.wait()

    async def _pace(self, rate: float) -> None:
        scheduled = 0
        while (now := time.perf_counter()) < self._ends:
            while (due := self._began + scheduled / rate) <= now:
                self._due.append(due)
                scheduled += 1
            while self._due and self.idle:
                self._send(self._due.popleft())
            await asyncio.sleep(TICK)

    def _more(self) -> bool:
        if self.asked.rate is not None:
            return bool(self._due)
        if self.asked.requests is not None:
            return self._sent < self.asked.requests
        return time.perf_counter() < self._ends

    def _send(self, due: float) -> None:
        self._sent += 1
        self._under_way += 1
        self.idle.popleft().send(self._request(), due)

    def _request(self) -> bytes:
        number = next(self._numbers)
        path = self.asked.paths[number % len(self.asked.paths)]
        if path.endswith("="):
            path = f"{path}{self._salt}{number}"
        if self.asked.bodies:
            token = f"Authorization: Bearer {self.asked.token}\r\n"
            return _post(path, self.asked.bodies[number], token)
        if not path.endswith("/register"):
            return f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
        again = self.asked.again_every
        visitor = number - 1 if again and number % again == again - 1 else number
        email = f"ada.{self._salt}.{visitor}@example.com"
        body = f'{{"full_name":"Ada Lovelace","email":"{email}"{self.asked.also}}}'
        key = f"Idempotency-Key: {self._salt}.{visitor}\r\n" if self.asked.idempotent else ""
        return _post(path, body, key)

    def answered(self, connection: Connection, status: str, latency: float) -> None:
        self.statuses[status] += 1
        self.latencies.append(latency)
        self._under_way -= 1
        self.idle.append(connection)
        if self._more():
            self._send(time.perf_counter() if self.asked.rate is None else self._due.popleft())
        elif not self._under_way:
            self.finished.set()

    def hung_up(self) -> None:
        self.lost += 1
        self._under_way -= 1
        if not self._under_way:
            self.finished.set()

    def got(self) -> Got:
        seconds = time.perf_counter() - self._began
        ordered = sorted(self.latencies) or [0.0]
        return Got(
            statuses=dict(self.statuses),
            lost=self.lost + len(self._due),
            seconds=seconds,
            p50=ordered[len(ordered) // 2] * 1000,
            p99=ordered[int(len(ordered) * 0.99)] * 1000,
        )


def _post(path: str, body: str, header: str) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n{header}"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


class Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._buffer = b""
        self._due: float | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._work.idle.append(self)

    def send(self, request: bytes, due: float) -> None:
        self._due = due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0])
        if len(body) >= length and self._due is not None:
            self._buffer = b""
            latency, self._due = time.perf_counter() - self._due, None
            self._work.answered(self, head[9:12].decode(), latency)

    def connection_lost(self, reason: Exception | None) -> None:
        if self._due is not None:
            self._work.hung_up()
        elif self in self._work.idle:
            self._work.idle.remove(self)


async def ask(asked: Asked) -> Got:
    work = Work(asked)
    place = urlsplit(asked.origin)
    loop = asyncio.get_running_loop()
    for _ in range(asked.connections):
        await loop.create_connection(
            lambda: Connection(work), place.hostname or "", place.port or 80
        )
    await work.do()
    got = work.got()
    for connection in work.idle:
        connection.transport.abort()
    return got


def run(asked: Asked) -> Got:
    return uvloop.run(ask(asked))
