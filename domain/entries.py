"""Entries at the door: facts of a visitor, and the scan that each of them is from.

The scanner chooses a nonce for each scan. It has a stream of its own, whose id is derived from the
event and the nonce: so a scan that is sent again is recognized, and can be undone, in any process.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from domain.core.aggregate import Aggregate, DomainEvent, stored_as
from domain.core.unit_of_work import Work
from domain.visitors import Entry, Visitor

Outcome = Literal["entered", "entered_again", "entered_without_seat"]

MAX_ENTRIES = 100
"""Entries of one visitor that are kept in mind: those with the earliest times."""


class _CameIn(DomainEvent[Visitor], frozen=True, kw_only=True):
    """Somebody came in."""

    event_id: UUID
    at: datetime
    """By the scanner's clock, but not after `received_at`."""
    received_at: datetime
    nonce: str
    gate: str | None = None
    offline: bool = False


@stored_as("Visitor.CheckedIn", phrase="checked the visitor in")
class CheckedIn(_CameIn, frozen=True, kw_only=True):
    """The first entry that was received."""

    def apply(self, aggregate: Visitor) -> Visitor:
        return _entered(aggregate, self, self.at)


@stored_as("Visitor.EnteredAgain", phrase="let the visitor in again")
class EnteredAgain(_CameIn, frozen=True, kw_only=True):
    """Another entry with the same ticket, which may have been earlier than those before."""

    checked_in_at: datetime
    """The earliest of all entries."""

    def apply(self, aggregate: Visitor) -> Visitor:
        return _entered(aggregate, self, self.checked_in_at)


@stored_as("Visitor.EnteredWithoutSeat", phrase="let somebody in without a seat")
class EnteredWithoutSeat(_CameIn, frozen=True, kw_only=True):
    """Somebody came in with a ticket that was not valid any more, or without a registration. The
    visitor is not checked in by it."""


@stored_as("Visitor.CheckInUndone", phrase="undid the check-in")
class CheckInUndone(DomainEvent[Visitor], frozen=True, kw_only=True):
    event_id: UUID
    nonce: str
    checked_in_at: datetime | None = None
    """The earliest entry that is left."""

    def apply(self, aggregate: Visitor) -> Visitor:
        left = tuple(entry for entry in aggregate.entries if entry.nonce != self.nonce)
        return msgspec.structs.replace(aggregate, entries=left, checked_in_at=self.checked_in_at)


def _entered(visitor: Visitor, event: CheckedIn | EnteredAgain, checked_in_at: datetime) -> Visitor:
    entry = Entry(
        nonce=event.nonce,
        at=event.at,
        received_at=event.received_at,
        gate=event.gate,
        offline=event.offline,
    )
    entries = sorted([*visitor.entries, entry], key=lambda entry: entry.at)[:MAX_ENTRIES]
    return msgspec.structs.replace(visitor, entries=tuple(entries), checked_in_at=checked_in_at)


class Scan(Aggregate, frozen=True, kw_only=True):
    """What became of a nonce; the id is derived from the event and the nonce."""

    visitor_id: UUID | None = None
    outcome: Outcome | None = None
    undone: bool = False


@stored_as("Scan.Recorded", phrase="scanned a ticket")
class ScanRecorded(DomainEvent[Scan], frozen=True, kw_only=True):
    visitor_id: UUID
    outcome: Outcome

    def apply(self, aggregate: Scan) -> Scan:
        return msgspec.structs.replace(
            aggregate, visitor_id=self.visitor_id, outcome=self.outcome, undone=False
        )


@stored_as("Scan.Undone", phrase="undid a scan")
class ScanUndone(DomainEvent[Scan], frozen=True, kw_only=True):
    def apply(self, aggregate: Scan) -> Scan:
        return msgspec.structs.replace(aggregate, undone=True)


def record_entry(visitor: Visitor, entry: Entry, work: Work) -> Outcome:
    """Of a registered visitor."""
    event_id, fields = visitor.event, msgspec.structs.asdict(entry)
    if visitor.checked_in_at is None:
        work.record(visitor, CheckedIn(event_id=event_id, **fields))
        return "entered"
    first = min(entry.at, visitor.checked_in_at)
    work.record(visitor, EnteredAgain(event_id=event_id, checked_in_at=first, **fields))
    return "entered_again"


def take_entries_along(visitor: Visitor, other: Visitor, work: Work) -> Visitor:
    """The visitor with the corrected email has entered as the one with the former email has."""
    for entry in visitor.entries:
        record_entry(other, entry, work)
        other = work.get(Visitor, other.id)
    return other


def present_visitor(visitor: Visitor, work: Work) -> Visitor:
    """The visitor, or the one with the corrected email."""
    while visitor.moved_to is not None:
        visitor = work.get(Visitor, visitor.moved_to)
    return visitor
