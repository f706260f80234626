"""Erases people from history and from the read tables, in one transaction.

The response comes when no message to the person can leave any more: messages that a worker may be
sending are waited for. If the worker does not answer, the wait is as long as it could have begun to
send.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic

import structlog
from psycopg.errors import DeadlockDetected

from api.identity.credentials import Pool
from domain.core.values import Email
from domain.erasure import erase_person
from domain.history.batch import Done, Origin
from domain.history.idempotency import Once
from domain.history.replays import done_once
from domain.privacy.keys import InstallationKeys
from domain.visitors import Visitor
from projections import outbox, visitors
from projections.erased_recipients import any_leased, erase_recipients

TRIES = 3
"""Attempts of a transaction that PostgreSQL ends because of a deadlock."""

POLL_INTERVAL = 0.02
"""Seconds between two checks whether workers are done."""

MARGIN = 1.0
"""Seconds for a message that a worker began to send at the last moment."""

log = structlog.get_logger()


class Erasures:
    """Erasures of an installation, on connections to the primary."""

    def __init__(self, pool: Pool, keys: InstallationKeys) -> None:
        self._pool = pool
        self._keys = keys

    async def erase(self, email: Email, origin: Origin, once: Once | None = None) -> Done:
        """Erase all registrations of this email, with an `Erasure`; there may be none."""
        erased = list[Visitor]()
        for _ in range(TRIES - 1):
            try:
                done = await self._erase(email, origin, once, erased)
                break
            except DeadlockDetected:
                log.warning("an erasure ended in a deadlock: trying again")
        else:
            done = await self._erase(email, origin, once, erased)
        if erased:
            await self._until_nothing_is_sent(erased, done.position)
        return done

    async def _erase(
        self, email: Email, origin: Origin, once: Once | None, erased: list[Visitor]
    ) -> Done:
        """Adds the visitors, as they were, to `erased`."""
        async with self._pool.connection() as connection, connection.transaction():

            async def blank_rows(people: Sequence[Visitor], at: datetime) -> None:
                await visitors.clear_search_keys(connection, [visitor.id for visitor in people])
                await erase_recipients(connection, people, at)
                erased.extend(people)

            async def write() -> Done:
                erasure = await erase_person(connection, self._keys, email, origin, blank_rows)
                return Done(erasure, erasure.position)

            return await done_once(connection, once, write)

    async def _until_nothing_is_sent(self, erased: Sequence[Visitor], position: int) -> None:
        ends = monotonic() + outbox.MAX_SEND_DELAY + MARGIN
        while await self._may_be_sent(erased, position):
            if monotonic() > ends:
                log.warning(
                    "a worker has not reported the outcome of an erased person's notification"
                )
                break
            await asyncio.sleep(POLL_INTERVAL)

    async def _may_be_sent(self, erased: Sequence[Visitor], position: int) -> bool:
        try:
            async with self._pool.connection() as connection:
                # The row may have been projected and leased while the erasure was committed.
                await erase_recipients(connection, erased, datetime.now(UTC), position)
                return await any_leased(connection, erased, position)
        except DeadlockDetected:  # with a worker that records outcomes: it is not done
            return True
