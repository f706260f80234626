"""Given events, when a command, then events or an error: the rules without a database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from domain.application import APPLICATION
from domain.core.aggregate import Aggregate, DomainEvent, Metadata, RecordedEvent
from domain.core.ids import Identity
from domain.core.seats import Counters, SeatsNotLoaded
from domain.core.unit_of_work import Environment, NotLoaded, Work
from domain.core.values import Email
from domain.visitors import HOLDS_PERSON, Visitor

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
        self.line: list[UUID] = []
        """Who waits, for whichever event, in the order of joining."""
        self._ids = 0

    def given(self, id: UUID, *events: DomainEvent[Any]) -> Scenario:
        for event in events:
            self._append(id, event)
        return self

    def when(self, command: Any) -> Sequence[DomainEvent[Any]]:
        """The events the command leads to, which have then happened. Raises its refusal."""
        self.value, work = self._decide(command)
        for recorded in work.recorded:
            self._append(recorded.originator_id, recorded.event)
        return [recorded.event for recorded in work.recorded]

    def state(self, id: UUID) -> Aggregate | None:
        aggregate: Aggregate | None = None
        for event in self.streams.get(id, []):
            aggregate = (aggregate or event.aggregate_class(id=id)).after(event)
        return aggregate

    def new_id(self) -> UUID:
        self._ids += 1
        return UUID(int=self._ids)

    def seats(self, event_id: UUID) -> Counters:
        visitors = [v for id in self.streams if isinstance(v := self.state(id), Visitor)]
        at = [v for v in visitors if v.event_id == event_id]
        line = tuple(v.id for id in self.line for v in at if v.id == id)
        return Counters(sum(v.seat == "taken" for v in at), len(line), line)

    def _append(self, id: UUID, event: DomainEvent[Any]) -> None:
        was = self.state(id)
        self.streams.setdefault(id, []).append(event)
        visitor = self.state(id)
        if isinstance(visitor, Visitor):
            waited = isinstance(was, Visitor) and was.seat == "waiting"
            if visitor.seat == "waiting" and not waited:
                place = visitor.takes_place_of
                self.line.insert(self.line.index(place) if place else len(self.line), id)
            elif waited and visitor.seat != "waiting":
                self.line.remove(id)

    def _decide(self, command: Any) -> tuple[Any, Work]:
        loaded: dict[UUID, Aggregate | None] = {}
        counters: dict[UUID, Counters] = {}
        while True:
            work = Work(
                loaded,
                identity,
                Environment(now=lambda: self.now, new_id=self.new_id, new_code=lambda: CODE),
                Metadata(timestamp=self.now, actor="anonymous", correlation_id="test"),
                self._person,
                counters,
            )
            try:
                return APPLICATION.decide(command, work), work
            except NotLoaded as missing:
                loaded |= {id: self.state(id) for id in missing.ids}
            except SeatsNotLoaded as missing:
                counters[missing.event_id] = self.seats(missing.event_id)

    def _person(self, recorded: Sequence[RecordedEvent], visitor: Aggregate) -> UUID | None:
        own = [one.event for one in recorded if one.originator_id == visitor.id]
        for event in reversed([*self.streams.get(visitor.id, []), *own]):
            if isinstance(event, HOLDS_PERSON) and event.person:
                return identity.other_visitor(event.event_id, Email(event.person.email))
        return None
