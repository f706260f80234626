"""Given events, when a command, then events or an error: the rules without a database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from domain.application import APPLICATION
from domain.core.aggregate import Aggregate, DomainEvent, Metadata
from domain.core.ids import Identity
from domain.core.unit_of_work import Environment, NotLoaded, Work
from domain.core.values import Email
from domain.visitors import Registered

NOW = datetime(2030, 5, 1, 12, tzinfo=UTC)
IN_A_WEEK = NOW + timedelta(days=7)
IN_A_MONTH = NOW + timedelta(days=30)
CODE = "0042"

identity = Identity(b"k" * 32)


class Scenario:
    """A small world in memory: streams of events, a clock, and ids that count from one.

    It folds and decides with the product's own code; only the store is a dict.
    """

    def __init__(self) -> None:
        self.streams: dict[UUID, list[DomainEvent[Any]]] = {}
        self.now = NOW
        self._ids = 0

    def given(self, id: UUID, *events: DomainEvent[Any]) -> Scenario:
        self.streams.setdefault(id, []).extend(events)
        return self

    def when(self, command: Any) -> Sequence[DomainEvent[Any]]:
        """The events the command leads to, which have then happened. Raises its refusal."""
        self.value, work = self._decide(command)
        for recorded in work.recorded:
            self.streams.setdefault(recorded.originator_id, []).append(recorded.event)
        return [recorded.event for recorded in work.recorded]

    def state(self, id: UUID) -> Aggregate | None:
        aggregate: Aggregate | None = None
        for event in self.streams.get(id, []):
            aggregate = (aggregate or event.aggregate_class(id=id)).after(event)
        return aggregate

    def new_id(self) -> UUID:
        self._ids += 1
        return UUID(int=self._ids)

    def _decide(self, command: Any) -> tuple[Any, Work]:
        loaded: dict[UUID, Aggregate | None] = {}
        while True:
            work = Work(
                loaded,
                identity,
                Environment(now=lambda: self.now, new_id=self.new_id, new_code=lambda: CODE),
                Metadata(timestamp=self.now, actor="anonymous", correlation_id="test"),
                self._person,
            )
            try:
                return APPLICATION.commands[type(command)].handler(command, work), work
            except NotLoaded as missing:
                loaded[missing.id] = self.state(missing.id)

    def _person(self, visitor: Aggregate) -> UUID | None:
        for event in reversed(self.streams[visitor.id]):
            if isinstance(event, Registered) and event.person:
                return identity.other_visitor(event.event_id, Email(event.person.email))
        return None
