"""The dashboard's figures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from api.admin.kit.charts import Chart, bar_chart
from projections.delivery_counts import DeliveryCounts, delivery_counts
from projections.lists.keyset import PageStart
from projections.notification_search import Pause, count_by_state, pause
from projections.outcomes import State
from projections.registration_counts import series_between
from projections.seats import Seats, seats_of
from projections.sync_results import SyncResult, list_results
from projections.upcoming_events import UpcomingEvents, upcoming_events

TABLES = ["events", "areas", "registrations", "outbox", "deliveries", "sync_results"]
"""Read tables that the figures come from."""

HOURS, DAYS = 48, 30


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime
    coming: UpcomingEvents
    seats: Mapping[UUID, Seats]
    by_hour: Chart
    by_day: Chart
    notifications: Mapping[State, int]
    delivered: DeliveryCounts
    pause: Pause | None
    last_sync: SyncResult | None


async def figures(connection: AsyncConnection[Any]) -> Figures:
    now = datetime.now(UTC)
    by_hour = await series_between(connection, "hour", now - timedelta(hours=HOURS - 1), now)
    by_day = await series_between(connection, "day", now - timedelta(days=DAYS - 1), now)
    coming = await upcoming_events(connection, now)
    syncs = await list_results(connection, start=PageStart(), limit=1)
    return Figures(
        at=now,
        coming=coming,
        seats=await seats_of(connection, coming.next),
        by_hour=bar_chart(by_hour, "by-hour", f"Registrations in the last {HOURS} hours"),
        by_day=bar_chart(by_day, "by-day", f"Registrations in the last {DAYS} days"),
        notifications=await count_by_state(connection),
        delivered=await delivery_counts(connection, now),
        pause=await pause(connection),
        last_sync=syncs.rows[0] if syncs.rows else None,
    )
