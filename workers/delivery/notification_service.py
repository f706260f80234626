"""The external notification service: one POST for each notification, and how to read its
answers."""

from __future__ import annotations

from collections.abc import Callable
from urllib.request import getproxies
from uuid import UUID

import httpx
import msgspec

from workers.delivery.http_connection import Connection, InvalidResponse, Response, post_target
from workers.delivery.outside_errors import describe
from workers.delivery.proxied_connection import ProxiedConnection
from workers.delivery.retry_after import seconds_to_wait
from workers.delivery.sender import (
    Accepted,
    Answer,
    BadCredentials,
    Outgoing,
    Rejected,
    TryLater,
)

MAX_CALLS = 64
"""Concurrent calls, each on a connection that is kept for the next call."""

ANSWER_TIMEOUT = 5.0
"""Seconds from the start of connecting to the last byte read."""

MAX_RETRY_AFTER = 86_400.0
"""Seconds. The service cannot ask for a longer wait: a day later, a notification is of little
use."""


class Notification(msgspec.Struct, frozen=True):
    """The body of a call."""

    id: UUID
    owner_id: str
    email: str
    message: str


class NotificationService:
    """Calls the service, with at most `MAX_CALLS` calls at once, each on a connection that is kept
    for the next call."""

    max_calls = MAX_CALLS

    def __init__(self, url: str, token: str, owner_id: str) -> None:
        self._owner_id = owner_id
        headers = {
            "Content-Type": "application/json",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "User-Agent": "Events-Face",
        }
        if token:
            headers["Authorization"] = f"Bearer {token}"
        self._idle = _connections(httpx.URL(url), headers)

    async def close(self) -> None:
        for connection in self._idle:
            await connection.close()

    async def send(
        self, outgoing: Outgoing, may_start: Callable[[], bool] = lambda: True
    ) -> Answer:
        """As `Sender.send`."""
        text = outgoing.message.text(outgoing.link, outgoing.page)
        notification = Notification(outgoing.id, self._owner_id, outgoing.email, text)
        connection = self._idle.pop()
        try:
            response = await connection.post(
                str(notification.id),
                _encode(notification),
                within=ANSWER_TIMEOUT,
                may_start=may_start,
            )
        except (TimeoutError, httpx.TimeoutException):
            return TryLater(f"no answer within {ANSWER_TIMEOUT:.0f} s")
        except InvalidResponse as error:
            return TryLater(f"no HTTP answer: {error}")
        except httpx.TransportError as error:
            return TryLater(describe(error))
        finally:
            self._idle.append(connection)
        return interpret(response)


def _connections(url: httpx.URL, headers: dict[str, str]) -> list[Connection | ProxiedConnection]:
    encryption = httpx.create_ssl_context()
    if getproxies().keys() & {url.scheme, "all"}:
        return [ProxiedConnection(url, headers, encryption) for _ in range(MAX_CALLS)]
    encryption.set_alpn_protocols(["http/1.1"])
    service = post_target(url, headers, encryption)
    return [Connection(service) for _ in range(MAX_CALLS)]


_encode = msgspec.json.Encoder().encode


def interpret(response: Response) -> Answer:
    """The meaning of a response for the notification.

    A reason contains nothing but the status: reasons are stored in history, where no erasure
    removes them, and no filter finds every form of a name. What the service said is apart from it.
    """
    status = response.status
    reason, said = f"HTTP {status}", response.body.decode(errors="replace")
    if 200 <= status < 300:
        return Accepted()
    if status in (401, 403):
        return BadCredentials(reason)
    if status in (408, 429) or not 400 <= status < 500:
        return TryLater(reason, seconds_to_wait(response.retry_after, MAX_RETRY_AFTER), said)
    return Rejected(reason, said)
