"""What an aggregate was at a moment of history, and what changed between two.

It is folded from the stream's events each time: a snapshot would not do as a proof.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL

from domain.audit.entry import COLUMNS, NONSENSE, LoggedEvent, logged
from domain.audit.log import Criteria, read_page
from domain.core.aggregate import Aggregate
from domain.core.times import parse_moment
from domain.core.values import Invalid
from domain.history.codec import UnknownEvent, decode

Moment = int | datetime
"""A position in history, or a time: what had happened by then, that very moment included."""

LAST_POSITION = 2**63 - 1

PORTION = 500
"""Events that are folded at once."""

MOST_EVENTS = 1_000
"""Of a difference; the log has all of them."""


class AggregateState(msgspec.Struct, frozen=True, kw_only=True):
    """An aggregate as its events up to a moment leave it."""

    id: UUID
    type: str
    version: int
    state: dict[str, Any] | None
    """None when one of the events is unreadable."""
    last_event: LoggedEvent
    unreadable: str | None = None
    """Why there is no state, by the first event of which that is so."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    field: str
    """The names on the way to it, with dots between."""
    old: Any
    """None too when there was none."""
    new: Any


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    type: str
    from_version: int
    """0 before the aggregate's first event."""
    to_version: int
    changes: list[Change]
    events: list[LoggedEvent]
    """The first `MOST_EVENTS` of those that happened between."""
    unreadable: str | None = None
    """Why there are no changes to tell, although there may be some."""


def parse_position_or_time(raw: str) -> Moment:
    """A position, or a time as `parse_moment` takes it, whose seconds may be left out.

    Raises `Invalid`.
    """
    text = raw.strip()
    if _DIGITS.fullmatch(text):
        if len(text) > 19 or int(text) > LAST_POSITION:
            raise Invalid("must be a position in history, which has 19 digits at most")
        return int(text)
    try:
        return parse_time(text)
    except Invalid as error:
        raise Invalid(f"is no position in history, and as a time it {error}") from None


def parse_time(raw: str) -> datetime:
    """As `parse_moment`, but seconds may be left out. Raises `Invalid`."""
    return parse_moment(_NO_SECONDS.sub(r"\1:00\2", raw.strip()))


_DIGITS = re.compile(r"\d+", re.ASCII)
_NO_SECONDS = re.compile(r"^(.{10}[T ]\d\d:\d\d)(Z|[+-]\d\d:\d\d)$", re.ASCII)


async def state_as_of(
    connection: AsyncConnection[Any], id: UUID, moment: Moment = LAST_POSITION
) -> AggregateState | None:
    """None when nothing had happened to the aggregate by then."""
    aggregate: Aggregate | None = None
    last_row: tuple[Any, ...] | None = None
    unreadable: str | None = None
    async for row in _rows(connection, id, moment):
        position, _, version, topic, state, _ = row
        if unreadable is None:
            try:
                event = decode(id, version, topic, state).event
                aggregate = require_kind(event.aggregate_class, aggregate, id).after(event)
            except NONSENSE as error:
                unreadable = f"the event at {position}: {error}"
        last_row = row
    if last_row is None:
        return None
    last_event = logged(*last_row)
    return AggregateState(
        id=id,
        type=last_event.aggregate_type,
        version=last_event.aggregate_version,
        state=None if unreadable else fields_of(aggregate),
        last_event=last_event,
        unreadable=unreadable,
    )


async def difference(
    connection: AsyncConnection[Any], id: UUID, start: Moment = 0, end: Moment = LAST_POSITION
) -> Difference | None:
    """What happened after `start`, up to `end`; None when nothing ever had by then.

    Raises `Invalid` when the aggregate had come further by `start` than by `end`.
    """
    new = await state_as_of(connection, id, end)
    if new is None:
        return None
    old = await state_as_of(connection, id, start)
    if old and old.version > new.version:
        raise Invalid("must not be later than the end")
    page = await read_page(
        connection,
        Criteria(aggregate_id=id),
        after=old.last_event.position if old else 0,
        up_to=new.last_event.position,
        limit=MOST_EVENTS,
    )
    unreadable = new.unreadable or (old.unreadable if old else None)
    return Difference(
        id=id,
        type=new.type,
        from_version=old.version if old else 0,
        to_version=new.version,
        changes=[] if unreadable else list(_changes((old and old.state) or {}, new.state or {})),
        events=page.events,
        unreadable=unreadable,
    )


async def _rows(
    connection: AsyncConnection[Any], id: UUID, moment: Moment
) -> AsyncIterator[tuple[Any, ...]]:
    """The stream's rows up to the moment: where clocks differ, those before the first that is
    later."""
    version = 0
    while True:
        cursor = await connection.execute(
            SQL("""
                SELECT {} FROM history_events e
                WHERE e.originator_id = %b AND e.originator_version > %b
                  AND e.notification_id <= %b
                ORDER BY e.originator_version
                LIMIT %b
            """).format(COLUMNS),
            [id, version, moment if isinstance(moment, int) else LAST_POSITION, PORTION],
            binary=True,
        )
        rows = await cursor.fetchall()
        for row in rows:
            if isinstance(moment, datetime) and _is_after(row, moment):
                return
            yield row
        if len(rows) < PORTION:
            return
        version = rows[-1][2]


def _is_after(row: tuple[Any, ...], moment: datetime) -> bool:
    time = logged(*row).time
    return time is not None and time > moment


def require_kind(kind: type[Aggregate], aggregate: Aggregate | None, id: UUID) -> Aggregate:
    """The aggregate, blank when there is none yet. Raises UnknownEvent for one of another kind."""
    if aggregate is None:
        return kind(id=id)
    if type(aggregate) is not kind:
        raise UnknownEvent(f"it is of a {kind.__name__}, in the stream of another aggregate")
    return aggregate


def fields_of(aggregate: Aggregate | None) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(aggregate)
    return {name: value for name, value in fields.items() if name not in {"id", "version"}}


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], within: str = "") -> Iterator[Change]:
    for name in dict.fromkeys([*old, *new]):
        before, now = old.get(name), new.get(name)
        if isinstance(now, dict):
            yield from _changes(before or {}, now, f"{within}{name}.")
        elif before != now:
            yield Change(field=f"{within}{name}", old=before, new=now)
