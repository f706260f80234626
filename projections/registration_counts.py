"""The `registrations` table: how many there were in each hour, for each event and for all.

An erased person's registration counts on, and so does one for an event that was removed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, cast
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.core.aggregate import RecordedEvent
from domain.privacy.keys import InstallationKeys
from domain.visitors import Registered
from projections.lists.dates import DateCount, Span
from projections.projector.projection import Projection

ALL_EVENTS = UUID(int=0)
"""Stands in `event_id` for all of them together."""

ALL_BY_DAY = UUID(int=1)
"""The same, with a row for each day only: there are too many hours to add up in years of them."""

TABLE = """
CREATE TABLE IF NOT EXISTS registrations (
    event_id uuid NOT NULL,
    hour     timestamptz NOT NULL,
    count    int NOT NULL,
    PRIMARY KEY (event_id, hour)
) WITH (fillfactor = 50); -- the present hour's rows change with every batch, in place
"""

HOUR = 3600
"""Seconds."""

Unit = Literal["hour", "day", "week"]

LENGTHS: dict[Unit, timedelta] = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
}

LONGEST_IN: dict[Unit, timedelta] = {"hour": timedelta(days=3), "day": timedelta(days=180)}
"""What is told by the hour, and by the day; what took longer is told by the week."""


FEWEST = 12
"""Hours, days or weeks that are told of, however few had any."""


class Series(msgspec.Struct, frozen=True):
    """Counts of consecutive hours, days or weeks (from Monday) in UTC, those with none as well."""

    unit: Unit
    counts: list[DateCount]


async def total(connection: AsyncConnection[Any], event_id: UUID = ALL_EVENTS) -> int:
    cursor = await connection.execute(
        "SELECT coalesce(sum(count), 0) FROM registrations WHERE event_id = %s",
        [_rows_of(event_id, "day")],
    )
    row = await cursor.fetchone()
    return int(row[0]) if row else 0


async def from_first_to_last(
    connection: AsyncConnection[Any], event_id: UUID = ALL_EVENTS
) -> Series | None:
    """All there were, in the unit that suits the time they took, and some time before them if they
    took little; None without any."""
    cursor = await connection.execute(
        "SELECT min(hour), max(hour) FROM registrations WHERE event_id = %s", [event_id]
    )
    first, last = cast("tuple[datetime | None, datetime | None]", await cursor.fetchone())
    if first is None or last is None:
        return None
    unit: Unit = next((u for u in LONGEST_IN if last - first < LONGEST_IN[u]), "week")
    first = min(first, last - (FEWEST - 1) * LENGTHS[unit])
    return await over_time(connection, unit, first, last, event_id)


async def over_time(
    connection: AsyncConnection[Any],
    unit: Unit,
    first: datetime,
    last: datetime,
    event_id: UUID = ALL_EVENTS,
) -> Series:
    """From the unit that `first` is in to the one that `last` is in."""
    begin, length = _begin_of(unit, first), LENGTHS[unit]
    end = _begin_of(unit, last) + length
    cursor = await connection.execute(
        """
        SELECT date_trunc(%(unit)s, hour, 'UTC') AS begin, sum(count)::bigint
        FROM registrations
        WHERE event_id = %(event_id)s AND hour >= %(begin)s AND hour < %(end)s
        GROUP BY begin
        """,
        {"unit": unit, "event_id": _rows_of(event_id, unit), "begin": begin, "end": end},
    )
    counted: dict[datetime, int] = dict(await cursor.fetchall())
    begins = [begin + n * length for n in range((end - begin) // length)]
    return Series(unit, [DateCount(begin, counted.get(begin, 0)) for begin in begins])


async def count_by_date(
    connection: AsyncConnection[Any], span: Span | None = None
) -> Sequence[DateCount]:
    """How many there were in each year, or in each part of the span."""
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
            "event_id": ALL_BY_DAY,
            "begin": span and span.begin,
            "end": span and span.end,
        },
    )
    return [DateCount(begin.astimezone(UTC), count) for begin, count in await cursor.fetchall()]


async def apply(
    connection: AsyncConnection[Any], events: Sequence[RecordedEvent], _keys: InstallationKeys
) -> bool:
    counts = Counter((_event_id(e), int(e.metadata.timestamp.timestamp()) // HOUR) for e in events)
    for (_, hour), count in list(counts.items()):
        counts[ALL_EVENTS, hour] += count
        counts[ALL_BY_DAY, hour - hour % 24] += count
    await connection.execute(
        """
        INSERT INTO registrations AS r (event_id, hour, count)
        SELECT event_id, to_timestamp(hour * %b), count
        FROM unnest(%b::uuid[], %b::bigint[], %b::int[]) AS counted (event_id, hour, count)
        ON CONFLICT (event_id, hour) DO UPDATE SET count = r.count + EXCLUDED.count
        """,
        [
            HOUR,
            [event_id for event_id, _ in counts],
            [hour for _, hour in counts],
            list(counts.values()),
        ],
    )
    return True


def _rows_of(event_id: UUID, unit: Unit) -> UUID:
    """Where the fewest rows are that tell it by this unit."""
    return ALL_BY_DAY if event_id == ALL_EVENTS and unit != "hour" else event_id


def _event_id(recorded: RecordedEvent) -> UUID:
    return cast("Registered", recorded.event).event_id


def _begin_of(unit: Unit, moment: datetime) -> datetime:
    hour = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if unit == "hour":
        return hour
    return hour.replace(hour=0) - timedelta(days=hour.weekday() if unit == "week" else 0)


REGISTRATIONS = Projection(
    name="registrations",
    schema_version=1,
    table=TABLE,
    handles=frozenset({Registered}),
    apply=apply,
)
