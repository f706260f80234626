"""What a command handler works with: aggregates as they stand, and a place to record events.

A handler is a plain function without waiting: what it needs is loaded before it runs. When it
asks for a stream that is not, `NotLoaded` ends this run, and it is run again with the stream.
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
    """What decisions take from outside: time, new ids and codes. Tests hold their own."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    new_id: Callable[[], UUID] = new_id
    new_code: Callable[[], str] = lambda: f"{secrets.randbelow(10_000):04}"
    """Four decimal digits."""


class NotLoaded(Exception):
    """A handler asked for a stream that was not loaded for it."""

    def __init__(self, id: UUID) -> None:
        super().__init__(id)
        self.id = id


class PersonNotKnown(Exception):
    """A handler asked whose a stream is before that was looked up for it."""

    def __init__(self, visitor: Aggregate) -> None:
        super().__init__(visitor.id)
        self.visitor = visitor


FindPerson = Callable[[Aggregate], UUID | None]
"""Whose a visitor's stream is: the `other_visitor` of who registered last, which tells people apart
and says nothing of them. None where that cannot be read. Raises `PersonNotKnown`."""


class Work:
    """One command's view of the world, and the events it leads to.

    `loaded` has an entry for each stream that was looked up, None for one without events.
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
        """When the command is decided: the time of its events."""
        return self._metadata.timestamp

    def get(self, kind: type[A], id: UUID) -> A:
        """The aggregate, blank (version 0) when nothing happened to it yet.

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
        """Append the events to the aggregate's stream; gives the aggregate as they leave it."""
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
