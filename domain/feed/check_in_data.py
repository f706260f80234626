"""Data of the items about entries at the door."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from domain.entries import CheckedIn, EnteredWithoutSeat
from domain.feed.item import ItemData, item_type


@item_type("check_in.recorded", "A visitor entered, for the first time")
class CheckInRecordedData(ItemData, frozen=True, kw_only=True):
    at: datetime
    """By the scanner's clock, but never after `received_at`."""
    received_at: datetime
    nonce: str
    gate: str | None = None
    offline: bool
    """Whether it was scanned without a network."""
    has_seat: bool
    """False: somebody entered with a ticket that was not valid any more, or without a
    registration. The visitor is not checked in by it."""

    @classmethod
    def of(cls, event: CheckedIn | EnteredWithoutSeat) -> Self:
        return cls(
            at=event.at,
            received_at=event.received_at,
            nonce=event.nonce,
            gate=event.gate,
            offline=event.offline,
            has_seat=isinstance(event, CheckedIn),
        )


@item_type("check_in.repeated", "A visitor entered again with the same ticket")
class CheckInRepeatedData(ItemData, frozen=True, kw_only=True):
    at: datetime
    received_at: datetime
    nonce: str
    gate: str | None = None
    offline: bool
    checked_in_at: datetime
    """The earliest entry: that of this item if it was scanned before those that came earlier."""


@item_type("check_in.undone", "An entry was taken back")
class CheckInUndoneData(ItemData, frozen=True, kw_only=True):
    nonce: str
    """Of the entry."""
    checked_in_at: datetime | None = None
    """The earliest entry that is left; null: the visitor is not checked in."""
