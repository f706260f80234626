"""The `sync_results` table: the result of each sync with the events provider."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, LiteralString, cast
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.core.aggregate import RecordedEvent
from domain.privacy.keys import InstallationKeys
from domain.syncs import Completed, Failed, KeptItem, SkippedItem, Sync
from projections.lists import keyset
from projections.lists.keyset import PageStart, Search, Slice
from projections.projector.projection import Projection, events_of

TABLE = """
CREATE TABLE IF NOT EXISTS sync_results (
    id            uuid PRIMARY KEY,
    full_sync     boolean NOT NULL,
    succeeded     boolean NOT NULL,
    new           int NOT NULL,
    updated       int NOT NULL,
    unchanged     int NOT NULL,
    skipped       int NOT NULL,
    skipped_items jsonb NOT NULL,
    kept          int NOT NULL,
    kept_items    jsonb NOT NULL,
    reason        text,
    cursor        date,
    started_at    timestamptz NOT NULL,
    finished_at   timestamptz NOT NULL,
    position      bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS sync_results_by_position ON sync_results (position);
CREATE INDEX IF NOT EXISTS sync_results_by_time ON sync_results (finished_at);
"""

_LIST_COLUMNS: tuple[LiteralString, ...] = (
    "full_sync",
    "succeeded",
    "new",
    "updated",
    "unchanged",
    "skipped",
    "kept",
    "reason",
    "started_at",
    "position",
)
"""Columns of a list, without the time and the id."""


class SyncResult(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    full_sync: bool
    succeeded: bool
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    skipped_items: tuple[SkippedItem, ...] = ()
    kept: int = 0
    kept_items: tuple[KeptItem, ...] = ()
    reason: str | None = None
    """Why the run failed; None when it succeeded."""
    cursor: date | None = None
    """Changes since this date are fetched by the next incremental run."""
    started_at: datetime
    finished_at: datetime
    position: int


async def last_cursor(connection: AsyncConnection[Any]) -> date | None:
    """The cursor of the last successful run; None without one."""
    cursor = await connection.execute(
        "SELECT cursor FROM sync_results WHERE succeeded ORDER BY position DESC LIMIT 1"
    )
    row = await cursor.fetchone()
    return row[0] if row else None


async def latest(connection: AsyncConnection[Any], limit: int = 10) -> list[SyncResult]:
    """The last results, newest first."""
    cursor = await connection.execute(
        """
        SELECT to_jsonb(sync_results)::text FROM sync_results ORDER BY position DESC LIMIT %s
        """,
        [limit],
    )
    return [msgspec.json.decode(row, type=SyncResult) for (row,) in await cursor.fetchall()]


async def list_results(
    connection: AsyncConnection[Any], *, start: PageStart, limit: int
) -> Slice[SyncResult]:
    """A page of results, without their skipped and kept items."""
    return await keyset.find(
        connection,
        Search(table="sync_results", time="finished_at", columns=", ".join(_LIST_COLUMNS)),
        {},
        _brief,
        start=start,
        limit=limit,
    )


def _brief(*values: Any) -> SyncResult:
    return SyncResult(**dict(zip(("finished_at", "id", *_LIST_COLUMNS), values, strict=True)))


async def get_result(connection: AsyncConnection[Any], id: UUID) -> SyncResult | None:
    cursor = await connection.execute(
        "SELECT to_jsonb(sync_results)::text FROM sync_results WHERE id = %s", [id]
    )
    row = await cursor.fetchone()
    return msgspec.json.decode(row[0], type=SyncResult) if row else None


class SyncTotals(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over the runs of a period."""

    runs: int
    failed: int
    new: int
    updated: int
    skipped: int
    last_success: datetime | None
    """Not limited to the period."""
    last_failure: datetime | None
    """Not limited to the period."""


async def totals_since(connection: AsyncConnection[Any], begin: datetime) -> SyncTotals:
    cursor = await connection.execute(
        """
        SELECT count(*), count(*) FILTER (WHERE NOT succeeded),
               coalesce(sum(new), 0), coalesce(sum(updated), 0), coalesce(sum(skipped), 0),
               (SELECT finished_at FROM sync_results WHERE succeeded
                ORDER BY position DESC LIMIT 1),
               (SELECT finished_at FROM sync_results WHERE NOT succeeded
                ORDER BY position DESC LIMIT 1)
        FROM sync_results WHERE finished_at >= %s
        """,
        [begin],
    )
    row = await cursor.fetchone()
    if row is None:
        raise AssertionError("unreachable")
    runs, failed, new, updated, skipped, last_success, last_failure = row
    return SyncTotals(
        runs=runs,
        failed=failed,
        new=new,
        updated=updated,
        skipped=skipped,
        last_success=last_success,
        last_failure=last_failure,
    )


async def apply(
    connection: AsyncConnection[Any],
    domain_events: Sequence[RecordedEvent],
    _keys: InstallationKeys,
) -> bool:
    cursor = await connection.execute(
        """
        INSERT INTO sync_results
        SELECT * FROM jsonb_populate_recordset(NULL::sync_results, %s::jsonb)
        ON CONFLICT (id) DO NOTHING
        """,
        [msgspec.json.encode([_result(e) for e in domain_events]).decode()],
    )
    return cursor.rowcount > 0


def _result(recorded: RecordedEvent) -> SyncResult:
    event = cast("Completed | Failed", recorded.event)
    outcome: dict[str, Any] = (
        {
            **msgspec.structs.asdict(event.counts),
            "skipped_items": event.skipped_items,
            "kept_items": event.kept_items,
            "cursor": event.cursor,
        }
        if isinstance(event, Completed)
        else {"reason": event.reason}
    )
    return SyncResult(
        id=recorded.originator_id,
        full_sync=event.full,
        succeeded=isinstance(event, Completed),
        started_at=event.started_at,
        finished_at=recorded.metadata.timestamp,
        position=recorded.position,
        **outcome,
    )


SYNC_RESULTS = Projection(
    name="sync_results", schema_version=2, table=TABLE, handles=events_of(Sync), apply=apply
)
