"""The sync with the events provider: fetches all items, then updates the events.

Nothing is stored before the whole fetch has succeeded, and nothing is appended for an item that
changes nothing. Unusable items are skipped and reported.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection

from domain.application import APPLICATION
from domain.core.availability import UNAVAILABLE
from domain.core.errors import DomainError
from domain.history.batch import CommandRequest, Done, Observer, Origin
from domain.history.decider import Decider
from domain.history.leadership import signs_of_life
from domain.history.store import connect
from domain.privacy.keys import InstallationKeys
from domain.provider_items import SyncOutcome
from domain.sync_requests import lock, take_up, unlock
from domain.syncs import Counts, KeptItem, RecordFailedSync, RecordSync, SkippedItem
from projections.sync_results import last_cursor
from runtime.errors import CommandFailed
from workers.provider.client import FetchFailed, Source, fetch_items
from workers.provider.items import UsableItem, pack, read_item, unpack
from workers.provider.page import Item

BATCH_SIZE = 256
"""Events in one commit."""

MAX_SKIPPED_RECORDED = 1_000
MAX_KEPT_RECORDED = 1_000

ACTOR = "system:sync"
"""The actor of a run that no user requested."""


class SyncFailed(CommandFailed):
    """The provider could not be read, or another sync is running."""


def no_report(done: int, total: int) -> None:
    """Ignores the progress."""


async def run_sync(
    database_url: str,
    provider: Source,
    keys: InstallationKeys,
    *,
    full: bool,
    report: Callable[[int, int], None] = no_report,
    observer: Observer | None = None,
) -> RecordSync:
    """Run one sync of the changes since the last run's cursor, or a full one; returns what it
    recorded.

    `report` is called with the number of items done and the total, `observer` with each batch of
    commands. Raises `SyncFailed`.
    """
    async with await connect(database_url) as connection, _sync_lock(connection):
        origin = Origin(actor=ACTOR, correlation_id=str(uuid4()))
        run = _Run(connection, Decider(keys, APPLICATION, observer=observer), origin)
        return await _run_and_record(run, provider, full, report)


async def run_requested_sync(
    database_url: str,
    provider: Source,
    keys: InstallationKeys,
    *,
    observer: Observer | None = None,
) -> RecordSync | None:
    """Run the sync that a user requested, as that user; None without a request. Raises as
    `run_sync`; while another sync is running, the request stays open."""
    async with await connect(database_url) as connection, _sync_lock(connection):
        request = await take_up(connection)
        if request is None:
            return None
        run = _Run(connection, Decider(keys, APPLICATION, observer=observer), request.origin)
        return await _run_and_record(run, provider, request.full, no_report)


async def _run_and_record(
    run: _Run, provider: Source, full: bool, report: Callable[[int, int], None]
) -> RecordSync:
    previous = await last_cursor(run.connection)
    try:
        items = await fetch_items(provider, None if full else previous)
    except FetchFailed as error:
        await run.commit(
            [RecordFailedSync(started_at=run.started_at, full=full, reason=str(error))]
        )
        raise SyncFailed(f"the events provider could not be read: {error}") from error
    usable = await _read_all(items, ZoneInfo(provider.timezone), run)
    del items
    await run.store(list(usable.values()), report)
    result = run.result(full, previous)
    await run.commit([result])
    return result


@asynccontextmanager
async def _sync_lock(connection: AsyncConnection[Any]) -> AsyncIterator[None]:
    """Hold the lock that makes this the only running sync of the installation."""
    if not await lock(connection):
        raise SyncFailed("another sync is running")
    try:
        async with signs_of_life(connection):
            yield
    finally:
        with suppress(*UNAVAILABLE):  # the connection ended, and with it the lock
            await unlock(connection)


async def _read_all(items: Sequence[Item], zone: ZoneInfo, run: _Run) -> dict[UUID, bytes]:
    """Packed usable items by the id of the event; of several with the same id, the last one."""
    usable = dict[UUID, bytes]()
    for number, raw in enumerate(items, start=1):
        item = read_item(raw, number, zone)
        if isinstance(item, UsableItem):
            id = item.command.event_id
            if id in usable:
                run.skip(SkippedItem(item=str(id), reason="occurs again later in the answer"))
            usable[id] = pack(item.command)
            run.see(item.changed_on)
        else:
            run.skip(item)
        if number % BATCH_SIZE == 0:
            await asyncio.sleep(0)  # lets a cancellation happen
    return usable


class _Run:
    """One run of the sync, and its results so far."""

    def __init__(self, connection: AsyncConnection[Any], decider: Decider, origin: Origin) -> None:
        self.started_at = datetime.now(UTC)
        self.connection = connection
        self._decider = decider
        self._origin = origin
        self._results = Counter[str]()
        self._kept = 0
        self._kept_items: list[KeptItem] = []
        self._skipped = 0
        self._skipped_items: list[SkippedItem] = []
        self._last_change: date | None = None

    def see(self, changed_on: date | None) -> None:
        """Record that the provider changed an item on that day."""
        if changed_on is not None:
            self._last_change = max(changed_on, self._last_change or changed_on)

    def _note(self, event_id: UUID, outcome: SyncOutcome) -> None:
        is_kept = bool(outcome.kept) or outcome.is_deleted
        if is_kept:
            self._kept += 1
            if len(self._kept_items) < MAX_KEPT_RECORDED:
                self._kept_items.append(KeptItem(event_id=event_id, fields=outcome.kept))
        if outcome.result != "unchanged" or not is_kept:
            self._results[outcome.result] += 1

    def skip(self, item: SkippedItem) -> None:
        self._skipped += 1
        if len(self._skipped_items) < MAX_SKIPPED_RECORDED:
            self._skipped_items.append(item)

    def result(self, full: bool, previous_cursor: date | None) -> RecordSync:
        today = self.started_at.date()
        return RecordSync(
            started_at=self.started_at,
            full=full,
            counts=Counts(
                new=self._results["new"],
                updated=self._results["updated"],
                unchanged=self._results["unchanged"],
                skipped=self._skipped,
                kept=self._kept,
            ),
            kept_items=tuple(self._kept_items),
            skipped_items=tuple(self._skipped_items),
            # If the clock of the provider is ahead, the next run must still see its next changes.
            cursor=min(self._last_change or previous_cursor or today, today),
        )

    async def commit(self, commands: Sequence[Any]) -> list[Done | DomainError]:
        """The result of each command, or the domain error that refused it."""
        requests = [CommandRequest(command, self._origin) for command in commands]
        results = list[Done | DomainError]()
        for result in await self._decider.execute(self.connection, requests):
            if isinstance(result, Done):
                results.append(result)
            elif isinstance(result.error, DomainError):
                results.append(result.error)
            else:
                raise result.error
        return results

    async def store(self, items: Sequence[bytes], report: Callable[[int, int], None]) -> None:
        """Store the items; those that a rule refuses are skipped."""
        for start in range(0, len(items), BATCH_SIZE):
            batch = [unpack(item) for item in items[start : start + BATCH_SIZE]]
            for command, result in zip(batch, await self.commit(batch), strict=True):
                if isinstance(result, Done):
                    self._note(command.event_id, result.value)
                else:
                    self.skip(SkippedItem(item=str(command.event_id), reason=str(result)))
            report(start + len(batch), len(items))
