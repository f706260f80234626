"""What must be true of seats in any history, checked event by event. It counts by itself: nothing
of the product's counting is used.

The correlation id of a command has marks for what history does not show: that it may exceed the
capacity, or that an organizer chose the visitor.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

import msgspec

from domain import visitors
from domain.core.aggregate import RecordedEvent
from domain.events import Event
from domain.visitors import Visitor
from domain.waiting_list import MOST_AT_ONCE

OVER_CAPACITY, BY_HAND = "over capacity", "by hand"
"""Parts of correlation ids: of a command that may exceed the capacity, and of one that promotes
the visitor whom an organizer chose."""


class Seats(msgspec.Struct):
    """Of one event."""

    event: Event
    taken: set[UUID] = msgspec.field(default_factory=set)
    line: list[UUID] = msgspec.field(default_factory=list)
    moved: set[UUID] = msgspec.field(default_factory=set)
    """Visitors whose seat or place another one has taken over, until they leave."""
    promotions: int = 0
    departures: int = 0
    """Of those who had a seat or waited."""
    left_for_the_sweep: bool = False
    """A command has promoted as many as one may."""

    @property
    def is_full(self) -> bool:
        capacity = self.event.details.capacity
        return capacity is not None and len(self.taken) >= capacity

    def follow(self, id: UUID, event: Any, marks: str) -> None:
        match event:
            case visitors.Registered(moved_from=None):
                assert id not in self.taken, "two seats for one visitor"
                assert id not in self.line, "who waits got a seat without a promotion"
                if OVER_CAPACITY not in marks:
                    assert not self.is_full, "oversold"
                    assert not self.line, "a newcomer was seated while somebody waited"
                self.taken.add(id)
            case visitors.Registered(moved_from=UUID() as former):
                self.taken.remove(former)
                self.taken.add(id)
                self.moved.add(former)
            case visitors.Waitlisted(moved_from=None):
                assert id not in self.taken, "who has a seat waits for one"
                assert id not in self.line, "two places for one visitor"
                assert self.is_full or self.line, "somebody waits although there is room"
                assert self.event.details.waiting_list != "off", "there is no waiting list"
                self.line.append(id)
            case visitors.Waitlisted(moved_from=UUID() as former):
                self.line[self.line.index(former)] = id
                self.moved.add(former)
            case visitors.Promoted():
                if OVER_CAPACITY not in marks:
                    assert not self.is_full, "promoted to a seat that is not there"
                if BY_HAND not in marks:
                    assert self.line[0] == id, "promoted before the first in line"
                self.line.remove(id)
                self.taken.add(id)
                self.promotions += 1
            case visitors.Cancelled() if id in self.moved:
                self.moved.remove(id)
            case visitors.Cancelled() | visitors.Lapsed() | visitors.Erased():
                self.departures += id in self.taken or id in self.line
                self.taken.discard(id)
                if id in self.line:
                    self.line.remove(id)

    def check_after_command(self, events: Sequence[RecordedEvent]) -> None:
        """No seat stays empty while somebody waits for it."""
        event = self.event
        is_idle = (
            bool(self.line)
            and not self.is_full
            and event.is_open
            and event.details.waiting_list == "automatic"
            and event.takes_place_after(events[-1].metadata.timestamp)
        )
        promoted = sum(isinstance(e.event, visitors.Promoted) for e in events)
        self.left_for_the_sweep = is_idle and (self.left_for_the_sweep or promoted == MOST_AT_ONCE)
        assert self.left_for_the_sweep or not is_idle, "a seat is free while somebody waits"
        assert not self.moved


class SeatRules:
    """Follows history, and raises AssertionError at the first command that breaks a rule."""

    def __init__(self) -> None:
        self.events: dict[UUID, Seats] = {}
        self.visitors: dict[UUID, Visitor] = {}

    def follow(self, history: Iterable[RecordedEvent]) -> None:
        """Only whole commands."""
        for _, command in groupby(history, key=lambda e: e.metadata.correlation_id):
            events = list(command)
            touched = dict[UUID, Seats]()
            for recorded in events:
                if seats := self._follow(recorded):
                    touched[seats.event.id] = seats
            for seats in touched.values():
                try:
                    seats.check_after_command(events)
                except AssertionError as error:
                    raise AssertionError(f"{error}, at {events[-1].position}: {events}") from None

    def _follow(self, recorded: RecordedEvent) -> Seats | None:
        """The seats of the event that is concerned."""
        id = recorded.originator_id
        if recorded.event.aggregate_class is Event:
            seats = self.events.get(id) or self.events.setdefault(id, Seats(Event(id=id)))
            seats.event = seats.event.after(recorded.event)
            return seats
        if recorded.event.aggregate_class is Visitor:
            visitor = self.visitors.get(id) or Visitor(id=id)
            self.visitors[id] = visitor = visitor.after(recorded.event)
            seats = self.events[visitor.event]
            seats.follow(id, recorded.event, recorded.metadata.correlation_id)
            return seats
        return None
