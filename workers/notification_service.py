"""The external notification service: one POST a notification, and what its answers mean."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from html import unescape
from urllib.parse import unquote
from urllib.request import getproxies
from uuid import UUID

import httpx
import msgspec

from workers.http_connection import Connection, Response, target
from workers.proxied_connection import ProxiedConnection

CONNECTIONS = 64
"""Calls under way at once, each on a connection that is kept for the next."""

ANSWER_TIMEOUT = 5.0
"""Seconds from the first try to connect to the last byte read."""

LONGEST_WAIT = 10 * 365 * 86_400.0
"""Seconds; a service that asks for more than ten years means never, and no date holds it."""

_READ_AT_MOST = 16 * 1024
"""Bytes of an answer that a reason is made from."""

_EXCERPT_LENGTH = 200


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

    async def send(self, notification: Notification) -> Answer:
        """Try once. Whatever goes wrong on the way is an answer too."""
        connection = self._idle.pop()
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                response = await connection.post(str(notification.id), _encode(notification))
        except (TimeoutError, httpx.TimeoutException):
            return TryLater(f"no answer within {ANSWER_TIMEOUT:.0f} s")
        except httpx.TransportError as error:
            return TryLater(f"{type(error).__name__}: {error}"[:_EXCERPT_LENGTH])
        finally:
            self._idle.append(connection)
        return understand(response, notification)


def _connections(url: httpx.URL, headers: dict[str, str]) -> list[Connection | ProxiedConnection]:
    encryption = httpx.create_ssl_context()
    if getproxies().keys() & {url.scheme, "all"}:
        return [ProxiedConnection(url, headers, encryption) for _ in range(CONNECTIONS)]
    encryption.set_alpn_protocols(["http/1.1"])
    service = target(url, headers, encryption)
    return [Connection(service) for _ in range(CONNECTIONS)]


_encode = msgspec.json.Encoder().encode


def understand(response: Response, notification: Notification) -> Answer:
    """What an answer of the service means for the notification."""
    status = response.status
    if 200 <= status < 300:
        return Sent()
    reason = f"HTTP {status}"
    if status in (401, 403):
        return BadCredentials(reason)
    if excerpt := _excerpt(response.body[:_READ_AT_MOST], notification):
        reason = f"{reason}: {excerpt}"
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


_WORD = re.compile(r"""[^\s"'<>(),;:=]+""")
_ESCAPED = re.compile(r"\\u([0-9a-f]{4})", re.IGNORECASE)

_TOO_SHORT_TO_TELL = 2
"""Characters; a part of an address that is as short as this stands for nobody."""


def _excerpt(body: bytes, notification: Notification) -> str:
    """The beginning of an answer, as one line without anything personal: it goes into history,
    where no erasure reaches it."""
    text = _unescaped(body.decode("utf-8", errors="replace"))
    text = text.replace(notification.message, "[message]")
    name, _, domain = notification.email.rpartition("@")
    for part in (notification.email, name, domain):
        if len(part) > _TOO_SHORT_TO_TELL:
            alone = rf"(?<!\w){re.escape(part)}(?!\w)"
            text = re.sub(alone, "[email]", text, flags=re.IGNORECASE)
    text = _WORD.sub(lambda word: "[email]" if "@" in word[0] else word[0], text)
    line = "".join(c for c in " ".join(text.split()) if c.isprintable())
    return line[:_EXCERPT_LENGTH]


def _unescaped(text: str) -> str:
    """As it reads, were it in a URL, in HTML or in JSON."""
    return _ESCAPED.sub(lambda code: chr(int(code[1], 16)), unescape(unquote(text)))
