"""Recounting: what history says of all seats and waiting lines, compared with the tables.

`event_seats` and `event_queue` follow from history, and each append keeps them up to date. Only a
change made by hand, or a fault, can make them differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, LiteralString, get_args
from uuid import UUID

import msgspec
from psycopg import Connection
from psycopg.rows import class_row

from domain.core.aggregate import EVENT_TYPES, DomainEvent
from domain.history.store import LOCK_HISTORY
from domain.visitors import Visitor, VisitorStatus


class SeatDifference(msgspec.Struct, frozen=True, kw_only=True):
    """An event whose tables differ from history."""

    event_id: UUID
    taken: int
    """As in the tables, like `waiting`."""
    taken_in_history: int
    waiting: int
    waiting_in_history: int
    misplaced: int
    """Places in line that only the tables have, or only history."""

    def __str__(self) -> str:
        said = [
            f"{kept} {what} instead of {right}"
            for what, kept, right in (
                ("taken", self.taken, self.taken_in_history),
                ("waiting", self.waiting, self.waiting_in_history),
            )
            if kept != right
        ]
        if self.misplaced:
            said.append(f"{self.misplaced} wrong places in line")
        return f"event {self.event_id}: {', '.join(said)}"


def differences(connection: Connection[Any]) -> list[SeatDifference]:
    """The events whose seats or line differ from history, in one snapshot of the database.

    Raises `psycopg.DataError` when history has an event that cannot be read.
    """
    with connection.cursor(row_factory=class_row(SeatDifference)) as cursor:
        return cursor.execute(_DIFFERENCES, _topics()).fetchall()


def recount(connection: Connection[Any]) -> list[SeatDifference]:
    """Make the tables as history says; returns what differed. Nothing is appended meanwhile.

    Raises as `differences`."""
    with connection.transaction():
        connection.execute(LOCK_HISTORY)
        if found := differences(connection):
            connection.execute("DELETE FROM event_queue")
            connection.execute("DELETE FROM event_seats")
            connection.execute(_FILL, _topics())
    return found


_HISTORY: LiteralString = """
    WITH RECURSIVE step AS MATERIALIZED (
        SELECT originator_id AS visitor_id, originator_version AS version,
               notification_id AS position, topic = ANY(%(waiting)s) AS waits,
               CASE WHEN topic <> ALL(%(none)s) THEN
                   (convert_from(state, 'UTF8')::json #>> '{data,event_id}')::uuid
               END AS event_id,
               CASE WHEN topic = ANY(%(waiting)s) THEN
                   (convert_from(state, 'UTF8')::json #>> '{data,moved_from}')::uuid
               END AS moved_from
        FROM history_events
        WHERE topic = ANY(%(taken)s::text[] || %(waiting)s::text[] || %(none)s::text[])
    ), last AS (
        SELECT DISTINCT ON (visitor_id) * FROM step ORDER BY visitor_id, version DESC
    ), holder AS MATERIALIZED (
        SELECT * FROM last WHERE event_id IS NOT NULL
    ), seats AS (
        SELECT event_id, count(*) FILTER (WHERE NOT waits)::int AS taken,
               count(*) FILTER (WHERE waits)::int AS waiting
        FROM holder GROUP BY event_id
    ), place AS (
        SELECT event_id, visitor_id, position, moved_from FROM holder WHERE waits
        UNION ALL
        SELECT place.event_id, place.visitor_id, former.position, former.moved_from
        FROM place CROSS JOIN LATERAL (
            SELECT e.notification_id AS position,
                   (convert_from(e.state, 'UTF8')::json #>> '{data,moved_from}')::uuid AS moved_from
            FROM history_events e
            WHERE e.originator_id = place.moved_from AND e.topic = ANY(%(waiting)s)
              AND e.notification_id < place.position
            ORDER BY e.originator_version DESC LIMIT 1
        ) AS former
    ), queue AS (
        SELECT event_id, min(position) AS position, visitor_id FROM place
        GROUP BY event_id, visitor_id
    )
"""
"""The seats and the line of each event: the last event of a visitor's stream that gives or takes a
seat decides. The place in line is the position at which the visitor joined, or that of the visitor
whose place was taken over."""

_DIFFERENCES = (
    _HISTORY  # noqa: S608  all of it is constant
    + """
    , misplaced AS (
        SELECT event_id, count(*)::int AS count
        FROM (
            (TABLE queue EXCEPT SELECT event_id, position, visitor_id FROM event_queue)
            UNION ALL
            (SELECT event_id, position, visitor_id FROM event_queue EXCEPT TABLE queue)
        ) AS only_one_has
        GROUP BY event_id
    )
    SELECT event_id,
           coalesce(kept.taken, 0) AS taken, coalesce(seats.taken, 0) AS taken_in_history,
           coalesce(kept.waiting, 0) AS waiting, coalesce(seats.waiting, 0) AS waiting_in_history,
           coalesce(misplaced.count, 0) AS misplaced
    FROM seats
    FULL JOIN event_seats AS kept USING (event_id)
    FULL JOIN misplaced USING (event_id)
    WHERE coalesce(kept.taken, 0) <> coalesce(seats.taken, 0)
       OR coalesce(kept.waiting, 0) <> coalesce(seats.waiting, 0)
       OR misplaced.count > 0
    ORDER BY event_id
    """
)

_FILL = (
    _HISTORY
    + """
    , queued AS (
        INSERT INTO event_queue (event_id, position, visitor_id) TABLE queue
    )
    INSERT INTO event_seats (event_id, taken, waiting) TABLE seats
    """
)


@cache
def _topics() -> Mapping[str, list[str]]:
    """Topics of the events after which a visitor has a seat, waits for one, or neither. The state
    before the event does not matter."""
    topics: dict[str, list[str]] = {"taken": [], "waiting": [], "none": []}
    for topic, kind in EVENT_TYPES.items():
        if kind.aggregate_class is Visitor:
            changes = [(before, _after(kind, before)) for before in _ONE_OF_EACH_STATUS]
            seats = {after.seat for _, after in changes}
            if len(seats) == 1:
                topics[seats.pop() or "none"].append(topic)
            elif any(before.seat != after.seat for before, after in changes):
                raise TypeError(f"the seat after {topic} depends on the one before")
    return topics


_ONE_OF_EACH_STATUS = [Visitor(id=UUID(int=0), status=s) for s in get_args(VisitorStatus)]


def _after(kind: type[DomainEvent[Visitor]], visitor: Visitor) -> Visitor:
    """The fields of the event have no influence on the seat."""
    required = [field.name for field in msgspec.structs.fields(kind) if field.required]
    return visitor.after(kind(**dict.fromkeys(required)))
