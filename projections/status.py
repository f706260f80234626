"""Where each projection stands: how far it has come, and whether anything takes it further.

Told by the database alone, so that any process can tell it of all the others. A projector holds a
lock for each projection that it leads; `projections.rebuild.progress` says what rebuilds do.
"""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.history.codec import age_of
from projections.rebuild.outdated import why_rebuild
from projections.rebuild.progress import RebuildProgress, rebuilds_under_way
from projections.registry import ALL

State = Literal["running", "standby", "unattended", "rebuilding", "stopped", "outdated", "foreign"]
"""- running: some projector leads it;
- standby: none does, but one runs, and takes the lead in a moment;
- unattended: no projector runs;
- rebuilding: its table is derived anew, and replaced at the end;
- stopped: it cannot apply an event;
- outdated: its table is missing or not of this release, and is to be rebuilt;
- foreign: this release has no such projection."""

MOST_COUNTED = 1_000_000
"""Events behind, beyond which it does not matter how many."""


_OURS = frozenset(projection.name for projection in ALL)


class Stop(msgspec.Struct, frozen=True, kw_only=True):
    """The event that a projection cannot apply, and why."""

    position: int
    topic: str | None
    """None, as the aggregate, when history has no such event any more."""
    aggregate_id: UUID | None
    because: str

    def __str__(self) -> str:
        event = f"{self.position} ({self.topic} of {self.aggregate_id})"
        return f"stopped at {event}: {self.because}"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a projection stands."""

    name: str
    state: State
    position: int
    lag_events: int
    lag_seconds: float | None
    """Age of the first event that is not applied; None when that cannot be read."""
    schema_version: int
    """Of the table, as it is now."""
    version: int
    """Of the rows: it moves when they do."""
    stop: Stop | None
    outdated: str | None
    """Why the table is to be rebuilt before it is used, if it is."""
    rebuild: RebuildProgress | None
    """The one that is under way, if any."""
    led: bool
    """Whether some projector leads it."""

    @property
    def trouble(self) -> str | None:
        """Why its rows will not follow history, or are not to be relied on; None when all is well.
        That its table is being rebuilt is no trouble by itself."""
        return self.outdated or (str(self.stop) if self.stop else None)


async def standings(connection: AsyncConnection[Any]) -> list[Standing]:
    """Of each projection, in the order of their names."""
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
        [MOST_COUNTED],
    )
    rows = await cursor.fetchall()
    rebuilds = await rebuilds_under_way(connection)
    return [_standing(*row, rebuild=rebuilds.get(row[0])) for row in rows]


def _standing(
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
) -> Standing:
    outdated = why_rebuild(name, schema_version if has_table else None, ALL)
    state: State = (
        "rebuilding" if rebuild
        else "outdated" if outdated
        else "foreign" if name not in _OURS
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
    return Standing(
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
