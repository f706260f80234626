"""The `deliveries` table: the number of notifications sent and finally failed in each minute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from psycopg import AsyncConnection

from domain.core.aggregate import RecordedEvent
from domain.notifications import Failed, Sent
from domain.privacy.keys import InstallationKeys
from projections.projector.projection import Projection

TABLE = """
CREATE TABLE IF NOT EXISTS deliveries (
    minute timestamptz PRIMARY KEY,
    sent   int NOT NULL,
    failed int NOT NULL
) WITH (fillfactor = 50); -- each batch updates the row of the current minute
"""

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


class DeliveryCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Recent outcomes of notifications."""

    sent_in_last_hour: int
    failed_in_last_hour: int
    sent_in_last_minute: int
    """The last complete minute."""


async def delivery_counts(connection: AsyncConnection[Any], now: datetime) -> DeliveryCounts:
    cursor = await connection.execute(
        """
        SELECT coalesce(sum(sent), 0), coalesce(sum(failed), 0),
               coalesce(sum(sent) FILTER (WHERE minute = %(last)s), 0)
        FROM deliveries WHERE minute > %(since)s
        """,
        {"since": now - HOUR, "last": _minute_of(now - MINUTE)},
    )
    row = await cursor.fetchone()
    if row is None:
        raise AssertionError("unreachable")
    sent, failed, sent_in_last_minute = row
    return DeliveryCounts(
        sent_in_last_hour=sent,
        failed_in_last_hour=failed,
        sent_in_last_minute=sent_in_last_minute,
    )


async def apply(
    connection: AsyncConnection[Any],
    domain_events: Sequence[RecordedEvent],
    _keys: InstallationKeys,
) -> bool:
    sent, failed = Counter[datetime](), Counter[datetime]()
    for recorded in domain_events:
        counts = sent if isinstance(recorded.event, Sent) else failed
        counts[_minute_of(recorded.metadata.timestamp)] += 1
    minutes = sorted(sent.keys() | failed.keys())
    await connection.execute(
        """
        INSERT INTO deliveries AS d (minute, sent, failed)
        SELECT * FROM unnest(%b::timestamptz[], %b::int[], %b::int[])
        ON CONFLICT (minute) DO UPDATE
        SET sent = d.sent + EXCLUDED.sent, failed = d.failed + EXCLUDED.failed
        """,
        [minutes, [sent[m] for m in minutes], [failed[m] for m in minutes]],
    )
    return True


def _minute_of(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


DELIVERIES = Projection(
    name="deliveries",
    schema_version=1,
    table=TABLE,
    handles=frozenset({Sent, Failed}),
    apply=apply,
)
