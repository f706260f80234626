"""Erasing people: from history, and from the read tables, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog
from psycopg.errors import DeadlockDetected

from api.credentials import Pool
from domain.batch import Origin
from domain.erasure import Erasure, erase_person
from domain.personal_data import InstallationKeys
from domain.values import Email
from domain.visitors import Visitor
from projections import outbox, visitors

TRIES = 3
"""Of a transaction that PostgreSQL ends for having met others head-on."""

log = structlog.get_logger()


class Erasures:
    """Those of one installation, on connections to the database that history is in."""

    def __init__(self, pool: Pool, keys: InstallationKeys) -> None:
        self._pool = pool
        self._keys = keys

    async def erase(self, email: Email, origin: Origin) -> Erasure:
        """Erase whoever registered with this email, which may be nobody."""
        for _ in range(TRIES - 1):
            try:
                return await self._erase(email, origin)
            except DeadlockDetected:
                log.warning("an erasure met others head-on and is tried again")
        return await self._erase(email, origin)

    async def _erase(self, email: Email, origin: Origin) -> Erasure:
        async with self._pool.connection() as connection, connection.transaction():

            async def blank_rows(people: Sequence[Visitor], at: datetime) -> None:
                await visitors.blank(connection, [visitor.id for visitor in people])
                notifications = [v.notification_id for v in people if v.notification_id]
                await outbox.blank(connection, notifications, at)

            return await erase_person(connection, self._keys, email, origin, blank_rows)
