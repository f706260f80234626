"""The dashboard's figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from psycopg import AsyncConnection

from api.admin.kit.charts import Chart, bar_chart
from domain.retention import NOTICE, present_policy
from projections.event_visitors import count_entered_at
from projections.events import EventRow
from projections.lists.keyset import PageStart
from projections.notification_search import Pause, count_that_may_be_sent_again, pause
from projections.registration_counts import series_between
from projections.seats import Seats, seats_of
from projections.sync_results import SyncResult, list_results
from projections.upcoming_events import (
    UpcomingEvents,
    events_of_today,
    events_with_seats_to_mend,
    upcoming_events,
)
from projections.visitors_to_forget import ForgottenEvent, Terms, events_forgotten_soon

TABLES = ["events", "areas", "registrations", "outbox", "retention", "sync_results", "visitors"]
"""Read tables that the figures come from."""

DAYS, WEEK = 30, 7

SHOWN = 5
"""Of each kind of need."""


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody should look after."""

    failed: int
    """Messages that can be sent again."""
    pause: Pause | None
    seats: Sequence[EventRow]
    """Events with more visitors than seats, or with a free one to be given by hand."""
    sync: SyncResult | None
    """The last one, if it failed or skipped something."""
    forgotten: Sequence[ForgottenEvent]
    """Events whose visitors will be forgotten within `NOTICE`."""

    @property
    def any(self) -> bool:
        return bool(self.failed or self.pause or self.seats or self.sync or self.forgotten)


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    at: datetime
    today: Sequence[EventRow]
    entered: Mapping[UUID, int]
    """Visitors who are checked in at the events of today."""
    coming: UpcomingEvents
    seats: Mapping[UUID, Seats]
    """Of all events shown."""
    needs: Needs
    by_day: Chart

    @property
    def next(self) -> Sequence[EventRow]:
        """Those after the ones of today."""
        shown = {event.id for event in self.today}
        return [event for event in self.coming.next if event.id not in shown][:SHOWN]

    @property
    def registered(self) -> Mapping[str, int]:
        """Of late, by the period in words."""
        counts = [bar.count for bar in self.by_day.bars]
        return {"today": counts[-1], f"in {WEEK} days": sum(counts[-WEEK:])}


async def figures(connection: AsyncConnection[Any]) -> Figures:
    now = datetime.now(UTC)
    by_day = await series_between(connection, "day", now - timedelta(days=DAYS - 1), now)
    today = await events_of_today(connection, now)
    coming = await upcoming_events(connection, now, limit=SHOWN + len(today))
    needs = await _needs(connection, now)
    shown = {event.id: event for event in (*today, *coming.next, *needs.seats)}
    return Figures(
        at=now,
        today=today,
        entered=await count_entered_at(connection, [event.id for event in today]),
        coming=coming,
        seats=await seats_of(connection, shown.values()),
        needs=needs,
        by_day=bar_chart(by_day, "by-day", f"Registrations in the last {DAYS} days"),
    )


async def _needs(connection: AsyncConnection[Any], now: datetime) -> Needs:
    terms = Terms.of(await present_policy(connection))
    last = (await list_results(connection, start=PageStart(), limit=1)).rows[:1]
    return Needs(
        failed=await count_that_may_be_sent_again(connection),
        pause=await pause(connection),
        seats=await events_with_seats_to_mend(connection, now, limit=SHOWN),
        sync=next((sync for sync in last if sync.skipped or not sync.succeeded), None),
        forgotten=await events_forgotten_soon(connection, terms, now, now + NOTICE, limit=SHOWN),
    )
