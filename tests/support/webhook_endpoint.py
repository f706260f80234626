"""A local endpoint of webhooks whose answers are scripted and whose requests are kept."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import msgspec

from tests.support.http_server import Answer, HttpServer, Request
from tests.support.waiting import until_async


class Received(msgspec.Struct, frozen=True):
    request: Request
    id: str
    """`webhook-id`."""
    item: dict[str, Any]
    at: float
    """By `time.monotonic`."""

    @property
    def position(self) -> int:
        position: int = self.item["position"]
        return position

    @property
    def visitor_id(self) -> UUID | None:
        id = self.item["visitor_id"]
        return id and UUID(id)


class Endpoint:
    """Takes everything by default."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: Callable[[Received], Answer] = lambda _: Answer(status=204, body=b"")
        """To whatever nothing else was said about."""
        self._next = deque[Answer]()
        self._lock = threading.Lock()
        self.server = HttpServer(self._respond)

    @property
    def url(self) -> str:
        return f"{self.server.origin}/hooks"

    @property
    def positions(self) -> list[int]:
        """Of all requests, in their order."""
        return [received.position for received in self.received]

    async def has(self, count: int) -> list[Received]:
        """All requests, once there are so many."""

        await self.until(lambda: len(self.received) >= count)
        return self.received

    async def until(self, condition: Callable[[], bool]) -> None:
        async def holds() -> bool:
            return condition()

        await until_async(holds)

    def answer_next(self, *answers: Answer) -> None:
        """To the next requests, in their order."""
        self._next.extend(answers)

    def _respond(self, request: Request) -> Answer:
        item = msgspec.json.decode(request.body)
        received = Received(request, request.headers["webhook-id"], item, time.monotonic())
        with self._lock:
            self.received.append(received)
        return self._next.popleft() if self._next else self.answer(received)


@contextmanager
def webhook_endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    with endpoint.server:
        yield endpoint
