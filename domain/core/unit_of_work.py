"""The unit of work of a command handler: it loads aggregates and records domain events.

A handler is a synchronous function: its streams are loaded before it runs. If it needs another
stream, `NotLoaded` ends the run, and it is run again with that stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from os import urandom
from types import MappingProxyType
from typing import TypeVar
from uuid import UUID

import msgspec

from domain.core.aggregate import Aggregate, DomainEvent, Expected, Metadata, RecordedEvent
from domain.core.errors import ChangedMeanwhile, NotFound
from domain.core.ids import Identity, new_id
from domain.core.seats import (
    ANY,
    NO_SEATS,
    Bounds,
    Counters,
    EventSeats,
    SeatHolder,
    SeatsNotLoaded,
)

A = TypeVar("A", bound=Aggregate)


class Environment(msgspec.Struct, frozen=True):
    """Inputs of decisions from outside: time, new ids and codes. Tests use fixed ones."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    new_id: Callable[[], UUID] = new_id
    new_code: Callable[[], str] = lambda: f"{int.from_bytes(urandom(8)) % 10_000:04}"
    """Four decimal digits, all equally probable but for one part in 10**15."""


class NotLoaded(Exception):
    """A handler needs streams that were not loaded."""

    def __init__(self, *ids: UUID) -> None:
        super().__init__(*ids)
        self.ids = ids


class PersonNotKnown(Exception):
    """A handler needs the people of visitors that were not looked up."""

    def __init__(self, *visitors: Aggregate) -> None:
        super().__init__(*(visitor.id for visitor in visitors))
        self.visitors = visitors


class Missing:
    """What the parts of one decision need and lack, so that all of it is loaded at once."""

    def __init__(self) -> None:
        self._ids: list[UUID] = []
        self._visitors: list[Aggregate] = []

    @contextmanager
    def collected(self) -> Iterator[None]:
        try:
            yield
        except NotLoaded as lacking:
            self._ids += lacking.ids
        except PersonNotKnown as lacking:
            self._visitors += lacking.visitors

    def require_nothing(self) -> None:
        """Raises `NotLoaded`, `PersonNotKnown`."""
        if self._ids:
            raise NotLoaded(*self._ids)
        if self._visitors:
            raise PersonNotKnown(*self._visitors)


FindPerson = Callable[[Sequence[RecordedEvent], Aggregate], UUID | None]
"""Identifies the person of a visitor's stream, given what this command has recorded so far: the id
`Identity.other_visitor` of the person who registered last, which reveals nothing. None when it
cannot be read. Raises `PersonNotKnown`."""


