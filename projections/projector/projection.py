"""What a projection is: a table, and what the events of history do to its rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, LiteralString, NamedTuple, TypeVar
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.core.aggregate import EVENT_TYPES, Aggregate, DomainEvent, RecordedEvent
from domain.privacy.keys import InstallationKeys

A = TypeVar("A", bound=Aggregate)
EventClass = type[DomainEvent[Any]]
Apply = Callable[[AsyncConnection[Any], Sequence[RecordedEvent], InstallationKeys], Awaitable[bool]]


class Rows(NamedTuple):
    """What a stretch of history comes to in an empty table."""

    rows: Sequence[tuple[object, ...]]
    left_over: Sequence[RecordedEvent]
    """What changes rows that another stretch may have begun: `apply` is given it later, in the
    order of history, when all rows are there."""


class Bulk(msgspec.Struct, frozen=True, kw_only=True):
    """A quick way to fill an empty table: stretches of history are taken beside each other, in
    any order, and their rows copied. With what is left over it comes to what `apply` does."""

    columns: tuple[tuple[LiteralString, str], ...]
    """Name and PostgreSQL's type of each of a row's values."""
    rows_of: Callable[[Sequence[RecordedEvent], InstallationKeys], Rows]
    """Given handled events, in the order of history."""


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """A table that follows history. Its name is the table's name."""

    name: LiteralString
    schema_version: int
    """Grows with the table's columns, their meaning or the indexes; an older table is rebuilt
    before use."""
    table: LiteralString
    """The statements that create the table where it is missing. They name no schema: a rebuild
    runs them in one of its own."""
    handles: frozenset[EventClass]
    apply: Apply
    """Brings the rows up to date with these events, all of them handled ones, in the order of
    history and each given once; says whether any row changed. Runs in the transaction that moves
    the projection's position, and takes thousands of events with a statement or two."""
    carry_over: LiteralString | None = None
    """For columns that do not follow from history: copies them at the end of a rebuild, from
    the table `{previous}` to the one that takes its place."""
    bulk: Bulk | None = None
    """For a table of very many rows."""


def events_of(*kinds: type[Aggregate]) -> frozenset[EventClass]:
    """All that can happen to aggregates of these kinds."""
    return frozenset(e for e in EVENT_TYPES.values() if e.aggregate_class in kinds)


def fold_into(rows: dict[UUID, A], kind: type[A], events: Iterable[RecordedEvent]) -> None:
    """Bring aggregates, by id, to where the events leave them; missing ones begin blank."""
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
"""Where each projection is: a row for each. `version` moves when its rows change."""
