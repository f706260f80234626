"""The audit log: pages of history, in order, filtered by criteria."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, LiteralString
from uuid import UUID

import msgspec
from psycopg import AsyncConnection
from psycopg.sql import SQL, Composable

from domain.audit.disclosures import RecordDisclosure
from domain.audit.entry import COLUMNS, HAS_KEY, LoggedEvent, can_be_opened, log_entry
from domain.core.aggregate import EVENT_TYPES
from domain.history.codec import to_json
from domain.history.store import last_position

MAX_SCANNED = 100_000
"""Positions scanned for one page: there is no index on actors, types or times, because it would
make every append slower (docs/decisions/0014-audit-log-scans-history.md)."""

TIME = SQL("split_part(encode(substring(e.state FROM 15 FOR 27), 'escape'), 'Z', 1) COLLATE \"C\"")
"""The time of an event, of history_events as `e`, from where `domain.history.codec.State` has it;
other bytes there cause no error. As text, and without its Z, an earlier time sorts first."""


class Criteria(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Conditions on events; None matches all."""

    aggregate_id: UUID | None = None
    by_people: bool = False
    """Without what Events-Face does by itself: events of the actors `system:<role>`, and those that
    keep records beside the event of somebody's act (`BOOKKEEPING`)."""
    type: str | None = None
    """A topic, such as `Event.Closed`, or a type of aggregate, such as `Event`."""
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Before this time. Each event has the time of the host that wrote it, so times may not be in
    the order of positions."""


OPERATOR = "system:cli"
"""The actor of people at the command line."""

BOOKKEEPING = (
    "Area.EventAdded",
    "Area.EventRemoved",
    "AreaName.Claimed",
    "AreaName.Released",
    "Scan.Recorded",
    "Scan.Undone",
)


class Page(msgspec.Struct, frozen=True):
    events: list[LoggedEvent]
    next_after: int | None
    """Start of the next page; None at the end of history. A page may be short, or empty, before the
    end: the scan stops after `MAX_SCANNED` positions."""


class Sealed(msgspec.Struct, frozen=True):
    """Events whose personal data can be decrypted: their number, and first and last position."""

    count: int
    first_position: int | None
    last_position: int | None

    def disclosure(self, criteria: Criteria) -> RecordDisclosure | None:
        """The command to execute before they are decrypted; None when there are no such events."""
        if self.first_position is None or self.last_position is None:
            return None
        return RecordDisclosure(
            criteria=msgspec.to_builtins(criteria),
            first_position=self.first_position,
            last_position=self.last_position,
            count=self.count,
        )


def sealed_among(events: Sequence[LoggedEvent]) -> Sealed:
    positions = [event.position for event in events if can_be_opened(event)]
    return Sealed(len(positions), min(positions, default=None), max(positions, default=None))


async def read_page(
    connection: AsyncConnection[Any],
    criteria: Criteria,
    *,
    limit: int,
    after: int | None = None,
    up_to: int | None = None,
    newest_first: bool = False,
    scan: int | None = None,
) -> Page:
    """The next events after the position `after`, up to `up_to`, in the requested order.

    `scan` is the number of positions to scan, by default `MAX_SCANNED`.
    """
    end = await last_position(connection) if up_to is None else up_to
    # The events of one aggregate are found by an index.
    at_most = end if criteria.aggregate_id else scan or MAX_SCANNED
    if newest_first:
        highest = end if after is None else min(end, after - 1)
        above = max(highest - at_most, 0)
        seen_to = above + 1 if above else None
    else:
        above = after or 0
        highest = min(above + at_most, end)
        seen_to = highest if highest < end else None
    cursor = await connection.execute(
        SQL("""
            SELECT {columns} FROM history_events e
            WHERE e.notification_id > %(above)b AND e.notification_id <= %(highest)b
              AND {fulfilled}
            ORDER BY {order} {direction}
            LIMIT %(rows)b
        """).format(
            columns=COLUMNS,
            fulfilled=_fulfilled(criteria),
            order=SQL("e.originator_version" if criteria.aggregate_id else "e.notification_id"),
            direction=SQL("DESC" if newest_first else "ASC"),
        ),
        {"above": above, "highest": highest, "rows": limit + 1, **_parameters(criteria)},
        binary=True,
    )
    rows = await cursor.fetchall()
    events = [log_entry(*row) for row in rows[:limit]]
    return Page(events, events[-1].position if len(rows) > limit else seen_to)


async def first_after(
    connection: AsyncConnection[Any], aggregate_id: UUID, moment: datetime
) -> int | None:
    """Position of the aggregate's first event after this time; None without one."""
    cursor = await connection.execute(
        SQL("""
            SELECT min(e.notification_id) FROM history_events e
            WHERE e.originator_id = %b AND {time} > %b AND {time} ~ '^[0-9]{{4}}-'
        """).format(time=TIME),
        [aggregate_id, _sortable(moment)],
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def count(connection: AsyncConnection[Any], criteria: Criteria) -> int | None:
    """Number of matching events; None when history is too long to count."""
    if criteria.aggregate_id is None and await last_position(connection) > MAX_SCANNED:
        return None
    cursor = await connection.execute(
        SQL("SELECT count(*) FROM history_events e WHERE {}").format(_fulfilled(criteria)),
        _parameters(criteria),
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def find_sealed(
    connection: AsyncConnection[Any], criteria: Criteria, *, after: int, up_to: int
) -> Sealed:
    """The events with decryptable personal data after one position, up to another."""
    cursor = await connection.execute(
        SQL("""
            SELECT count(*), min(e.notification_id), max(e.notification_id)
            FROM history_events e
            WHERE e.notification_id > %(after)b AND e.notification_id <= %(up_to)b
              AND {fulfilled} AND e.topic = ANY(%(topics)b) AND {has_key}
        """).format(fulfilled=_fulfilled(criteria), has_key=HAS_KEY),
        {
            "after": after,
            "up_to": up_to,
            "topics": [topic for topic, kind in EVENT_TYPES.items() if kind.personal_field],
            **_parameters(criteria),
        },
    )
    row = await cursor.fetchone()
    return Sealed(*row) if row else Sealed(0, None, None)


def _fulfilled(criteria: Criteria) -> Composable:
    """The criteria as a condition on history_events as `e`.

    The actor is read at its place in the JSON of `domain.history.codec.State`; other bytes there
    cause no error.
    """
    conditions: list[Composable] = [SQL("true")]
    if criteria.aggregate_id is not None:
        conditions.append(SQL("e.originator_id = %(aggregate_id)b"))
    if criteria.type is not None:
        conditions.append(SQL("(e.topic = %(type)b OR starts_with(e.topic, %(type)b || '.'))"))
    if criteria.actor is not None:
        conditions.append(_has_actor("actor"))
    if criteria.by_people:
        conditions.append(
            SQL("(e.topic = ANY(%(bookkeeping)b)) IS NOT TRUE AND (NOT {} OR {})").format(
                _has_actor("system"), _has_actor("operator")
            )
        )
    if criteria.since is not None:
        conditions.append(SQL("{} >= %(since)b").format(TIME))
    if criteria.until is not None:
        conditions.append(SQL("{} < %(until)b").format(TIME))
    return SQL(" AND ").join(conditions)


def _has_actor(parameter: LiteralString) -> Composable:
    """Whether this stands at the actor's place: after a time of whole seconds, or of
    microseconds."""
    return SQL("""{given} IN (
        substring(e.state FROM 35 FOR length({given})),
        substring(e.state FROM 42 FOR length({given}))
    )""").format(given=SQL(f"%({parameter})b"))


def _parameters(criteria: Criteria) -> dict[str, Any]:
    return {
        "bookkeeping": list(BOOKKEEPING),
        "system": b'","actor":"system:',
        "operator": b'","actor":' + to_json(OPERATOR),
        "aggregate_id": criteria.aggregate_id,
        "type": criteria.type,
        "actor": criteria.actor and b'","actor":' + to_json(criteria.actor) + b',"correlation_id":',
        "since": criteria.since and _sortable(criteria.since),
        "until": criteria.until and _sortable(criteria.until),
    }


def _sortable(time: datetime) -> str:
    return time.astimezone(UTC).replace(tzinfo=None).isoformat()
