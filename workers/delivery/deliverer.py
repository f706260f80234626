"""Delivering: rows of the outbox are leased, sent many at once, and their outcomes recorded.

No transaction is open while the notification service is called. A notification is never lost; it
is sent twice only if a worker dies between the service's answer and the record of it, or does not
run until its lease is over, and then with the same id.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, deque
from collections.abc import Sequence
from datetime import datetime
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import msgspec
import psycopg
import structlog
from psycopg import AsyncConnection

from domain.application import APPLICATION
from domain.core.availability import UNAVAILABLE
from domain.history.batch import OutcomeUnknown
from domain.history.decider import Decider
from domain.history.store import connect
from domain.notifications import ERASED
from domain.privacy.keys import InstallationKeys
from projections import outbox as rows_of_outbox
from runtime.command_metrics import count_batch
from runtime.errors import CommandFailed
from runtime.logging import correlation_id
from runtime.settings import Settings
from workers.delivery import abandoned, leases, pause
from workers.delivery.abandoned import Abandoned
from workers.delivery.concurrency import Window
from workers.delivery.http_connection import NotBegun
from workers.delivery.leases import GivenBack, Leased, Outcome
from workers.delivery.metrics import Tries
from workers.delivery.notification_service import (
    CONNECTIONS,
    BadCredentials,
    Notification,
    NotificationService,
    Refused,
    Sent,
    TryLater,
)

IN_HAND = 3
"""Rows leased for each call at once: a connection that is free takes the next while the outcomes of
others are recorded. So few that the last has its answer well before its lease runs out."""

STOP_GRACE = 2.0
"""Seconds that calls under way have left once a stop is asked for."""

PACE = 0.02
"""Seconds in which answers gather while others are awaited: recording costs more than answers."""

SETTLE_AGAIN = 1.0
"""Seconds between two tries to record outcomes while the database is unavailable."""

LEFT_ALONE = 15.0
"""Seconds after the database was unavailable in which leases that ran out are not taken over: other
workers may hold the outcomes, and record them now."""

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
    decider = Decider(keys, APPLICATION, observer=count_batch)
    return Delivery(database_url, keys, service, settings.notification_service_owner_id, decider)


class Delivery:
    """Delivers what is due. One run at a time, all in one event loop; close it in the end."""

    def __init__(
        self,
        database_url: str,
        keys: InstallationKeys,
        service: NotificationService,
        owner_id: str,
        decider: Decider,
    ) -> None:
        self._database_url = database_url
        self._keys = keys
        self._service = service
        self._owner_id = owner_id
        self._decider = decider
        self._holder = abandoned.new_holder()
        self._connection: AsyncConnection[Any] | None = None
        self._sign_of_life: AsyncConnection[Any] | None = None
        """Never in a transaction, in which PostgreSQL ends the session of who stands still."""
        self._to_send = deque[Leased]()
        self._sending = set[asyncio.Task[tuple[Leased, Outcome]]]()
        self._concluded: list[tuple[Leased, Outcome]] = []
        self._abandoned = Abandoned()
        self._tries = Tries()
        self._careful = self._window = Window(CONNECTIONS)
        self._progress = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False
        self._probed = False
        self._takes_over_at = 0.0
        self.leave_leases()

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
        """Try everything that is due as this begins, once. Raises `UNAVAILABLE`."""
        due_by = await leases.now(await self._connected())
        every_row = Window(CONNECTIONS, least=CONNECTIONS)
        counts = await self._run(every_row, due_by=due_by)
        connection = await self._connected()
        return Drained(
            sent=counts[Sent],
            failed=counts[Refused],
            waiting=await leases.count_waiting(connection),
            paused=await pause.reason(connection),
        )

    async def send_now(self) -> None:
        """Make due what waits for a later try. Raises `UNAVAILABLE`."""
        await rows_of_outbox.send_now(await self._connected())

    async def free_abandoned(self) -> None:
        """Make due what workers had leased that are gone. Raises `psycopg.OperationalError`."""
        await self._abandoned.free(await self._connected())

    async def run(self, seconds: float = math.inf) -> bool:
        """Deliver until nothing is due, or the time is over, which it answers with True.

        Raises `UNAVAILABLE`, but not before what was answered is recorded, unless it is stopped.
        """
        ends = time.monotonic() + seconds
        await self._run(self._careful, ends=ends)
        return time.monotonic() >= ends

    @property
    def running(self) -> bool:
        return not self._idle.is_set()

    def wake(self) -> None:
        """Have the run that is under way look for more that is due."""
        self._progress.set()

    def leave_leases(self) -> None:
        """Take over no lease that ran out for a while: the database was unavailable, or may have
        been before this began."""
        self._takes_over_at = time.monotonic() + LEFT_ALONE

    def stop(self) -> None:
        """Call no more, now or later, and let the calls under way end within `STOP_GRACE`."""
        self._stopping = True
        self._give_back()
        self._progress.set()
        asyncio.get_running_loop().call_later(STOP_GRACE, self._cut_short)

    async def close(self) -> None:
        """Stop, and disconnect once the run that is under way has ended."""
        self.stop()
        await self._idle.wait()
        await self._service.close()
        await self._disconnect()

    async def _run(
        self, window: Window, *, due_by: datetime | None = None, ends: float = math.inf
    ) -> Counter[type[Outcome]]:
        counts, lost = Counter[type[Outcome]](), None
        self._window = window
        self._idle.clear()
        try:
            while True:
                if not self._stopping and lost is None and time.monotonic() < ends:
                    try:
                        await self._lease_more(due_by)
                    except UNAVAILABLE as error:
                        lost = error
                        self.leave_leases()
                        self._give_back()
                        await self._disconnect()
                if not self._sending and not self._progress.is_set():
                    break
                await self._progress.wait()
                if self._sending and not self._stopping:
                    await asyncio.sleep(PACE)
                self._progress.clear()
                concluded, self._concluded = self._concluded, []
                await self._settle(concluded)
                counts.update(type(outcome) for _, outcome in concluded)
        finally:
            self._give_back()
            self._cut_short()
            self._idle.set()
        if lost is not None:
            raise lost
        return counts

    async def _lease_more(self, due_by: datetime | None) -> None:
        """Have `IN_HAND` rows for each call, those that are being sent included."""
        wanted = IN_HAND * self._window.size - len(self._sending) - len(self._to_send)
        if wanted <= 0:
            return
        connection = await self._connected()
        if not self._probed:
            await pause.probe_at_once(connection)
            self._probed = True
        begun = perf_counter()
        takes_over = due_by is not None or time.monotonic() >= self._takes_over_at
        token = abandoned.new_token(self._holder)
        rows = await leases.lease(
            connection, self._keys, wanted, due_by, takes_over=takes_over, token=token
        )
        self._tries.leased(rows, begun)
        self._to_send.extend(rows)
        if self._stopping:
            self._give_back()
        self._send_more()

    def _send_more(self) -> None:
        """Make as many calls as there may be."""
        while self._to_send and len(self._sending) < self._window.size:
            call = asyncio.create_task(self._send(self._to_send.popleft()))
            self._sending.add(call)
            call.add_done_callback(self._ended)

    def _give_back(self) -> None:
        """Let go of the rows that are not being sent."""
        self._concluded += [(row, GivenBack()) for row in self._to_send]
        self._to_send.clear()

    async def _send(self, row: Leased) -> tuple[Leased, Outcome]:
        if row.email is None:
            return row, Refused(ERASED)
        correlation_id.set(row.correlation_id)
        notification = Notification(row.id, self._owner_id, row.email, row.message)
        try:
            if self._window.rest:
                await asyncio.sleep(self._window.rest)
            begun = perf_counter()
            answer = await self._service.send(notification, row.may_begin)
        except (asyncio.CancelledError, NotBegun):
            return row, GivenBack()
        except Exception as error:  # a bug must not keep its row from waiting longer each time
            log.exception("a bug in sending")
            answer = TryLater(f"a bug here: {type(error).__name__}")
        self._window.answered(answer)
        self._tries.called(row, answer, begun)
        return row, answer

    def _ended(self, call: asyncio.Task[tuple[Leased, Outcome]]) -> None:
        self._sending.discard(call)
        self._progress.set()
        if not call.cancelled():
            row, outcome = call.result()
            self._concluded.append((row, outcome))
            if isinstance(outcome, BadCredentials) or self._window.rest:
                self._give_back()
        self._send_more()

    def _cut_short(self) -> None:
        for call in self._sending:
            call.cancel()

    async def _settle(self, concluded: Sequence[tuple[Leased, Outcome]]) -> None:
        """Record the outcomes, again and again while the database is unavailable: who forgets one
        has its notification sent twice."""
        begun = perf_counter()
        while concluded:
            try:
                await leases.settle(await self._connected(), self._decider, concluded)
            except (psycopg.Error, OutcomeUnknown) as error:
                if self._stopping:
                    raise
                log.warning("outcomes wait for the database", rows=len(concluded), error=str(error))
                self.leave_leases()
                self._give_back()
                await self._disconnect()
                await asyncio.sleep(SETTLE_AGAIN)
            else:
                self._tries.recorded([row for row, _ in concluded], begun)
                return

    async def _disconnect(self) -> None:
        for connection in (self._connection, self._sign_of_life):
            if connection is not None:
                await connection.close()
        self._connection = self._sign_of_life = None

    async def _connected(self) -> AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            await self._disconnect()
            self._connection = await connect(self._database_url)
            self._sign_of_life = await connect(self._database_url)
            for connection in (self._connection, self._sign_of_life):
                await abandoned.show_life(connection, self._holder)
            self._abandoned = Abandoned()  # others connect again too
        return self._connection
