"""The unit of work of a command handler: it loads aggregates and records domain events.

A handler is a synchronous function: its streams are loaded before it runs. If it needs another
stream, `NotLoaded` ends the run, and it is run again with that stream.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

import msgspec

from domain.core.aggregate import Aggregate, DomainEvent, Expected, Metadata, RecordedEvent
from domain.core.errors import ChangedMeanwhile, NotFound
from domain.core.ids import Identity, new_id

A = TypeVar("A", bound=Aggregate)


class Environment(msgspec.Struct, frozen=True):
    """Inputs of decisions from outside: time, new ids and codes. Tests use fixed ones."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    new_id: Callable[[], UUID] = new_id
    new_code: Callable[[], str] = lambda: f"{secrets.randbelow(10_000):04}"
    """Four decimal digits."""


class NotLoaded(Exception):
    """A handler needs a stream that was not loaded."""

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.id = id


class PersonNotKnown(Exception):
    """A handler needs the person of a visitor that was not looked up."""

    def __init__(self, visitor: Aggregate) -> None:
        super().__init__(visitor.id)
        self.visitor = visitor


FindPerson = Callable[[Aggregate], UUID | None]
"""Identifies the person of a visitor's stream: the id `Identity.other_visitor` of the person who
registered last, which reveals nothing. None when it cannot be read. Raises `PersonNotKnown`."""


class Work:
    """The aggregates that one command reads, and the events that it records.

    `loaded` has an entry for each loaded stream; None for a stream without events.
    """

    def __init__(
        self,
        loaded: Mapping[UUID, Aggregate | None],
        identity: Identity,
        environment: Environment,
        metadata: Metadata,
        person: FindPerson = lambda _: None,
    ) -> None:
        self._loaded = loaded
        self._metadata = metadata
        self.identity = identity
        self.person = person
        self.new_id = environment.new_id
        self.new_code = environment.new_code
        self.changed: dict[UUID, Aggregate] = {}
        self.recorded: list[RecordedEvent] = []
        self.read: set[UUID] = set()

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

    def record(self, aggregate: A, *events: DomainEvent[A]) -> A:
        """Record events in the aggregate's stream; returns the aggregate after them."""
        for event in events:
            aggregate = aggregate.after(event)
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


def check_version(aggregate: Aggregate, expected: Expected) -> None:
    """Raises `ChangedMeanwhile` unless the aggregate is as the caller saw it."""
    seen = {expected} if isinstance(expected, int) else expected
    if seen is not None and aggregate.version not in seen:
        raise ChangedMeanwhile(aggregate.version)
