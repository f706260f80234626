"""What becomes due by time alone: registrations lapse, seats that are still free go to waiting
visitors, changes are announced, reminders are sent, and stored answers expire.

Queries find what may be due; the commands decide, so a late read table or two sweeps at the same
time do no harm.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import uuid4

import msgspec
import structlog
from psycopg import AsyncConnection

from domain.announcements import AnnounceChange, RemindOf
from domain.application import APPLICATION
from domain.core.availability import BRING_BACK, TABLES_MISSING, missing_table
from domain.departures import LapseVisitor
from domain.history.batch import CommandRequest, Origin
from domain.history.decider import Decider
from domain.history.idempotency import delete_expired
from domain.history.leadership import take_lead
from domain.history.store import connect
from domain.privacy.keys import InstallationKeys
from domain.waiting_list import MOST_AT_ONCE, PromoteWaiting
from projections.event_versions import changes_to_announce, reminders_due
from projections.recipients import registrations_to_lapse
from projections.upcoming_events import events_with_seats_to_pass_on
from runtime.command_metrics import count_batch

log = structlog.get_logger(__name__)

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
    """Events with an announced change."""
    reminders: int = 0
    answers: int = 0
    """Stored answers that expired."""


async def sweep(database_url: str, keys: InstallationKeys, now: datetime | None = None) -> Swept:
    """Do what is due, unless another worker does so already. `now`: the time of all decisions; None
    for the time of the database."""
    async with await connect(database_url) as connection:
        if not await take_lead(connection, "sweeps"):
            return Swept()
        sweeping = _Sweeping(connection, keys, now, now or await _time_of(connection))
        return Swept(
            promoted=await sweeping.step(sweeping.promote),
            lapsed=await sweeping.step(sweeping.lapse),
            changes=await sweeping.step(sweeping.announce_changes),
            reminders=await sweeping.step(sweeping.remind),
            answers=await delete_expired(connection),
        )


class _Sweeping:
    """One sweep. Each step returns how much it did."""

    def __init__(
        self,
        connection: AsyncConnection[Any],
        keys: InstallationKeys,
        now: datetime | None,
        at: datetime,
    ) -> None:
        self._connection = connection
        self._decider = Decider(keys, APPLICATION, observer=count_batch)
        self._now = now
        self._at = at

    async def step(self, step: Callable[[], Awaitable[int]]) -> int:
        """A read table that is missing, or of another release, stops only what reads it."""
        try:
            return await step()
        except TABLES_MISSING as error:
            log.warning(
                "a step of the sweep is left out",
                step=step.__name__,
                reason=missing_table(error),
                remedy=BRING_BACK,
            )
            return 0

    async def promote(self) -> int:
        waiting = await events_with_seats_to_pass_on(self._connection, self._at)
        promoted = 0
        while waiting:
            given = await self._give(PROMOTER, [PromoteWaiting(event_id=id) for id in waiting])
            promoted += sum(given)
            waiting = [id for id, n in zip(waiting, given, strict=True) if n == MOST_AT_ONCE]
        return promoted

    async def lapse(self) -> int:
        late = await registrations_to_lapse(self._connection, self._at, MAX_LAPSES)
        return sum(await self._give(SCHEDULER, [LapseVisitor(visitor_id=id) for id in late]))

    async def announce_changes(self) -> int:
        changed = await changes_to_announce(self._connection, self._at)
        commands = [AnnounceChange(event_id=id, now=present) for id, present in changed]
        return sum(await self._give(SCHEDULER, commands))

    async def remind(self) -> int:
        due = await reminders_due(self._connection, self._at)
        commands = [RemindOf(event_id=id, reminder=reminder) for id, reminder in due]
        return sum(await self._give(SCHEDULER, commands))

    async def _give(self, actor: str, commands: Sequence[object]) -> list[int]:
        """The answer to each command."""
        origin = Origin(actor=actor, correlation_id=str(uuid4()))
        answers = list[int]()
        for start in range(0, len(commands), BATCH_SIZE):
            requests = [
                CommandRequest(command, origin, self._now)
                for command in commands[start : start + BATCH_SIZE]
            ]
            outcomes = await self._decider.execute(self._connection, requests)
            answers += [outcome.or_raise().value for outcome in outcomes]
        return answers


async def _time_of(connection: AsyncConnection[Any]) -> datetime:
    cursor = await connection.execute("SELECT clock_timestamp()", binary=True)
    return cast("tuple[datetime]", await cursor.fetchone())[0]
