"""The external notification service: one POST a notification, and what its answers mean."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.request import getproxies
from uuid import UUID

import httpx
import msgspec

from workers.delivery.http_connection import BadAnswer, Connection, Response, target
from workers.delivery.outside_errors import kind_of
from workers.delivery.proxied_connection import ProxiedConnection

CONNECTIONS = 64
"""Calls under way at once, each on a connection that is kept for the next."""

ANSWER_TIMEOUT = 5.0
"""Seconds from the first try to connect to the last byte read."""

LONGEST_WAIT = 86_400.0
"""Seconds that the service can ask for; one that is a day late is of little use."""


class Sent(msgspec.Struct, frozen=True):
    """The service took it."""


class Refused(msgspec.Struct, frozen=True):
    """It never will be taken as it is."""

    reason: str


class TryLater(msgspec.Struct, frozen=True):
    """It may be taken another time."""

    reason: str
    not_within: float = 0.0
    """Seconds that the service asked to be left alone with it."""


class BadCredentials(msgspec.Struct, frozen=True):
    """The service does not know us: says nothing about the notification."""

    reason: str


Answer = Sent | Refused | TryLater | BadCredentials


class Notification(msgspec.Struct, frozen=True):
    """The body of a call."""

    id: UUID
    owner_id: str
    email: str
    message: str


class NotificationService:
    """Calls the service, at most `CONNECTIONS` times at once, each time on a connection that is
    kept for the next."""

    def __init__(self, url: str, token: str) -> None:
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
        self, notification: Notification, may_begin: Callable[[], bool] = lambda: True
    ) -> Answer:
        """Try once. Whatever goes wrong on the way is an answer too; but raises `NotBegun` when
        `may_begin`, asked right before anything is sent, says no."""
        connection = self._idle.pop()
        try:
            response = await connection.post(
                str(notification.id),
                _encode(notification),
                within=ANSWER_TIMEOUT,
                may_begin=may_begin,
            )
        except (TimeoutError, httpx.TimeoutException):
            return TryLater(f"no answer within {ANSWER_TIMEOUT:.0f} s")
        except BadAnswer as error:
            return TryLater(f"no HTTP answer: {error}")
        except httpx.TransportError as error:
            return TryLater(kind_of(error))
        finally:
            self._idle.append(connection)
        return understand(response)


def _connections(url: httpx.URL, headers: dict[str, str]) -> list[Connection | ProxiedConnection]:
    encryption = httpx.create_ssl_context()
    if getproxies().keys() & {url.scheme, "all"}:
        return [ProxiedConnection(url, headers, encryption) for _ in range(CONNECTIONS)]
    encryption.set_alpn_protocols(["http/1.1"])
    service = target(url, headers, encryption)
    return [Connection(service) for _ in range(CONNECTIONS)]


_encode = msgspec.json.Encoder().encode


def understand(response: Response) -> Answer:
    """What an answer of the service means for the notification.

    Reasons hold nothing else of it: they go into history, where no erasure reaches them, and no
    mask finds every way to write a name.
    """
    status = response.status
    reason = f"HTTP {status}"
    if 200 <= status < 300:
        return Sent()
    if status in (401, 403):
        return BadCredentials(reason)
    if status in (408, 429) or not 400 <= status < 500:
        return TryLater(reason, _retry_after(response.retry_after))
    return Refused(reason)


def _retry_after(header: str) -> float:
    """Seconds, from a number of them or an HTTP date; 0 when it says neither."""
    text = header.strip()
    if re.fullmatch(r"[0-9]{1,300}", text):
        return min(float(text), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), LONGEST_WAIT)