class Work:
    """The aggregates that one command reads, and the events that it records.

    `loaded` has an entry for each loaded stream; None for a stream without events. `counters`
    are those of seats that were loaded, by event, and `seats` what the commands before this one
    made of them.
    """

    def __init__(
        self,
        loaded: Mapping[UUID, Aggregate | None],
        identity: Identity,
        environment: Environment,
        metadata: Metadata,
        find_person: FindPerson = lambda _recorded, _visitor: None,
        counters: Mapping[UUID, Counters] = MappingProxyType({}),
        seats: Mapping[UUID, EventSeats] = MappingProxyType({}),
    ) -> None:
        self._loaded = loaded
        self._counters = counters
        self._seats_before = seats
        self._metadata = metadata
        self.identity = identity
        self._find_person = find_person
        self.new_id = environment.new_id
        self.new_code = environment.new_code
        self.changed: dict[UUID, Aggregate] = {}
        self.recorded: list[RecordedEvent] = []
        self.read: set[UUID] = set()
        self.seats: dict[UUID, EventSeats] = {}
        """By event, the seats that the command changed."""
        self.changes_line = False
        """Whether the command changed a line of waiting visitors."""
        self.bounds: dict[UUID, Bounds] = {}
        """By event, the values of the counters that the decision is valid for."""

    @property
    def now(self) -> datetime:
        """The time of the decision, and of its events."""
        return self._metadata.timestamp

    def get(self, kind: type[A], id: UUID) -> A:
        """The aggregate; empty (version 0) when its stream has no events.

        Raises `NotFound` when the id belongs to another kind of aggregate.
        """
        self.read.add(id)
        aggregate = self.changed.get(id)
        if aggregate is None:
            if id not in self._loaded:
                raise NotLoaded(id)
            aggregate = self._loaded[id]
        if aggregate is None:
            return kind(id=id)
        if not isinstance(aggregate, kind):
            raise NotFound(kind.__name__.lower(), id)
        return aggregate

    def person(self, visitor: Aggregate) -> UUID | None:
        """As `FindPerson`."""
        return self._find_person(self.recorded, visitor)

    def record(self, aggregate: A, *events: DomainEvent[A]) -> A:
        """Record events in the aggregate's stream; returns the aggregate after them."""
        for event in events:
            was, aggregate = aggregate, aggregate.after(event)
            if isinstance(was, SeatHolder) and isinstance(aggregate, SeatHolder):
                self._count_seats(was, aggregate)
            self.recorded.append(
                RecordedEvent(
                    originator_id=aggregate.id,
                    originator_version=aggregate.version,
                    event=event,
                    metadata=self._metadata,
                )
            )
        if events:
            self.changed[aggregate.id] = aggregate
        return aggregate

    def has_room(self, event_id: UUID, capacity: int | None) -> bool:
        """Whether a newcomer gets a seat: one is free, and no visitor waits for it. Without a
        capacity one is always free."""
        has_room, bounds = self._loaded_seats(event_id).has_room(capacity)
        self._rest_on(event_id, bounds)
        return has_room

    def has_free_seat(self, event_id: UUID, capacity: int | None) -> bool:
        """Whether one is free, for the first in line or for anybody else."""
        is_free, bounds = self._loaded_seats(event_id).has_free_seat(capacity)
        self._rest_on(event_id, bounds)
        return is_free

    def next_in_line(self, event_id: UUID, capacity: int | None) -> UUID | None:
        """The visitor who gets a free seat next; None if no seat is free or no visitor waits."""
        seats = self._loaded_seats(event_id)
        try:
            first, bounds = seats.next_in_line(capacity)
        except LookupError:
            raise SeatsNotLoaded(event_id) from None
        self._rest_on(event_id, bounds)
        return first

    def counters(self, event_id: UUID) -> Counters:
        """For display only: the decision does not depend on them."""
        now = self._loaded_seats(event_id).now
        if now is None:
            raise SeatsNotLoaded(event_id)
        return now

    def _loaded_seats(self, event_id: UUID) -> EventSeats:
        seats = self._seats_of(event_id)
        if seats.before is None:
            raise SeatsNotLoaded(event_id)
        return seats

    def _seats_of(self, event_id: UUID) -> EventSeats:
        found = self.seats.get(event_id) or self._seats_before.get(event_id)
        if found is None:
            is_begun_here = event_id in self.changed and event_id not in self._loaded
            before = NO_SEATS if is_begun_here else self._counters.get(event_id)
            found = EventSeats.at(before)
        return found

    def _rest_on(self, event_id: UUID, bounds: Bounds) -> None:
        self.bounds[event_id] = self.bounds.get(event_id, ANY).also(bounds)

    def _count_seats(self, was: SeatHolder, holder: SeatHolder) -> None:
        event_id, former, seat = holder.event_id, was.seat, holder.seat
        if event_id is not None and former != seat:
            self.seats[event_id] = self._seats_of(event_id).changed(former, holder, seat)
            self.changes_line |= "waiting" in {former, seat}


def check_version(aggregate: Aggregate, expected: Expected) -> None:
    """Raises `ChangedMeanwhile` unless the aggregate is as the caller saw it."""
    seen = {expected} if isinstance(expected, int) else expected
    if seen is not None and aggregate.version not in seen:
        raise ChangedMeanwhile(aggregate.version)
