"""A local notification service whose answers are scripted and whose requests are kept."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import msgspec

from tests.support.http_server import Answer, HttpServer, Request


class Received(msgspec.Struct, frozen=True):
    request: Request
    id: UUID
    owner_id: str
    email: str
    message: str
    at: float
    """By `time.monotonic`."""


class NotificationService:
    """Accepts everything by default."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        self.received: list[Received] = []
        self.usual = Answer(status=202)
        """To whatever nothing else was said about."""
        self.by_email: dict[str, Answer] = {}
        self._next = deque[Answer]()
        self.server = HttpServer(self._respond, address)

    @property
    def url(self) -> str:
        return f"{self.server.origin}/api/notifications"

    @property
    def emails(self) -> list[str]:
        """Of all requests, in their order."""
        return [received.email for received in self.received]

    def answer_next(self, *answers: Answer) -> None:
        """To the next requests, in their order."""
        self._next.extend(answers)

    def _respond(self, request: Request) -> Answer:
        body = msgspec.json.decode(request.body)
        self.received.append(
            Received(
                request=request,
                id=UUID(body["id"]),
                owner_id=body["owner_id"],
                email=body["email"],
                message=body["message"],
                at=time.monotonic(),
            )
        )
        if self._next:
            return self._next.popleft()
        return self.by_email.get(body["email"], self.usual)


@contextmanager
def notification_service(address: str = "127.0.0.1") -> Iterator[NotificationService]:
    service = NotificationService(address)
    with service.server:
        yield service
