"""Forgets the visitors of events that ended long ago (`domain.retention`).

They are erased in small batches with pauses, so that other commands need not wait. A run that was
interrupted is continued by the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any
from uuid import uuid4

import msgspec
import structlog
from prometheus_client import Counter
from psycopg import AsyncConnection
from psycopg.errors import DeadlockDetected

from domain.application import APPLICATION
from domain.history.batch import CommandRequest, Origin
from domain.history.decider import Decider
from domain.history.leadership import take_lead
from domain.history.store import connect, last_position
from domain.history.streams import Streams
from domain.privacy.keys import InstallationKeys
from domain.retention import ForgetVisitors, RecordRetention, RetentionPolicy
from domain.visitors import Visitor
from projections import visitors
from projections.erased_recipients import erase_recipients
from projections.projector.positions import Positions
from projections.visitors_to_forget import (
    Batch,
    ForgottenEvent,
    Terms,
    count_to_forget,
    events_to_forget,
    next_known,
)
from runtime.command_metrics import count_batch
from runtime.metrics import REGISTRY

log = structlog.get_logger()

ACTOR = "system:retention"

BATCH_SIZE = 100
"""Visitors in one transaction."""

MOST_TRIES = 5
"""Of a transaction that PostgreSQL ends because of a deadlock."""

CATCH_UP_TIMEOUT = 30.0
"""Seconds in which the read tables have to include all of history."""

WARNED_AHEAD = timedelta(days=1)

FORGOTTEN = Counter(
    "events_face_forgotten_visitors",
    "Visitors who were erased because their event ended long ago.",
    registry=REGISTRY,
)


class Behind(Exception):
    """The read tables are behind history: somebody who registered would be missing"""


class BeingDone(Exception):
    """Another process is forgetting visitors"""


class Forgotten(msgspec.Struct, frozen=True):
    event: ForgottenEvent
    visitors: int


async def forget_by_setting(database_url: str, keys: InstallationKeys, days: int | None) -> None:
    """Forget whoever is due, and log what was done, and what comes. A setting that forgets earlier
    than before applies after a notice."""
    async with await connect(database_url) as connection:
        policy = await record_setting(connection, keys, days)
        await _warn(connection, Terms.of(policy))
        found = [each async for each in forget(connection, database_url, keys, Terms.of(policy))]
        for each in found:
            log.info(
                "forgot the visitors of an event",
                event_id=str(each.event.id),
                visitors=each.visitors,
            )


async def record_setting(
    connection: AsyncConnection[Any], keys: InstallationKeys, days: int | None
) -> RetentionPolicy:
    decider = Decider(keys, APPLICATION, observer=count_batch)
    done = await decider.execute_one(connection, RecordRetention(days=days), _origin())
    policy: RetentionPolicy = done.value
    return policy


async def _warn(connection: AsyncConnection[Any], terms: Terms) -> None:
    now = datetime.now(UTC)
    until = max(now + WARNED_AHEAD, terms.applies_from)
    events = await events_to_forget(connection, terms, until)
    if any(event.forget_at > now for event in events):
        log.warning(
            "visitors will be forgotten: RETENTION_DAYS, or retention_days of an event, says so",
            until=until.isoformat(timespec="minutes"),
            events=len(events),
            visitors=await count_to_forget(connection, terms, until),
            retention_days=terms.days,
        )


async def forget(
    connection: AsyncConnection[Any],
    database_url: str,
    keys: InstallationKeys,
    terms: Terms,
) -> AsyncIterator[Forgotten]:
    """Forget the visitors of one event after the other; yields each event when it is done.

    Raises `Behind` and `BeingDone`.
    """
    if not await take_lead(connection, "retention"):
        raise BeingDone
    await _catch_up(connection, database_url)
    now = datetime.now(UTC)
    for event in await events_to_forget(connection, terms, now):
        forgotten, batch = 0, Batch([], None)
        while True:
            batch = await next_known(connection, event.id, batch.last, BATCH_SIZE)
            command = ForgetVisitors(
                event_id=event.id,
                visitor_ids=batch.ids,
                days=terms.days,
                before=forgotten,
                completes=batch.last is None,
            )
            begun = monotonic()
            done = await _erase(connection, keys, command, now)
            FORGOTTEN.inc(done)
            forgotten += done
            await asyncio.sleep(monotonic() - begun)  # the others' half of the time
            if batch.last is None:
                break
        if forgotten:
            yield Forgotten(event, forgotten)


async def _catch_up(connection: AsyncConnection[Any], database_url: str) -> None:
    position = await last_position(connection)
    async with Positions(database_url) as positions:
        names = ("visitors", "retention")
        if not await positions.wait_for(names, position, timeout=CATCH_UP_TIMEOUT):
            raise Behind


async def _erase(
    connection: AsyncConnection[Any], keys: InstallationKeys, command: ForgetVisitors, now: datetime
) -> int:
    """How many were erased, in history and in the read tables."""
    for _ in range(MOST_TRIES - 1):
        try:
            return await _erase_once(connection, keys, command, now)
        except DeadlockDetected:
            log.warning("forgetting ended in a deadlock: trying again")
    return await _erase_once(connection, keys, command, now)


async def _erase_once(
    connection: AsyncConnection[Any], keys: InstallationKeys, command: ForgetVisitors, now: datetime
) -> int:
    async with connection.transaction():
        found = await Streams().load(connection, command.visitor_ids)
        known = [v for v in found.values() if isinstance(v, Visitor) and v.is_known]
        # Before the append locks history, as in every transaction that does both.
        await visitors.clear_search_keys(connection, [visitor.id for visitor in known])
        await erase_recipients(connection, known, now)
        decider = Decider(keys, APPLICATION, observer=count_batch)
        (outcome,) = await decider.execute(connection, [CommandRequest(command, _origin())])
        erased: int = outcome.or_raise().value
        return erased


def _origin() -> Origin:
    return Origin(actor=ACTOR, correlation_id=str(uuid4()))
