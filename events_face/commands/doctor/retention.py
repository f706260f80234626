"""Whom the scheduler will forget: after a change of `RETENTION_DAYS`, or within a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import AsyncConnection

from domain.retention import present_policy
from projections.visitors_to_forget import Terms, count_to_forget
from runtime.checks.finding import Finding, ok, warning

CHECK = "retention"

SOON = timedelta(days=1)


async def examine(connection: AsyncConnection[Any]) -> list[Finding]:
    policy, now = await present_policy(connection), datetime.now(UTC)
    until = max(now + SOON, policy.applies_from)
    count = await count_to_forget(connection, Terms.of(policy), until)
    found = f"{count:,} visitors will be forgotten until {until:%Y-%m-%d %H:%M}Z"
    if count and policy.applies_from > now:
        found += f": RETENTION_DAYS was changed to {policy.days}"
        return [warning(CHECK, found, "look with `events-face retention --dry-run`, or correct it")]
    return [ok(CHECK, found)]
