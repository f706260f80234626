"""What a command is to the event store: one row of the table in `domain.application`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
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
    """The streams that a handler will ask for first, so that a batch loads them with one query.
    A stream that is missing here costs one more round trip, never a wrong decision."""

    existing: Sequence[UUID] = ()
    begun: Sequence[UUID] = ()
    """Streams that the command means to begin: they are taken to be empty."""


InlineProjection = Callable[[AsyncConnection[Any], C, Sequence[RecordedEvent]], Awaitable[object]]
"""Writes rows in the transaction of the append: given the command and the events it led to."""


class CommandType(msgspec.Struct, Generic[C], frozen=True):
    """How one type of command is decided."""

    command: type[C]
    handler: Handler[C]
    touches: Callable[[C, Identity], Touches] = lambda _command, _identity: Touches()
    inline: InlineProjection[C] | None = None
    """None when no rows have to be written together with the events."""


class People(Protocol):
    """Whose the streams of visitors are, where their ids do not say it."""

    def person(self, staged: Sequence[RecordedEvent], visitor: Aggregate) -> UUID | None:
        """As `FindPerson`; `staged` are events that are not in history yet.

        Raises `PersonNotKnown`."""

    async def look_up(
        self, connection: AsyncConnection[Any], visitors: Collection[Aggregate]
    ) -> None:
        """Have `person` know these visitors."""


class Application(msgspec.Struct, frozen=True):
    """What a decider needs to know of the business."""

    commands: Mapping[type[Any], CommandType[Any]]
    """Every type of command, and how it is decided."""
    people: Callable[[InstallationKeys], People]
