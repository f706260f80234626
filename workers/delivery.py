"""Delivering: rows of the outbox are leased, sent many at once, and their outcomes recorded.

No transaction is open while the notification service is called. A notification is never lost; it
is sent twice only if a worker dies between the service's answer and the record of it, and then
with the same id.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import msgspec
import psycopg
import structlog
from psycopg import AsyncConnection

from domain.batch import Decider, OutcomeUnknown
from domain.history import connect
from domain.notifications import ERASED
from domain.personal_data import InstallationKeys
from events_face.commands_observed import count_batch
from events_face.errors import CommandFailed
from events_face.logging import correlation_id
from events_face.settings import Settings
from workers import outbox, pause
from workers.notification_service import (
    CONNECTIONS,
    Answer,
    Notification,
    NotificationService,
    Refused,
    Sent,
    TryLater,
)
from workers.outbox import Leased
from workers.tries import Tries

STOP_GRACE = 2.0
"""Seconds that calls under way have left once a stop is asked for."""

PACE = 0.02
"""Seconds in which answers gather while others are awaited: recording costs more than answers."""

SETTLE_AGAIN = 1.0
"""Seconds between two tries to record outcomes while the database is away."""

log = structlog.get_logger()


class Drained(msgspec.Struct, frozen=True):
    """What became of the rows that were due."""

    sent: int
    failed: int
    waiting: int
    """All that wait now, for a next try or since they came in."""
    paused: str | None
    """Why nothing more is sent, if so."""


def new_delivery(settings: Settings, database_url: str, keys: InstallationKeys) -> Delivery:
    """One for the service that is configured. Raises `CommandFailed` when none is."""
    if settings.notification_service_url is None:
        raise CommandFailed("NOTIFICATION_SERVICE_URL is not set, and no local sink runs")
    service = NotificationService(settings.notification_service_url, settings.notification_token)
    decider = Decider(keys, observer=count_batch)
    return Delivery(database_url, service, settings.notification_service_owner_id, decider)


class Delivery:
    """Delivers what is due. One run at a time, all in one event loop; close it in the end."""

    def __init__(
        self, database_url: str, service: NotificationService, owner_id: str, decider: Decider
    ) -> None:
        self._database_url = database_url
        self._service = service
        self._owner_id = owner_id
        self._decider = decider
        self._connection: AsyncConnection[Any] | None = None
        self._sending = set[asyncio.Task[tuple[Leased, Answer]]]()
        self._answered: list[tuple[Leased, Answer]] = []
        self._tries = Tries()
        self._progress = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False
        self._probed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def drain(self) -> Drained:
        """Try everything that is due as this begins, once. Raises `psycopg.OperationalError`."""
        counts = await self._run(due_by=await outbox.now(await self._connected()))
        connection = await self._connected()
        return Drained(
            sent=counts[Sent],
            failed=counts[Refused],
            waiting=await outbox.count_waiting(connection),
            paused=await pause.reason(connection),
        )

    async def run(self, seconds: float = math.inf) -> bool:
        """Deliver until nothing is due, or the time is over, which it answers with True.

        Raises `psycopg.OperationalError` when the database is gone; what was answered until then
        is recorded if it comes back while the leases last.
        """
        ends = time.monotonic() + seconds
        await self._run(ends=ends)
        return time.monotonic() >= ends

    @property
    def running(self) -> bool:
        return not self._idle.is_set()

    def wake(self) -> None:
        """Have the run that is under way look for more that is due."""
        self._progress.set()

    def stop(self) -> None:
        """Lease no more, now or later, and let the calls under way end within `STOP_GRACE`."""
        self._stopping = True
        self._progress.set()
        asyncio.get_running_loop().call_later(STOP_GRACE, self._cut_short)

    async def close(self) -> None:
        """Stop, and disconnect once the run that is under way has ended."""
        self.stop()
        await self._idle.wait()
        await self._service.close()
        if self._connection is not None:
            await self._connection.close()

    async def _run(
        self, *, due_by: datetime | None = None, ends: float = math.inf
    ) -> Counter[type[Answer]]:
        counts, lost = Counter[type[Answer]](), None
        self._idle.clear()
        try:
            while True:
                if not self._stopping and lost is None and time.monotonic() < ends:
                    try:
                        await self._lease_more(due_by)
                    except psycopg.OperationalError as error:
                        lost = error
                if not self._sending and not self._progress.is_set():
                    break
                await self._progress.wait()
                if self._sending and not self._stopping:
                    await asyncio.sleep(PACE)
                self._progress.clear()
                answered, self._answered = self._answered, []
                await self._settle(answered)
                counts.update(type(answer) for _, answer in answered)
        finally:
            self._cut_short()
            self._idle.set()
        if lost is not None:
            raise lost
        return counts

    async def _lease_more(self, due_by: datetime | None) -> None:
        """Give every connection that is free a row to send."""
        connection = await self._connected()
        if not self._probed:
            await pause.probe_at_once(connection)
            self._probed = True
        begun = perf_counter()
        rows = await outbox.lease(connection, CONNECTIONS - len(self._sending), due_by)
        self._tries.leased(rows, begun)
        for row in rows:
            call = asyncio.create_task(self._send(row))
            self._sending.add(call)
            call.add_done_callback(self._ended)

    async def _send(self, row: Leased) -> tuple[Leased, Answer]:
        if row.email is None:
            return row, Refused(ERASED)
        correlation_id.set(row.correlation_id)
        begun = perf_counter()
        answer = await self._call(Notification(row.id, self._owner_id, row.email, row.message))
        self._tries.called(row, answer, begun)
        return row, answer

    async def _call(self, notification: Notification) -> Answer:
        try:
            return await self._service.send(notification)
        except asyncio.CancelledError:
            return TryLater("stopped before the service had answered")
        except Exception as error:  # a bug must not keep its row from waiting longer each time
            log.exception("a bug in sending")
            return TryLater(f"a bug here: {type(error).__name__}")

    def _ended(self, call: asyncio.Task[tuple[Leased, Answer]]) -> None:
        self._sending.discard(call)
        self._progress.set()
        if not call.cancelled():
            self._answered.append(call.result())

    def _cut_short(self) -> None:
        for call in self._sending:
            call.cancel()

    async def _settle(self, answered: Sequence[tuple[Leased, Answer]]) -> None:
        """Record the answers, again and again while the database is away and the leases last."""
        gives_up = time.monotonic() + outbox.LEASE.total_seconds()
        begun = perf_counter()
        while answered:
            try:
                await outbox.settle(await self._connected(), self._decider, answered)
            except (psycopg.OperationalError, OutcomeUnknown) as error:
                if self._stopping or time.monotonic() > gives_up:
                    raise
                log.warning("outcomes wait for the database", rows=len(answered), error=str(error))
                await asyncio.sleep(SETTLE_AGAIN)
            else:
                self._tries.recorded([row for row, _ in answered], begun)
                return

    async def _connected(self) -> AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            self._connection = await connect(self._database_url)
        return self._connection
