"""Data of the items about a message to a visitor."""

from __future__ import annotations

from typing import Self

from domain.feed.item import ItemData, item_type
from domain.notifications import GIVEN_UP, Failed


@item_type("notification.failed", "A message to a visitor was refused for good")
class NotificationFailedData(ItemData, frozen=True, kw_only=True):
    reason: str

    @classmethod
    def of(cls, event: Failed) -> Self | None:
        """None for a message that must not be sent any more, which is no failure."""
        return None if event.reason in GIVEN_UP else cls(reason=event.reason)
