"""Tells requests that wait for the feed when it may have an item for them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import msgspec
import structlog
from psycopg import AsyncConnection
from psycopg.sql import SQL, Identifier

from api.database.single_flight import SharedReads
from domain.core.availability import UNAVAILABLE
from domain.core.errors import ProblemError
from domain.feed.reading import read_feed
from domain.feed.wanted import Wanted
from domain.history.store import CHANNEL, CONNECTION_TIMEOUTS, SESSION, last_position
from domain.privacy.keys import InstallationKeys

READ_INTERVAL = 0.25
"""Seconds between two reads, at least: under load, followers get larger pages instead of more."""

REREAD_INTERVAL = 5.0
"""Seconds without a notification, after which history is read anyway."""

RETRY_DELAY = 0.5
"""Seconds after an error."""

IDLE_LIFETIME = 30.0
"""Seconds without a waiting request, after which the connection is closed."""

ITEMS_PER_READ = 1_000

log = structlog.get_logger()


class _Waiting(msgspec.Struct, eq=False):
    wanted: Wanted
    after: int
    """It wants nothing of the feed up to here."""
    woken: asyncio.Future[None]


class FeedWatch:
    """The waiting requests of one process. They share one connection, which is open only while some
    of them wait, and one read of what is new."""

    def __init__(self, database_url: str, keys: InstallationKeys, ending: asyncio.Event) -> None:
        self._database_url = database_url
        self._keys = keys
        self._ending = ending
        self._waiting: set[_Waiting] = set()
        self._position: int | None = None
        """Where the next read begins; None before the first one."""
        self._task: asyncio.Task[None] | None = None
        self.pages = SharedReads[Any]()
        """The reads of requests that were woken by the same item."""

    async def __aenter__(self) -> FeedWatch:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.wake_all()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    async def wait(
        self, wanted: Wanted, after: int, seconds: float, gone: asyncio.Future[None]
    ) -> int:
        """Wait until there may be an item after the position. Returns the position up to which
        there is none: later than `after` if only other items came. Returns at once when the process
        has to end, and when the client is gone."""
        if self._ending.is_set() or (self._position is not None and after < self._position):
            return after
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="feed watch")
        waiting = _Waiting(wanted, after, asyncio.get_running_loop().create_future())
        self._waiting.add(waiting)

        def leave(_: object) -> None:
            self._wake(waiting)

        gone.add_done_callback(leave)
        try:
            async with asyncio.timeout(seconds):
                await waiting.woken
        except TimeoutError:
            pass
        finally:
            gone.remove_done_callback(leave)
            self._waiting.discard(waiting)
        return waiting.after

    def wake_all(self) -> None:
        for waiting in list(self._waiting):
            self._wake(waiting)

    async def _run(self) -> None:
        ending = asyncio.create_task(self._ending.wait(), name="feed watch ends")
        ending.add_done_callback(lambda _: self.wake_all())
        try:
            while self._waiting:
                try:
                    await self._follow()
                except UNAVAILABLE as error:
                    log.warning("cannot follow history for the feed", reason=str(error))
                    await asyncio.sleep(RETRY_DELAY)
                except ProblemError as error:
                    log.warning("cannot read the feed", reason=str(error))
                    self._position = None
                    self.wake_all()  # they get the same error
                    await asyncio.sleep(RETRY_DELAY)
        finally:
            ending.cancel()
            self._task = self._position = None

    async def _follow(self) -> None:
        """Returns when no request has waited for `IDLE_LIFETIME`."""
        loop = asyncio.get_running_loop()
        async with await AsyncConnection.connect(
            self._database_url, autocommit=True, options=SESSION, **CONNECTION_TIMEOUTS
        ) as connection:
            await connection.execute(SQL("LISTEN {}").format(Identifier(CHANNEL)))
            waited_at = loop.time()
            while loop.time() < waited_at + IDLE_LIFETIME:
                if self._waiting:
                    waited_at = loop.time()
                read_at = loop.time()
                await self._compare(connection)
                await asyncio.sleep(read_at + READ_INTERVAL - loop.time())
                async for _ in connection.notifies(timeout=REREAD_INTERVAL, stop_after=1):
                    pass

    async def _compare(self, connection: AsyncConnection[Any]) -> None:
        """Wake the requests for which something has come."""
        if self._position is None:
            self._position = await last_position(connection)
            for waiting in [w for w in self._waiting if w.after < self._position]:
                self._wake(waiting)
            return
        more = True
        while more:
            page = await read_feed(
                connection, self._keys, after=self._position, limit=ITEMS_PER_READ
            )
            more = page.more
            self._position = page.position
            newest = {
                wanted: max((i.position for i in page.items if wanted.includes(i)), default=0)
                for wanted in {waiting.wanted for waiting in self._waiting}
            }
            for waiting in list(self._waiting):
                if newest[waiting.wanted] > waiting.after:
                    self._wake(waiting)
                else:
                    waiting.after = max(waiting.after, page.position)

    def _wake(self, waiting: _Waiting) -> None:
        """It leaves at once: a later read must not move what it is after."""
        self._waiting.discard(waiting)
        if not waiting.woken.done():
            waiting.woken.set_result(None)
