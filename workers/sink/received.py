"""What the sink receives."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class ReceivedNotification(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime
    id: str
    owner_id: str
    email: str
    message: str


class ReceivedMail(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime
    id: str
    """Of this mail to this recipient, in addresses of the sink."""
    message_id: str
    sender: str
    recipient: str
    subject: str
    text: str
    content: bytes

    @property
    def notification(self) -> ReceivedNotification:
        """As programs read it that know notifications only."""
        return ReceivedNotification(
            at=self.at,
            id=self.message_id.strip("<>").partition("@")[0],
            owner_id="",
            email=self.recipient,
            message=self.text,
        )


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """Of the feed, as a webhook sends it."""

    position: int
    type: str
    version: int
    occurred_at: datetime
    event_id: str | None
    visitor_id: str | None
    data: dict[str, Any]
    previous: int | None


class ReceivedItem(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime
    id: str
    """`webhook-id`."""
    item: Item
