"""Items of the feed, and the registry of their types."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, ClassVar, NewType, Self, TypeVar
from uuid import UUID

import msgspec


class ItemData(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What an item says besides whom it concerns. Each subclass is the data of one type."""

    type: ClassVar[str]
    version: ClassVar[int]
    summary: ClassVar[str]

    @classmethod
    def of(cls, event: Any) -> Self | None:
        """The data for this domain event: its fields of the same names. None if the feed leaves the
        event out."""
        fields = {f: getattr(event, f) for f in cls.__struct_fields__ if hasattr(event, f)}
        return cls(**fields)


class FeedItem(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    position: int
    """Where the domain event is in history; identifies the item."""
    type: str
    version: int
    """Of the schema of `data`: it increases when fields get another meaning or are removed, not
    when fields are added."""
    occurred_at: datetime
    event_id: UUID | None
    visitor_id: UUID | None
    data: ItemData


D = TypeVar("D", bound=type[ItemData])

ItemType = NewType("ItemType", str)
"""One of `ITEM_TYPES`."""

ITEM_TYPES: dict[str, type[ItemData]] = {}
"""Type of item -> class of its data."""


def item_type(type: str, summary: str, *, version: int = 1) -> Callable[[D], D]:
    """Register the data of a type of item. `summary` says in a sentence what happened."""

    def register(data: D) -> D:
        if type in ITEM_TYPES:
            raise ValueError(f"two classes are the data of {type!r}")
        data.type, data.version, data.summary = type, version, summary
        ITEM_TYPES[type] = data
        return data

    return register
