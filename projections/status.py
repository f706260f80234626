"""The status of each projection: its position, its lag, and whether a projector leads it.

All of it is read from the database, so any process can report it. A projector holds an advisory
lock for each projection that it leads; rebuilds are read by `projections.rebuild.progress`.
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.history.codec import age_of
from projections.rebuild.outdated import rebuild_reason
from projections.rebuild.progress import RebuildProgress, rebuilds_under_way
from projections.registry import ALL

State = Literal["running", "standby", "unattended", "rebuilding", "stopped", "outdated", "foreign"]
"""- running: a projector leads it;
- standby: no projector leads it, but one runs and takes the lead within seconds;
- unattended: no projector runs;
- rebuilding: a new table is being filled, which replaces the present one at the end;
- stopped: it cannot apply an event;
- outdated: its table is missing or not of this release, and must be rebuilt;
- foreign: this release has no such projection."""

LAG_COUNT_LIMIT = 1_000_000
"""The lag in events is counted up to this number."""

_KNOWN_NAMES = frozenset(projection.name for projection in ALL)


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """The event that a projection cannot apply, and why."""

    position: int
    topic: str | None
    """None when history has no event at this position any more."""
    aggregate_id: UUID | None
    """None like the topic."""
    because: str

    def __str__(self) -> str:
        event = f"{self.position} ({self.topic} of {self.aggregate_id})"
        return f"stopped at {event}: {self.because}"


class ProjectionStatus(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    state: State
    position: int
    lag_events: int
    lag_seconds: float | None
    """Age of the first event that is not applied yet, 0 without one; None when that event cannot be
    read."""
    schema_version: int
    """Schema version of the present table."""
    version: int
    """Version of the rows: it increases when they change."""
    stop: Stop | None
    outdated: str | None
    """Why the table must be rebuilt before it is used; None when it need not."""
    rebuild: RebuildProgress | None
    """The rebuild in progress; None without one."""
    led: bool
    """True while a projector leads it."""

    @property
    def trouble(self) -> str | None:
        """Why its rows do not follow history, or are not reliable; None when all is well. A rebuild
        in progress is no trouble by itself."""
        return self.outdated or (str(self.stop) if self.stop else None)


async def projection_statuses(connection: AsyncConnection[Any]) -> list[ProjectionStatus]:
    """The status of each projection, ordered by name."""
    cursor = await connection.execute(
        """
        WITH leads AS (
            SELECT l.objid AS hash
            FROM pg_locks l JOIN pg_database d ON d.oid = l.database
            WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.granted
              AND l.classid = hashtext('projections')::oid
        ), found AS (
            SELECT *, to_regclass(name) IS NOT NULL AS has_table,
                   hashtext(name)::oid IN (TABLE leads) AS led
            FROM projections
        )
        SELECT p.name, p.position, behind.events, next.state, p.schema_version, p.version,
               p.stopped_at, e.topic, e.originator_id, p.stopped_because,
               p.has_table, p.led, bool_or(p.led) OVER ()
        FROM found p
        CROSS JOIN LATERAL (
            SELECT count(*) AS events FROM (
                SELECT FROM history_events WHERE notification_id > p.position LIMIT %s
            ) AS next_ones
        ) behind
        LEFT JOIN LATERAL (
            SELECT state FROM history_events WHERE notification_id > p.position
            ORDER BY notification_id LIMIT 1
        ) next ON true
        LEFT JOIN history_events e ON e.notification_id = p.stopped_at
        ORDER BY p.name
        """,
        [LAG_COUNT_LIMIT],
    )
    rows = await cursor.fetchall()
    rebuilds = await rebuilds_under_way(connection)
    return [_status(*row, rebuild=rebuilds.get(row[0])) for row in rows]


def _status(
    name: str,
    position: int,
    lag_events: int,
    next_state: bytes | None,
    schema_version: int,
    version: int,
    stopped_at: int | None,
    topic: str | None,
    aggregate_id: UUID | None,
    because: str | None,
    has_table: bool,
    led: bool,
    any_led: bool,
    *,
    rebuild: RebuildProgress | None,
) -> ProjectionStatus:
    outdated = rebuild_reason(name, schema_version if has_table else None, ALL)
    state: State = (
        "rebuilding" if rebuild
        else "outdated" if outdated
        else "foreign" if name not in _KNOWN_NAMES
        else "stopped" if stopped_at is not None
        else "running" if led
        else "standby" if any_led
        else "unattended"
    )  # fmt: skip
    stop = None
    if stopped_at is not None:
        stop = Stop(
            position=stopped_at, topic=topic, aggregate_id=aggregate_id, because=because or ""
        )
    return ProjectionStatus(
        name=name,
        state=state,
        position=position,
        lag_events=lag_events,
        lag_seconds=age_of(next_state) if next_state is not None else 0.0,
        schema_version=schema_version,
        version=version,
        stop=stop,
        outdated=outdated,
        rebuild=rebuild,
        led=led,
    )
