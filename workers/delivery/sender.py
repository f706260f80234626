"""What a delivery needs of the service that it sends messages by: one attempt for each message, and
what the answer means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from uuid import UUID

import msgspec

from projections.messages import Message


class Outgoing(msgspec.Struct, frozen=True):
    """A message to one address."""

    id: UUID
    """The same in each attempt."""
    email: str
    message: Message
    link: str | None = None
    """The visitor's own page; None when it is not known where people reach it."""
    ticket: str | None = None
    """The text of its QR code; None for who has no seat."""
    page: str | None = None
    """The event's own page; None where there is none."""


class Accepted(msgspec.Struct, frozen=True):
    """The service accepted the message."""


class Rejected(msgspec.Struct, frozen=True):
    """The service will never accept this message."""

    reason: str
    said: str = ""
    """What the service said, as it said it: it may name people."""


class TryLater(msgspec.Struct, frozen=True):
    """The service may accept the message later."""

    reason: str
    retry_after: float = 0.0
    """Seconds that the service asked to wait before the next attempt."""
    said: str = ""
    """As in `Rejected`."""


class BadCredentials(msgspec.Struct, frozen=True):
    """The service refuses us; this says nothing about the message."""

    reason: str


Answer = Accepted | Rejected | TryLater | BadCredentials


class NotStarted(Exception):
    """The attempt may not start any more; nothing was sent"""


class Sender(Protocol):
    """Sends messages by one service. Reasons in its answers are stored in history, where no erasure
    removes them: they contain codes, never a text of the service, which may name people. Such a
    text is `said`, and kept where an erasure reaches it (`projections.service_replies`)."""

    @property
    def max_calls(self) -> int:
        """How many attempts may run at once."""

    async def send(self, outgoing: Outgoing, may_start: Callable[[], bool]) -> Answer:
        """Make one attempt. Failures of the connection are returned as answers, too. Raises
        `NotStarted` if `may_start`, which is called right before sending, returns False."""

    async def close(self) -> None: ...
