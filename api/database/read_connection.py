"""A connection for queries, directly or through a pooler (`domain.history.pooling`)."""

from __future__ import annotations

from typing import Any, Self

import psycopg

from domain.history.answering import AnsweringConnection
from domain.history.pooling import HAS_MARK, refuses_options


class ReadConnection(AnsweringConnection):
    """Uses neither prepared statements nor a statement timeout where a pooler may give each
    transaction another session; PgBouncer has timeouts of its own."""

    @classmethod
    async def connect(cls, conninfo: str = "", **given: Any) -> Self:
        """`given` holds the session's options, `domain.history.pooling.SESSION_MARK` among them."""
        try:
            connection = await super().connect(conninfo, **given)
        except psycopg.OperationalError as error:
            if not refuses_options(error):
                raise
            connection = await super().connect(conninfo, **{**given, "options": None})
        cursor = await connection.execute(HAS_MARK, prepare=False)
        if await cursor.fetchone() != (True,):
            connection.prepare_threshold = None
            await connection.execute("SET TimeZone TO 'UTC'")  # poolers see this, and keep it
        return connection
