"""Which items a reader of the feed wants."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import msgspec

from domain.feed.item import FeedItem


class Wanted(msgspec.Struct, frozen=True):
    types: frozenset[str] = frozenset()
    """Empty: all types."""
    of_events: frozenset[UUID] | None = None
    """None: all events."""

    @property
    def is_all(self) -> bool:
        return not self.types and self.of_events is None

    @property
    def subjects(self) -> Collection[str]:
        """What an index of the feed is asked for: the events, otherwise the types."""
        return self.types if self.of_events is None else [str(id) for id in self.of_events]

    def includes(self, item: FeedItem) -> bool:
        return (not self.types or item.type in self.types) and (
            self.of_events is None or item.event_id in self.of_events
        )
