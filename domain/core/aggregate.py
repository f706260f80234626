"""Base classes: aggregate, domain event, recorded event.

Aggregates are immutable: applying an event returns a new one. This is the protocol of the library
for immutable aggregates (`eventsourcing.domain.ImmutableAggregateProtocol`), and so a command that
fails half-way changes nothing (docs/decisions/0001-immutable-aggregates.md).

Nor can immutable events be in a reference cycle: the garbage collector does not search them
(`gc=False`), which matters to those who read many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, ClassVar, Generic, Self, TypeVar, get_args
from uuid import UUID

import msgspec


class Aggregate(msgspec.Struct, frozen=True, kw_only=True):
    """The state after the events of one stream; version 0 means a stream without events."""

    id: UUID
    version: int = 0

    def after(self, event: DomainEvent[Self]) -> Self:
        """This aggregate after the event, with the next version."""
        return msgspec.structs.replace(event.apply(self), version=self.version + 1)


A = TypeVar("A", bound=Aggregate)

Expected = int | frozenset[int] | None
"""The version, or several versions, that a command expects of an aggregate; None for any
version."""


class DomainEvent(
    msgspec.Struct, Generic[A], frozen=True, kw_only=True, omit_defaults=True, gc=False
):
    """A domain event of one aggregate, named in the past tense. Stored forever."""

    topic: ClassVar[str]
    phrase: ClassVar[str]
    schema_version: ClassVar[int]
    written_as: ClassVar[int]
    personal_field: ClassVar[str | None]
    secret_fields: ClassVar[frozenset[str]]
    aggregate_class: ClassVar[type[Aggregate]]

    def apply(self, aggregate: A) -> A:
        """The aggregate after this event (`Aggregate.after` sets the version)."""
        return aggregate

    @classmethod
    def upcasters(cls) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], ...]:
        """One step from each older schema version to the next: item 0 leads from 1 to 2."""
        return ()


def new_fields_have_their_defaults(data: dict[str, Any]) -> dict[str, Any]:
    """The upcaster to a version that only adds fields."""
    return data


class Metadata(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The actor and the cause of an event; the same for all events of one command."""

    timestamp: datetime
    actor: str
    """Id of an account, `system:<role>`, or `anonymous` for public calls."""
    correlation_id: str
    causation_id: int | None = None
    """Position of the event that caused this one; None without one."""


class RecordedEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A domain event with its position in history (0 until it is appended).

    Implements `eventsourcing.domain.DomainEventProtocol`, and `mutate` of the library.
    """

    originator_id: UUID
    originator_version: int
    event: DomainEvent[Any]
    metadata: Metadata
    position: int = 0
    sealed: bytes | None = None
    """The encrypted personal data of the event; then `event` does not contain it."""

    def mutate(self, aggregate: Aggregate | None) -> Aggregate:
        """The aggregate after this event. Pass None before its first event.

        Raises TypeError for an aggregate of another kind.
        """
        kind = self.event.aggregate_class
        if aggregate is None:
            aggregate = kind(id=self.originator_id)
        elif not isinstance(aggregate, kind):
            raise TypeError(f"it is of a {kind.__name__}, in the stream of another aggregate")
        return aggregate.after(self.event)


class Foreign(DomainEvent[Aggregate], frozen=True, kw_only=True):
    """An event of another application in the same history.

    Its topic has the form of the `eventsourcing` library, `module:Class`. No aggregate and no
    projection of Events-Face handles it.
    """

    aggregate_class: ClassVar[type[Aggregate]] = Aggregate


E_ = TypeVar("E_", bound=type[DomainEvent[Any]])

EVENT_TYPES: dict[str, type[DomainEvent[Any]]] = {}
"""Topic as stored in history -> event class."""


def is_foreign(topic: str) -> bool:
    """Whether this is the topic of another application's event."""
    return ":" in topic


def stored_as(
    topic: str,
    *,
    phrase: str,
    version: int = 1,
    written_as: int | None = None,
    personal: str | None = None,
    secret: Iterable[str] = (),
) -> Callable[[E_], E_]:
    """Register an event class for history. The topic never changes; the version increases with
    changes of the fields.

    `phrase` is shown to readers of history after the name of the account: "renamed the area".

    `written_as` is an older version, for a release that can already read the present version, but
    runs beside releases that cannot. It is possible while the newer fields have defaults.

    `personal` names the field that is stored encrypted, with a key of its own.

    `secret` names fields that readers of history must not see, such as confirmation codes.
    """

    def register(event_class: E_) -> E_:
        if is_foreign(topic):
            raise ValueError(f"{topic!r} has the form of another application's topic")
        if topic in EVENT_TYPES:
            raise ValueError(f"two event classes are stored as {topic!r}")
        event_class.topic = topic
        event_class.phrase = phrase
        event_class.schema_version = version
        event_class.written_as = written_as or version
        event_class.personal_field = personal
        event_class.secret_fields = frozenset(secret)
        (event_class.aggregate_class,) = get_args(event_class.__orig_bases__[0])  # type: ignore[attr-defined]
        EVENT_TYPES[topic] = event_class
        return event_class

    return register
