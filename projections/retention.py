"""The `retention` table: when each event ends or has ended, and how long its visitors are kept. It
has removed events, too, since their visitors are kept as long."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from domain.core.aggregate import RecordedEvent
from domain.details import Details
from domain.events import Event
from domain.privacy.keys import InstallationKeys
from domain.retention import NOTICE, VisitorsForgotten
from projections.projector.projection import Projection, events_of

TABLE = """
CREATE TABLE IF NOT EXISTS retention (
    event_id     uuid PRIMARY KEY,
    name         text NOT NULL,
    begins_at    timestamptz NOT NULL,
    ends_at      timestamptz,
    ended_at     timestamptz NOT NULL GENERATED ALWAYS AS (coalesce(ends_at, begins_at)) STORED,
    days         int, -- of its own; null: the setting
    own_time     timestamptz, -- so many days after the end
    applies_from timestamptz, -- the days were changed, and do not apply before
    removed      boolean NOT NULL,
    forgotten_at timestamptz -- the last time that its visitors were forgotten
);
CREATE INDEX IF NOT EXISTS retention_by_setting ON retention (ended_at) WHERE days IS NULL;
CREATE INDEX IF NOT EXISTS retention_own ON retention (own_time) WHERE own_time IS NOT NULL;
CREATE INDEX IF NOT EXISTS retention_changed ON retention (applies_from)
    WHERE applies_from IS NOT NULL;
"""


class _Row(msgspec.Struct, frozen=True):
    event: Event
    applies_from: datetime | None = None
    forgotten_at: datetime | None = None

    def after(self, recorded: RecordedEvent) -> _Row:
        at = recorded.metadata.timestamp
        event = recorded.event.apply(self.event)
        changed = event.details.retention_days != self.event.details.retention_days
        return _Row(
            event,
            at + NOTICE if changed else self.applies_from,
            at if isinstance(recorded.event, VisitorsForgotten) else self.forgotten_at,
        )

    def values(self) -> tuple[object, ...]:
        details = self.event.details
        return (
            self.event.id,
            details.name,
            details.event_datetime,
            details.ends_at,
            details.retention_days,
            _so_long_after(details.ended_at, details.retention_days),
            self.applies_from,
            not self.event.exists,
            self.forgotten_at,
        )


def _so_long_after(ended_at: datetime, days: int | None) -> datetime | None:
    try:
        return None if days is None else ended_at + timedelta(days=days)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


async def apply(
    connection: AsyncConnection[Any],
    domain_events: Sequence[RecordedEvent],
    _keys: InstallationKeys,
) -> bool:
    was = await _load(connection, {e.originator_id for e in domain_events})
    rows = dict(was)
    for recorded in domain_events:
        id = recorded.originator_id
        rows[id] = (rows.get(id) or _Row(Event(id=id))).after(recorded)
    changed = [
        row.values()
        for id, row in rows.items()
        if id not in was or row.values() != was[id].values()
    ]
    if not changed:
        return False
    await connection.execute(
        """
        INSERT INTO retention (event_id, name, begins_at, ends_at, days, own_time, applies_from,
                               removed, forgotten_at)
        SELECT * FROM unnest(
            %b::uuid[], %b::text[], %b::timestamptz[], %b::timestamptz[], %b::int[],
            %b::timestamptz[], %b::timestamptz[], %b::bool[], %b::timestamptz[]
        )
        ON CONFLICT (event_id) DO UPDATE SET
            name = EXCLUDED.name, begins_at = EXCLUDED.begins_at, ends_at = EXCLUDED.ends_at,
            days = EXCLUDED.days, own_time = EXCLUDED.own_time,
            applies_from = EXCLUDED.applies_from, removed = EXCLUDED.removed,
            forgotten_at = EXCLUDED.forgotten_at
        """,
        [list(column) for column in zip(*changed, strict=True)],
    )
    return True


async def _load(connection: AsyncConnection[Any], ids: set[UUID]) -> dict[UUID, _Row]:
    cursor = await connection.execute(
        """
        SELECT event_id, name, begins_at, ends_at, days, removed, applies_from, forgotten_at
        FROM retention WHERE event_id = ANY(%b)
        """,
        [list(ids)],
        binary=True,
    )
    return {
        id: _Row(
            Event(
                id=id,
                details=Details(
                    name=name, event_datetime=begins, ends_at=ends, retention_days=days
                ),
                exists=not removed,
            ),
            applies_from,
            forgotten_at,
        )
        for id, name, begins, ends, days, removed, applies_from, forgotten_at in (
            await cursor.fetchall()
        )
    }


RETENTION = Projection(
    name="retention",
    schema_version=2,
    table=TABLE,
    handles=events_of(Event),
    apply=apply,
)
