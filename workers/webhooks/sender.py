"""Sends the items of the feed to one webhook, while it holds the lease of its cursor.

The cursor moves over items that are taken and over those that are parked for another try. No
transaction is open during a call. Items are made from history for each try and never stored, so an
erased person's data is in none.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import msgspec
import structlog
from psycopg import AsyncConnection

from domain.core.availability import UNAVAILABLE
from domain.endpoints import Endpoint
from domain.feed.item import FeedItem
from domain.feed.positions import NotInHistory
from domain.feed.reading import FeedPage, FeedStopped, read_feed
from domain.privacy.keys import InstallationKeys
from domain.webhook_secrets import open_secret
from projections.feed_blocks import find_blocks
from projections.webhook_deliveries import TEST_POSITION, UNKNOWN_ITEM
from workers.delivery.leases import clock
from workers.delivery.sender import NotStarted
from workers.webhooks import cursors
from workers.webhooks.cursors import MAX_LEASE_AGE, Lease, LeaseLost, Parked
from workers.webhooks.endpoint_calls import Answer, EndpointCalls, Network
from workers.webhooks.ledger import Ledger
from workers.webhooks.messages import body_of, test_item
from workers.webhooks.pace import Pace
from workers.webhooks.signatures import message_id, signed_headers
from workers.webhooks.window import Entry, Window

WINDOW = 500
"""Items after the cursor that are read, at most."""

DUE_AT_ONCE = 50
"""Items to try again that are read at once."""

GATHER_TIME = 0.02
"""Seconds in which answers are collected before they are recorded together."""

TIME_FOR_EACH = 0.005
"""Seconds between two looks at history, for each webhook that this worker sends for."""

LINGER = 5.0
"""Seconds without an item, after which the lease is released."""

MAX_TIME = 600.0
"""Seconds after which the lease is released: another worker may continue, and a former secret
signs no longer than this after its end."""

STOP_GRACE = 1.5
"""Seconds in which running calls may end after a stop was requested."""

CURSOR_INTERVAL = 1.0
"""Seconds between two moves of the cursor over items that the webhook does not want."""

RETRY_INTERVAL = 1.0
"""Seconds between two attempts while the database is unavailable."""

GONE = "the endpoint answered 410 Gone"
GIVEN_UP = "every try failed for five days"

log = structlog.get_logger()


class Office(msgspec.Struct, frozen=True):
    """What the senders of one worker share."""

    keys: InstallationKeys
    network: Network
    connection: Callable[[], AbstractAsyncContextManager[AsyncConnection[Any]]]
    """Takes a connection for a short time."""
    disable: Callable[[UUID, str], Awaitable[object]]
    """Disables a webhook, for this reason."""
    senders: Callable[[], int]
    """How many there are."""
    max_calls: Callable[[], int]
    """Concurrent calls that each of them may make, at most."""


class Sender:
    """Run it once. `leased_at`: by `clock`, taken before the lease was acquired."""

    def __init__(self, endpoint: Endpoint, lease: Lease, leased_at: float, office: Office) -> None:
        self.endpoint = endpoint
        self.lease = lease
        self._leased_at = leased_at
        self._office = office
        sealed = filter(None, [endpoint.secret, endpoint.former_secret])
        self._secrets = [open_secret(office.keys, each) for each in sealed]
        self._calls = EndpointCalls(endpoint.url, office.network)
        self._pace = Pace()
        self._ledger = Ledger()
        self._sending = set[asyncio.Task[tuple[Entry, datetime, Answer | None]]]()
        self._due = deque[Entry]()
        self._retrying = set[int]()
        """Positions of parked items that are read, and whose outcome is not recorded yet."""
        self._progress = asyncio.Event()
        self._is_behind = True
        self._due_at = 0.0
        """By `monotonic`: when parked items are due next."""
        self._recorded_at = self._busy_at = self._begun_at = monotonic()
        self._recorded_position = lease.position
        self._gone = False
        self._stopping = False
        self._window: Window

    def wake(self, *, has_due: bool) -> None:
        """History has new events, or a parked item is due."""
        self._is_behind = True
        if has_due:
            self._due_at = 0.0
        self._progress.set()

    def renewed(self, leased_at: float) -> None:
        self._leased_at = leased_at

    def stop(self) -> None:
        """Start no more calls, and let the running ones end within `STOP_GRACE`."""
        if not self._stopping:
            self._stopping = True
            self._progress.set()
            asyncio.get_running_loop().call_later(STOP_GRACE, self._cancel_calls)

    async def run(self) -> None:
        """Until nothing is left to send for `LINGER`, or it is stopped."""
        lost = False
        try:
            async with self._office.connection() as connection:
                self._window = await self._opened(connection)
            while not self._is_finished():
                try:
                    await self._work()
                except UNAVAILABLE as error:
                    if self._stopping:
                        raise
                    if not lost:
                        log.warning("webhooks wait for the database", error=str(error))
                    lost = True
                    await asyncio.sleep(RETRY_INTERVAL)
                else:
                    lost = False
                    if not self._is_finished():
                        await self._wait()
        except LeaseLost:
            log.debug("the lease of a webhook was lost", webhook=str(self.endpoint.id))
        finally:
            self._cancel_calls()
            await asyncio.gather(*self._sending, return_exceptions=True)
            await self._calls.close()

    def _is_over(self) -> bool:
        now = monotonic()
        has_more = self._is_behind or self._due or self._window
        is_idle = now - self._busy_at > LINGER and not has_more
        return self._stopping or self._gone or is_idle or now - self._begun_at > MAX_TIME

    def _is_finished(self) -> bool:
        return self._is_over() and not self._sending and not self._has_unrecorded()

    def _has_unrecorded(self) -> bool:
        self._window.advance()
        return bool(self._ledger) or self._window.position != self._recorded_position

    async def _opened(self, connection: AsyncConnection[Any]) -> Window:
        lease = self.lease
        parked = await cursors.parked_streams(connection, lease.webhook_id)
        previous = lease.previous
        if previous == UNKNOWN_ITEM:
            previous = await self._item_before(connection, lease.position)
        return Window(lease.position, previous, lease.taken_ahead, parked)

    async def _item_before(self, connection: AsyncConnection[Any], position: int) -> int | None:
        """The last item up to this position, since the webhook was created."""
        reach, first = WINDOW, self.endpoint.created_position
        while first < position:
            page_begins = max(first, position - reach)
            found = None
            after = page_begins
            while after < position:
                page = await self._read(connection, after, WINDOW)
                up_to_here = [i.position for i in page.items if i.position <= position]
                found = up_to_here[-1] if up_to_here else found
                if not page.more or len(up_to_here) < len(page.items):
                    break
                after = page.position
            if found is not None or page_begins == first:
                return found
            reach *= 10
        return None

    async def _read(self, connection: AsyncConnection[Any], after: int, limit: int) -> FeedPage:
        endpoint = self.endpoint
        return await read_feed(
            connection,
            self._office.keys,
            after=after,
            limit=limit,
            personal=endpoint.personal,
            types=endpoint.types,
            of_events=None if endpoint.event_id is None else {endpoint.event_id},
            find_blocks=find_blocks,
        )

    async def _work(self) -> None:
        """Record outcomes, read what is to be sent next, and start calls."""
        async with self._office.connection() as connection:
            disabled_because = await self._settle(connection)
            if not self._is_over():
                await self._read_more(connection)
                await self._read_due(connection)
        if disabled_because is not None:
            await self._office.disable(self.endpoint.id, disabled_because)
            self._gone = True
        self._start_calls()

    async def _wait(self) -> None:
        """Until there is progress, or something is due."""
        now = monotonic()
        until = [self._due_at - now, CURSOR_INTERVAL if self._has_unrecorded() else LINGER]
        if self._pace.seconds_until_next():
            until.append(self._pace.seconds_until_next())
        try:
            async with asyncio.timeout(max(0.0, min(until))):
                await self._progress.wait()
        except TimeoutError:
            pass
        if not self._stopping:
            await asyncio.sleep(max(GATHER_TIME, TIME_FOR_EACH * self._office.senders()))
        self._progress.clear()

    async def _settle(self, connection: AsyncConnection[Any]) -> str | None:
        """Record what became of items; returns why the webhook is to be disabled."""
        window = self._window
        self._ledger.park_behind(window.parked_behind())
        may_wait = monotonic() - self._recorded_at < CURSOR_INTERVAL and not self._is_over()
        if not self._has_unrecorded() or (may_wait and not self._ledger):
            return None
        done, leased_at = self._ledger.settlement(window), clock()
        settled = await cursors.settle(connection, self.lease, done)
        self._ledger.recorded(done)
        window.freed(settled.free_streams)
        self._retrying -= {*done.concluded, *(parked.position for parked in done.parked)}
        if done.streams:
            self._due_at = 0.0
        self._leased_at, self._recorded_at = leased_at, monotonic()
        self._recorded_position = done.position
        return GONE if self._gone else GIVEN_UP if settled.given_up else None

    async def _read_more(self, connection: AsyncConnection[Any]) -> None:
        wanted = WINDOW - len(self._window)
        if not self._is_behind or not self.endpoint.enabled or wanted < WINDOW // 2:
            return
        self._is_behind = False
        try:
            page = await self._read(connection, self._window.read_to, wanted)
        except (FeedStopped, NotInHistory) as error:
            log.warning("a webhook waits", reason=str(error), **error.members)
            return
        self._window.add(page)
        self._is_behind |= page.more

    async def _read_due(self, connection: AsyncConnection[Any]) -> None:
        """Read the parked items that are due."""
        if self._due or monotonic() < self._due_at:
            return
        id, only_tests = self.endpoint.id, not self.endpoint.enabled
        rows = await cursors.due(connection, id, only_tests=only_tests, limit=DUE_AT_ONCE)
        for row in rows:
            if row.position in self._retrying:
                continue
            item = await self._parked_item(connection, row)
            if item is None:
                self._ledger.conclude(row.position, row.stream)
            else:
                self._due.append(Entry(item=item, previous=row.previous, tries=row.tries))
            self._retrying.add(row.position)
        wait = await cursors.next_due_in(connection, id)
        self._due_at = monotonic() + (LINGER if wait is None else max(wait, GATHER_TIME))

    async def _parked_item(self, connection: AsyncConnection[Any], row: Parked) -> FeedItem | None:
        """None if the webhook does not want it any more."""
        if row.position == TEST_POSITION:
            return test_item(datetime.now(UTC))
        page = await self._read(connection, row.position - 1, 1)
        found = page.items
        return found[0] if found and found[0].position == row.position else None

    def _may_start(self) -> bool:
        return clock() - self._leased_at < MAX_LEASE_AGE

    def _start_calls(self) -> None:
        most = min(self._pace.calls, self._office.max_calls())
        while len(self._sending) < most and self._may_start() and not self._is_over():
            entry = self._next_entry()
            if entry is None:
                return
            call = asyncio.create_task(self._call(entry))
            self._sending.add(call)
            call.add_done_callback(self._ended)

    def _next_entry(self) -> Entry | None:
        if self._due:
            return self._due.popleft()
        if self._pace.seconds_until_next() > 0:
            return None
        entry = self._window.next()
        if entry is not None:
            self._pace.started()
        return entry

    async def _call(self, entry: Entry) -> tuple[Entry, datetime, Answer | None]:
        """The answer; None if no call was made."""
        at = datetime.now(UTC)
        begun = monotonic()
        position = entry.item.position
        id = message_id(self.endpoint.id, position or f"test_{uuid4().hex}")
        try:
            body = body_of(entry.item, entry.previous)
            headers = signed_headers(id, int(time.time()), body, self._secrets)
            answer = await self._calls.post(id, headers, body, self._may_start)
        except (asyncio.CancelledError, NotStarted):
            return entry, at, None
        except Exception as error:  # after a bug, too, the item must wait longer each time
            log.exception("bug in sending a webhook")
            answer = Answer(
                status=None,
                error=f"internal error: {type(error).__name__}",
                seconds=monotonic() - begun,
            )
        if answer.taken:
            self._pace.taken(answer.seconds)
        else:
            self._pace.failed(begun)
        return entry, at, answer

    def _ended(self, call: asyncio.Task[tuple[Entry, datetime, Answer | None]]) -> None:
        self._sending.discard(call)
        self._progress.set()
        self._busy_at = monotonic()
        if call.cancelled():
            return
        entry, at, answer = call.result()
        if entry.item.position in self._retrying:
            self._tried_again(entry, at, answer)
        elif answer is None:
            self._window.put_back(entry)
        else:
            waits = self._ledger.called(entry, at, answer)
            if answer.taken:
                self._window.taken(entry)
            elif waits:
                self._window.parked(entry)
        self._gone |= answer is not None and answer.gone
        self._start_calls()

    def _tried_again(self, entry: Entry, at: datetime, answer: Answer | None) -> None:
        position, is_test = entry.item.position, entry.item.position == TEST_POSITION
        if answer is None:
            self._retrying.discard(position)
            return
        waits = self._ledger.called(entry, at, answer)
        if is_test or not (waits or answer.gone):
            self._ledger.conclude(position, self.endpoint.id if is_test else entry.stream)

    def _cancel_calls(self) -> None:
        for call in self._sending:
            call.cancel()
