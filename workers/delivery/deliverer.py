"""The delivery: leases rows of the outbox, sends many at once, and records their outcomes.

No transaction is open during a call of the service. A notification is never lost. It
is sent twice, with the same id, only if a worker dies between the answer and its record, or if it
is suspended until the lease has expired.
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
from domain.links import manage_token
from domain.notifications import ERASED
from domain.privacy.keys import InstallationKeys
from domain.tickets import ticket_of
from projections import backlog
from projections.backlog import release_held
from projections.messages import Message
from runtime.command_metrics import count_batch
from runtime.errors import CommandFailed
from runtime.logging import correlation_id
from runtime.settings import Settings
from workers.delivery import leases, liveness, pause
from workers.delivery.abandoned import AbandonedLeases
from workers.delivery.concurrency import ConcurrencyLimit
from workers.delivery.leases import Leased, Outcome, Released
from workers.delivery.metrics import DeliveryMetrics
from workers.delivery.notification_service import NotificationService
from workers.delivery.said import readable
from workers.delivery.sender import (
    Accepted,
    BadCredentials,
    NotStarted,
    Outgoing,
    Rejected,
    Sender,
    TryLater,
)

LEASED_PER_CALL = 3
"""Rows leased for each concurrent call: a free connection takes the next row while outcomes of
others are recorded. The number is small, so that the last row is answered long before its lease
expires."""

STOP_GRACE = 2.0
"""Seconds in which running calls may end after a stop was requested."""

GATHER_TIME = 0.02
"""Seconds in which answers are collected while others are awaited: one record of many answers costs
less than one for each."""

SETTLE_RETRY_INTERVAL = 1.0
"""Seconds between two attempts to record outcomes while the database is unavailable."""

TAKEOVER_DELAY = 15.0
"""Seconds after the database was unavailable in which expired leases are not taken over: other
workers may have their outcomes, and record them now."""

log = structlog.get_logger()


class DrainResult(msgspec.Struct, frozen=True):
    """Outcomes of the rows that were due."""

    sent: int
    failed: int
    waiting: int
    """All waiting rows, new ones and those with a later attempt."""
    paused: str | None
    """The reason for the pause of sending; None without one."""


def new_delivery(settings: Settings, database_url: str, keys: InstallationKeys) -> Delivery:
    """A delivery by the configured service: mail where both are. Raises `CommandFailed` without
    one."""
    sender = _sender(settings)
    decider = Decider(keys, APPLICATION, observer=count_batch)
    if settings.public_url is None:
        log.warning("PUBLIC_URL is not set: messages contain no links")
    return Delivery(
        database_url,
        keys,
        sender,
        decider,
        settings.public_url,
        settings.event_pages,
        holds=settings.rate_limits,
    )


def _sender(settings: Settings) -> Sender:
    if settings.mail is not None:
        from workers.delivery.mail.sender import MailSender  # only here: it loads much

        return MailSender(settings.mail, settings.event_pages)
    if settings.notification_service_url is None:
        raise CommandFailed(
            "NOTIFICATION_SERVICE_URL and MAIL_URL are not set, and no local sink runs: set one of"
            " them to your service, or start `events-face up`, which has a sink"
        )
    return NotificationService(
        settings.notification_service_url,
        settings.notification_token,
        settings.notification_service_owner_id,
    )


class Delivery:
    """Delivers due rows. One run at a time, all in one event loop; close it at the end."""

    def __init__(
        self,
        database_url: str,
        keys: InstallationKeys,
        sender: Sender,
        decider: Decider,
        public_url: str | None = None,
        event_pages: str | None = None,
        *,
        holds: bool = True,
    ) -> None:
        """`public_url`: where people reach this installation; None leaves the links out.
        `event_pages`: the address under which each event has a page; None without such. `holds`:
        whether messages wait that are held because of their address."""
        self._database_url = database_url
        self._keys = keys
        self._sender = sender
        self._decider = decider
        self._public_url = public_url
        self._event_pages = event_pages
        self._holds = holds
        self._worker_id = liveness.new_worker_id()
        self._connection: AsyncConnection[Any] | None = None
        self._liveness: AsyncConnection[Any] | None = None
        """Holds the liveness lock, never in a transaction: PostgreSQL ends sessions that are idle
        in a transaction, also those of a suspended process."""
        self._to_send = deque[Leased]()
        self._sending = set[asyncio.Task[tuple[Leased, Outcome]]]()
        self._concluded: list[tuple[Leased, Outcome]] = []
        self._abandoned = AbandonedLeases()
        self._metrics = DeliveryMetrics()
        self._throttled = self._limit = ConcurrencyLimit(sender.max_calls)
        self._progress = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False
        self._probed = False
        self._takeover_at = 0.0
        self.postpone_takeover()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    async def drain(self) -> DrainResult:
        """Make one attempt for each row that is due now. Raises `UNAVAILABLE`."""
        due_by = await leases.now(await self._connected())
        unthrottled = ConcurrencyLimit(self._sender.max_calls, minimum=self._sender.max_calls)
        counts = await self._run(unthrottled, due_by=due_by)
        connection = await self._connected()
        return DrainResult(
            sent=counts[Accepted],
            failed=counts[Rejected],
            waiting=await leases.count_waiting(connection),
            paused=await pause.reason(connection),
        )

    async def send_now(self) -> None:
        """Make all rows due that wait for a later attempt. Raises `UNAVAILABLE`."""
        await backlog.send_now(await self._connected())

    async def free_abandoned(self) -> None:
        """Make the rows due that dead workers had leased. Raises `psycopg.OperationalError`."""
        await self._abandoned.free(await self._connected())

    async def run(self, seconds: float = math.inf) -> bool:
        """Deliver until no row is due, or the time is over; returns True if the time is over.

        Raises `UNAVAILABLE`, but only after all received answers are recorded, unless it is
        stopped.
        """
        ends = time.monotonic() + seconds
        await self._run(self._throttled, ends=ends)
        return time.monotonic() >= ends

    @property
    def running(self) -> bool:
        return not self._idle.is_set()

    def wake(self) -> None:
        """Make the present run read due rows again."""
        self._progress.set()

    def postpone_takeover(self) -> None:
        """Take over no expired leases for `TAKEOVER_DELAY`: the database was unavailable, or may
        have been before this worker started."""
        self._takeover_at = time.monotonic() + TAKEOVER_DELAY

    def stop(self) -> None:
        """Start no more calls, and let the running ones end within `STOP_GRACE`."""
        self._stopping = True
        self._release_unsent()
        self._progress.set()
        asyncio.get_running_loop().call_later(STOP_GRACE, self._cancel_calls)

    async def close(self) -> None:
        """Stop, and disconnect when the present run has ended."""
        self.stop()
        await self._idle.wait()
        await self._sender.close()
        await self._disconnect()

    async def _run(
        self, limit: ConcurrencyLimit, *, due_by: datetime | None = None, ends: float = math.inf
    ) -> Counter[type[Outcome]]:
        counts, lost = Counter[type[Outcome]](), None
        self._limit = limit
        self._idle.clear()
        try:
            while True:
                if not self._stopping and lost is None and time.monotonic() < ends:
                    try:
                        await self._lease_more(due_by)
                    except UNAVAILABLE as error:
                        lost = error
                        self.postpone_takeover()
                        self._release_unsent()
                        await self._disconnect()
                if not self._sending and not self._progress.is_set():
                    break
                await self._progress.wait()
                if self._sending and not self._stopping:
                    await asyncio.sleep(GATHER_TIME)
                self._progress.clear()
                concluded, self._concluded = self._concluded, []
                await self._settle(concluded)
                counts.update(type(outcome) for _, outcome in concluded)
        finally:
            self._release_unsent()
            self._cancel_calls()
            self._idle.set()
        if lost is not None:
            raise lost
        return counts

    async def _lease_more(self, due_by: datetime | None) -> None:
        """Lease rows until there are `LEASED_PER_CALL` for each call, including those being
        sent."""
        wanted = LEASED_PER_CALL * self._limit.calls - len(self._sending) - len(self._to_send)
        if wanted <= 0:
            return
        connection = await self._connected()
        if not self._probed:
            await pause.probe_at_once(connection)
            self._probed = True
        if not self._holds:
            await release_held(connection)
        begun = perf_counter()
        take_expired = due_by is not None or time.monotonic() >= self._takeover_at
        token = liveness.new_token(self._worker_id)
        rows = await leases.lease(
            connection, self._keys, wanted, due_by, take_expired=take_expired, token=token
        )
        self._metrics.leased(rows, begun)
        self._to_send.extend(rows)
        if self._stopping:
            self._release_unsent()
        self._send_more()

    def _send_more(self) -> None:
        """Start as many calls as the limit allows."""
        while self._to_send and len(self._sending) < self._limit.calls:
            call = asyncio.create_task(self._send(self._to_send.popleft()))
            self._sending.add(call)
            call.add_done_callback(self._ended)

    def _release_unsent(self) -> None:
        """Release the rows that are not being sent."""
        self._concluded += [(row, Released()) for row in self._to_send]
        self._to_send.clear()

    async def _send(self, row: Leased) -> tuple[Leased, Outcome]:
        if row.email is None:
            return row, Rejected(ERASED)
        correlation_id.set(row.correlation_id)
        try:
            if row.message is None:
                raise LookupError("the outbox does not know the event of this row")
            if row.message.obsolete:
                return row, Rejected(row.message.obsolete)
            outgoing = Outgoing(
                row.id,
                row.email,
                row.message,
                self._link(row.message),
                self._ticket(row.message),
                self._page(row.message),
            )
            if self._limit.delay:
                await asyncio.sleep(self._limit.delay)
            begun = perf_counter()
            answer = await self._sender.send(outgoing, row.may_start)
        except (asyncio.CancelledError, NotStarted):
            return row, Released()
        except Exception as error:  # after a bug, too, the row must wait longer each time
            log.exception("bug in sending a notification")
            answer = TryLater(f"internal error: {type(error).__name__}")
        self._limit.answered(answer)
        self._metrics.called(row, answer, begun)
        if isinstance(answer, Rejected | TryLater) and answer.said:
            answer = msgspec.structs.replace(answer, said=readable(answer.said, outgoing))
        return row, answer

    def _link(self, message: Message) -> str | None:
        if self._public_url is None:
            return None
        token = manage_token(self._keys, message.visitor_id, message.episode)
        return f"{self._public_url}/r/{token}"

    def _page(self, message: Message) -> str | None:
        pages = self._event_pages
        return f"{pages}/{message.entry.id}" if pages else None

    def _ticket(self, message: Message) -> str | None:
        if not message.has_ticket:
            return None
        return ticket_of(
            self._keys,
            message.entry.id,
            message.visitor_id,
            message.episode,
            message.ticket_issue,
        )

    def _ended(self, call: asyncio.Task[tuple[Leased, Outcome]]) -> None:
        self._sending.discard(call)
        self._progress.set()
        if not call.cancelled():
            row, outcome = call.result()
            self._concluded.append((row, outcome))
            if isinstance(outcome, BadCredentials) or self._limit.delay:
                self._release_unsent()
        self._send_more()

    def _cancel_calls(self) -> None:
        for call in self._sending:
            call.cancel()

    async def _settle(self, concluded: Sequence[tuple[Leased, Outcome]]) -> None:
        """Record the outcomes; try again while the database is unavailable, because a notification
        whose outcome is lost is sent twice."""
        begun = perf_counter()
        while concluded:
            try:
                await leases.settle(await self._connected(), self._decider, concluded)
            except (psycopg.Error, OutcomeUnknown) as error:
                if self._stopping:
                    raise
                log.warning("outcomes wait for the database", rows=len(concluded), error=str(error))
                self.postpone_takeover()
                self._release_unsent()
                await self._disconnect()
                await asyncio.sleep(SETTLE_RETRY_INTERVAL)
            else:
                self._metrics.recorded([row for row, _ in concluded], begun)
                return

    async def _disconnect(self) -> None:
        for connection in (self._connection, self._liveness):
            if connection is not None:
                await connection.close()
        self._connection = self._liveness = None

    async def _connected(self) -> AsyncConnection[Any]:
        if self._connection is None or self._connection.closed:
            await self._disconnect()
            self._connection = await connect(self._database_url)
            self._liveness = await connect(self._database_url)
            for connection in (self._connection, self._liveness):
                await liveness.hold_liveness_lock(connection, self._worker_id)
            self._abandoned = AbandonedLeases()  # other workers reconnect, too
        return self._connection
