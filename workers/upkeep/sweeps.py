"""What becomes due by time alone: registrations lapse, seats that nobody passed on are given to who
waits, and visitors are told of changes and reminded of events.

Queries find what may be due; the commands decide, so a late read table or two sweeps at the same
time do no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast
from uuid import uuid4

import msgspec
from psycopg import AsyncConnection

from domain.announcements import AnnounceChange, RemindOf
from domain.application import APPLICATION
from domain.departures import LapseVisitor
from domain.history.batch import CommandRequest, Origin
from domain.history.decider import Decider
from domain.history.leadership import take_lead
from domain.history.store import connect
from domain.privacy.keys import InstallationKeys
from domain.waiting_list import PromoteWaiting
from projections.event_versions import changes_to_announce, reminders_due
from projections.recipients import registrations_to_lapse
from projections.upcoming_events import events_with_seats_to_pass_on
from runtime.command_metrics import count_batch

BATCH_SIZE = 256
"""Commands in one commit."""

MAX_LAPSES = 4_096
"""In one sweep; the next one continues."""

PROMOTER, SCHEDULER = "system:promoter", "system:scheduler"
"""Actors in history."""


class Swept(msgspec.Struct, frozen=True, kw_only=True):
    lapsed: int = 0
    promoted: int = 0
    changes: int = 0
    """Events whose visitors are told of a change."""
    reminders: int = 0


async def sweep(database_url: str, keys: InstallationKeys, now: datetime | None = None) -> Swept:
    """Do what is due, unless another worker does so already. `now`: the time of all decisions; None
    for the time of the database."""
    decider = Decider(keys, APPLICATION, observer=count_batch)
    async with await connect(database_url) as connection:
        if not await take_lead(connection, "sweeps"):
            return Swept()
        at = now or await _time_of(connection)

        async def give(actor: str, commands: Sequence[object]) -> int:
            origin = Origin(actor=actor, correlation_id=str(uuid4()))
            done = 0
            for start in range(0, len(commands), BATCH_SIZE):
                requests = [
                    CommandRequest(c, origin, now) for c in commands[start : start + BATCH_SIZE]
                ]
                for outcome in await decider.execute(connection, requests):
                    done += outcome.or_raise().value
            return done

        late = await registrations_to_lapse(connection, at, MAX_LAPSES)
        lapsed = await give(SCHEDULER, [LapseVisitor(visitor_id=id) for id in late])
        unsettled = await events_with_seats_to_pass_on(connection, at)
        promoted = await give(PROMOTER, [PromoteWaiting(event_id=id) for id in unsettled])
        changes = await give(
            SCHEDULER,
            [
                AnnounceChange(event_id=id, now=present)
                for id, present in await changes_to_announce(connection, at)
            ],
        )
        reminders = await give(
            SCHEDULER,
            [
                RemindOf(event_id=id, reminder=reminder)
                for id, reminder in await reminders_due(connection, at)
            ],
        )
    return Swept(lapsed=lapsed, promoted=promoted, changes=changes, reminders=reminders)


async def _time_of(connection: AsyncConnection[Any]) -> datetime:
    cursor = await connection.execute("SELECT clock_timestamp()", binary=True)
    return cast("tuple[datetime]", await cursor.fetchone())[0]
