"""Runs the handlers of a batch of commands in memory, each with the results of those before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from domain.core.aggregate import Aggregate, Metadata, RecordedEvent
from domain.core.commands import Application, CommandType, People, Touches
from domain.core.ids import Identity
from domain.core.seats import Counters, EventSeats, Outdated, SeatsNotLoaded
from domain.core.unit_of_work import Environment, NotLoaded, PersonNotKnown, Work
from domain.history.batch import CommandRequest
from domain.history.idempotency import Once
from domain.history.streams import Loaded

C = TypeVar("C")


class AcceptedDecision(msgspec.Struct, frozen=True):
    command: Any
    value: Any
    work: Work
    once: Once | None = None


class FailedDecision(msgspec.Struct, frozen=True):
    """Refused by a rule, or failed by a bug."""

    error: Exception
    work: Work


NeedsLoading = NotLoaded | PersonNotKnown | SeatsNotLoaded | Outdated
"""The handler needs data that must be loaded first."""


class NewIds:
    """The new ids of one command: the same ones however often it is decided, so that what is looked
    up by one of them is found the next time."""

    def __init__(self, new_id: Callable[[], UUID]) -> None:
        self._new_id = new_id
        self._made: list[UUID] = []

    def __iter__(self) -> Iterator[UUID]:
        yield from self._made
        while True:
            id = self._new_id()
            self._made.append(id)
            yield id


class Results(msgspec.Struct, frozen=True):
    """What commands led to that were decided, and not appended."""

    aggregates: dict[UUID, Aggregate] = {}
    seats: dict[UUID, EventSeats] = {}
    events: list[RecordedEvent] = []

    def add(self, work: Work) -> None:
        self.aggregates.update(work.changed)
        self.seats.update(work.seats)
        self.events.extend(work.recorded)


NOTHING = Results()


class Handling:
    """The handlers of the application, and their environment."""

    def __init__(
        self,
        application: Application,
        people: People,
        identity: Identity,
        environment: Environment,
    ) -> None:
        self._application = application
        self._people = people
        self._identity = identity
        self._environment = environment

    def row(self, command: C) -> CommandType[C]:
        """Of the table of commands."""
        return self._application.commands[type(command)]

    def touches(self, command: Any) -> Touches:
        return self.row(command).touches(command, self._identity)

    def new_ids(self) -> NewIds:
        return NewIds(self._environment.new_id)

    def run(
        self,
        requests: Sequence[CommandRequest],
        loaded: Loaded,
        counters: Mapping[UUID, Counters],
        ids: Sequence[NewIds],
        before: Results = NOTHING,
    ) -> list[AcceptedDecision | FailedDecision | NeedsLoading]:
        """One decision for each request, in order, with its new ids. `counters` are those of seats,
        by event; `before` is what earlier batches led to."""
        decisions = list[AcceptedDecision | FailedDecision | NeedsLoading]()
        staged = {**loaded, **before.aggregates}
        seats, events = dict(before.seats), list(before.events)

        def find_person(own: Sequence[RecordedEvent], visitor: Aggregate) -> UUID | None:
            return self._people.person(chain(events, own), visitor)

        now = self._environment.now()
        for request, new_ids in zip(requests, ids, strict=True):
            command, origin = request.command, request.origin
            metadata = Metadata(
                timestamp=request.at or now,
                actor=origin.actor,
                correlation_id=origin.correlation_id,
                causation_id=origin.causation_id,
            )
            environment = Environment(
                self._environment.now, iter(new_ids).__next__, self._environment.new_code
            )
            work = Work(staged, self._identity, environment, metadata, find_person, counters, seats)
            try:
                value = self._application.decide(command, work)
            except (NotLoaded, PersonNotKnown, SeatsNotLoaded, Outdated) as unknown:
                decisions.append(unknown)
            except Exception as error:  # noqa: BLE001  a refusal or a bug: passed to the caller
                decisions.append(FailedDecision(error, work))
            else:
                staged.update(work.changed)
                seats.update(work.seats)
                events += work.recorded
                decisions.append(AcceptedDecision(command, value, work, request.once))
        return decisions
