"""Removes events that took place long ago."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from domain.application import APPLICATION
from domain.event_editing import CleanUpEvent
from domain.history.batch import CommandRequest, Origin
from domain.history.decider import Decider
from domain.history.store import connect
from domain.privacy.keys import InstallationKeys
from projections.event_search import ids_of_events_before
from runtime.command_metrics import count_batch

BATCH_SIZE = 256
"""Events in one commit."""

ACTOR = "system:cleanup"


async def clean_up(database_url: str, keys: InstallationKeys, days: int) -> int:
    """Remove the events that took place more than `days` days ago; returns their number."""
    before = datetime.now(UTC) - timedelta(days=days)
    decider = Decider(keys, APPLICATION, observer=count_batch)
    origin = Origin(actor=ACTOR, correlation_id=str(uuid4()))
    removed = 0
    async with await connect(database_url) as connection:
        ids = await ids_of_events_before(connection, before)
        for start in range(0, len(ids), BATCH_SIZE):
            # The read table may be behind history: the command checks the date again.
            commands = [
                CleanUpEvent(event_id=id, before=before) for id in ids[start : start + BATCH_SIZE]
            ]
            requests = [CommandRequest(command, origin) for command in commands]
            for outcome in await decider.execute(connection, requests):
                removed += outcome.or_raise().value
    return removed
