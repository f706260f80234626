"""The type of a projection: a table, and how the events of history change its rows."""

from __future__ import annotations

from collections.abc import (
    Awaitable,
    Callable,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import Any, LiteralString, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL, Composed, Identifier

from domain.core.aggregate import EVENT_TYPES, Aggregate, DomainEvent, RecordedEvent
from domain.privacy.keys import InstallationKeys

A = TypeVar("A", bound=Aggregate)
T = TypeVar("T")
EventClass = type[DomainEvent[Any]]
Apply = Callable[[AsyncConnection[Any], Sequence[RecordedEvent], InstallationKeys], Awaitable[bool]]


class Rows(NamedTuple):
    """What a segment of history adds to empty tables."""

    rows: Mapping[str, Sequence[tuple[object, ...]]]
    """By table."""
    left_over: Sequence[RecordedEvent]
    """Events that change rows which another segment may have created. They are passed to `apply`
    later, in the order of history, when all rows are there."""


class BulkTable(msgspec.Struct, frozen=True):
    """A table that rows are copied into: the cheapest way to add many."""

    name: LiteralString
    columns: tuple[tuple[LiteralString, str], ...]
    """Name and PostgreSQL type of each value of a row."""

    @property
    def copy_statement(self) -> Composed:
        return SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
            Identifier(self.name), SQL(", ").join(Identifier(name) for name, _ in self.columns)
        )

    @property
    def types(self) -> list[str]:
        return [kind for _, kind in self.columns]

    async def copy(
        self, connection: AsyncConnection[Any], rows: Iterable[tuple[object, ...]]
    ) -> None:
        async with connection.cursor() as cursor, cursor.copy(self.copy_statement) as copy:
            copy.set_types(self.types)
            for row in rows:
                await copy.write_row(row)


class Bulk(msgspec.Struct, frozen=True, kw_only=True):
    """A fast way to fill empty tables: segments of history are read in parallel, in any order, and
    their rows are copied. Together with the left-over events, the result is that of `apply`."""

    tables: tuple[BulkTable, ...]
    rows_of: Callable[[Sequence[RecordedEvent], InstallationKeys], Rows]
    """Takes the handled events of a segment, in the order of history."""
    complete: LiteralString | None = None
    """A statement for what depends on rows of several segments. It runs when all rows are there,
    the left-over events included."""


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """A table that follows history, perhaps with others that change together with it. Its name is
    the table's name."""

    name: LiteralString
    companions: tuple[LiteralString, ...] = ()
    """The other tables. A rebuild fills and replaces all of them together. It locks them in this
    order, after the one above."""
    schema_version: int
    """Increases when the table's columns, their meaning or its indexes change; a table with a lower
    version is rebuilt before use."""
    table: LiteralString
    """The statements that create the tables if they are missing. They name no schema: a rebuild
    runs them in a schema of its own."""
    handles: frozenset[EventClass]
    apply: Apply
    """Updates the rows for these events, all of handled classes, in the order of history, each
    passed once; returns whether any row changed. It runs in the transaction that moves the
    projection's position, and handles thousands of events in one or two statements."""
    carry_over: LiteralString | None = None
    """For columns that do not follow from history: statements that copy them at the end of a
    rebuild, from the table `{previous}` to the new one."""
    bulk: Bulk | None = None
    """For tables with very many rows."""
    skipped_in_rebuild: frozenset[EventClass] = frozenset()
    """Handled classes that a rebuild need not read, because `after_rebuild` does their work."""
    after_rebuild: Callable[[AsyncConnection[Any]], Awaitable[None]] | None = None
    """Completes the rows at the end of a rebuild, in the transaction that puts the new table in the
    place of the old one."""

    @property
    def tables(self) -> tuple[LiteralString, ...]:
        return (self.name, *self.companions)


def events_of(*kinds: type[Aggregate]) -> frozenset[EventClass]:
    """All classes of domain events of these aggregates."""
    return frozenset(e for e in EVENT_TYPES.values() if e.aggregate_class in kinds)


def rounds(items: Iterable[T], key: Callable[[T], Hashable]) -> Iterator[list[T]]:
    """Split the items so that each round has at most one for each key, in their order."""
    remaining = list(items)
    while remaining:
        firsts = dict[Hashable, T]()
        remaining = [item for item in remaining if firsts.setdefault(key(item), item) is not item]
        yield list(firsts.values())


def fold_into(rows: dict[UUID, A], kind: type[A], events: Iterable[RecordedEvent]) -> None:
    """Apply the events to the aggregates in `rows`, by id; missing ones start empty."""
    for recorded in events:
        id = recorded.originator_id
        after = recorded.event.apply(rows.get(id) or kind(id=id))
        rows[id] = msgspec.structs.replace(after, version=recorded.originator_version)


PROJECTIONS_TABLE = """
CREATE TABLE IF NOT EXISTS projections (
    name            text PRIMARY KEY,
    schema_version  int NOT NULL,
    position        bigint NOT NULL DEFAULT 0,
    version         bigint NOT NULL DEFAULT 0,
    stopped_at      bigint,
    stopped_because text,
    updated_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
"""
"""A row for each projection: its position, and a `version` that increases when its rows change."""
