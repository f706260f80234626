"""Synchronising with the events provider: fetch everything, then bring our events to it.

Nothing is stored before the whole fetch has succeeded, and nothing is appended for an item that
says what is already so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from psycopg import AsyncConnection

from domain.availability import UNAVAILABLE
from domain.batch import Decider, Done, Observer, Origin, Request
from domain.errors import DomainError
from domain.events import SyncOutcome
from domain.history import connect
from domain.personal_data import InstallationKeys
from domain.sync_requests import lock, take_up, unlock
from domain.syncs import Counts, RecordFailedSync, RecordSync, SkippedItem
from events_face.errors import CommandFailed
from projections.sync_results import last_cursor
from workers.provider import FetchFailed, Item, fetch_items
from workers.provider_items import Usable, read_item

BATCH = 256
"""Events in one commit."""

MOST_SKIPPED_RECORDED = 1_000

ACTOR = "system:sync"
"""Who synchronises when nobody has asked for it."""


class SyncFailed(CommandFailed):
    """The provider could not be read, or another sync is under way."""


def no_report(done: int, total: int) -> None:
    """Progress that nobody looks at."""


async def synchronise(
    database_url: str,
    provider_url: str,
    keys: InstallationKeys,
    *,
    full: bool,
    report: Callable[[int, int], None] = no_report,
    observer: Observer | None = None,
) -> RecordSync:
    """One run, and what it recorded: the changes since the last run's cursor, or all of it.

    `report` is told how many of the items are done, `observer` of each batch of commands. Raises
    `SyncFailed`.
    """
    async with await connect(database_url) as connection, _alone(connection):
        origin = Origin(actor=ACTOR, correlation_id=str(uuid4()))
        run = _Run(connection, Decider(keys, observer=observer), origin)
        return await _synchronise(run, provider_url, full, report)


async def synchronise_as_asked(
    database_url: str,
    provider_url: str,
    keys: InstallationKeys,
    *,
    observer: Observer | None = None,
) -> RecordSync | None:
    """The run that somebody has asked for, on their behalf; None when nobody has. Raises as
    `synchronise`; while another one is under way, what is asked for goes on being so."""
    async with await connect(database_url) as connection, _alone(connection):
        request = await take_up(connection)
        if request is None:
            return None
        run = _Run(connection, Decider(keys, observer=observer), request.origin)
        return await _synchronise(run, provider_url, request.full, no_report)


async def _synchronise(
    run: _Run, provider_url: str, full: bool, report: Callable[[int, int], None]
) -> RecordSync:
    previous = await last_cursor(run.connection)
    try:
        items = await fetch_items(provider_url, None if full else previous)
    except FetchFailed as error:
        await run.execute(
            [RecordFailedSync(started_at=run.started_at, full=full, reason=str(error))]
        )
        raise SyncFailed(f"the events provider could not be read: {error}") from error
    usable, skipped = _sorted_out(items)
    outcomes, refused = await run.store(list(usable.values()), report)
    skipped += refused
    today = run.started_at.date()
    seen = [item.changed_on for item in usable.values() if item.changed_on]
    result = RecordSync(
        started_at=run.started_at,
        full=full,
        counts=Counts(
            new=outcomes["new"],
            updated=outcomes["updated"],
            unchanged=outcomes["unchanged"],
            skipped=len(skipped),
        ),
        skipped_items=tuple(skipped[:MOST_SKIPPED_RECORDED]),
        # A provider's clock that is ahead must not hide its next changes from us.
        cursor=min(max(seen), today) if seen else previous or today,
    )
    await run.execute([result])
    return result


@asynccontextmanager
async def _alone(connection: AsyncConnection[Any]) -> AsyncIterator[None]:
    """As the only sync of the installation, for the length of the block."""
    if not await lock(connection):
        raise SyncFailed("another sync is under way")
    try:
        yield
    finally:
        with suppress(*UNAVAILABLE):  # it ended, and the lock with it
            await unlock(connection)


def _sorted_out(items: Sequence[Item]) -> tuple[dict[UUID, Usable], list[SkippedItem]]:
    """Usable items by the event's id, of several with one id the last; and all others."""
    usable, skipped = dict[UUID, Usable](), list[SkippedItem]()
    for place, raw in enumerate(items, start=1):
        item = read_item(raw, place)
        if isinstance(item, Usable):
            id = item.command.event_id
            if id in usable:
                skipped.append(SkippedItem(item=str(id), reason="stands again further on"))
            usable[id] = item
        else:
            skipped.append(item)
    return usable, skipped


class _Run:
    def __init__(self, connection: AsyncConnection[Any], decider: Decider, origin: Origin) -> None:
        self.started_at = datetime.now(UTC)
        self.connection = connection
        self._decider = decider
        self._origin = origin

    async def execute(self, commands: Sequence[Any]) -> list[Done | DomainError]:
        """What became of each command: done, or refused."""
        requests = [Request(command, self._origin) for command in commands]
        results = list[Done | DomainError]()
        for result in await self._decider.execute(self.connection, requests):
            if isinstance(result, Done):
                results.append(result)
            elif isinstance(result.error, DomainError):
                results.append(result.error)
            else:
                raise result.error
        return results

    async def store(
        self, items: Sequence[Usable], report: Callable[[int, int], None]
    ) -> tuple[Counter[SyncOutcome], list[SkippedItem]]:
        """How many items led to what, and those that a rule refused."""
        outcomes, refused = Counter[SyncOutcome](), list[SkippedItem]()
        for start in range(0, len(items), BATCH):
            batch = [item.command for item in items[start : start + BATCH]]
            for command, result in zip(batch, await self.execute(batch), strict=True):
                if isinstance(result, Done):
                    outcomes[result.value] += 1
                else:
                    refused.append(SkippedItem(item=str(command.event_id), reason=str(result)))
            report(start + len(batch), len(items))
        return outcomes, refused
