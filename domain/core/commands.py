"""The types of the command table in `domain.application`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.core.aggregate import Aggregate, RecordedEvent
from domain.core.ids import Identity
from domain.core.unit_of_work import Work
from domain.privacy.keys import InstallationKeys

C = TypeVar("C")

Handler = Callable[[C, Work], Any]
"""Decides a command: loads aggregates, records domain events, returns what the caller gets."""


class Touches(msgspec.Struct, frozen=True):
    """The streams that a handler will need, so that one query loads those of a whole batch. A
    missing stream costs another round trip, but never leads to a wrong decision."""

    existing: Sequence[UUID] = ()
    begun: Sequence[UUID] = ()
    """New streams of the command: they are assumed to be empty."""


LookUp = Callable[[AsyncConnection[Any], C], Awaitable[C]]
"""Gives the command with what its handler has to know and no stream says."""

InlineProjection = Callable[[AsyncConnection[Any], C, Work], Awaitable[object]]
"""Writes rows in the transaction of the append, after it: given the command and what its handler
recorded. When it fails, nothing of the command is committed, and its caller gets the error.

Commands of a batch are appended together, so rows are written in their order."""


class CommandType(msgspec.Struct, Generic[C], frozen=True):
    """How one type of command is decided, and which rows are committed with its events."""

    command: type[C]
    handler: Handler[C]
    touches: Callable[[C, Identity], Touches] = lambda _command, _identity: Touches()
    completed_by: LookUp[C] | None = None
    """Called for each decision, before streams are loaded."""
    inline: InlineProjection[C] | None = None
    """Not called for a command that led to no event."""
    answer: Callable[[Any, Work], Any] = lambda value, _work: value
    """Turns the handler's result into the answer, after the policies have run: for an answer that
    shows what they changed."""


class People(Protocol):
    """Identifies the people of visitors' streams, when the ids of the streams do not."""

    def person(self, staged: Iterable[RecordedEvent], visitor: Aggregate) -> UUID | None:
        """As `FindPerson`; `staged` are events that are not in history yet.

        Raises `PersonNotKnown`."""

    async def look_up(
        self, connection: AsyncConnection[Any], visitors: Collection[Aggregate]
    ) -> None:
        """Look up these visitors for `person`."""


class Application(msgspec.Struct, frozen=True):
    """The business part of a decider."""

    commands: Mapping[type[Any], CommandType[Any]]
    """Every type of command, and how it is decided."""
    people: Callable[[InstallationKeys], People]
    policies: Sequence[Callable[[Work], None]] = ()
    """What follows from a command's events, whichever command it is: called after each handler."""

    def decide(self, command: Any, work: Work) -> Any:
        """The answer to the command; all events are in `work`. Raises its refusal."""
        row = self.commands[type(command)]
        value = row.handler(command, work)
        for policy in self.policies:
            policy(work)
        return row.answer(value, work)
