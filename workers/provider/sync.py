"""Synchronising with the events provider: fetch everything, then bring our events to it.

Nothing is stored before the whole fetch has succeeded, and nothing is appended for an item that
says what is already so. An item that cannot be used is skipped, whatever is in it.
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
from domain.history.batch import Done, Observer, Origin, Request
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
from workers.provider.items import Usable, pack, read_item, unpack
from workers.provider.page import Item

BATCH = 256
"""Events in one commit."""

MOST_SKIPPED_RECORDED = 1_000
MOST_KEPT_RECORDED = 1_000

ACTOR = "system:sync"
"""Who synchronises when nobody has asked for it."""


class SyncFailed(CommandFailed):
    """The provider could not be read, or another sync is under way."""


def no_report(done: int, total: int) -> None:
    """Progress that nobody looks at."""


async def synchronise(
    database_url: str,
    provider: Source,
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
        run = _Run(connection, Decider(keys, APPLICATION, observer=observer), origin)
        return await _synchronise(run, provider, full, report)


async def synchronise_as_asked(
    database_url: str,
    provider: Source,
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
        run = _Run(connection, Decider(keys, APPLICATION, observer=observer), request.origin)
        return await _synchronise(run, provider, request.full, no_report)


async def _synchronise(
    run: _Run, provider: Source, full: bool, report: Callable[[int, int], None]
) -> RecordSync:
    previous = await last_cursor(run.connection)
    try:
        items = await fetch_items(provider, None if full else previous)
    except FetchFailed as error:
        await run.execute(
            [RecordFailedSync(started_at=run.started_at, full=full, reason=str(error))]
        )
        raise SyncFailed(f"the events provider could not be read: {error}") from error
    usable = await _read_all(items, ZoneInfo(provider.timezone), run)
    del items
    await run.store(list(usable.values()), report)
    result = run.result(full, previous)
    await run.execute([result])
    return result


@asynccontextmanager
async def _alone(connection: AsyncConnection[Any]) -> AsyncIterator[None]:
    """As the only sync of the installation, for the length of the block."""
    if not await lock(connection):
        raise SyncFailed("another sync is under way")
    try:
        async with signs_of_life(connection):
            yield
    finally:
        with suppress(*UNAVAILABLE):  # it ended, and the lock with it
            await unlock(connection)


async def _read_all(items: Sequence[Item], zone: ZoneInfo, run: _Run) -> dict[UUID, bytes]:
    """Usable items by the event's id, of several with one id the last, each packed."""
    usable = dict[UUID, bytes]()
    for place, raw in enumerate(items, start=1):
        item = read_item(raw, place, zone)
        if isinstance(item, Usable):
            id = item.command.event_id
            if id in usable:
                run.skip(SkippedItem(item=str(id), reason="stands again further on"))
            usable[id] = pack(item.command)
            run.see(item.changed_on)
        else:
            run.skip(item)
        if place % BATCH == 0:
            await asyncio.sleep(0)  # a moment to be cancelled in
    return usable


class _Run:
    """One synchronisation, and what has come of it so far."""

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
        """That the provider changed something on that day."""
        if changed_on is not None:
            self._last_change = max(changed_on, self._last_change or changed_on)

    def _note(self, event_id: UUID, outcome: SyncOutcome) -> None:
        if outcome.kept:
            self._kept += 1
            if len(self._kept_items) < MOST_KEPT_RECORDED:
                self._kept_items.append(KeptItem(event_id=event_id, fields=outcome.kept))
        if outcome.result != "unchanged" or not outcome.kept:
            self._results[outcome.result] += 1

    def skip(self, item: SkippedItem) -> None:
        self._skipped += 1
        if len(self._skipped_items) < MOST_SKIPPED_RECORDED:
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
            # A provider's clock that is ahead must not hide its next changes from us.
            cursor=min(self._last_change or previous_cursor or today, today),
        )

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

    async def store(self, items: Sequence[bytes], report: Callable[[int, int], None]) -> None:
        """Items that a rule refuses are skipped."""
        for start in range(0, len(items), BATCH):
            batch = [unpack(item) for item in items[start : start + BATCH]]
            for command, result in zip(batch, await self.execute(batch), strict=True):
                if isinstance(result, Done):
                    self._note(command.event_id, result.value)
                else:
                    self.skip(SkippedItem(item=str(command.event_id), reason=str(result)))
            report(start + len(batch), len(items))
