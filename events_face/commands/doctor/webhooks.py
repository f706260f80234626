"""Whether each webhook takes what happens."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import AsyncConnection

from domain.endpoints import Endpoint, list_endpoints
from domain.history.codec import age_of
from projections.webhook_deliveries import progress_of
from runtime.checks.finding import Finding, error, ok, warning

MAX_FAILURE = timedelta(minutes=10)
"""For so long an endpoint may take nothing."""

MAX_WAIT = 60.0
"""Seconds for which an event may wait until workers look at it for a webhook."""


async def examine(connection: AsyncConnection[Any]) -> list[Finding]:
    webhooks = await list_endpoints(connection)
    found = [trouble for each in webhooks if (trouble := await _trouble(connection, each))]
    return found or [ok("webhooks", f"none of {len(webhooks)} fails or waits")]


async def _trouble(connection: AsyncConnection[Any], webhook: Endpoint) -> Finding | None:
    check = f"webhook {webhook.id}"
    if webhook.disabled_because is not None:
        remedy = "enable it in /admin/webhooks/ when its endpoint works again; no item is lost"
        return warning(check, f"it was disabled: {webhook.disabled_because}", remedy)
    if not webhook.enabled:
        return None
    progress = await progress_of(connection, webhook.id)
    failing_since = progress.failing_since if progress else None
    if failing_since is not None and datetime.now(UTC) - failing_since > MAX_FAILURE:
        remedy = f"read the reasons with `events-face webhooks attempts {webhook.id}`"
        return warning(check, "its endpoint takes nothing; five days later it is disabled", remedy)
    position = progress.position if progress else webhook.created_position
    behind = await _seconds_behind(connection, position)
    if behind > MAX_WAIT:
        remedy = "start `events-face worker`, or more of them, and check their logs"
        return error(check, f"items wait, the oldest for {behind:.0f} s", remedy)
    return None


async def _seconds_behind(connection: AsyncConnection[Any], position: int) -> float:
    cursor = await connection.execute(
        """
        SELECT state FROM history_events WHERE notification_id > %s
        ORDER BY notification_id LIMIT 1
        """,
        [position],
        binary=True,
    )
    row = await cursor.fetchone()
    return (age_of(row[0]) or 0.0) if row else 0.0
