"""The `registrations` table: the number of registrations in each hour, per event and in total.

A registration counts when it gets its seat, also after the waiting list; it stays counted when the
visitor leaves, is erased, or the event is removed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Literal, cast
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.core.aggregate import RecordedEvent
from domain.privacy.keys import InstallationKeys
from domain.visitors import Promoted, Registered
from projections.lists.dates import DateCount, Span
from projections.projector.projection import Projection

ALL_EVENTS = UUID(int=0)
"""In the column `event_id`: the total of all events."""

ALL_EVENTS_BY_DAY = UUID(int=1)
"""The same total with one row per day: adding up the hours of several years takes too long."""

TABLE = """
CREATE TABLE IF NOT EXISTS registrations (
    event_id uuid NOT NULL,
    hour     timestamptz NOT NULL,
    count    int NOT NULL,
    PRIMARY KEY (event_id, hour)
) WITH (fillfactor = 50); -- each batch updates the rows of the current hour: room for HOT updates
"""

SECONDS_PER_HOUR = 3600

Unit = Literal["hour", "day", "week"]

UNIT_LENGTHS: dict[Unit, timedelta] = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
}

MAX_DURATIONS: dict[Unit, timedelta] = {"hour": timedelta(days=3), "day": timedelta(days=180)}
"""The longest period that is counted by hour, and by day. Longer ones are counted by week."""

MIN_UNITS = 12
"""Hours, days or weeks in a series at least, also when only some of them have registrations."""


class Series(msgspec.Struct, frozen=True):
    """Counts of consecutive hours, days or weeks (from Monday), including zero counts; when each
    begins is in the time zone of the series."""

    unit: Unit
    counts: list[DateCount]


async def total(connection: AsyncConnection[Any], event_id: UUID = ALL_EVENTS) -> int:
    cursor = await connection.execute(
        "SELECT coalesce(sum(count), 0) FROM registrations WHERE event_id = %s",
        [_series_id(event_id, "day")],
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def complete_series(
    connection: AsyncConnection[Any], event_id: UUID = ALL_EVENTS, *, zone: tzinfo = UTC
) -> Series | None:
    """From the first registration to the last, in the unit that suits this period, and at least
    `MIN_UNITS` long; None without registrations."""
    cursor = await connection.execute(
        "SELECT min(hour), max(hour) FROM registrations WHERE event_id = %s", [event_id]
    )
    first, last = cast("tuple[datetime | None, datetime | None]", await cursor.fetchone())
    if first is None or last is None:
        return None
    unit: Unit = next((u for u in MAX_DURATIONS if last - first < MAX_DURATIONS[u]), "week")
    first = min(first, last - (MIN_UNITS - 1) * UNIT_LENGTHS[unit])
    return await series_between(connection, unit, first, last, event_id, zone=zone)


async def series_between(
    connection: AsyncConnection[Any],
    unit: Unit,
    first: datetime,
    last: datetime,
    event_id: UUID = ALL_EVENTS,
    *,
    zone: tzinfo = UTC,
) -> Series:
    """Counts from the unit that contains `first` to the one that contains `last`, in this time
    zone. The total of all events is only kept by days and weeks of UTC. An hour that belongs to two
    days, in time zones such as India's, counts to the day in which it begins.
    """
    begins = list(_begins(unit, first.astimezone(zone), last.astimezone(zone)))
    cursor = await connection.execute(
        """
        SELECT hour, count FROM registrations
        WHERE event_id = %(event_id)s AND hour >= %(begin)s AND hour < %(end)s
        """,
        {
            "event_id": _series_id(event_id, unit),
            "begin": begins[0],
            "end": _next(unit, begins[-1]),
        },
    )
    counted = Counter[float]()  # by timestamp: the two hours that share a name differ in it
    for hour, count in await cursor.fetchall():
        counted[_begin_of(unit, hour.astimezone(zone)).timestamp()] += count
    return Series(unit, [DateCount(begin, counted[begin.timestamp()]) for begin in begins])


async def count_by_date(
    connection: AsyncConnection[Any], span: Span | None = None
) -> Sequence[DateCount]:
    """Registrations of all events in each year, or in each part (month, day) of the span."""
    cursor = await connection.execute(
        """
        SELECT date_trunc(%(unit)s, hour, 'UTC') AS begin, sum(count)::bigint
        FROM registrations
        WHERE event_id = %(event_id)s AND hour >= coalesce(%(begin)s::timestamptz, '-infinity')
          AND hour < coalesce(%(end)s::timestamptz, 'infinity')
        GROUP BY begin ORDER BY begin
        """,
        {
            "unit": span.parts if span else "year",
            "event_id": ALL_EVENTS_BY_DAY,
            "begin": span and span.begin,
            "end": span and span.end,
        },
    )
    return [DateCount(begin.astimezone(UTC), count) for begin, count in await cursor.fetchall()]


async def apply(
    connection: AsyncConnection[Any],
    domain_events: Sequence[RecordedEvent],
    _keys: InstallationKeys,
) -> bool:
    counts = Counter(
        (event_id, int(e.metadata.timestamp.timestamp()) // SECONDS_PER_HOUR)
        for e in domain_events
        if (event_id := _gets_seat(e.event))
    )
    for (_, hour), count in list(counts.items()):
        counts[ALL_EVENTS, hour] += count
        counts[ALL_EVENTS_BY_DAY, hour - hour % 24] += count
    await connection.execute(
        """
        INSERT INTO registrations AS r (event_id, hour, count)
        SELECT event_id, to_timestamp(hour * %b), count
        FROM unnest(%b::uuid[], %b::bigint[], %b::int[]) AS counted (event_id, hour, count)
        ON CONFLICT (event_id, hour) DO UPDATE SET count = r.count + EXCLUDED.count
        """,
        [
            SECONDS_PER_HOUR,
            [event_id for event_id, _ in counts],
            [hour for _, hour in counts],
            list(counts.values()),
        ],
    )
    return True


def _series_id(event_id: UUID, unit: Unit) -> UUID:
    """The `event_id` with the fewest rows to add up for this unit."""
    return ALL_EVENTS_BY_DAY if event_id == ALL_EVENTS and unit != "hour" else event_id


def _gets_seat(event: object) -> UUID | None:
    """The event; None if the visitor had the seat before and only the email was corrected."""
    if isinstance(event, Promoted) or (isinstance(event, Registered) and event.moved_from is None):
        return event.event_id
    return None


def _begins(unit: Unit, first: datetime, last: datetime) -> Iterator[datetime]:
    """When each unit begins, from the one with `first` to the one with `last`."""
    begin = _begin_of(unit, first)
    while begin.timestamp() <= last.timestamp():
        yield begin
        begin = _next(unit, begin)


def _begin_of(unit: Unit, moment: datetime) -> datetime:
    """In the time zone of the moment."""
    hour = moment.replace(minute=0, second=0, microsecond=0)
    if unit == "hour":
        return hour
    return hour.replace(hour=0, fold=0) - timedelta(days=hour.weekday() if unit == "week" else 0)


def _next(unit: Unit, begin: datetime) -> datetime:
    """When the unit after it begins: days with a change of clocks have 23 or 25 hours."""
    if unit == "hour":
        return (begin.astimezone(UTC) + UNIT_LENGTHS[unit]).astimezone(begin.tzinfo)
    return begin + UNIT_LENGTHS[unit]


REGISTRATIONS = Projection(
    name="registrations",
    schema_version=2,
    table=TABLE,
    handles=frozenset({Registered, Promoted}),
    apply=apply,
)
