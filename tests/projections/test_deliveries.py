"""Deliveries per minute: the rate of sent notifications."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from domain.core.aggregate import RecordedEvent
from domain.history.store import read_events
from domain.notifications import Failed, QueueAgain, RecordDelivery
from projections.delivery_counts import DELIVERIES, DeliveryCounts, apply, delivery_counts
from tests.support.installation import Installation

pytestmark = pytest.mark.anyio

NOW = datetime(2030, 5, 17, 12, 30, 15, tzinfo=UTC)


async def notifications(installation: Installation, count: int) -> list[UUID]:
    await installation.register(
        await installation.event(), *(f"visitor{n}@example.org" for n in range(count))
    )
    await installation.project()
    return [UUID(row["id"]) for row in await installation.rows("outbox")]


async def outcomes(installation: Installation) -> list[RecordedEvent]:
    events = await read_events(installation.connection, after=0, limit=100)
    return [e for e in events if type(e.event) in DELIVERIES.handles]


def at(recorded: RecordedEvent, moment: datetime) -> RecordedEvent:
    metadata = msgspec.structs.replace(recorded.metadata, timestamp=moment)
    return msgspec.structs.replace(recorded, metadata=metadata)


async def test_what_was_sent_is_counted_by_the_minute(installation: Installation) -> None:
    ids = await notifications(installation, 4)
    await installation.give(*(RecordDelivery(notification_id=id) for id in ids))
    long_ago, before, last_minute, this_minute = await outcomes(installation)
    connection = installation.connection
    await connection.execute("TRUNCATE deliveries")
    await apply(connection, [at(long_ago, NOW - timedelta(minutes=61))], installation.keys)
    await apply(connection, [at(before, NOW - timedelta(minutes=59))], installation.keys)
    await apply(connection, [at(last_minute, NOW - timedelta(seconds=20))], installation.keys)
    await apply(connection, [at(this_minute, NOW), at(this_minute, NOW)], installation.keys)
    assert await delivery_counts(connection, NOW) == DeliveryCounts(
        sent_in_last_hour=4, failed_in_last_hour=0, sent_in_last_minute=1
    )


async def test_a_failure_is_counted_and_queuing_again_is_not(
    installation: Installation,
) -> None:
    sent, failed, mended = await notifications(installation, 3)
    await installation.give(
        RecordDelivery(notification_id=sent),
        RecordDelivery(notification_id=failed, failure="no such address"),
        RecordDelivery(notification_id=mended, failure="no such address"),
        QueueAgain(notification_id=mended),
    )
    await installation.give(RecordDelivery(notification_id=mended))
    await installation.project()
    assert [type(e.event) for e in await outcomes(installation)].count(Failed) == 2
    now = datetime.now(UTC)
    counted = await delivery_counts(installation.connection, now)
    assert (counted.sent_in_last_hour, counted.failed_in_last_hour) == (2, 2)


async def test_at_first_no_delivery_is_counted(installation: Installation) -> None:
    assert await delivery_counts(installation.connection, NOW) == DeliveryCounts(
        sent_in_last_hour=0, failed_in_last_hour=0, sent_in_last_minute=0
    )
