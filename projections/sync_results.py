"""The `sync_results` table: what each synchronisation with the events provider brought."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, cast
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.aggregate import RecordedEvent
from domain.syncs import Completed, Failed, SkippedItem, Sync
from projections.projection import Projection, events_of

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
    reason        text,
    cursor        date,
    started_at    timestamptz NOT NULL,
    finished_at   timestamptz NOT NULL,
    position      bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS sync_results_by_position ON sync_results (position);
"""


class SyncResult(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    full_sync: bool
    succeeded: bool
    new: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    skipped_items: tuple[SkippedItem, ...] = ()
    reason: str | None = None
    """Why it failed."""
    cursor: date | None = None
    """Where the next incremental run begins."""
    started_at: datetime
    finished_at: datetime
    position: int


async def last_cursor(connection: AsyncConnection[Any]) -> date | None:
    """Of the last run that succeeded."""
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


async def apply(connection: AsyncConnection[Any], events: Sequence[RecordedEvent]) -> bool:
    cursor = await connection.execute(
        """
        INSERT INTO sync_results
        SELECT * FROM jsonb_populate_recordset(NULL::sync_results, %s::jsonb)
        ON CONFLICT (id) DO NOTHING
        """,
        [msgspec.json.encode([_result(e) for e in events]).decode()],
    )
    return cursor.rowcount > 0


def _result(recorded: RecordedEvent) -> SyncResult:
    event = cast("Completed | Failed", recorded.event)
    brought: dict[str, Any] = (
        {
            **msgspec.structs.asdict(event.counts),
            "skipped_items": event.skipped_items,
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
        **brought,
    )


SYNC_RESULTS = Projection(
    name="sync_results", schema_version=1, table=TABLE, handles=events_of(Sync), apply=apply
)
