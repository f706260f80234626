"""A connection for queries, which gets along with a pooler (`domain.history.pooling`)."""

from __future__ import annotations

from typing import Any, Self

import psycopg
from psycopg import AsyncConnection

from domain.history.pooling import IS_OURS, refuses_options


class ReadConnection(AsyncConnection[Any]):
    """Without prepared statements and a limit to a query's time where each transaction may have
    another session: PgBouncer has limits of its own."""

    @classmethod
    async def connect(cls, conninfo: str = "", **given: Any) -> Self:
        """`given` holds the options of a session, with `domain.history.pooling.MARK` among them."""
        try:
            connection = await super().connect(conninfo, **given)
        except psycopg.OperationalError as error:
            if not refuses_options(error):
                raise
            connection = await super().connect(conninfo, **{**given, "options": None})
        cursor = await connection.execute(IS_OURS, prepare=False)
        if await cursor.fetchone() != (True,):
            connection.prepare_threshold = None
            await connection.execute("SET TimeZone TO 'UTC'")  # which poolers see, and keep
        return connection
