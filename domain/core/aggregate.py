"""What an aggregate, a domain event and a recorded event are.

Aggregates are immutable: an event applied to one gives the next. That is the library's protocol
for immutable aggregates (`eventsourcing.domain.ImmutableAggregateProtocol`), and it is why a
command that fails half-way leaves nothing behind (docs/decisions/0001-immutable-aggregates.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, ClassVar, Generic, Self, TypeVar, get_args
from uuid import UUID

import msgspec


class Aggregate(msgspec.Struct, frozen=True, kw_only=True):
    """The state that one stream of events adds up to; version 0 is a stream without events."""

    id: UUID
    version: int = 0

    def after(self, event: DomainEvent[Self]) -> Self:
        """This aggregate as the event leaves it, one version on."""
        return msgspec.structs.replace(event.apply(self), version=self.version + 1)


A = TypeVar("A", bound=Aggregate)

Expected = int | frozenset[int] | None
"""The version that an aggregate must have for a command, or some of which it must have one; None
for whichever it has."""


class DomainEvent(msgspec.Struct, Generic[A], frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened to one aggregate, in the past tense. Stored for ever."""

    topic: ClassVar[str]
    phrase: ClassVar[str]
    schema_version: ClassVar[int]
    written_as: ClassVar[int]
    personal_field: ClassVar[str | None]
    secret_fields: ClassVar[frozenset[str]]
    aggregate_class: ClassVar[type[Aggregate]]

    def apply(self, aggregate: A) -> A:
        """The aggregate as this event leaves it (its version is kept by `Aggregate.after`)."""
        return aggregate

    @classmethod
    def upcasters(cls) -> tuple[Callable[[dict[str, Any]], dict[str, Any]], ...]:
        """One step from each older schema version to the next: item 0 leads from 1 to 2."""
        return ()


def new_fields_have_their_defaults(data: dict[str, Any]) -> dict[str, Any]:
    """The upcaster to a version that only adds fields."""
    return data


class Metadata(msgspec.Struct, frozen=True, kw_only=True):
    """Who and what led to an event; the same for all events of one command."""

    timestamp: datetime
    actor: str
    """An account's id, or `system:<role>`; `anonymous` for the open calls."""
    correlation_id: str
    causation_id: int | None = None
    """Position of the event that caused this one, when an event did."""


class RecordedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A domain event with its place in history (`position` is 0 until it is appended).

    Has the attributes of `eventsourcing.domain.DomainEventProtocol`, and its `mutate`.
    """

    originator_id: UUID
    originator_version: int
    event: DomainEvent[Any]
    metadata: Metadata
    position: int = 0
    sealed: bytes | None = None
    """The event's personal data as history holds it, encrypted; `event` itself lacks it then."""

    def mutate(self, aggregate: Aggregate | None) -> Aggregate:
        """The aggregate as this event leaves it. Give None before its first event.

        Raises TypeError for an aggregate of another kind.
        """
        kind = self.event.aggregate_class
        if aggregate is None:
            aggregate = kind(id=self.originator_id)
        elif not isinstance(aggregate, kind):
            raise TypeError(f"it is of a {kind.__name__}, in the stream of another aggregate")
        return aggregate.after(self.event)


class Foreign(DomainEvent[Aggregate], frozen=True, kw_only=True):
    """An event of an application that somebody else wrote, in the same history.

    Its topic has the `eventsourcing` library's form, `module:Class`. None of our aggregates and
    projections handles it.
    """

    aggregate_class: ClassVar[type[Aggregate]] = Aggregate


E_ = TypeVar("E_", bound=type[DomainEvent[Any]])

EVENT_TYPES: dict[str, type[DomainEvent[Any]]] = {}
"""Topic as stored in history -> event class."""


def is_foreign(topic: str) -> bool:
    """Whether it is the topic of an event that another application recorded."""
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
    """Name an event class in history. The topic is for ever; the version grows with its fields.

    `phrase` is what people read in history after the name of the account that did it: "renamed the
    area".

    `written_as` is an older version, for a release that reads the present one already, and has
    neighbours that do not: all that has come since is fields with defaults, which it leaves alone.

    `personal` names the field that history holds encrypted, under a key of its own.

    `secret` names fields that prove something to whoever knows them: no reader of history is shown
    them.
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
