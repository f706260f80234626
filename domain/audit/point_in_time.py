"""An aggregate at a moment of history, and its changes between two moments.

It is always replayed from the events of the stream, because a snapshot proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.audit.entry import LoggedEvent
from domain.audit.log import Criteria, first_after, read_page
from domain.audit.replay import Unreadable, fields_of, replayed
from domain.core.aggregate import Aggregate
from domain.core.times import parse_moment
from domain.core.values import Invalid

Moment = int | datetime
"""A position in history, or a time; both are inclusive."""

LAST_POSITION = 2**63 - 1

Replay = Callable[[UUID, int], Awaitable[Aggregate]]
"""Takes an id and a version, and returns the aggregate. Raises `Unreadable`."""

MAX_EVENTS = 1_000
"""Events in a difference; the log shows all of them."""


class AggregateState(msgspec.Struct, frozen=True, kw_only=True):
    """An aggregate after all its events up to a moment."""

    id: UUID
    type: str
    version: int
    state: dict[str, Any] | None
    """None when one of the events is unreadable."""
    last_event: LoggedEvent
    unreadable: str | None = None
    """Why there is no state: the first unreadable event."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    field: str
    """Path of field names, separated by dots."""
    old: Any
    """None also when the field did not exist."""
    new: Any


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    type: str
    from_version: int
    """0 before the aggregate's first event."""
    to_version: int
    changes: list[Change]
    events: list[LoggedEvent]
    """The first `MAX_EVENTS` events between the moments."""
    unreadable: str | None = None
    """Why the changes are unknown; None when they are known."""


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
        raise Invalid(f"is not a position in history, and as a time it {error}") from None


def parse_time(raw: str) -> datetime:
    """As `parse_moment`, but seconds may be left out. Raises `Invalid`."""
    return parse_moment(_NO_SECONDS.sub(r"\1:00\2", raw.strip()))


_DIGITS = re.compile(r"\d+", re.ASCII)
_NO_SECONDS = re.compile(r"^(.{10}[T ]\d\d:\d\d)(Z|[+-]\d\d:\d\d)$", re.ASCII)


async def state_as_of(
    connection: AsyncConnection[Any],
    id: UUID,
    moment: Moment = LAST_POSITION,
    *,
    replay: Replay | None = None,
) -> AggregateState | None:
    """The state of the aggregate; None when it had no events at that moment."""
    last_event = await _last_event(connection, id, moment)
    if last_event is None:
        return None
    version, state, unreadable = last_event.aggregate_version, None, None
    try:
        state = fields_of(await (replay or partial(replayed, connection))(id, version))
    except Unreadable as error:
        unreadable = str(error)
    return AggregateState(
        id=id,
        type=last_event.aggregate_type,
        version=version,
        state=state,
        last_event=last_event,
        unreadable=unreadable,
    )


async def difference(
    connection: AsyncConnection[Any],
    id: UUID,
    start: Moment = 0,
    end: Moment = LAST_POSITION,
    *,
    replay: Replay | None = None,
) -> Difference | None:
    """Changes after `start`, up to `end`; None when the aggregate had no events at `end`.

    Raises `Invalid` when `start` is later than `end`.
    """
    new = await state_as_of(connection, id, end, replay=replay)
    if new is None:
        return None
    old = await state_as_of(connection, id, start, replay=replay)
    if old and old.version > new.version:
        raise Invalid("must not be later than the end")
    page = await read_page(
        connection,
        Criteria(aggregate_id=id),
        after=old.last_event.position if old else 0,
        up_to=new.last_event.position,
        limit=MAX_EVENTS,
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


async def _last_event(
    connection: AsyncConnection[Any], id: UUID, moment: Moment
) -> LoggedEvent | None:
    """The aggregate's last event at the moment. If times are not in order, because clocks differ,
    the event before the first one with a later time."""
    if isinstance(moment, datetime):
        later = await first_after(connection, id, moment)
        moment = LAST_POSITION if later is None else later - 1
    page = await read_page(
        connection, Criteria(aggregate_id=id), up_to=moment, limit=1, newest_first=True
    )
    return page.events[0] if page.events else None


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], within: str = "") -> Iterator[Change]:
    for name in dict.fromkeys([*old, *new]):
        before, now = old.get(name), new.get(name)
        if isinstance(now, dict):
            yield from _changes(before or {}, now, f"{within}{name}.")
        elif before != now:
            yield Change(field=f"{within}{name}", old=before, new=now)
