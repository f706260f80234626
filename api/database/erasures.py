"""Erasing people: from history, and from the read tables, in one transaction.

An erasure is answered when nothing leaves for the person any more: what a worker may be sending
just then is waited for. A worker that does not run, or is gone, is waited for as long as it could
have begun to send, and no longer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic
from uuid import UUID

import structlog
from psycopg.errors import DeadlockDetected

from api.identity.credentials import Pool
from domain.core.values import Email
from domain.erasure import Erasure, erase_person
from domain.history.batch import Origin
from domain.privacy.keys import InstallationKeys
from domain.visitors import Visitor
from projections import outbox, visitors

TRIES = 3
"""Of a transaction that PostgreSQL ends for having met others head-on."""

POLL_INTERVAL = 0.02
"""Seconds between two looks at whether workers are done."""

MARGIN = 1.0
"""Seconds for what a worker begins at the last moment to be on its way."""

log = structlog.get_logger()


class Erasures:
    """Those of one installation, on connections to the database that history is in."""

    def __init__(self, pool: Pool, keys: InstallationKeys) -> None:
        self._pool = pool
        self._keys = keys

    async def erase(self, email: Email, origin: Origin) -> Erasure:
        """Erase whoever registered with this email, which may be nobody."""
        notifications = list[UUID]()
        for _ in range(TRIES - 1):
            try:
                erasure = await self._erase(email, origin, notifications)
                break
            except DeadlockDetected:
                log.warning("an erasure met others head-on and is tried again")
        else:
            erasure = await self._erase(email, origin, notifications)
        if notifications:
            await self._until_nothing_leaves(notifications)
        return erasure

    async def _erase(self, email: Email, origin: Origin, notifications: list[UUID]) -> Erasure:
        """Fills in the notifications of the registrations that are erased."""
        async with self._pool.connection() as connection, connection.transaction():

            async def blank_rows(people: Sequence[Visitor], at: datetime) -> None:
                await visitors.clear_search_keys(connection, [visitor.id for visitor in people])
                theirs = [v.notification_id for v in people if v.notification_id]
                await outbox.erase_recipients(connection, theirs, at)
                notifications.extend(theirs)

            return await erase_person(connection, self._keys, email, origin, blank_rows)

    async def _until_nothing_leaves(self, notifications: Sequence[UUID]) -> None:
        ends = monotonic() + outbox.MAX_SEND_DELAY + MARGIN
        while await self._may_leave(notifications):
            if monotonic() > ends:
                log.warning("a worker has not said what became of an erased person's notification")
                break
            await asyncio.sleep(POLL_INTERVAL)

    async def _may_leave(self, notifications: Sequence[UUID]) -> bool:
        async with self._pool.connection() as connection:
            # Of a row that was projected, and leased, while the erasure was committed.
            await outbox.erase_recipients(connection, notifications, datetime.now(UTC))
            return await outbox.any_leased(connection, notifications)
