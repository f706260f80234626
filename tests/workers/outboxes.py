"""An outbox that a test fills and looks at."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from psycopg import AsyncConnection

from domain.core.aggregate import RecordedEvent
from domain.history.store import read_events
from projections.people import people_at
from tests.support.installation import Installation


async def registered(installation: Installation, *emails: str) -> None:
    """Visitors whose notifications wait."""
    await installation.register(await installation.event(), *emails)
    await installation.project()


def crowd(size: int) -> list[str]:
    return [f"visitor{number}@example.org" for number in range(size)]


async def rows_by_email(installation: Installation) -> dict[str, dict[str, Any]]:
    rows = {row["person_position"]: row for row in await installation.rows("outbox")}
    people = await people_at(installation.connection, installation.keys, rows)
    return {person.email: rows[position] for position, person in people.items()}


async def forget_everybody(connection: AsyncConnection[Any]) -> None:
    """As erasures do, before anything else is known of them."""
    await connection.execute("DELETE FROM personal_keys")
    await connection.execute("UPDATE outbox SET erased = true")


async def the_row(installation: Installation) -> dict[str, Any]:
    (row,) = await installation.rows("outbox")
    return row


async def history_of(installation: Installation, *kinds: type) -> list[RecordedEvent]:
    events = await read_events(installation.connection, after=0, limit=10_000)
    return [recorded for recorded in events if isinstance(recorded.event, kinds)]


async def make_due(installation: Installation) -> None:
    await installation.connection.execute("UPDATE outbox SET due_at = now()")


def seconds_until(due_at: str) -> float:
    return (datetime.fromisoformat(due_at) - datetime.now(UTC)).total_seconds()
