"""Cleaning up: events that took place long enough ago are removed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from domain.application import APPLICATION
from domain.events import CleanUpEvent
from domain.history.batch import Failed, Origin, Request
from domain.history.decider import Decider
from domain.history.store import connect
from domain.privacy.keys import InstallationKeys
from runtime.command_metrics import count_batch

BATCH = 256
"""Events in one commit."""

ACTOR = "system:cleanup"


async def clean_up(database_url: str, keys: InstallationKeys, days: int) -> int:
    """Remove the events that took place over `days` days ago; answers how many."""
    before = datetime.now(UTC) - timedelta(days=days)
    decider = Decider(keys, APPLICATION, observer=count_batch)
    origin = Origin(actor=ACTOR, correlation_id=str(uuid4()))
    removed = 0
    async with await connect(database_url) as connection:
        cursor = await connection.execute(
            "SELECT id FROM events WHERE event_datetime < %s ORDER BY event_datetime", [before]
        )
        ids: list[UUID] = [id for (id,) in await cursor.fetchall()]
        for start in range(0, len(ids), BATCH):
            # The read table may be behind: whether an event is that old is decided anew.
            commands = [
                CleanUpEvent(event_id=id, before=before) for id in ids[start : start + BATCH]
            ]
            requests = [Request(command, origin) for command in commands]
            for result in await decider.execute(connection, requests):
                if isinstance(result, Failed):
                    raise result.error
                removed += result.value
    return removed
